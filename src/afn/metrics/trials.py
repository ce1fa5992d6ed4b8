"""The trials of a test: label, speaker and replay condition of every utterance, as vectors."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from afn.common.labels import GENUINE, SPOOF
from afn.metrics import score_files

SCORED_SUBSETS = ("dev", "eval")  # stage 2 writes scores of these
UNKNOWN = "-"  # an unknown condition in a data directory, and the condition of genuine speech


class Described(Protocol):
    """The attributes of a trial; an utterance of a data directory has them."""

    @property
    def utt(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def speaker(self) -> str: ...
    @property
    def conditions(self) -> Mapping[str, str]: ...


@dataclass(frozen=True, eq=False)
class Trials:
    """N utterances, one entry each in every vector; the conditions of genuine speech are `-`."""

    utts: tuple[str, ...]
    genuine: np.ndarray  # bool[N]
    speakers: np.ndarray  # str[N], as the following
    environments: np.ndarray
    playbacks: np.ndarray
    recorders: np.ndarray
    configurations: np.ndarray  # the three in one

    @classmethod
    def of(cls, utterances: Iterable[Described]) -> "Trials":
        """The trials of `utterances`, in their order."""
        listed = list(utterances)
        names = ("environment", "playback", "recorder")
        conditions = [tuple(u.conditions.get(name, UNKNOWN) for name in names) for u in listed]
        environments, playbacks, recorders = (np.array([c[i] for c in conditions], dtype=str) for i in range(3))
        return cls(
            tuple(u.utt for u in listed),
            np.array([u.label == GENUINE for u in listed], dtype=bool),
            np.array([u.speaker for u in listed], dtype=str),
            environments,
            playbacks,
            recorders,
            np.array([configuration(*c) for c in conditions], dtype=str),
        )

    def vector(self, found: Mapping[str, float], name: Path | str = "scores") -> np.ndarray:
        """The scores of one system as float64[N], in the order of the trials.

        Raises UserError, naming `name` and an utterance, unless `found` scores exactly these utterances.
        """
        labels = {utt: GENUINE if g else SPOOF for utt, g in zip(self.utts, self.genuine, strict=True)}
        vector = np.empty(len(self.utts))
        vector[self.genuine], vector[~self.genuine] = score_files.join(found, labels, name, "the list of trials")
        return vector


def configuration(environment: str, playback: str, recorder: str) -> str:
    """The name of a replay configuration: E18P18R12 for ASVspoof's codes, `-` if nothing is known.

    Other codes are joined by blanks, which codes do not contain, so that names of configurations are unique.
    """
    parts = (environment, playback, recorder)
    if set(parts) == {UNKNOWN}:
        return UNKNOWN
    codes = all(part[:1] == kind and part[1:].isdecimal() for part, kind in zip(parts, "EPR", strict=True))
    return ("" if codes else " ").join(parts)
