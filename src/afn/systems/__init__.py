"""How a model is trained and how it scores: one interface for every row of the results table."""

from pathlib import Path
from typing import Literal, Protocol

from afn.systems.settings import Evolving, GaussianMixtures, IVectors
from afn.systems.settings import System as Settings
from afn.systems.subset import Subset


class System(Protocol):
    """A row of the table: built from its YAML and a seed."""

    picture: str  # what stage 1 draws: the name of a module in pictures/, or nothing
    averaged: Literal["sigmoids", "scores"]  # what is averaged over seeds
    at_once: int  # utterances scored together: lists cut at multiples of it are scored to the same bits

    def fit(self, train: Subset, dev: Subset, directory: Path) -> None:
        """Train, leaving everything in `directory`; called again after an interruption, go on."""

    def weights(self, directory: Path) -> Path:
        """The file in `directory` that holds what `fit` learnt."""

    def load(self, directory: Path) -> None:
        """Take up what `fit` left in `directory`."""

    def score(self, subset: Subset) -> dict[str, float]:
        """One score per utterance; higher = more genuine."""


def build(settings: Settings, seed: int) -> System:
    """The system that the settings describe."""
    # Imported here: PyTorch takes seconds, and scripts that only read a YAML do not wait for it.
    if isinstance(settings, GaussianMixtures):
        from afn.systems.gmm.system import MixturePair

        return MixturePair(settings, seed)
    if isinstance(settings, IVectors):
        from afn.systems.ivector.system import IVectorSystem

        return IVectorSystem(settings, seed)
    if isinstance(settings, Evolving):
        from afn.systems.evolving.system import EvolvingSystem

        return EvolvingSystem(settings, seed)
    from afn.systems.neural.system import NeuralSystem

    return NeuralSystem(settings, seed)
