"""Settings of i-vectors: what a YAML of `kind: ivector` may say.

Values of the recipe have no defaults: the YAML states each, with its reason.
"""

from typing import Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from afn.augment import Copies
from afn.common.config import Settings, Share
from afn.features.settings import Features
from afn.systems.protocol import COPIES, Row, TrainedOn


class BackgroundModel(Settings):
    """The universal background model: a diagonal mixture grown by splitting, then perhaps full covariances."""

    components: PositiveInt = Field(description="Gaussians")
    covariance: Literal["diagonal", "full"] = Field(description="of the final model")
    split_iterations: NonNegativeInt = Field(description="EM after every doubling")
    iterations: PositiveInt = Field(description="EM of the diagonal mixture at its full size")
    full_iterations: NonNegativeInt = Field(description="EM with full covariances")
    variance_floor: Share = Field(description="fraction of the variance of all frames")


class TotalVariability(Settings):
    """Settings of `IVectorExtractor` and its alignment."""

    dimension: PositiveInt = Field(description="of an i-vector")
    iterations: PositiveInt = Field(description="of EM")
    selected: PositiveInt | None = Field(description="Gaussians per frame that posteriors are computed for; null: all")
    min_posterior: float = Field(ge=0, lt=1, description="smaller posteriors are set to 0")


class BackEnd(Settings):
    """How i-vectors are transformed and scored (backends.py)."""

    scoring: Literal["cosine", "gaussian"] = Field(
        description="difference of cosines to the class means, or Gaussians with one covariance"
    )
    centre: bool = Field(description="subtract the training mean")
    whiten: bool = Field(description="to unit covariance over the training utterances; needs centre")
    wccn: bool = Field(description="within-class covariance normalisation")
    unit_length: bool = Field(description="scale every i-vector to length 1")
    per_speaker: bool = Field(
        description="train the classifier on the mean i-vector of each speaker and class, not on utterances"
    )

    @model_validator(mode="after")
    def _whitens_what_is_centred(self) -> Self:
        if self.whiten and not self.centre:
            raise ValueError("whiten: true needs centre: true")
        return self


class IVectorTraining(Settings):
    """What i-vectors are trained on beside the recordings as they are."""

    augment: Copies | None = Field(default=None, description=COPIES)


class IVectors(Row):
    """i-vectors and a back-end (system.py)."""

    kind: Literal["ivector"]
    trained_on: TrainedOn = Field(description="the subsets to train on")
    features: Features
    programs: Literal["native", "kaldi"] = Field(
        description="for the background model, the extractor and the i-vectors"
    )
    ubm: BackgroundModel
    extractor: TotalVariability
    back_end: BackEnd
    train: IVectorTraining | None = None

    @model_validator(mode="after")
    def _kaldi_has_full_covariances(self) -> Self:
        if self.programs == "kaldi" and self.ubm.covariance != "full":
            raise ValueError(
                f"programs: kaldi needs ubm.covariance=full, not {self.ubm.covariance}. "
                "Set ubm.covariance=full (with ubm.full_iterations=0 they start diagonal) or programs=native."
            )
        return self


SETTINGS = IVectors
