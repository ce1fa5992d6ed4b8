"""The measurement script for GPUs: what a failing part costs, its table and JSON, the numbers behind its fractions."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

import gpu
import gpu_parts
from afn.systems.neural.batches import tile, tile_on

WRITES = """
import json, sys
with open(sys.argv[sys.argv.index("--rows") + 1], "a") as file:
    print(json.dumps({"part": sys.argv[1], "what": "speed", "value": 2.5, "unit": "utt/s", "right": True}), file=file)
"""


@pytest.mark.slow
def test_a_part_that_fails_or_hangs_costs_only_its_own_rows(tmp_path, capsys):
    def part(name, script, limit=300.0):
        (tmp_path / f"{name}.py").write_text(script)
        return gpu.Part(name, limit, (str(tmp_path / f"{name}.py"), name))

    wanted = [
        part("first", WRITES),
        part("broken", WRITES + "raise ValueError('no such kernel')"),
        part("hanging", "import time; time.sleep(600)", limit=1.0),
        part("last", WRITES),
    ]
    states = gpu.run(wanted, tmp_path, ["--rows", str(tmp_path / "rows.jsonl")], 900)
    written = json.loads((tmp_path / "gpu.json").read_text())
    assert [row["part"] for row in written["rows"]] == ["first", "broken", "last"]
    assert written["parts"] == states
    assert states["first"].startswith("done") and states["last"].startswith("done")
    assert "ValueError: no such kernel" in states["broken"] and states["hanging"].startswith("STOPPED")
    assert "speed" in capsys.readouterr().out
    assert gpu.run(wanted[:1], tmp_path, [], 1)["first"].startswith("left out")  # no time


LACKS = ("pyroomacoustics", "espeakng_loader", "neat", "safetensors")  # and gpu_prepare.py does not pack


@pytest.mark.slow
def test_the_parts_run_without_the_packages_that_gpu_machines_lack(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.modules.update(dict.fromkeys({LACKS}))\n")
    path = os.pathsep.join([str(tmp_path), *sys.path])
    run = subprocess.run(
        [sys.executable, "-c", "import gpu_parts"],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", gpu_parts.MACS)
def test_the_operations_and_the_traffic_behind_the_fractions_are_those_of_the_networks(name):
    with torch.device("meta"):
        model = gpu_parts.NETWORKS[name][0]().eval()
    operations, values = [], []

    def count(layer, inputs, output):
        """A layer reads its input and writes its output; a batch norm in training reads twice. Nothing is fused."""
        values.append(inputs[0].numel() * (2 if isinstance(layer, nn.BatchNorm2d) else 1) + output.numel())
        if isinstance(layer, nn.Conv2d | nn.Linear):
            operations.append(output.numel() * layer.weight[0].numel())

    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.BatchNorm2d | nn.ReLU | nn.MaxPool2d | nn.Linear):
            layer.register_forward_hook(count)
    model(torch.empty(1, 1, gpu_parts.BINS, gpu_parts.FRAMES, device="meta"))
    assert sum(operations) == pytest.approx(gpu_parts.MACS[name], rel=1e-3)
    if name == "AFN":
        assert 2 * sum(values) == pytest.approx(gpu_parts.FORWARD_BYTES, rel=0.05)


def test_a_batch_tiled_on_a_device_is_that_of_the_host():
    random = np.random.default_rng(1)
    features = [random.standard_normal((frames, 5), dtype=np.float32) for frames in (3, 9, 14)]
    ours = tile_on(torch.device("cpu"), features, 10, 5)
    assert ours.shape == (3, 1, 5, 10) and ours.is_contiguous()
    np.testing.assert_array_equal(ours[:, 0], np.stack([tile(matrix, 10, 5) for matrix in features]))
