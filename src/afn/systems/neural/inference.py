"""A trained network optimised for scoring: the same scores in a fraction of the time."""

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

Model = TypeVar("Model", bound=nn.Module)


def for_scoring(model: Model) -> Model:
    """A copy of `model` that scores as it does in evaluation mode, to rounding in float32, and cannot be trained.

    A batch norm after a convolution or a linear layer becomes part of it. On a CPU, max-pooling is done along one axis
    after the other.
    """
    copied = copy.deepcopy(model).eval().requires_grad_(False)
    on_cpu = all(parameter.device.type == "cpu" for parameter in copied.parameters())
    for module in list(copied.modules()):
        if isinstance(module, nn.Sequential):
            _fold(module)
        for name, child in module.named_children():
            if on_cpu and isinstance(child, nn.MaxPool2d) and AxisMaxPool.can_be(child):
                setattr(module, name, AxisMaxPool(child))
    return copied


def _fold(layers: nn.Sequential) -> None:
    """Merge every batch norm of the sequence into the layer before it, if that is linear."""
    for place in range(1, len(layers)):
        before, norm = layers[place - 1], layers[place]
        if isinstance(before, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            layers[place - 1] = fuse_conv_bn_eval(before, norm)
        elif isinstance(before, nn.Linear) and isinstance(norm, nn.BatchNorm1d):
            layers[place - 1] = fuse_linear_bn_eval(before, norm)
        else:
            continue
        layers[place] = nn.Identity()


class AxisMaxPool(nn.Module):
    """Max-pooling along one axis after the other: faster than PyTorch's on a CPU, which also stores indices."""

    def __init__(self, pool: nn.MaxPool2d):
        super().__init__()
        self.kernel, self.stride = _pair(pool.kernel_size), _pair(pool.stride)

    @staticmethod
    def can_be(pool: nn.MaxPool2d) -> bool:
        """Whether this class can replace `pool`."""
        plain = _pair(pool.padding) == (0, 0) and _pair(pool.dilation) == (1, 1)
        return plain and not pool.ceil_mode and not pool.return_indices

    def forward(self, x: Tensor) -> Tensor:
        for axis, (kernel, stride) in enumerate(zip(self.kernel, self.stride, strict=True), start=2):
            count = (x.shape[axis] - kernel) // stride + 1
            shifted = [_every(x, axis, start, stride, count) for start in range(kernel)]
            if kernel > 1:
                x = torch.maximum(shifted[0], shifted[1])
                for further in shifted[2:]:
                    torch.maximum(x, further, out=x)
            else:
                x = shifted[0]
        return x


def _every(x: Tensor, axis: int, start: int, stride: int, count: int) -> Tensor:
    """A view of `count` positions of one axis, `stride` apart."""
    places = slice(start, start + (count - 1) * stride + 1, stride)
    return x[:, :, places] if axis == 2 else x[:, :, :, places]


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value
