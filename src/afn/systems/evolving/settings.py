"""Settings of evolved networks: what a YAML of `kind: evolving` may say.

Values of the recipe have no defaults: the YAML states each, with its reason.
"""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from afn.augment import Copies
from afn.common.config import Execution, Settings
from afn.features.settings import Waveform
from afn.systems.protocol import COPIES, Row


class Evolution(Settings):
    """How networks over a waveform evolve (evolution.py)."""

    population: int = Field(ge=2, description="networks per generation")
    generations: PositiveInt = Field(description="until evolution ends")
    fitness: Literal["eoc", "eer"] = Field(description="ease of classification, or 1 less the EER")
    batch: Annotated[int, Field(ge=2, multiple_of=2)] | None = Field(
        description="training utterances per generation, a new sample, half of each class; null: all of them"
    )
    crop: PositiveFloat | None = Field(
        description="seconds of each of them, from a new random place; null: whole utterances"
    )
    validate_every: PositiveInt = Field(description="generations between tests on dev; the last one is tested too")
    validated: PositiveInt = Field(description="number of the fittest networks that are tested on dev")
    augment: Copies | None = Field(default=None, description=COPIES)


class Evolving(Row):
    """Evolved recurrent networks over the waveform."""

    kind: Literal["evolving"]
    features: Waveform
    neat: Execution[str] = Field(description="neat-python's configuration, relative to conf/; its content is recorded")
    train: Evolution


SETTINGS = Evolving
