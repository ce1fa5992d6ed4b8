"""Settings of networks: what a YAML of `kind: neural` may say.

Values of the recipe have no defaults: the YAML states each, with its reason.
"""

from dataclasses import dataclass
from typing import Literal

from afn.common.checks import at_least, share
from afn.common.config import execution, presentation
from afn.features.settings import Features
from afn.systems.protocol import Paper


@dataclass(frozen=True)
class AttentiveFiltering:
    """AttentiveFilteringNetwork in attentive_filtering.py."""

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
    """DilatedResNet in dilated_resnet.py."""

    kind: Literal["dilated_resnet"]
    activation: Literal["relu", "elu"]  # of every layer
    frames: int  # shorter utterances are repeated to it, longer ones cut


@dataclass(frozen=True)
class ReducedLCNN:
    """LightCNN in light_cnn.py."""

    kind: Literal["light_cnn"]
    frames: int  # shorter utterances are repeated to it, longer ones cut


@dataclass(frozen=True)
class OriginalLCNN:
    """OriginalLightCNN in light_cnn.py."""

    kind: Literal["original_light_cnn"]
    frames: int  # shorter utterances are repeated to it, longer ones cut
    dropout: float  # fraction of the embedding that is dropped, at least 0 and below 1
    back_end: Literal["softmax", "gaussian"]  # the network's own output, or Gaussians on its embeddings

    def __post_init__(self) -> None:
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout: {self.dropout} must be at least 0 and below 1")


@dataclass(frozen=True)
class Training:
    """The recipe of training, training.py."""

    epochs: int  # at most
    patience: int  # stop after this many epochs without a better dev EER
    batch_size: int  # utterances
    learning_rate: float  # initial value, of Adam
    amsgrad: bool  # use this variant of Adam
    lr_factor: float  # the learning rate is multiplied by this when lr_patience is exceeded
    lr_patience: int  # epochs without a better dev loss before the learning rate is reduced
    precision: Literal["auto", "float32", "bfloat16"]  # auto: bfloat16 on a GPU that has it, float32 elsewhere
    checkpoint_minutes: float = execution()  # an interruption costs at most this much work
    compile: bool = False  # use torch.compile: needs a C++ compiler, and minutes to start

    def __post_init__(self) -> None:
        at_least(self, epochs=1, patience=1, batch_size=1, lr_patience=0, checkpoint_minutes=0)
        share(self, "lr_factor")
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate: {self.learning_rate} must be above 0")


@dataclass(frozen=True, kw_only=True)
class Neural:
    """A network on a feature matrix."""

    kind: Literal["neural"]
    title: str = presentation()  # the row's name in the paper's table
    paper: Paper = presentation()  # what the paper reports
    features: Features
    model: AttentiveFiltering | DilatedResidual | ReducedLCNN | OriginalLCNN
    train: Training


SETTINGS = Neural
