"""What stage 1 draws: a module a kind of system, each with one function `draw`."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np


@dataclass(frozen=True)
class Chosen:
    """The utterances of a picture: those drawn one by one and those behind class means; `features` are of either."""

    utterances: list[str]
    averaged: list[str]
    labels: Mapping[str, str]  # utterance -> genuine|spoof
    features: Mapping[str, np.ndarray]  # utterance -> float32[T × D], read when asked for

    @property
    def every(self) -> list[str]:
        return list(dict.fromkeys(self.utterances + self.averaged))


class Draw(Protocol):
    def __call__(self, system: Any, chosen: Chosen, title: str, seed: int, out: Path) -> None:
        """Write the pictures of a loaded `system` into the folder `out`; `title` is the row's."""


def drawer(name: str) -> Draw:
    """The function of the module `name`; imported here, for each needs other libraries."""
    return importlib.import_module(f"afn.systems.{name}.figures").draw
