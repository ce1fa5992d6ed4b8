"""The trials of a test: label, speaker and conditions of every utterance, as vectors."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from afn.common.labels import GENUINE, SPOOF
from afn.metrics import score_files

SCORED_SUBSETS = ("dev", "eval")  # stage 2 writes scores of these
UNKNOWN = "-"  # an unknown condition, and one that a recording cannot have, as the playback device of genuine speech


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
    """N utterances, one entry each in every vector.

    `configurations` names the combination of all conditions, `-` where none is known. The bootstrap and
    cross-validation keep trials of one speaker together, and trials of one configuration.
    """

    utts: tuple[str, ...]
    genuine: np.ndarray  # bool[N]
    speakers: np.ndarray  # str[N], as the following
    conditions: Mapping[str, np.ndarray]  # column of utt2cond -> codes
    configurations: np.ndarray

    @classmethod
    def of(cls, utterances: Iterable[Described]) -> "Trials":
        """The trials of `utterances`, in their order; all of them have the conditions of the first."""
        listed = list(utterances)
        genuine = np.array([u.label == GENUINE for u in listed], dtype=bool)
        speakers = np.array([u.speaker for u in listed], dtype=str)
        columns = list(listed[0].conditions) if listed else []
        conditions = {name: np.array([u.conditions[name] for u in listed], dtype=str) for name in columns}
        return cls(tuple(u.utt for u in listed), genuine, speakers, conditions, joined(genuine, speakers, conditions))

    def vector(self, found: Mapping[str, float], name: Path | str = "scores") -> np.ndarray:
        """The scores of one system as float64[N], in the order of the trials.

        Raises UserError, naming `name` and an utterance, unless `found` scores exactly these utterances.
        """
        labels = {utt: GENUINE if g else SPOOF for utt, g in zip(self.utts, self.genuine, strict=True)}
        vector = np.empty(len(self.utts))
        vector[self.genuine], vector[~self.genuine] = score_files.join(found, labels, name, "the list of trials")
        return vector


def joined(genuine: np.ndarray, speakers: np.ndarray, conditions: Mapping[str, np.ndarray]) -> np.ndarray:
    """The configuration of each trial, str[N].

    A condition that is known of genuine speech and the same in all recordings of a speaker, as the language or the
    corpus, is left out: it is resampled with the speaker. Genuine speech has configurations if all of it has some.
    """
    used = [
        codes.tolist()
        for codes in conditions.values()
        if (codes[genuine] == UNKNOWN).all() or len({*zip(speakers, codes, strict=True)}) > len({*speakers.tolist()})
    ]
    names: dict[tuple[str, ...], str] = {}
    joined = [names.setdefault(codes, configuration(codes)) for codes in zip(*used, strict=True)]
    found = np.array(joined or [UNKNOWN] * len(genuine), dtype=str)
    if (found[genuine] == UNKNOWN).any():
        found[genuine] = UNKNOWN
    return found


def configuration(codes: Sequence[str]) -> str:
    """The name of a configuration: E18P18R12 for the codes of ASVspoof 2017, `-` if nothing is known.

    Other codes are joined by blanks, which codes do not contain, so that names of configurations are unique.
    """
    if set(codes) <= {UNKNOWN}:
        return UNKNOWN
    plain = len(codes) == 3 and all(
        code[:1] == kind and code[1:].isdecimal() for code, kind in zip(codes, "EPR", strict=True)
    )
    return ("" if plain else " ").join(codes)
