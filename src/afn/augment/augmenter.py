"""Augmentation while training: a recording changed in random ways, and masks of its features."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from pydantic import BeforeValidator, Field, PositiveInt, model_validator

from afn.augment import effects, responses
from afn.augment.channels import Channel, ChannelChain, ChannelDevice, ChannelNoise, Key, noisy, quantised, through
from afn.augment.effects import Clipping, Codec, Gain, Silence, Stripes
from afn.augment.random_streams import stream
from afn.augment.signals import Probability
from afn.common import config, paths
from afn.common.config import Execution, Settings
from afn.common.errors import UserError
from afn.common.labels import GENUINE, SPOOF

CORPORA = paths.ROOT / "conf" / "corpora"
MASKS = ("frequency_masks", "time_masks")


def _of_corpus(channel: Any) -> Any:
    """The `channel` block of the corpus that a text names; anything else as it is."""
    if not isinstance(channel, str):
        return channel
    path = paths.user_path(channel) if channel.endswith(".yaml") else CORPORA / f"{channel}.yaml"
    try:
        return config.read(path)["channel"]
    except UserError as error:
        raise ValueError(str(error)) from None
    except KeyError:
        raise ValueError(f"{path}: has no channel. Name a corpus that has one, such as randomised.") from None


class Changes(Settings):
    """Random changes of recordings; `null` parts do nothing."""

    silence: Silence | None = None
    replay: Probability = Field(
        default=0.0, description="of a genuine recording being replayed through `channel`; it becomes a spoof"
    )
    record: Probability = Field(
        default=0.0, description="of another recording being recorded once more through `channel`; it keeps its class"
    )
    channel: Annotated[Channel | None, BeforeValidator(_of_corpus, json_schema_input_type=Channel | str | None)] = (
        Field(default=None, description="or the name of the corpus that has it: randomised")
    )
    impulse_responses: Execution[str | list[str] | None] = Field(
        default=None,
        description="folders of measured rooms and devices, for the shares `measured` of `channel`; their content is "
        "recorded. null: none",
    )
    filter: ChannelDevice | None = Field(default=None, description="band limits, resonances, saturation")
    noise: ChannelNoise | None = None
    gain: Gain | None = None
    clipping: Clipping | None = None
    codec: Codec | None = None

    @model_validator(mode="after")
    def _has_a_channel(self) -> Self:
        for name in ("replay", "record", "impulse_responses"):
            if getattr(self, name) and self.channel is None:
                raise ValueError(f"channel: is missing, and {name} needs it. Add it.")
        return self

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where the measured responses are. UserError for what cannot be a path."""
        given = self.impulse_responses or []
        return tuple(paths.user_path(path) for path in ([given] if isinstance(given, str) else given))

    @property
    def changes_samples(self) -> bool:
        """Whether recordings change, not their features alone."""
        return any(getattr(self, name) for name in Changes.model_fields)


class Augmentation(Changes):
    """Random changes of recordings and features, others for each utterance and epoch; `null` parts do nothing."""

    frequency_masks: Stripes | None = Field(default=None, description="bins of the features that are masked")
    time_masks: Stripes | None = Field(default=None, description="frames of the features that are masked")


class Copies(Changes):
    """Randomly changed copies of the training recordings, beside these; `null` parts do nothing."""

    copies: PositiveInt = Field(default=1, description="of each recording, all different")

    @model_validator(mode="before")
    @classmethod
    def _masks_nothing(cls, values: Any) -> Any:
        for name in MASKS:
            if isinstance(values, dict) and name in values:
                raise ValueError(f"{name}: only networks train on masked features. Remove it.")
        return values


CHANGES: dict[str, Callable[[np.ndarray, Any, np.random.Generator, int], np.ndarray]] = {
    "silence": effects.silence,
    "filter": through,
    "noise": noisy,
    "gain": effects.gain,
    "clipping": effects.clipping,
    "codec": effects.codec,
}
SOMETIMES = ("silence", "gain", "clipping", "codec")  # have a probability; the parts of the others have theirs


class Augmenter:
    """Changes recordings: a pure function of the settings, the measured responses, the samples and a key.

    Args:
        settings: which changes, and how much of each.
        sample_rate: of the recordings, Hz.

    Raises:
        UserError: for folders of impulse responses that are missing, without any, or with unusable ones.
    """

    def __init__(self, settings: Changes, sample_rate: int):
        self.settings, self.sample_rate = settings, sample_rate
        self.chain: ChannelChain | None = None
        if settings.channel is not None:
            measured = responses.of_folders(settings.folders, sample_rate)
            self.chain = ChannelChain(settings.channel, sample_rate, measured)

    def __call__(self, samples: np.ndarray, label: str, key: Key) -> tuple[np.ndarray, str]:
        """Another version of a recording.

        Args:
            samples: int16[N].
            label: genuine or spoof.
            key: seed, epoch and utterance, say; it decides everything.

        Returns:
            int16[M] and the label, which is spoof if the recording was replayed.
        """
        sound = self._changed(samples / 32768, ("silence",), key)
        rng = stream(0, *key, "channel")
        replayed = self._replays(label, rng)
        if self.chain and (replayed or rng.random() < self.settings.record):
            if replayed:
                sound = self.chain.replayed(sound, key)
            sound = self.chain.recorded(sound, key)
        changed = self._changed(sound, ("filter", "noise", "gain", "clipping", "codec"), key)
        return quantised(changed), SPOOF if replayed else label

    def label(self, label: str, key: Key) -> str:
        """The label that a recording gets, without changing it."""
        return SPOOF if self._replays(label, stream(0, *key, "channel")) else label

    def _replays(self, label: str, rng: np.random.Generator) -> bool:
        return rng.random() < self.settings.replay and label == GENUINE

    def _changed(self, sound: np.ndarray, names: Sequence[str], key: Key) -> np.ndarray:
        for name in names:
            part, rng = getattr(self.settings, name), stream(0, *key, name)
            if part is not None and (name not in SOMETIMES or rng.random() < part.probability):
                sound = CHANGES[name](sound, part, rng, self.sample_rate)
        return sound


def masked(features: np.ndarray, settings: Augmentation, key: Key) -> np.ndarray:
    """A copy of float32[T × D] with masked frames and bins, which have the mean of their bin; `key` decides which."""
    features, means = features.copy(), features.mean(axis=0)
    for axis, stripes in enumerate((settings.time_masks, settings.frequency_masks)):
        if stripes is not None:
            effects.mask(features, means, stripes, stream(0, *key, "masks", axis), axis)
    return features
