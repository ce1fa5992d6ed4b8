"""The simulated corpus: genuine and replayed speech generated here, in the form of ASVspoof 2017 V2.

It lets everything run without the real recordings. Results on it say nothing about ASVspoof.
"""

from itertools import accumulate
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from afn.augment.random_streams import between, stream
from afn.common.config import Range
from afn.common.paths import user_path
from afn.corpora.recordings import SAMPLE_RATE
from afn.corpora.simulation.acoustics import Acoustics, RecordingChain
from afn.corpora.simulation.generation import Generated
from afn.corpora.simulation.plan import SubsetPlan, Trial, parts, plan
from afn.corpora.simulation.speech import Recorded, Synthetic, Voices


class Simulated(Generated):
    """A generated corpus: genuine and replayed speech in simulated or measured rooms; ranges are [least, most]."""

    kind: Literal["simulated"]
    seed: int = Field(description="another seed: other voices, rooms, devices and positions")
    train: SubsetPlan
    dev: SubsetPlan
    eval: SubsetPlan
    voices: Voices = Field(description="who speaks, unless `speech` is given")
    silence: Range[Annotated[float, Field(ge=0, le=5)]] = Field(description="s before and after the speech")
    durations: Range[Annotated[float, Field(ge=0.5, le=30)]] = Field(
        description="s, of utterances cut from real speech"
    )
    acoustics: Acoustics
    speech: str | None = Field(
        default=None, description="a folder of real speech, wav or flac, a folder each speaker; null: none"
    )
    impulse_responses: str | None = Field(
        default=None, description="a folder of measured rooms and devices; null: simulated ones"
    )

    @model_validator(mode="after")
    def _codes_are_known(self) -> Self:
        for name, subset in self.subsets.items():
            for configuration in subset.configurations:
                for code, known in zip(parts(configuration), self.acoustics.codes, strict=True):
                    if code not in known:
                        raise ValueError(f"{name}.configurations: {configuration}: acoustics does not describe {code}")
        return self

    def trials(self) -> dict[str, list[Trial]]:
        firsts = accumulate((subset.speakers for subset in self.subsets.values()), initial=0)
        return {
            name: plan(name, subset, first, self.acoustics.microphones, self.seed)
            for (name, subset), first in zip(self.subsets.items(), firsts, strict=False)
        }

    def studio(self) -> "SimulatedStudio":
        return SimulatedStudio(self)


class SimulatedStudio:
    """Makes the recordings of a simulated corpus."""

    def __init__(self, corpus: Simulated):
        self.corpus = corpus
        speakers = sum(subset.speakers for subset in corpus.subsets.values())
        self.speech: Synthetic | Recorded
        if corpus.speech is None:
            self.speech = Synthetic(corpus.voices, corpus.seed, speakers)
        else:
            self.speech = Recorded(user_path(corpus.speech), corpus.durations, corpus.seed, speakers)
        measured = None if corpus.impulse_responses is None else user_path(corpus.impulse_responses)
        self.chain = RecordingChain(corpus.acoustics, corpus.seed, measured)

    def __call__(self, trial: Trial) -> np.ndarray:
        """The recording of `trial`: int16[N]."""
        rng = stream(self.corpus.seed, trial.utt, "speech")
        before, after = (round(between(rng, self.corpus.silence) * SAMPLE_RATE) for _ in range(2))
        spoken = self.speech.utter(trial.speaker, trial.phrase, rng)
        return self.chain.record(np.pad(spoken, (before, after)), slice(before, before + len(spoken)), trial)
