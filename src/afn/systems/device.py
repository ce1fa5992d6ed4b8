"""Where tensors live, and the settings under which convolutions are fastest there."""

import os
import warnings
from contextlib import nullcontext
from typing import Any

import torch

from afn.common import allocator

TRAINING_MEMORY = 6 * 2**30  # bytes; a step of four utterances takes 4.5 GB in float32, CUDA itself some more


def choose() -> torch.device:
    """The first GPU, else the CPU; prepares either for convolutions of ever the same size."""
    if torch.cuda.is_available():
        # The choice of an algorithm must not depend on timing. Of max-pooling PyTorch only warns, for its kernels no
        # longer add up in an order of chance (DilatedMaxPool2d.cu): each place collects what it gets.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = False
        torch.use_deterministic_algorithms(True, warn_only=True)
        warnings.filterwarnings("ignore", "max_pool2d_with_indices_backward_cuda")
        torch.utils.deterministic.fill_uninitialized_memory = False  # an aid to debugging that writes all results twice
        torch.set_float32_matmul_precision("high")  # TF32, as convolutions have it by default
        return torch.device("cuda")
    allocator.keep_freed()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    torch.set_num_threads(max(1, cores // int(os.environ.get("LOCAL_WORLD_SIZE", 1))))  # torchrun's: processes here
    return torch.device("cpu")


def trainings_at_once() -> int:
    """How many trainings fit a GPU's free memory; 1 on a CPU, which a single one fills."""
    if not torch.cuda.is_available():
        return 1
    free, _ = torch.cuda.mem_get_info()
    return max(1, free // TRAINING_MEMORY)


def room_for_features(device: torch.device) -> float:
    """How many bytes of a GPU a subset's features may take: a quarter of what is free."""
    free, _ = torch.cuda.mem_get_info(device)
    return free / 4


def placed(model: torch.nn.Module, device: torch.device) -> torch.nn.Module:
    """`model` on `device`, its convolution weights channels-last: the fastest layout on both."""
    return model.to(device=device, memory_format=torch.channels_last)


def arithmetic(device: torch.device, precision: str) -> Any:
    """A context for forward passes in training.

    `precision` "bfloat16" autocasts matrix products and convolutions (batch statistics, weights and the loss stay
    float32), "float32" does not, "auto" takes bfloat16 on a GPU that has it and float32 elsewhere.
    """
    # Without a cache of cast weights, which no CUDA graph may use; they are cast once a pass in any case.
    half = _half(device, precision)
    return torch.autocast(device.type, torch.bfloat16, cache_enabled=False) if half else nullcontext()


def storage(device: torch.device, precision: str) -> torch.dtype:
    """The type in which `device` holds features for training: as fine as the arithmetic, and no finer."""
    return torch.float16 if _half(device, precision) else torch.float32


def _half(device: torch.device, precision: str) -> bool:
    if precision == "auto":
        return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return precision == "bfloat16"
