"""Settings of evolved networks: what a YAML of `kind: evolving` may say.

Values of the recipe have no defaults: the YAML states each, with its reason.
"""

from dataclasses import dataclass
from typing import Literal

from afn.common.checks import at_least
from afn.common.config import execution, presentation
from afn.features.settings import Waveform
from afn.systems.protocol import Paper


@dataclass(frozen=True)
class Evolution:
    """How networks over a waveform evolve (evolution.py)."""

    population: int  # networks per generation
    generations: int  # until evolution ends
    fitness: Literal["eoc", "eer"]  # ease of classification, or 1 less the EER
    batch: int | None  # training utterances per generation, a new sample, half of each class; null: all of them
    crop: float | None  # seconds of each of them, from a new random place; null: whole utterances
    validate_every: int  # generations between tests on dev; the last one is tested too
    validated: int  # number of the fittest networks that are tested on dev

    def __post_init__(self) -> None:
        at_least(self, population=2, generations=1, validate_every=1, validated=1)
        if self.batch is not None and (self.batch < 2 or self.batch % 2):
            raise ValueError(f"batch: {self.batch} must be an even number above 0, or null")
        if self.crop is not None and self.crop <= 0:
            raise ValueError(f"crop: {self.crop} must be above 0, or null")


@dataclass(frozen=True, kw_only=True)
class Evolving:
    """Evolved recurrent networks over the waveform."""

    kind: Literal["evolving"]
    title: str = presentation()  # the row's name in the paper's table
    paper: Paper = presentation()  # what the paper reports
    features: Waveform
    neat: str = execution()  # neat-python's configuration, relative to conf/; its content is recorded
    train: Evolution


SETTINGS = Evolving
