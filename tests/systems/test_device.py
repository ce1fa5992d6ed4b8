"""The device, its arithmetic and its threads; stand-ins answer for GPUs."""

import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from afn.systems import device as devices

THREADS = "import torch; from afn.systems import device; device.choose(); print(torch.get_num_threads())"


@pytest.fixture
def gpu(monkeypatch):
    """Pretends that there is a GPU; called with its generation, the major compute capability."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "_check_bf16_tensor_supported", lambda device: True)

    def of(generation):
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(major=generation))

    return of


@pytest.mark.parametrize(("generation", "precision"), [(7, "float32"), (8, "bfloat16")], ids=["Turing", "Ampere"])
def test_auto_is_bfloat16_only_on_gpus_that_have_it_in_hardware(generation, precision, gpu):
    gpu(generation)
    assert devices.resolved("auto") == devices.resolved("auto", torch.device("cuda")) == precision


@pytest.mark.parametrize(
    ("instructions", "wanted", "precision"),
    [(True, "auto", "bfloat16"), (False, "auto", "float32"), (None, "auto", "float32")]
    + [(True, "float32", "float32"), (False, "bfloat16", "bfloat16")],
)
def test_auto_is_bfloat16_only_on_cpus_that_have_it_in_hardware(instructions, wanted, precision, monkeypatch):
    if instructions is None:  # a version of PyTorch that cannot tell
        monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported", raising=False)
    else:
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: instructions, raising=False)
    assert devices.resolved(wanted, torch.device("cpu")) == precision


def test_float32_on_a_gpu_is_not_tf32_and_results_are_repeatable(gpu, monkeypatch):
    gpu(9)
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")  # restored afterwards
    matmul, cudnn, fill = torch.backends.cuda.matmul, torch.backends.cudnn, torch.utils.deterministic
    before = matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark, fill.fill_uninitialized_memory
    matmul.allow_tf32 = cudnn.allow_tf32 = cudnn.benchmark = True
    try:
        assert devices.choose() == torch.device("cuda")
        assert not (matmul.allow_tf32 or cudnn.allow_tf32 or cudnn.benchmark)
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)
        matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark, fill.fill_uninitialized_memory = before


@pytest.mark.slow
def test_omp_num_threads_is_respected():
    assert printed([sys.executable, "-c", THREADS], OMP_NUM_THREADS="1") == "1"


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("taskset"), reason="needs taskset")
def test_the_cores_that_the_process_may_use_are_respected():
    core = min(os.sched_getaffinity(0))
    assert printed(["taskset", "-c", str(core), sys.executable, "-c", THREADS], OMP_NUM_THREADS="") == "1"


def printed(command, **environment):
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=True)
    return done.stdout.strip()
