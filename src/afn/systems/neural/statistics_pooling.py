"""Convolutions, then the mean and the deviation over time: a log power spectrogram of any length to one logit.

What enters is the spectrogram and, apart from it, its mean over time: the first holds what changes, the second the
spectrum of speech, channel and noise together.

Source of the pooling: Snyder et al., Interspeech 2017, "Deep neural network embeddings for text-independent speaker
verification", sec. 2.1; here of every map and frequency of a convolutional network.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from afn.systems.neural.dilated_resnet import BINS

LOWEST = -20.0  # natural log, 87 dB below the level: what is softer is silence or rounding
EPSILON = 1e-4  # added to variances: a single frame has none, and the square root no derivative at 0


class StatisticsPoolingCNN(nn.Module):
    """Strided 3 × 3 convolutions with batch norm, statistics over time, two linear layers.

    Args:
        widths: the number of maps after each convolution.
        strides: (F, T) of each convolution; by default each halves both axes.
        hidden: units of the hidden linear layer.
        dropout: the fraction that is dropped before each linear layer in training.
        spectrum: whether the mean spectrum enters as a second map.

    Raises:
        ValueError: unless there are as many strides as widths.
    """

    def __init__(
        self,
        widths: Sequence[int] = (32, 64, 96, 128),
        strides: Sequence[tuple[int, int]] | None = None,
        hidden: int = 64,
        dropout: float = 0.2,
        spectrum: bool = True,
    ):
        super().__init__()
        strides = [(2, 2)] * len(widths) if strides is None else strides
        if len(strides) != len(widths):
            raise ValueError(f"strides: {len(strides)} for {len(widths)} widths. Give one for each.")
        self.bins = bins = BINS
        self.maps = 2 if spectrum else 1
        layers: list[nn.Module] = []
        for before, after, stride in zip((self.maps, *widths), widths, strides, strict=False):
            layers += [
                nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(inplace=True),
            ]
            bins = (bins - 1) // stride[0] + 1
        self.body = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(2 * widths[-1] * bins, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Tensor[B × 1 × 257 × T] of log power (natural log) to logits Tensor[B]; above 0: genuine. Any T from 1 on."""
        if x.ndim != 4 or x.shape[1:3] != (1, self.bins):
            raise ValueError(f"input of shape {tuple(x.shape)}. This network takes B × 1 × {self.bins} × T.")
        return self.head(pooled(self.body(apart(x)[:, : self.maps]))).squeeze(1)


def apart(x: Tensor) -> Tensor:
    """A spectrogram and its mean over time: Tensor[B × 1 × F × T] of log power to Tensor[B × 2 × F × T].

    The first map is x without the mean of each bin; a constant filter changes it only where noise follows the filter.
    The second is these means, relative to the mean power of the whole, the same in every frame. Level has no effect.
    """
    mean = x.mean(dim=3, keepdim=True)
    level = x.exp().mean(dim=(2, 3), keepdim=True).log()
    spectrum = (mean - level).clamp(min=LOWEST)
    return torch.cat([x - mean, spectrum.expand_as(x)], dim=1)


def pooled(maps: Tensor) -> Tensor:
    """Mean and deviation over time, float32: Tensor[B × C × F × T] to Tensor[B × 2 C F]."""
    variance, mean = torch.var_mean(maps.float().flatten(1, 2), dim=2, correction=0)
    return torch.cat([mean, (variance + EPSILON).sqrt()], dim=1)
