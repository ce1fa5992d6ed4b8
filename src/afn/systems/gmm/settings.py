"""Settings of Gaussian mixtures: what a YAML of `kind: gmm` may say.

Values of the recipe have no defaults: the YAML states each, with its reason.
"""

from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt

from afn.augment import Copies
from afn.common.config import Settings, Share
from afn.features.settings import Features
from afn.systems.protocol import COPIES, Row, TrainedOn


class Reduction(Settings):
    """Principal components of the features, then their deltas (pca.py)."""

    components: PositiveInt = Field(description="principal components kept")
    deltas: NonNegativeInt = Field(description="0: none, 1: deltas, 2: deltas and delta-deltas")
    delta_window: PositiveInt = Field(description="frames to each side")


class MixtureModel(Settings):
    """DiagonalGMM in models.py."""

    components: PositiveInt = Field(description="Gaussians per class, diagonal covariances")


class MixtureTraining(Settings):
    """Expectation-maximisation: the arguments of `Mixture.fit`."""

    iterations: PositiveInt = Field(description="maximum number")
    tolerance: NonNegativeFloat = Field(
        description="stop when the mean log-likelihood gains less, nats per frame; 0: run all `iterations`"
    )
    variance_floor: Share = Field(description="fraction of the variance of all frames")
    augment: Copies | None = Field(default=None, description=COPIES)


class GaussianMixtures(Row):
    """Two Gaussian mixtures, one per class."""

    kind: Literal["gmm"]
    trained_on: TrainedOn = Field(description="the subsets to train on")
    features: Features
    reduction: Reduction | None = Field(description="null: the features as they are")
    model: MixtureModel
    train: MixtureTraining


SETTINGS = GaussianMixtures
