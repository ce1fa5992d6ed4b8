"""Convolutions, then the mean and the deviation over time: a log power spectrogram of any length to one logit.

Source of the pooling: Snyder et al., Interspeech 2017, "Deep neural network embeddings for text-independent speaker
verification", sec. 2.1; here of every map and frequency of a convolutional network.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from afn.systems.neural.dilated_resnet import BINS

EPSILON = 1e-5  # added to variances: a single frame has none, and the square root no derivative at 0


class StatisticsPoolingCNN(nn.Module):
    """Strided 3 × 3 convolutions with batch norm, statistics over time, two linear layers.

    Args:
        widths: the number of maps after each convolution; each halves both axes.
        hidden: units of the hidden linear layer.
    """

    def __init__(self, widths: Sequence[int] = (32, 64, 96, 128), hidden: int = 64):
        super().__init__()
        self.bins = BINS
        layers: list[nn.Module] = []
        bins = BINS
        for before, after in zip((1, *widths), widths, strict=False):
            layers += [
                nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(inplace=True),
            ]
            bins = (bins + 1) // 2
        self.body = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Linear(2 * widths[-1] * bins, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Tensor[B × 1 × 257 × T] of log power (natural log) to logits Tensor[B]; above 0: genuine. Any T from 1 on.

        The mean of each bin is removed: the level of a recording and constant filters have no effect. In training the
        input is a crop from which the mean of the whole utterance has been removed.
        """
        if x.ndim != 4 or x.shape[1:3] != (1, self.bins):
            raise ValueError(f"input of shape {tuple(x.shape)}. This network takes B × 1 × {self.bins} × T.")
        if not self.training:
            x = x - x.mean(dim=3, keepdim=True)
        return self.head(pooled(self.body(x))).squeeze(1)


def pooled(maps: Tensor) -> Tensor:
    """Mean and deviation over time, float32: Tensor[B × C × F × T] to Tensor[B × 2 C F]."""
    maps = maps.float().flatten(1, 2)
    variance, mean = torch.var_mean(maps, dim=2, correction=0)
    return torch.cat([mean, (variance + EPSILON).sqrt()], dim=1)
