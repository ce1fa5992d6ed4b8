"""The randomised corpus: every utterance has other rooms, devices, noise and another level.

What a system learns from it holds for recordings and replays in general, not for a few devices. dev and eval have
speakers, rooms and devices of kinds that train lacks: their figures show how much of it carries over.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from afn.augment import responses
from afn.augment.channels import Channel, ChannelChain, Responses
from afn.augment.random_streams import between, deal, stream
from afn.augment.signals import Probability
from afn.common import config
from afn.common.config import Range, Settings
from afn.common.errors import UserError
from afn.common.labels import GENUINE, SPOOF, SUBSETS
from afn.corpora.datadir import UNKNOWN, Utterance
from afn.corpora.recordings import SAMPLE_RATE
from afn.corpora.simulation import rooms
from afn.corpora.simulation.generation import Generated
from afn.corpora.simulation.plan import numbered
from afn.corpora.simulation.rooms import Rooms
from afn.corpora.simulation.speech import Synthetic, Voices, recording, speakers_below

T = TypeVar("T")

WORDS_PER_SECOND = 3  # at least; longer speech is cut
FADE = 0.01  # s at the ends of what is cut from speech
STEP = 10  # dB that one value of a condition covers


class SubsetSize(Settings):
    """Size of one subset, and what its channels have that others do not."""

    genuine: PositiveInt = Field(description="utterances")
    spoof: PositiveInt = Field(description="replayed utterances")
    speakers: PositiveInt = Field(description="synthetic ones; real ones are divided in the same proportion")
    shoeboxes: NonNegativeInt = Field(
        default=0, description="places in rooms by the image source method, used as measured rooms are; 0: none"
    )
    changes: dict[str, Any] = Field(default={}, description="keys of `channel` with other values for this subset")


class Shoeboxes(Settings):
    """Rooms by the image source method."""

    rooms: Rooms
    reverberation: Range[Annotated[float, Field(ge=0.05, le=3)]] = Field(description="s in which sound falls by 60 dB")


class Randomised(Generated):
    """A generated corpus in which every utterance has its own channel; ranges are [least, most]."""

    kind: Literal["randomised"]
    seed: int = Field(description="another seed: other speakers, words and channels")
    train: SubsetSize
    dev: SubsetSize
    eval: SubsetSize
    voices: Voices = Field(description="who speaks, unless `speech` is given")
    words: list[str] = Field(min_length=1, description="what they say, in random order")
    durations: Range[Annotated[float, Field(ge=0.2, le=30)]] = Field(description="s, of the speech, at most")
    silence: Range[Annotated[float, Field(ge=0, le=5)]] = Field(description="s before and after the speech")
    channel: Channel
    shoebox: Shoeboxes
    speech: str | list[str] | None = Field(
        default=None, description="folders of real speech, wav or flac, in each a folder for each speaker; null: none"
    )
    synthetic: Probability = Field(default=0.0, description="fraction of synthetic speech where `speech` is given")
    impulse_responses: str | list[str] | None = Field(
        default=None, description="folders of measured rooms and devices, for the shares `measured`; null: none"
    )

    @model_validator(mode="after")
    def _changes_are_known(self) -> Self:
        for name in SUBSETS:
            try:
                self.channel_of(name)
            except UserError as error:
                raise ValueError(f"{name}.changes: {error}") from None
        return self

    def channel_of(self, subset: str) -> Channel:
        """The channels of a subset. Raises UserError for changes that cannot be used."""
        changes = self.subsets[subset].changes
        changed: Channel = config.build(Channel, config.merge(config.plain(self.channel), changes), "channel")
        return changed

    def trials(self) -> dict[str, list["RandomisedTrial"]]:
        return {subset: _plan(self, subset) for subset in SUBSETS}

    def studio(self) -> "RandomisedStudio":
        return RandomisedStudio(self)

    def utterances(self, directory: Path, **options: Any) -> dict[str, list[Utterance]]:
        trials = {trial.utt: trial for listed in self.trials().values() for trial in listed}
        found = super().utterances(directory, **options)
        return {
            subset: [replace(u, conditions=_conditions(self, trials[u.utt])) for u in listed]
            for subset, listed in found.items()
        }


@dataclass(frozen=True)
class RandomisedTrial:
    """One utterance to be generated; `speaker` counts through all subsets: synthetic ones, then real ones."""

    utt: str
    label: str
    subset: str
    speaker: int

    @property
    def protocol(self) -> str:
        return f"{self.utt}.wav {self.label} M{self.speaker + 1:04d} - - - -"


class RandomisedStudio:
    """Makes the recordings of a randomised corpus."""

    def __init__(self, corpus: Randomised):
        self.corpus, self.real, self.text = corpus, _real_speakers(corpus), corpus.model_dump_json()
        self.channels = {subset: corpus.channel_of(subset) for subset in SUBSETS}
        self.synthetic = Synthetic(corpus.voices, corpus.seed, _synthetic_speakers(corpus))
        for folder in corpus.folders().get("impulse_responses", ()):
            responses.files(folder)

    def __call__(self, trial: RandomisedTrial) -> np.ndarray:
        """The recording of `trial`: int16[N]."""
        rng = stream(self.corpus.seed, trial.utt, "speech")
        count, before, after = (
            round(between(rng, ends) * SAMPLE_RATE)
            for ends in (self.corpus.durations, self.corpus.silence, self.corpus.silence)
        )
        speech = np.pad(self._speech(trial.speaker, count, rng), (before, after))
        chain = ChannelChain(self.channels[trial.subset], SAMPLE_RATE, measured(self.text, trial.subset))
        return chain(speech, trial.label, (self.corpus.seed, trial.utt))

    def _speech(self, speaker: int, count: int, rng: np.random.Generator) -> np.ndarray:
        """A random piece of at most `count` samples of what a speaker says: float64[N], faded at its ends."""
        synthetic = len(self.synthetic.cast)
        if speaker < synthetic:
            words = rng.choice(self.corpus.words, 1 + round(WORDS_PER_SECOND * count / SAMPLE_RATE))
            said = self.synthetic.say(speaker, " ".join(words), rng)
        else:
            paths = self.real[speaker - synthetic]
            said = recording(paths[int(rng.integers(len(paths)))])
        start = int(rng.integers(max(len(said) - count, 0) + 1))
        piece = said[start : start + count].copy()
        ramp = np.linspace(0, 1, min(round(FADE * SAMPLE_RATE), len(piece)))
        piece[: len(ramp)] *= ramp
        piece[len(piece) - len(ramp) :] *= ramp[::-1]
        return piece


def _plan(corpus: Randomised, subset: str) -> list[RandomisedTrial]:
    """The utterances of a subset in the order of its protocol; all speakers are equally frequent in both classes."""
    part, synthetic = corpus.subsets[subset], _synthetic_speakers(corpus)
    voices = divided(range(synthetic), corpus)[subset]
    people = divided(range(synthetic, synthetic + len(_real_speakers(corpus))), corpus)[subset]
    listed: list[tuple[str, str, int]] = []
    for label, count in ((GENUINE, part.genuine), (SPOOF, part.spoof)):
        rng = stream(corpus.seed, "plan", subset, label)
        speakers = deal(rng, voices, round(count * corpus.synthetic) if people else count)
        if people:
            speakers += deal(rng, people, count - len(speakers))
        listed += [(label, subset, speaker) for speaker in speakers]
    return [RandomisedTrial(utt, *of) for utt, of in numbered(subset, listed, corpus.seed)]


def _synthetic_speakers(corpus: Randomised) -> int:
    return sum(part.speakers for part in corpus.subsets.values())


def _real_speakers(corpus: Randomised) -> list[list[Path]]:
    """The recordings of each real speaker, in random order. Raises UserError for too few of them."""
    folders = corpus.folders().get("speech", [])
    found = [paths for folder in folders for _, paths in sorted(speakers_below(folder).items())]
    if folders and len(found) < len(SUBSETS):
        raise UserError(
            f"{folders[0]}: holds {len(found)} speakers (sub-folders with wav or flac files), at least "
            f"{len(SUBSETS)} are needed. Add some."
        )
    return [found[k] for k in stream(corpus.seed, "speakers").permutation(len(found))]


def divided(items: Sequence[T], corpus: Randomised) -> dict[str, Sequence[T]]:
    """`items` by subset, in proportion to the numbers of speakers; every subset gets some, train first."""
    shares = np.cumsum([corpus.subsets[subset].speakers for subset in SUBSETS]) / _synthetic_speakers(corpus)
    divided, start = {}, 0
    for k, (subset, share) in enumerate(zip(SUBSETS, shares, strict=True)):
        most = len(items) - len(SUBSETS) + k + 1  # leaves one for each of the others
        end = min(len(items), max(k + 1, min(round(len(items) * share), most)))
        divided[subset], start = items[start:end], end
    return divided


@lru_cache(maxsize=len(SUBSETS))
def measured(text: str, subset: str) -> Responses:
    """The measured responses of a subset, which no other has, and its shoeboxes; `text` is the corpus as JSON."""
    corpus = Randomised.model_validate_json(text)
    paths: dict[str, list[Path]] = {}
    for folder in corpus.folders().get("impulse_responses", ()):
        for role, listed in responses.files(folder).items():
            paths.setdefault(role, []).extend(listed)
    found = {}
    for role, listed in paths.items():
        order = stream(corpus.seed, "impulse responses", role).permutation(len(listed)).tolist()
        found[role] = [responses.read(listed[k], SAMPLE_RATE) for k in divided(order, corpus)[subset]]
    for k in range(corpus.subsets[subset].shoeboxes):
        name = f"{subset} {k}"
        reverberation = between(stream(corpus.seed, "reverberation", name), corpus.shoebox.reverberation)
        room = rooms.response(corpus.shoebox.rooms, reverberation, corpus.seed, name, 0)
        found.setdefault("room", []).append(room)
    return found


def _conditions(corpus: Randomised, trial: RandomisedTrial) -> dict[str, str]:
    """Ranges of signal-to-noise ratio and level (dB), as `10_to_20`, and whose speech it is."""
    values = ChannelChain(corpus.channel_of(trial.subset), SAMPLE_RATE).conditions((corpus.seed, trial.utt))
    steps = {name: int(value // STEP) * STEP for name, value in values.items() if np.isfinite(value)}
    speech = "synthetic" if trial.speaker < _synthetic_speakers(corpus) else "real"
    ranges = {name: f"{step}_to_{step + STEP}" for name, step in steps.items()}
    return dict.fromkeys(values, UNKNOWN) | ranges | {"speech": speech}
