"""Settings of Gaussian mixtures: what a YAML of `kind: gmm` may say.

Values of the recipe have no defaults: the YAML states each, with its reason.
"""

from dataclasses import dataclass
from typing import Literal

from afn.common.checks import at_least, share
from afn.common.config import presentation
from afn.features.settings import Features
from afn.systems.protocol import Paper, TrainedOn


@dataclass(frozen=True)
class Reduction:
    """Principal components of the features, then their deltas (pca.py)."""

    components: int  # principal components kept
    deltas: int  # 0: none, 1: deltas, 2: deltas and delta-deltas
    delta_window: int  # frames to each side

    def __post_init__(self) -> None:
        at_least(self, components=1, deltas=0, delta_window=1)


@dataclass(frozen=True)
class MixtureModel:
    """DiagonalGMM in models.py."""

    components: int  # Gaussians per class, diagonal covariances

    def __post_init__(self) -> None:
        at_least(self, components=1)


@dataclass(frozen=True)
class MixtureTraining:
    """Expectation-maximisation: the arguments of `Mixture.fit`."""

    iterations: int  # at most
    tolerance: float  # stop when the mean log-likelihood gains less, nats per frame; 0: run all `iterations`
    variance_floor: float  # fraction of the variance of all frames

    def __post_init__(self) -> None:
        at_least(self, iterations=1, tolerance=0)
        share(self, "variance_floor")


@dataclass(frozen=True, kw_only=True)
class GaussianMixtures:
    """Two Gaussian mixtures, one per class."""

    kind: Literal["gmm"]
    title: str = presentation()  # the row's name in the paper's table
    paper: Paper = presentation()  # what the paper reports
    trained_on: TrainedOn  # the subsets to train on
    features: Features
    reduction: Reduction | None  # null: the features as they are
    model: MixtureModel
    train: MixtureTraining


SETTINGS = GaussianMixtures
