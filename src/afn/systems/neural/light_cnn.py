"""Light CNNs: convolutions with max-feature-map activation.

Sources: the reduced network is the layer list of the AFN authors' repository (v3_neuro.py, network_9layers), the row
LCNN of Lai et al. (ICASSP 2019), Table 2. The original is Lavrentyeva et al., Interspeech 2017, Table 1, its fully
connected part as the re-implementation github.com/fangfm/lcnn has it.
"""

import torch
from torch import Tensor, nn

from afn.systems.neural.dilated_resnet import BINS, check_frames, check_input

EMBEDDING = 32  # size of the original network's embedding


class MaxFeatureMap(nn.Module):
    """Twice the feature maps, of which the larger of each pair passes: `layer` gives 2 C channels, C come out."""

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
        ValueError: for fewer frames than the pooling consumes; names the smallest number that works.
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
        return self.head(self.embed(self.body(x).flatten(1))).squeeze(1)


class OriginalLightCNN(nn.Module):
    """The Light CNN of Lavrentyeva et al. (2017), 371,874 parameters at 864 × 400.

    Args:
        dropout: the share of the embedding that is dropped in training.
        bins, frames: the size of the input.

    Raises:
        ValueError: for an input that the pooling leaves nothing of.
    """

    def __init__(self, dropout: float = 0.7, bins: int = 864, frames: int = 400):
        super().__init__()
        if bins < 2**5 or frames < 2**5:
            raise ValueError(f"bins and frames: {bins} x {frames} are too few; the network needs at least 32 of each")
        self.bins, self.frames = bins, frames
        self.body = _convolutions((16, 24, 32, 16, 16), pool=(2, 2))
        self.embedding = MaxFeatureMap(nn.Linear(16 * (bins // 2**5) * (frames // 2**5), 2 * EMBEDDING))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(EMBEDDING, 2)
        xavier(self)

    def embed(self, x: Tensor) -> Tensor:
        """Tensor[B × 1 × bins × T] of log magnitude to embeddings Tensor[B × 32]."""
        check_input(x, self.frames, self.bins)
        return self.embedding(self.body(x).flatten(1))

    def forward(self, x: Tensor) -> Tensor:
        """Tensor[B × 1 × bins × T] to logits Tensor[B]: the log odds of genuine under the softmax of two outputs."""
        genuine, spoof = self.head(self.dropout(self.embed(x))).unbind(1)
        return genuine - spoof


def _convolutions(channels: tuple[int, ...], pool: tuple[int, int]) -> nn.Sequential:
    """5 × 5 to the first number of maps; then, again and again, 1 × 1 of as many and 3 × 3 to the next. Each pools."""
    layers: list[nn.Module] = [MaxFeatureMap(nn.Conv2d(1, 2 * channels[0], 5, padding=2)), nn.MaxPool2d(2, pool)]
    for before, after in zip(channels, channels[1:], strict=False):
        layers += [
            MaxFeatureMap(nn.Conv2d(before, 2 * before, 1)),
            MaxFeatureMap(nn.Conv2d(before, 2 * after, 3, padding=1)),
            nn.MaxPool2d(2, pool),
        ]
    return nn.Sequential(*layers)


def _frames_left(frames: int) -> int:
    """What five poolings of kernel 2 and stride 3 leave of `frames`."""
    for _ in range(5):
        frames = (frames - 2) // 3 + 1
    return frames


def xavier(module: nn.Module) -> None:
    """Xavier normal weights and zero biases for convolutions and linear layers alike, as the authors' LCNN has it."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
