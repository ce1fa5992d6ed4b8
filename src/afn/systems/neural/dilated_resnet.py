"""Dilated residual network: a 257 × T log power spectrogram to one logit.

Source: Lai et al., ICASSP 2019, Table 1 and Fig. 2, and the layers of the authors' repository (v5_neuro.py, ResNet).
"""

from collections.abc import Callable
from itertools import count

from torch import Tensor, nn

BINS = 257

# (channels in, channels out, max-pooling (F, T), dilation), one row per block: Table 1 of the paper.
BLOCKS = (
    (16, 32, (1, 2), 2),
    (32, 32, (1, 2), 4),
    (32, 32, (2, 2), 4),
    (32, 32, (2, 2), 8),
    (32, 32, (2, 2), 8),
)
HIDDEN = 32


class DilatedResNet(nn.Module):
    """Dilated residual network, 150,177 parameters at 257 × 1091.

    Args:
        activation: "relu", or "elu" (alpha 1) for the DRN(ELU) row; it replaces every activation.
        frames: the number of frames T of the input; the flattened size follows from it.

    Raises:
        ValueError: for fewer frames than the pooling and dilations consume; with the smallest number that works.
    """

    def __init__(self, activation: str = "relu", frames: int = 1091):
        super().__init__()
        if activation not in ("relu", "elu"):
            raise ValueError(f"activation {activation!r} must be relu or elu")
        check_frames(frames, frames_left)
        self.frames, self.bins = frames, BINS
        flattened = BLOCKS[-1][1] * _after_blocks(BINS, 0) * frames_left(frames)
        self.conv = nn.Conv2d(1, BLOCKS[0][0], 3, padding=1)
        self.blocks = nn.Sequential(
            *(
                nn.Sequential(
                    ResidualUnit(channels, activation),
                    nn.MaxPool2d(pool),
                    nn.Conv2d(channels, out, 3, dilation=dilation),
                )
                for channels, out, pool, dilation in BLOCKS
            )
        )
        self.embed = nn.Linear(flattened, HIDDEN)
        self.hidden = nn.Sequential(LinearResidualUnit(HIDDEN, activation), LinearResidualUnit(HIDDEN, activation))
        self.head = nn.Sequential(nn.BatchNorm1d(HIDDEN), _activation(activation), nn.Linear(HIDDEN, 1))
        xavier_convolutions(self)

    def forward(self, x: Tensor) -> Tensor:
        """Tensor[B × 1 × 257 × T] of log power (natural log, mean-normalised) to logits Tensor[B]; above 0: genuine."""
        check_input(x, self.frames)
        maps = self.blocks(self.conv(x))  # B × 16 × 257 × T to B × 32 × 4 × 6 for T = 1091
        embedding = self.embed(maps.flatten(1))  # B × 32
        return self.head(self.hidden(embedding)).squeeze(1)


class ResidualUnit(nn.Module):
    """Pre-activation residual unit, y = x + conv(act(BN(conv(act(BN(x)))))): Tensor[B × C × F × T] to the same."""

    def __init__(self, channels: int, activation: str):
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(channels),
            _activation(activation),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
            _activation(activation),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x).add_(x)  # in place: no gradient needs the output of the body


class LinearResidualUnit(nn.Module):
    """Pre-activation residual unit of linear layers: Tensor[B × D] to the same."""

    def __init__(self, size: int, activation: str):
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm1d(size),
            _activation(activation),
            nn.Linear(size, size),
            nn.BatchNorm1d(size),
            _activation(activation),
            nn.Linear(size, size),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


def xavier_convolutions(module: nn.Module) -> None:
    """Xavier normal weights and zero biases for every Conv2d; all other layers keep PyTorch's defaults.

    Xavier is the paper's; leaving linear layers alone is the authors' code's.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.xavier_normal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def check_input(x: Tensor, frames: int, bins: int = BINS) -> None:
    """Raise ValueError unless `x` is Tensor[B × 1 × bins × frames]."""
    if x.ndim != 4 or tuple(x.shape[1:]) != (1, bins, frames):
        raise ValueError(f"input of shape {tuple(x.shape)}. This network takes B × 1 × {bins} × {frames}.")


def check_frames(frames: int, left: Callable[[int], int]) -> None:
    """Raise ValueError, with the smallest number that works, if `left(frames)`, the frames at the end, is below 1."""
    if left(frames) < 1:
        least = next(t for t in count(frames) if left(t) >= 1)
        raise ValueError(f"frames: {frames} are too few. The network needs at least {least}.")


def frames_left(frames: int) -> int:
    """The number of frames at the end of the last block."""
    return _after_blocks(frames, 1)


def _after_blocks(size: int, axis: int) -> int:
    """The size of an axis (0: frequency, 1: time) of `size` after the blocks."""
    for _, _, pool, dilation in BLOCKS:
        size = size // pool[axis] - 2 * dilation
    return size


def _activation(name: str) -> nn.Module:
    # In place is safe here: batch norm keeps its input, not its output, for the backward pass.
    return nn.ReLU(inplace=True) if name == "relu" else nn.ELU(inplace=True)
