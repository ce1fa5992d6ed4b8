"""The device and the arithmetic of networks, and the settings under which convolutions are fastest there."""

import contextlib
import os
import warnings

import torch

from afn.common import allocator, parallel


def choose() -> torch.device:
    """The first GPU, else the CPU; sets PyTorch up for repeatable results there."""
    if torch.cuda.is_available():
        # The choice of an algorithm must not depend on timing. PyTorch warns about max-pooling, although its kernel
        # gathers gradients in a fixed order (DilatedMaxPool2d.cu).
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = False
        torch.use_deterministic_algorithms(True, warn_only=True)
        warnings.filterwarnings("ignore", "max_pool2d_with_indices_backward_cuda")
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # a debugging aid that writes all results twice
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False  # float32 means float32
        return torch.device("cuda")
    allocator.keep_freed()
    if not os.environ.get("OMP_NUM_THREADS"):  # which PyTorch has read itself
        torch.set_num_threads(parallel.default_jobs())
    return torch.device("cpu")


def room_for_features(device: torch.device) -> float:
    """The bytes of a GPU that the features of a subset may take: a quarter of the free memory."""
    free, _ = torch.cuda.mem_get_info(device)
    return free / 4


def placed(model: torch.nn.Module, device: torch.device) -> torch.nn.Module:
    """`model` on `device`, its convolution weights channels-last: the fastest layout on CPU and GPU."""
    return model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def resolved(precision: str, device: torch.device | None = None) -> str:
    """The arithmetic that a setting means on `device` (default: the one that `choose` takes): float32 or bfloat16.

    "auto" is bfloat16 on a GPU or CPU that has it in hardware, and float32 elsewhere.
    """
    if precision != "auto":
        return precision
    cuda = torch.cuda.is_available() if device is None else device.type == "cuda"
    has_it = torch.cuda.is_bf16_supported(including_emulation=False) if cuda else _cpu_has_bfloat16()
    return "bfloat16" if has_it else "float32"


def _cpu_has_bfloat16() -> bool:
    """Whether convolutions can use bfloat16 instructions: AVX512-BF16, which CPUs with AMX have as well."""
    asked = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # private; a version without it trains in float32
    return asked is not None and torch.backends.mkldnn.is_available() and asked()


def arithmetic(device: torch.device, precision: str) -> contextlib.AbstractContextManager[object]:
    """A context for forward passes in training, by a `resolved` precision.

    bfloat16 autocasts matrix products and convolutions, which sum in float32; batch statistics, weights and the loss
    stay float32.
    """
    if precision == "bfloat16":
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()
