"""Settings of networks: what a YAML of `kind: neural` may say.

Values of the recipe have no defaults: the YAML states each, with its reason.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from afn.augment import Augmentation
from afn.common.config import Ends, Execution, Range, Settings, Share
from afn.features.settings import GAIN, Features
from afn.systems.protocol import Row

FRAMES = "shorter utterances are repeated to it, longer ones cut"


class AttentiveFiltering(Settings):
    """AttentiveFilteringNetwork in attentive_filtering.py."""

    kind: Literal["attentive_filtering"]
    attention: Literal["sigmoid", "tanh", "softmaxF", "softmaxT"] = Field(
        description="phi; F: over frequency, T: over time"
    )
    temperature: PositiveFloat = Field(description="divides the logits of a softmax")
    residual: bool = Field(description="S* = (1 + A) o S, else A o S")
    channels: PositiveInt = Field(description="feature maps of the attention branch")
    frames: int = Field(description=FRAMES)


class DilatedResidual(Settings):
    """DilatedResNet in dilated_resnet.py."""

    kind: Literal["dilated_resnet"]
    activation: Literal["relu", "elu"] = Field(description="of every layer")
    frames: int = Field(description=FRAMES)


class ReducedLCNN(Settings):
    """LightCNN in light_cnn.py."""

    kind: Literal["light_cnn"]
    frames: int = Field(description=FRAMES)


class OriginalLCNN(Settings):
    """OriginalLightCNN in light_cnn.py."""

    kind: Literal["original_light_cnn"]
    frames: int = Field(description=FRAMES)
    dropout: float = Field(ge=0, lt=1, description="fraction of the embedding that is dropped")
    back_end: Literal["softmax", "gaussian"] = Field(
        description="the network's own output, or Gaussians on its embeddings"
    )


class StatisticsPooling(Settings):
    """StatisticsPoolingCNN in statistics_pooling.py, for utterances of any length."""

    kind: Literal["statistics_pooling"]
    widths: list[PositiveInt] = Field(min_length=1, description="maps after each convolution")
    strides: list[Ends[PositiveInt]] = Field(description="[F, T] of each convolution")
    hidden: PositiveInt = Field(description="units of the hidden linear layer")
    dropout: float = Field(ge=0, lt=1, description="fraction that is dropped before each linear layer")
    spectrum: bool = Field(description="the mean spectrum enters as a second map; else nothing tells the mean of a bin")

    @property
    def removes(self) -> frozenset[str]:
        """Nuisances that it cannot see, like `removes` of features: it sees no overall level."""
        return GAIN


class Training(Settings):
    """The recipe of training, training.py."""

    epochs: PositiveInt = Field(description="maximum number")
    patience: PositiveInt = Field(description="stop after this many epochs without a better dev EER")
    batch_size: PositiveInt = Field(description="utterances")
    learning_rate: PositiveFloat = Field(description="initial value, of Adam")
    amsgrad: bool = Field(description="use this variant of Adam")
    lr_factor: Share = Field(description="the learning rate is multiplied by this when lr_patience is exceeded")
    lr_patience: NonNegativeInt = Field(
        description="epochs without a better dev loss before the learning rate is reduced"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        description="auto: bfloat16 on a GPU or CPU that has it, float32 elsewhere"
    )
    checkpoint_minutes: Execution[NonNegativeFloat] = Field(description="an interruption costs at most this much work")
    compile: bool = Field(default=False, description="use torch.compile: needs a C++ compiler, and minutes to start")
    weight_decay: NonNegativeFloat | None = Field(default=None, description="AdamW with this decay; null: Adam")
    one_cycle: Share | None = Field(
        default=None,
        description="fraction of the steps in which the learning rate rises to learning_rate, before it falls to zero; "
        "the last epoch's weights are kept. null: lr_factor, and the weights with the lowest dev EER",
    )
    averaging: Share | None = Field(
        default=None,
        description="dev and scores use a moving average of the weights with this decay a step, the mean of fewer than "
        "1 / (1 - decay) steps; its batch norm learns from training data after each epoch",
    )
    balanced: bool | None = Field(
        default=None, description="utterances of the smaller class are repeated until both are equally frequent"
    )
    stratified: bool | None = Field(default=None, description="every batch has the same shares of both classes")
    crop: Range[PositiveInt] | None = Field(
        default=None, description="frames of a random part of each utterance, sampled per batch; for any length"
    )
    augment: Augmentation | None = Field(
        default=None, description="random changes of recordings and features, others in every epoch"
    )
    start: Execution[str | None] = Field(
        default=None,
        description="the weights that training begins with: `detector`, those of the package, or a folder "
        "exp/<corpus>/<system>/seed<k> of the same model; their content is recorded. null: random",
    )


VARIATIONS = (
    "weight_decay",
    "one_cycle",
    "averaging",
    "balanced",
    "stratified",
    "crop",
)  # left out of records where they are null


class Neural(Row):
    """A network on a feature matrix."""

    kind: Literal["neural"]
    features: Features
    model: Annotated[
        AttentiveFiltering | DilatedResidual | ReducedLCNN | OriginalLCNN | StatisticsPooling,
        Field(discriminator="kind"),
    ]
    train: Training

    @model_validator(mode="after")
    def _crops(self) -> Self:
        if (self.train.crop is None) != hasattr(self.model, "frames"):
            raise ValueError("train.crop: networks of any length need it, and those of fixed frames have none")
        return self


SETTINGS = Neural
