"""What a YAML in conf/systems may say: one file is one row of the results table.

Values of a recipe have no defaults here: they stand in the YAML, each with its reason.
"""

from dataclasses import dataclass
from typing import Literal

from features.log_magnitude import LogMagnitudeOptions


@dataclass(frozen=True)
class Paper:
    """EERs in percent of this row in Lai et al. (ICASSP 2019), Table 2, on ASVspoof 2017 Version 2.0."""

    dev: float | None = None
    eval: float | None = None


@dataclass(frozen=True)
class Spectrogram:
    """Kaldi's log power spectrogram after the sliding mean (features/spectrogram.py, features/kaldi.py)."""

    kind: Literal["spectrogram"]
    name: str  # the folder below the data directory
    conf: str  # Kaldi options, relative to conf/
    backend: Literal["auto", "kaldi", "native"]
    cmn_window: int  # frames
    norm_vars: bool

    def __post_init__(self) -> None:
        if self.cmn_window < 1:
            raise ValueError(f"cmn_window: {self.cmn_window} must be at least 1 frame")
        folder_name(self.name)


@dataclass(frozen=True, kw_only=True)
class LogMagnitude(LogMagnitudeOptions):
    """A log magnitude spectrum with a fine frequency grid (features/log_magnitude.py)."""

    kind: Literal["log_magnitude"]
    name: str

    def __post_init__(self) -> None:
        super().__post_init__()
        folder_name(self.name)


def folder_name(name: str) -> None:
    """Raise ValueError unless `name` can name a folder."""
    if not name or "/" in name or name.startswith("."):
        raise ValueError(f"name: {name!r} must be the name of a folder")


Features = Spectrogram | LogMagnitude


@dataclass(frozen=True)
class AttentiveFiltering:
    """models/attentive_filtering.py"""

    kind: Literal["attentive_filtering"]
    attention: Literal["sigmoid", "tanh", "softmaxF", "softmaxT"]
    temperature: float  # divides the logits of a softmax
    residual: bool  # S* = (1 + A) o S, else A o S
    channels: int
    frames: int

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ValueError(f"temperature: {self.temperature} must be above 0")
        if self.channels < 1:
            raise ValueError(f"channels: {self.channels} must be at least 1")


@dataclass(frozen=True)
class DilatedResidual:
    """models/dilated_resnet.py"""

    kind: Literal["dilated_resnet"]
    activation: Literal["relu", "elu"]
    frames: int


@dataclass(frozen=True)
class ReducedLightCNN:
    """models/light_cnn.py, LightCNN"""

    kind: Literal["light_cnn"]
    frames: int


@dataclass(frozen=True)
class OriginalLightCNN:
    """models/light_cnn.py, OriginalLightCNN"""

    kind: Literal["original_light_cnn"]
    frames: int
    dropout: float
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
    learning_rate: float
    amsgrad: bool
    lr_factor: float  # the learning rate is multiplied by this ...
    lr_patience: int  # ... when the dev loss has not improved for more than this many epochs
    precision: Literal["auto", "float32", "bfloat16"]  # auto: bfloat16 arithmetic on a GPU that has it
    checkpoint_minutes: float  # how much work an interruption may cost at most

    def __post_init__(self) -> None:
        for name in ("epochs", "patience", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: {getattr(self, name)} must be at least 1")
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate: {self.learning_rate} must be above 0")
        if not 0 < self.lr_factor < 1:
            raise ValueError(f"lr_factor: {self.lr_factor} must lie between 0 and 1")
        if self.lr_patience < 0 or self.checkpoint_minutes < 0:
            raise ValueError("lr_patience and checkpoint_minutes may not be negative")


@dataclass(frozen=True)
class Neural:
    """A network over a feature matrix: systems/neural.py."""

    kind: Literal["neural"]
    title: str  # the row's name in the paper's table
    paper: Paper
    features: Features
    model: AttentiveFiltering | DilatedResidual | ReducedLightCNN | OriginalLightCNN
    train: Training


System = Neural  # becomes a union of dataclasses, told apart by `kind`, as other kinds of systems arrive
