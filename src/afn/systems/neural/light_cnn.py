"""Light CNNs: convolutions with max-feature-map activation.

Sources: the reduced network is the layer list of the AFN authors' repository (v3_neuro.py, network_9layers), the row
LCNN of Lai et al. (ICASSP 2019), Table 2. The original is Lavrentyeva et al., Interspeech 2017, Table 1, with
the fully connected part of the re-implementation github.com/fangfm/lcnn.
"""

import torch
from torch import Tensor, nn

from afn.systems.neural.dilated_resnet import BINS, check_frames, check_input

EMBEDDING = 32  # size of the original network's embedding


class MaxFeatureMap(nn.Module):
    """Max-feature-map: the element-wise maximum of the two halves of the 2 C channels of `layer`, C channels."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return torch.maximum(*self.layer(x).chunk(2, dim=1))


class LightCNN(nn.Module):
    """The AFN authors' reduced Light CNN, 105,697 parameters at 257 × 1091.

    Args:
        frames: the number of frames T of the input.

    Raises:
        ValueError: for fewer frames than the pooling consumes; with the smallest number that works.
    """

    def __init__(self, frames: int = 1091):
        super().__init__()
        check_frames(frames, _frames_left)
        self.frames, self.bins = frames, BINS
        self.body = _convolutions((16, 24, 32, 16, 16), pool=(2, 3))
        self.embed = MaxFeatureMap(nn.Linear(16 * (BINS // 2**5) * _frames_left(frames), 2 * 64))
        self.head = nn.Linear(64, 1)
        xavier(self)

    def forward(self, x: Tensor) -> Tensor:
        """Tensor[B × 1 × 257 × T] of log power (natural log, mean-normalised) to logits Tensor[B]; above 0: genuine."""
        check_input(x, self.frames)
        maps = self.body(x)  # B × 16 × 8 × 4 for an input of 257 × 1091
        return self.head(self.embed(maps.flatten(1))).squeeze(1)  # B × 64 to B


class OriginalLightCNN(nn.Module):
    """The Light CNN of Lavrentyeva et al. (2017), 371,874 parameters at 864 × 400.

    Args:
        dropout: the fraction of the embedding that is dropped in training.
        bins, frames: the size of the input.

    Raises:
        ValueError: for an input smaller than the pooling needs.
    """

    def __init__(self, dropout: float = 0.7, bins: int = 864, frames: int = 400):
        super().__init__()
        if bins < 2**5 or frames < 2**5:
            raise ValueError(f"bins and frames: {bins} x {frames} are too few. The network needs at least 32 of each")
        self.bins, self.frames = bins, frames
        self.body = _convolutions((16, 24, 32, 16, 16), pool=(2, 2))
        self.embedding = MaxFeatureMap(nn.Linear(16 * (bins // 2**5) * (frames // 2**5), 2 * EMBEDDING))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(EMBEDDING, 2)
        xavier(self)

    def embed(self, x: Tensor) -> Tensor:
        """Tensor[B × 1 × bins × T] of log magnitude to embeddings Tensor[B × 32]."""
        check_input(x, self.frames, self.bins)
        return self.embedding(self.body(x).flatten(1))  # body: B × 16 × 27 × 12 for an input of 864 × 400

    def forward(self, x: Tensor) -> Tensor:
        """Tensor[B × 1 × bins × T] to logits Tensor[B]: the log odds of genuine under the softmax of two outputs."""
        genuine, spoof = self.head(self.dropout(self.embed(x))).unbind(1)
        return genuine - spoof


def _convolutions(channels: tuple[int, ...], pool: tuple[int, int]) -> nn.Sequential:
    """5 × 5 to the first number of maps, then per group 1 × 1 of as many and 3 × 3 to the next; each is max-pooled."""
    layers: list[nn.Module] = [MaxFeatureMap(nn.Conv2d(1, 2 * channels[0], 5, padding=2)), nn.MaxPool2d(2, pool)]
    for before, after in zip(channels, channels[1:], strict=False):
        layers += [
            MaxFeatureMap(nn.Conv2d(before, 2 * before, 1)),
            MaxFeatureMap(nn.Conv2d(before, 2 * after, 3, padding=1)),
            nn.MaxPool2d(2, pool),
        ]
    return nn.Sequential(*layers)


def _frames_left(frames: int) -> int:
    """The frames left by five poolings of kernel 2 and stride 3."""
    for _ in range(5):
        frames = (frames - 2) // 3 + 1
    return frames


def xavier(module: nn.Module) -> None:
    """Xavier normal weights and zero biases for convolutions and linear layers, as in the authors' LCNN."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_normal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
