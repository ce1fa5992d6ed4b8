"""Attentive filtering network: a learned time-frequency mask A on the log power spectrogram S, then a classifier.

Source: Lai et al., ICASSP 2019, eqs. 1-3 and Fig. 1, and the layer list of the authors' repository
(simple_attention_network.py, AttenResNet2, 4 and 5).
"""

from functools import cache
from typing import Any

import torch
from torch import Size, Tensor, nn
from torch.nn import functional

from afn.systems.neural.dilated_resnet import (
    BINS,
    DilatedResNet,
    check_frames,
    check_input,
    frames_left,
    xavier_convolutions,
)

ATTENTIONS = ("sigmoid", "tanh", "softmaxF", "softmaxT")

# Dilations (F, T) of the five steps down. Padding 1 is less than they consume, so every step shrinks the map.
DILATIONS = ((4, 8), (8, 16), (16, 32), (32, 64), (64, 128))


class AttentiveFilteringNetwork(nn.Module):
    """S* = (1 + A) ∘ S with A = phi(U(S)), and a dilated residual network on S*; 185,762 parameters at 257 × 1091.

    Args:
        attention: the non-linearity phi: "sigmoid" or "tanh" of each element, "softmaxF" over the 257 bins of a frame,
            "softmaxT" over the frames of a bin.
        temperature: divides the logits of a softmax; the paper's rows have 1.
        residual: S* = (1 + A) ∘ S if true, A ∘ S if false.
        channels: feature maps in the attention branch.
        frames: the number of frames T of the input.

    Raises:
        ValueError: for an unknown attention, or for fewer frames than the dilations consume; with the smallest
            number that works.
    """

    def __init__(
        self,
        attention: str = "sigmoid",
        temperature: float = 1.0,
        residual: bool = True,
        channels: int = 16,
        frames: int = 1091,
    ):
        super().__init__()
        if attention not in ATTENTIONS:
            raise ValueError(f"attention {attention!r} must be one of {', '.join(ATTENTIONS)}")
        check_frames(frames, lambda t: min(_narrowest(t), frames_left(t)))
        self.frames, self.bins = frames, BINS
        self.attention, self.temperature, self.residual = attention, temperature, residual
        self.branch = AttentionBranch(channels, frames)
        self.classifier = DilatedResNet("relu", frames)

    def attend(self, x: Tensor) -> Tensor:
        """The mask A, Tensor[B × 1 × 257 × T], for a spectrogram S, Tensor[B × 1 × 257 × T]."""
        logits = self.branch(x)
        if self.attention == "sigmoid":
            return logits.sigmoid()
        if self.attention == "tanh":
            return logits.tanh()
        return (logits / self.temperature).softmax(dim=2 if self.attention == "softmaxF" else 3)

    def filter(self, x: Tensor, mask: Tensor) -> Tensor:
        """The filtered spectrogram S*, Tensor[B × 1 × 257 × T], of S and its mask A."""
        return torch.addcmul(x, x, mask) if self.residual else mask * x

    def forward(self, x: Tensor) -> Tensor:
        """Tensor[B × 1 × 257 × T] of log power (natural log, mean-normalised) to logits Tensor[B]; above 0: genuine."""
        return self.classifier(self.filter(x, self.attend(x)))


class AttentionBranch(nn.Module):
    """U(S): five dilated steps down, four bilinear steps up with added skips; Tensor[B × 1 × F × T] to the same shape.

    35,585 parameters with 16 channels.
    """

    def __init__(self, channels: int, frames: int):
        super().__init__()
        check_frames(frames, _narrowest)
        self.frames = frames
        self.pre = nn.Sequential(*_conv_bn_relu(1, channels), *_conv_bn_relu(channels, channels))
        self.down = nn.ModuleList(
            nn.Sequential(
                nn.MaxPool2d(3, stride=1 if level < len(DILATIONS) - 1 else (1, 2)),
                *_conv_bn_relu(channels, channels, dilation),
            )
            for level, dilation in enumerate(DILATIONS)
        )
        self.skip = nn.ModuleList(nn.Sequential(*_conv_bn_relu(channels, channels)) for _ in DILATIONS[:-1])
        self.bottom = nn.Sequential(*_conv_bn_relu(channels, channels))
        self.up = nn.ModuleList(nn.Sequential(*_conv_bn_relu(channels, channels)) for _ in DILATIONS[:-1])
        self.output = nn.Sequential(
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, 4, 1),
            nn.BatchNorm2d(4),
            nn.ReLU(inplace=True),
            nn.Conv2d(4, 1, 1),
        )
        xavier_convolutions(self)

    def forward(self, x: Tensor) -> Tensor:
        check_input(x, self.frames)
        size = x.shape[2:]
        x = self.pre(x)  # B × C × F × T
        skips = []
        for down, skip in zip(self.down, self.skip, strict=False):  # four steps down, the fifth has no skip
            x = down(x)  # smaller along both axes, see DILATIONS
            skips.append(skip(x))
        x = self.bottom(self.down[-1](x))  # B × C × 9 × 171 for an input of 257 × 1091
        for up, skip in zip(self.up, reversed(skips), strict=True):
            x = up(resized(x, skip.shape[2:]).add_(skip))  # in place: no gradient needs the resized map
        return self.output(resized(x, size))  # B × 1 × F × T


def resized(x: Tensor, size: Size) -> Tensor:
    """Tensor[B × C × H × W] to Tensor[B × C × size], bilinear with aligned corners."""
    if x.is_cuda and torch.are_deterministic_algorithms_enabled():
        return Resize.apply(x, size)  # PyTorch would compose it of many slow steps there
    return functional.interpolate(x, size=size, mode="bilinear", align_corners=True)


class Resize(torch.autograd.Function):
    """`resized` with a repeatable gradient: every element gathers its terms in a fixed order.

    The gradient of PyTorch's kernel for GPUs adds them up in the order in which they arrive.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, size: Size) -> Tensor:
        ctx.size = x.shape[2:]
        return torch.ops.aten.upsample_bilinear2d(x, size, True)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        gradient = gradient.permute(0, 2, 3, 1)  # channels last, as convolutions want it
        found = taps.__wrapped__ if torch.compiler.is_compiling() else taps  # a compiler looks through no cache
        for axis, size in enumerate(ctx.size, 1):
            places, weights = found(size, gradient.shape[axis], gradient.device)
            terms = gradient.index_select(axis, places.flatten()).unflatten(axis, places.shape)
            shape = (*places.shape, *(1 for _ in range(3 - axis)))  # the further axes of `terms`
            gradient = terms.mul_(weights.view(shape).to(terms.dtype)).sum(axis + 1)
        return gradient.permute(0, 3, 1, 2), None


@cache
def taps(size: int, out: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The places, int64[size × K], on an axis resized to `out` that read an element, and their weights, float64.

    Element j has weight 1 - |s i - j| at place i, s = (size - 1) / (out - 1), as far as that is above 0.
    """
    step = (size - 1) / max(1, out - 1)
    count = min(out, int(2 / step) + 2) if step else out
    elements = torch.arange(size, dtype=torch.float64, device=device)[:, None]
    first = ((elements - 1) / step).floor().long() if step else elements.long()
    places = first + torch.arange(count, device=device)
    weights = (1 - (places.double() * step - elements).abs()).clamp(min=0) * ((places >= 0) & (places < out))
    return places.clamp(0, out - 1), weights


def _conv_bn_relu(channels: int, out: int, dilation: int | tuple[int, int] = 1) -> tuple[nn.Module, ...]:
    return nn.Conv2d(channels, out, 3, padding=1, dilation=dilation), nn.BatchNorm2d(out), nn.ReLU(inplace=True)


def _narrowest(frames: int) -> int:
    """The number of frames left at the bottom of the branch."""
    for level, (_, dilation) in enumerate(DILATIONS):
        pooled = frames - 2 if level < len(DILATIONS) - 1 else (frames - 3) // 2 + 1
        frames = pooled + 2 - 2 * dilation
    return frames
