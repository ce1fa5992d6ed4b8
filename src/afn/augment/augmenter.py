"""Augmentation while training: a recording changed in random ways, and masks of its features."""

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from pydantic import Field, model_validator

from afn.augment import effects
from afn.augment.channels import (
    Channel,
    ChannelChain,
    ChannelDevice,
    ChannelNoise,
    Key,
    Responses,
    noisy,
    quantised,
    through,
)
from afn.augment.effects import Clipping, Codec, Gain, Silence, Stripes
from afn.augment.random_streams import stream
from afn.augment.signals import Probability
from afn.common.config import Settings
from afn.common.labels import GENUINE, SPOOF


class Augmentation(Settings):
    """Random changes of recordings while training, another for each utterance and epoch; `null` parts do nothing."""

    silence: Silence | None = None
    replay: Probability = Field(
        default=0.0, description="of a genuine recording being replayed through `channel`; it becomes a spoof"
    )
    record: Probability = Field(
        default=0.0, description="of another recording being recorded once more through `channel`; it keeps its class"
    )
    channel: Channel | None = None
    filter: ChannelDevice | None = Field(default=None, description="band limits, resonances, saturation")
    noise: ChannelNoise | None = None
    gain: Gain | None = None
    clipping: Clipping | None = None
    codec: Codec | None = None
    frequency_masks: Stripes | None = Field(default=None, description="bins of the features that are masked")
    time_masks: Stripes | None = Field(default=None, description="frames of the features that are masked")

    @model_validator(mode="after")
    def _has_a_channel(self) -> Self:
        if (self.replay or self.record) and self.channel is None:
            raise ValueError("channel: is missing, and replay or record needs it. Add it.")
        return self

    @property
    def changes_samples(self) -> bool:
        """Whether recordings change, not their features alone."""
        masks = ("frequency_masks", "time_masks")
        return any(getattr(self, name) for name in type(self).model_fields if name not in masks)


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
        responses: measured responses by role (`responses.of_folders`), for the shares of `measured` in the channel.
    """

    def __init__(self, settings: Augmentation, sample_rate: int, responses: Responses | None = None):
        self.settings, self.sample_rate = settings, sample_rate
        self.chain = None if settings.channel is None else ChannelChain(settings.channel, sample_rate, responses)

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
        replayed = rng.random() < self.settings.replay and label == GENUINE
        if self.chain and (replayed or rng.random() < self.settings.record):
            if replayed:
                sound, label = self.chain.replayed(sound, key), SPOOF
            sound = self.chain.recorded(sound, key)
        return quantised(self._changed(sound, ("filter", "noise", "gain", "clipping", "codec"), key)), label

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
