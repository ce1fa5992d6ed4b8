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
    title: str = presentation()  # the row's name in the paper's table
    paper: Paper = presentation()  # what the paper reports
    features: Waveform
    neat: str = execution()  # neat-python's configuration, relative to conf/; its content is recorded
    train: Evolution


SETTINGS = Evolving
