"""Settings of i-vectors: what a YAML of `kind: ivector` may say.

Values of the recipe have no defaults: the YAML states each, with its reason.
"""

from dataclasses import dataclass
from typing import Literal

from afn.common.checks import at_least, share
from afn.common.config import presentation
from afn.features.settings import Features
from afn.systems.protocol import Paper, TrainedOn


@dataclass(frozen=True)
class BackgroundModel:
    """The universal background model: a diagonal mixture grown by splitting, then perhaps full covariances."""

    components: int  # Gaussians
    covariance: Literal["diagonal", "full"]  # of the final model
    split_iterations: int  # EM after every doubling
    iterations: int  # EM of the diagonal mixture at its full size
    full_iterations: int  # EM with full covariances
    variance_floor: float  # share of the variance of all frames

    def __post_init__(self) -> None:
        at_least(self, components=1, split_iterations=0, iterations=1, full_iterations=0)
        share(self, "variance_floor")


@dataclass(frozen=True)
class TotalVariability:
    """Settings of `IVectorExtractor` and its alignment."""

    dimension: int  # of an i-vector
    iterations: int  # of EM
    selected: int | None  # Gaussians per frame that posteriors are computed for; null: all
    least_posterior: float  # smaller posteriors are set to 0

    def __post_init__(self) -> None:
        at_least(self, dimension=1, iterations=1, selected=1)
        if not 0 <= self.least_posterior < 1:
            raise ValueError(f"least_posterior: {self.least_posterior} must be at least 0 and below 1")


@dataclass(frozen=True)
class BackEnd:
    """How i-vectors are transformed and scored: backends.py."""

    scoring: Literal["cosine", "gaussian"]  # difference of cosines to the class means, or Gaussians with one covariance
    centre: bool  # subtract the training mean
    whiten: bool  # to unit covariance over the training utterances; takes centre
    wccn: bool  # within-class covariance normalisation
    unit_length: bool  # scale every i-vector to length 1
    per_speaker: bool  # train the classifier on the mean i-vector of each speaker and class, not on utterances

    def __post_init__(self) -> None:
        if self.whiten and not self.centre:
            raise ValueError("whiten: true needs centre: true")


@dataclass(frozen=True, kw_only=True)
class IVectors:
    """i-vectors and a back-end: system.py."""

    kind: Literal["ivector"]
    title: str = presentation()  # the row's name in the paper's table
    paper: Paper = presentation()  # what the paper reports
    trained_on: TrainedOn  # the subsets of training
    features: Features
    programs: Literal["native", "kaldi"]  # whose background model, extractor and i-vectors
    ubm: BackgroundModel
    extractor: TotalVariability
    back_end: BackEnd

    def __post_init__(self) -> None:
        if self.programs == "kaldi" and self.ubm.covariance != "full":
            raise ValueError(
                f"programs: kaldi needs ubm.covariance=full, not {self.ubm.covariance}. "
                "Set ubm.covariance=full (with ubm.full_iterations=0 they start diagonal) or programs=native."
            )


SETTINGS = IVectors
