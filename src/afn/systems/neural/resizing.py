"""Bilinear resizing of feature maps whose gradient is the same every time, on a GPU as on a CPU."""

from typing import Any

import torch
from torch import Size, Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional


def resize(x: Tensor, size: Size) -> Tensor:
    """Tensor[B × C × H × W] to Tensor[B × C × size], bilinear with aligned corners; its type on a GPU is that of x."""
    if x.device.type == "cpu":
        return functional.interpolate(x, size=size, mode="bilinear", align_corners=True)
    return Resize.apply(x, size)


class Resize(torch.autograd.Function):
    """The same, with a gradient of two matrix products.

    On a GPU PyTorch's own either adds up in an order of chance or, under deterministic algorithms, resizes by indexing
    and sorts the indices for the gradient; under autocast it widens to float32.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, size: Size) -> Tensor:
        ctx.size = x.shape[2:]
        with torch.autocast(x.device.type, enabled=False):
            return torch.ops.aten.upsample_bilinear2d(x, size, True)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        height, width = ctx.size
        by_row = gradient.permute(0, 2, 3, 1)  # B × H' × W' × C, no copy of a channels-last gradient
        batch, rows, columns, channels = by_row.shape
        with torch.autocast(gradient.device.type, enabled=False):
            by_row = _shares(height, rows, gradient) @ by_row.reshape(batch, rows, columns * channels)
            by_row = _shares(width, columns, gradient) @ by_row.reshape(batch, height, columns, channels)
        return by_row.permute(0, 3, 1, 2), None


def _shares(before: int, after: int, like: Tensor) -> Tensor:
    """Tensor[before × after], how much of each place of an axis is in each place of the resized one."""
    dtype = torch.promote_types(like.dtype, torch.float32)
    sources = torch.arange(after, dtype=dtype, device=like.device) * ((before - 1) / max(after - 1, 1))
    places = torch.arange(before, dtype=dtype, device=like.device)
    return (1 - (sources - places[:, None]).abs()).clamp(min=0).to(like.dtype)
