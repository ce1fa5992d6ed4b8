"""What a YAML in conf/systems may say: one file is one row of the results table.

Values of a recipe have no defaults here: they stand in the YAML, each with its reason.
"""

from dataclasses import dataclass
from typing import Literal

from afn.common.checks import at_least, share
from afn.features.settings import Features, Waveform


@dataclass(frozen=True)
class Paper:
    """EERs in percent of this row in Lai et al. (ICASSP 2019), Table 2, on ASVspoof 2017 Version 2.0."""

    dev: float | None = None  # percent; null: it reports none
    eval: float | None = None  # percent; null: it reports none
    note: str = ""  # what a reader of the results must know of the row: what the paper leaves open


@dataclass(frozen=True)
class AttentiveFiltering:
    """models/attentive_filtering.py"""

    kind: Literal["attentive_filtering"]
    attention: Literal["sigmoid", "tanh", "softmaxF", "softmaxT"]  # phi; F: over frequency, T: over time
    temperature: float  # divides the logits of a softmax
    residual: bool  # S* = (1 + A) o S, else A o S
    channels: int  # feature maps of the attention branch
    frames: int  # shorter utterances are repeated to it, longer ones cut

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ValueError(f"temperature: {self.temperature} must be above 0")
        at_least(self, channels=1)


@dataclass(frozen=True)
class DilatedResidual:
    """models/dilated_resnet.py"""

    kind: Literal["dilated_resnet"]
    activation: Literal["relu", "elu"]  # of every layer
    frames: int  # shorter utterances are repeated to it, longer ones cut


@dataclass(frozen=True)
class ReducedLightCNN:
    """models/light_cnn.py, LightCNN"""

    kind: Literal["light_cnn"]
    frames: int  # shorter utterances are repeated to it, longer ones cut


@dataclass(frozen=True)
class OriginalLightCNN:
    """models/light_cnn.py, OriginalLightCNN"""

    kind: Literal["original_light_cnn"]
    frames: int  # shorter utterances are repeated to it, longer ones cut
    dropout: float  # share of the embedding, 0 to below 1
    back_end: Literal["softmax", "gaussian"]  # the network's own output, or Gaussians on its embeddings

    def __post_init__(self) -> None:
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout: {self.dropout} must lie between 0 and 1")


@dataclass(frozen=True)
class Training:
    """The recipe of systems/training.py."""

    epochs: int  # at most
    patience: int  # stop after this many epochs without a better dev EER
    batch_size: int  # utterances
    learning_rate: float  # of Adam, in the beginning
    amsgrad: bool  # that variant of Adam
    lr_factor: float  # the learning rate is multiplied by this when lr_patience is exceeded
    lr_patience: int  # epochs that the dev loss may go without improving before the learning rate falls
    precision: Literal["auto", "float32", "bfloat16"]  # auto: bfloat16 arithmetic on a GPU that has it
    recompute: Literal["auto", True, False]  # half the memory for a sixth more time (systems/recomputation.py)
    checkpoint_minutes: float  # how much work an interruption may cost at most
    cuda_graphs: bool = True  # on a GPU: a step is two calls instead of hundreds (systems/captured.py)
    synchronised_batch_norm: bool = True  # of several processes: over the whole batch, as of one; false: each its share

    def __post_init__(self) -> None:
        at_least(self, epochs=1, patience=1, batch_size=1, lr_patience=0, checkpoint_minutes=0)
        share(self, "lr_factor")
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate: {self.learning_rate} must be above 0")


@dataclass(frozen=True)
class Neural:
    """A network over a feature matrix: systems/neural.py."""

    kind: Literal["neural"]
    title: str  # the row's name in the paper's table
    paper: Paper  # what the paper reports
    features: Features
    model: AttentiveFiltering | DilatedResidual | ReducedLightCNN | OriginalLightCNN
    train: Training


TrainedOn = Literal["train", "train+dev"]  # what the generative systems learn from


@dataclass(frozen=True)
class Reduction:
    """Principal components of the features, then their slopes (systems/reduction.py)."""

    components: int  # principal components kept
    deltas: int  # 0: none, 1: slopes too, 2: slopes of slopes too
    delta_window: int  # frames to each side

    def __post_init__(self) -> None:
        at_least(self, components=1, deltas=0, delta_window=1)


@dataclass(frozen=True)
class MixtureModel:
    """models/gmm.py, DiagonalGMM"""

    components: int  # Gaussians a class, diagonal covariances

    def __post_init__(self) -> None:
        at_least(self, components=1)


@dataclass(frozen=True)
class MixtureTraining:
    """Expectation-maximisation: the arguments of Mixture.fit."""

    iterations: int  # at most
    tolerance: float  # stop when the mean log-likelihood gains less, nats a frame; 0: never before `iterations`
    variance_floor: float  # share of the variance of all frames

    def __post_init__(self) -> None:
        at_least(self, iterations=1, tolerance=0)
        share(self, "variance_floor")


@dataclass(frozen=True)
class GaussianMixtures:
    """Two Gaussian mixtures, one a class: systems/generative.py."""

    kind: Literal["gmm"]
    title: str  # the row's name in the paper's table
    paper: Paper  # what the paper reports
    trained_on: TrainedOn  # what it learns from
    features: Features
    reduction: Reduction | None  # null: the features as they are
    model: MixtureModel
    train: MixtureTraining


@dataclass(frozen=True)
class BackgroundModel:
    """The universal background model: a diagonal mixture grown by splitting, then perhaps full covariances."""

    components: int  # Gaussians
    covariance: Literal["diagonal", "full"]  # what is trained last
    split_iterations: int  # EM after every doubling
    iterations: int  # EM of the diagonal mixture at its full size
    full_iterations: int  # EM with full covariances, where they are full
    variance_floor: float  # share of the variance of all frames

    def __post_init__(self) -> None:
        at_least(self, components=1, split_iterations=0, iterations=1, full_iterations=0)
        share(self, "variance_floor")


@dataclass(frozen=True)
class TotalVariability:
    """models/ivector.py, IVectorExtractor"""

    dimension: int  # of an i-vector
    iterations: int  # of EM
    selected: int | None  # Gaussians per frame that the posteriors are taken over; null: all
    least_posterior: float  # smaller posteriors count as none

    def __post_init__(self) -> None:
        at_least(self, dimension=1, iterations=1, selected=1)
        if not 0 <= self.least_posterior < 1:
            raise ValueError(f"least_posterior: {self.least_posterior} must be at least 0 and below 1")


@dataclass(frozen=True)
class BackEnd:
    """models/backends.py: what is done to i-vectors, and what scores them."""

    scoring: Literal["cosine", "gaussian"]  # difference of cosines to the class means, or Gaussians with one covariance
    centre: bool  # subtract the training mean
    whiten: bool  # to unit covariance over the training utterances; takes centre
    wccn: bool  # within-class covariance normalisation
    unit_length: bool  # scale every i-vector to length 1
    per_speaker: bool  # the classifier learns from one mean i-vector a speaker and class, not from utterances

    def __post_init__(self) -> None:
        if self.whiten and not self.centre:
            raise ValueError("whiten: true takes centre: true")


@dataclass(frozen=True)
class IVectors:
    """i-vectors and a back-end: systems/ivectors.py."""

    kind: Literal["ivector"]
    title: str  # the row's name in the paper's table
    paper: Paper  # what the paper reports
    trained_on: TrainedOn  # what it learns from
    features: Features
    programs: Literal["native", "kaldi"]  # whose background model, extractor and i-vectors
    ubm: BackgroundModel
    extractor: TotalVariability
    back_end: BackEnd

    def __post_init__(self) -> None:
        if self.programs == "kaldi" and self.ubm.covariance != "full":
            raise ValueError(
                f"programs: kaldi takes ubm.covariance=full, not {self.ubm.covariance}: its extractor has full "
                "covariances (ubm.full_iterations=0 begins them as diagonal ones); or take programs=native"
            )


@dataclass(frozen=True)
class Evolution:
    """How networks over a waveform evolve: systems/evolution.py."""

    population: int  # networks a generation
    generations: int  # until evolution ends
    fitness: Literal["eoc", "eer"]  # ease of classification, or 1 less the EER
    batch: int | None  # training utterances a generation, half of each class, drawn anew; null: all of them
    crop: float | None  # s of each of them, at a place drawn anew; null: whole utterances
    validate_every: int  # generations, and after the last ...
    validated: int  # ... so many of the fittest are tried on dev

    def __post_init__(self) -> None:
        at_least(self, population=2, generations=1, validate_every=1, validated=1)
        if self.batch is not None and (self.batch < 2 or self.batch % 2):
            raise ValueError(f"batch: {self.batch} must be an even number above 0, half of it a class; or null")
        if self.crop is not None and self.crop <= 0:
            raise ValueError(f"crop: {self.crop} must be above 0; or null")


@dataclass(frozen=True)
class Evolving:
    """Evolved recurrent networks: systems/evolving.py."""

    kind: Literal["evolving"]
    title: str  # the row's name in the paper's table
    paper: Paper  # what the paper reports
    features: Waveform
    neat: str  # neat-python's configuration, relative to conf/
    train: Evolution


System = Neural | GaussianMixtures | IVectors | Evolving
