"""The attentive filtering network as its layer list reads, with PyTorch's defaults: the reference for speed.

Contiguous tensors, one module after the other. Sources: Lai et al., ICASSP 2019, Fig. 1,
Table 1 and Fig. 2.
"""

from torch import Tensor, nn
from torch.nn import functional

DILATIONS = ((4, 8), (8, 16), (16, 32), (32, 64), (64, 128))
BATCH = 4


class Unit(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, channels: int, out: int, dilation: int | tuple[int, int] = 1):
        super().__init__()
        self.conv = nn.Conv2d(channels, out, 3, padding=1, dilation=dilation)
        self.norm = nn.BatchNorm2d(out)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.norm(self.conv(x)))


class Residual(nn.Module):
    """Batch norm, ReLU and layer, twice, added to the input."""

    def __init__(self, norm: type[nn.Module], channels: int, first: nn.Module, second: nn.Module):
        super().__init__()
        self.norm1, self.first = norm(channels), first
        self.norm2, self.second = norm(channels), second
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(self.relu(self.norm1(x)))
        return x + self.second(self.relu(self.norm2(y)))


class Reference(nn.Module):
    """AF(Sigmoid)-DRN(ReLU) at 257 × 1091."""

    def __init__(self):
        super().__init__()
        self.pre1, self.pre2 = Unit(1, 16), Unit(16, 16)
        self.pools = nn.ModuleList(nn.MaxPool2d(3, stride=1 if level < 4 else (1, 2)) for level in range(5))
        self.down = nn.ModuleList(Unit(16, 16, dilation) for dilation in DILATIONS)
        self.skip = nn.ModuleList(Unit(16, 16) for _ in range(4))
        self.bottom = Unit(16, 16)
        self.up = nn.ModuleList(Unit(16, 16) for _ in range(4))
        self.norm_out1, self.out1 = nn.BatchNorm2d(16), nn.Conv2d(16, 4, 1)
        self.norm_out2, self.out2 = nn.BatchNorm2d(4), nn.Conv2d(4, 1, 1)
        self.relu, self.sigmoid = nn.ReLU(), nn.Sigmoid()

        self.conv0 = nn.Conv2d(1, 16, 3, padding=1)
        self.units, self.reductions = nn.ModuleList(), nn.ModuleList()
        for channels, pool, dilation in ((16, (1, 2), 2), (32, (1, 2), 4), (32, 2, 4), (32, 2, 8), (32, 2, 8)):
            convolutions = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
            self.units.append(Residual(nn.BatchNorm2d, channels, *convolutions))
            self.reductions.append(nn.Sequential(nn.MaxPool2d(pool), nn.Conv2d(channels, 32, 3, dilation=dilation)))
        self.embed = nn.Linear(768, 32)
        self.hidden = nn.ModuleList(
            Residual(nn.BatchNorm1d, 32, nn.Linear(32, 32), nn.Linear(32, 32)) for _ in range(2)
        )
        self.norm_head, self.head = nn.BatchNorm1d(32), nn.Linear(32, 1)

    def forward(self, s: Tensor) -> Tensor:
        """Tensor[B × 1 × 257 × 1091] to logits Tensor[B]."""
        x = self.pre2(self.pre1(s))
        skips = []
        for level in range(4):
            x = self.down[level](self.pools[level](x))
            skips.append(self.skip[level](x))
        x = self.bottom(self.down[4](self.pools[4](x)))
        for up, skip in zip(self.up, reversed(skips), strict=True):
            x = up(self.resized(x, skip) + skip)
        x = self.out1(self.relu(self.norm_out1(self.resized(x, s))))
        attention = self.sigmoid(self.out2(self.relu(self.norm_out2(x))))

        return self.classified((1 + attention) * s)

    def classified(self, x: Tensor) -> Tensor:
        x = self.conv0(x)
        for unit, reduction in zip(self.units, self.reductions, strict=True):
            x = reduction(unit(x))
        x = self.embed(x.flatten(1))
        for unit in self.hidden:
            x = unit(x)
        return self.head(self.relu(self.norm_head(x))).squeeze(1)

    @staticmethod
    def resized(x: Tensor, like: Tensor) -> Tensor:
        return functional.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=True)


class ReferenceDRN(Reference):
    """The classifier on the unfiltered spectrogram: DRN(ReLU). The attention branch is there and unused."""

    def forward(self, s: Tensor) -> Tensor:
        return self.classified(s)
