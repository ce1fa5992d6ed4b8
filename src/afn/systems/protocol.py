"""What every system does: the one interface between a row of the results table and the stages."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from afn.augment import Changes, responses
from afn.common import config
from afn.common.config import Presentation, Settings
from afn.common.errors import UserError
from afn.systems.subset import Subset

METRICS = "metrics.csv"  # of a training: one row per epoch, iteration or generation

TrainedOn = Literal["train", "train+dev"]  # the subsets that a system is trained on
COPIES = "randomly changed copies of the recordings of train, which are trained on as well"


class Paper(Settings):
    """EERs in percent of this row in Lai et al. (ICASSP 2019), Table 2, on ASVspoof 2017 Version 2.0."""

    dev: float | None = Field(default=None, description="percent; null: it reports none")
    eval: float | None = Field(default=None, description="percent; null: it reports none")
    note: str = Field(default="", description="what a reader of the results must know: what the paper leaves open")


class Row(Settings):
    """What the YAML of every system has."""

    kind: str
    title: Presentation[str] = Field(description="the row's name in the paper's table")
    paper: Presentation[Paper] = Field(description="what the paper reports")

    @property
    def augment(self) -> Changes | None:
        """How training recordings are changed; None for kinds and rows that take them as they are."""
        return getattr(getattr(self, "train", None), "augment", None)

    @model_validator(mode="after")
    def _extracts_what_it_changes(self) -> Self:
        if self.augment and self.features.kind == "mfcc":  # type: ignore[attr-defined]
            raise ValueError("train.augment: needs features that this program extracts itself, not mfcc. Remove it.")
        return self

    @property
    def removes(self) -> frozenset[str]:
        """Names of nuisances that the system cannot see: its features, or its model, remove them."""
        found: frozenset[str] = self.features.removes  # type: ignore[attr-defined]
        return found | getattr(getattr(self, "model", None), "removes", frozenset())


@dataclass(frozen=True)
class Chosen:
    """The utterances of stage 1: those drawn one by one and those behind class means; `features` are of either."""

    utterances: list[str]
    averaged: list[str]
    labels: Mapping[str, str]  # utterance -> genuine|spoof
    features: Mapping[str, np.ndarray]  # utterance -> float32[T × D], read when asked for

    @property
    def every(self) -> list[str]:
        return list(dict.fromkeys(self.utterances + self.averaged))


class Attended(NamedTuple):
    """What an attention does to one utterance; the frequency comes first in both arrays."""

    mask: np.ndarray  # A, float32[bins × frames]
    filtered: np.ndarray  # S*, float32[bins × frames]
    score: float  # of the network with this mask; above 0: genuine


class Exportable(NamedTuple):
    """A network that ./run.sh export writes."""

    network: Any  # a torch module on the CPU: Tensor[B × 1 × bins × frames] to scores Tensor[B]
    bins: int
    frames: int | None  # None: any number


class System(ABC):
    """A row of the results table, built from its settings and a seed.

    Args:
        settings: the row's YAML; its class is the family's (`SETTINGS` in its settings.py).
        seed: decides everything that is random.
    """

    averages: Literal["sigmoids", "scores"] = "scores"  # what is averaged over seeds
    attentive: bool = False  # whether it has an attention mask: `attend` and `draw_attention` work
    frames: int | None = None  # the width that features are repeated or cut to; None: any length
    at_once: int = 1  # utterances scored together; lists cut at multiples of it give the same bits

    def __init__(self, settings: Any, seed: int):
        self.settings, self.seed = settings, seed

    @classmethod
    def identity(cls, settings: Any) -> dict[str, Any]:
        """What can change a number, beyond the features: plain values, with `auto` resolved on this machine.

        What settings only name, such as a file, is under `files`: the SHA-256 of its content.
        """
        found = config.groups(settings)["identity"]
        del found["features"]
        if settings.augment is None:  # no part of the identity of rows without it
            recipe = found.get("train") or {}
            recipe.pop("augment", None)
            if not recipe:
                found.pop("train", None)
        elif settings.augment.folders:
            found["files"] = {"impulse_responses": responses.digest(settings.augment.folders)}
        return found

    @classmethod
    def tables(cls, settings: Any) -> tuple[str, ...]:
        """The tables of a data directory that training depends on."""
        return ("utt2label",)

    @abstractmethod
    def fit(self, train: Subset, dev: Subset, directory: Path) -> None:
        """Train and leave everything in `directory`. Called again after an interruption, continue there."""

    @abstractmethod
    def weights(self, directory: Path) -> Path:
        """The file in `directory` that scores depend on, written by `fit`."""

    @abstractmethod
    def load(self, directory: Path) -> None:
        """Load what `fit` left in `directory`; UserError where it cannot be used."""

    @abstractmethod
    def score(self, subset: Subset) -> dict[str, float]:
        """One score per utterance; higher = more genuine. `load` comes first."""

    def score_many(self, subset: Subset) -> dict[str, float]:
        """The scores of `score`, equal to rounding, by the fastest way for many windows of a recording."""
        return self.score(subset)

    def draw(self, chosen: Chosen, out: Path) -> bool:
        """Write the figures of stage 1 into `out`; False if there is nothing to draw. `load` comes first."""
        return False

    @property
    def figures(self) -> str:
        """What `draw` shows, in a few words; empty if it shows nothing."""
        return ""

    def attend(self, features: np.ndarray) -> Attended:
        """What the attention does to float32[T × D] features; UserError for a system without attention."""
        raise UserError(f"{self.settings.title}: has no attention mask. Choose an attention network, such as afn.")

    def draw_attention(
        self, path: Path, features: np.ndarray, heading: str, above: Callable[[Any], None] | None = None
    ) -> None:
        """Write the figure of one recording's attention as a PNG; errors as for `attend`.

        `above` draws a further panel of the figure, on matplotlib's Axes.
        """
        self.attend(features)

    def exportable(self) -> Exportable:
        """The network for ./run.sh export; UserError for a system that is not a network. `load` comes first."""
        raise UserError(f"{self.settings.title}: is not a neural network. Only neural networks can be exported.")
