"""Several processes train as one does: the loss curve, the weights, resumption, and how they end."""

import csv
import importlib.util
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

import stage
import train
from errors import UserError
from layout import METRICS
from systems import distributed
from systems.training import BEST, LAST, load

SCRIPT = Path(__file__).with_name("sharing_trainings.py")
_spec = importlib.util.spec_from_file_location("sharing_trainings", SCRIPT)
sharing = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sharing)

LAUNCH = f"""
import sys
sys.path.insert(0, {str(stage.ROOT / "src")!r})
import errors
from systems import distributed
errors.run(lambda: distributed.launch(sys.argv[2:], int(sys.argv[1])))
"""

# 22 utterances in fives: of the last two, one of three processes has none. Sixes share out without a rest but the last.
FIVES, SIXES = {"batch_size": 5}, {"batch_size": 6, "synchronised_batch_norm": False}
TRAININGS = [("synchronised", FIVES), ("recomputing", FIVES | {"recompute": True}), ("own", SIXES)]
STOPPED = [("resumed", FIVES | {"checkpoint_minutes": 0.0, "stop_after": 3}), ("resumed", FIVES)]


def started(folder, processes, trainings):
    """Several processes at trainings, `(name, settings)`; what they leave lies in folder/name."""
    settings = folder / "settings.json"
    settings.write_text(json.dumps([{"name": name} | values for name, values in trainings]))
    for name, _ in trainings:
        (folder / name).mkdir(exist_ok=True)
    command = [sys.executable, "-c", LAUNCH, str(processes), sys.executable, str(SCRIPT), str(folder), str(settings)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process):
    """Exit code and lines of stderr."""
    _, text = process.communicate(timeout=120)
    return process.returncode, text.splitlines()


def curve(directory):
    with (directory / METRICS).open() as file:
        return [[float(row[name]) for name in ("train_loss", "dev_loss", "dev_eer")] for row in csv.DictReader(file)]


def weights(directory, name=BEST):
    return load(directory / name, torch.device("cpu"))["model"]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    for name, settings in TRAININGS:
        (folder / name).mkdir()
        sharing.run(folder / name, **settings)
    return folder


@pytest.fixture(scope="module", params=[2, 3])
def shared(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(f"by{request.param}")
    code, lines = ended(started(folder, request.param, [*TRAININGS, *STOPPED]))
    assert (code, lines) == (0, [])
    return folder


@pytest.mark.parametrize("name", ["synchronised", "recomputing"])
def test_the_loss_curve_is_that_of_one_process(alone, shared, name):
    first, second = curve(alone / name), curve(shared / name)
    assert len(first) == 2
    np.testing.assert_allclose(second, first, atol=1e-4)


def test_the_best_weights_are_those_of_one_process(alone, shared):
    first, second = weights(alone / "synchronised"), weights(shared / "synchronised")
    assert first.keys() == second.keys()
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, atol=1e-4, rtol=0)


def test_an_interrupted_training_goes_on_in_all_processes(shared):
    assert curve(shared / "resumed") == curve(shared / "synchronised")
    for name in (BEST, LAST):
        first, second = weights(shared / "synchronised", name), weights(shared / "resumed", name)
        assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", ["synchronised", "own"])
def test_every_process_ends_with_the_same_weights_and_running_statistics(shared, name):
    first, *others = [path.read_text() for path in sorted((shared / name).glob("weights*.json"))]
    assert others
    assert all(other == first for other in others)


def test_statistics_of_shares_make_another_training_of_the_same_kind(alone, shared):
    first, second = np.array(curve(alone / "own")), np.array(curve(shared / "own"))
    assert np.abs(first - second)[:, 0].max() > 1e-4
    np.testing.assert_allclose(second[:, 0], first[:, 0], atol=0.3)


@pytest.mark.parametrize(
    ("fail", "message"), [("all", "the all mistake"), ("killed", "process 1 was ended by signal 9")]
)
def test_a_process_that_fails_ends_all_and_is_heard_once(tmp_path, fail, message):
    code, lines = ended(started(tmp_path, 2, [("failing", {"stop_after": 2, "fail": fail})]))
    assert code == 2
    assert len(lines) == 1
    assert f"error: {message}" in lines[0]


def test_a_signal_to_the_launcher_ends_all(tmp_path):
    endless = [("endless", {"epochs": 10**6, "patience": 10**6})]
    process = started(tmp_path, 2, endless)
    deadline = time.monotonic() + 60
    while not (tmp_path / "endless" / LAST).exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    code, lines = ended(process)
    assert code == 128 + signal.SIGTERM
    assert len(lines) == 1
    assert lines[0].endswith("interrupted; the same command goes on from here")


def test_a_process_by_itself_shares_with_nobody():
    here = distributed.group()
    tensor = torch.arange(3.0)
    here.add_up([tensor])
    assert (here.first, here.share([1, 2, 3]), tensor.tolist()) == (True, [1, 2, 3], [0, 1, 2])
    assert here.from_first(lambda: "mine") == "mine"
    assert not distributed.launched()


def test_shares_are_every_nth_and_leave_nothing_out():
    groups = [distributed.Group(rank, 3) for rank in range(3)]
    assert [group.share([*range(5)]) for group in groups] == [[0, 3], [1, 4], [2]]
    assert [groups[0].smallest_share(count) for count in (2, 3, 8)] == [0, 1, 2]


def test_jobs_and_processes_are_not_both_given(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py", "--nproc", "2", "--jobs", "2", "--seeds", "1-2"])
    with pytest.raises(UserError, match="--jobs trains seeds side by side.*give one"):
        train.main()
