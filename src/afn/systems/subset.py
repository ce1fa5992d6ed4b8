"""A subset of a corpus as systems see it: utterances, labels, features."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from afn.common.errors import UserError

GENUINE = {"genuine": 1.0, "spoof": 0.0}  # the target of a network


@dataclass(frozen=True)
class Subset:
    """`labels` (utterance -> genuine|spoof) and `features` (utterance -> float32[T × D]), over the same utterances.

    `speakers` (utterance -> name) where they are known. `held`: the features on devices (systems/batches.py).
    """

    name: str
    labels: Mapping[str, str]
    features: Mapping[str, np.ndarray]
    speakers: Mapping[str, str] = field(default_factory=dict)
    held: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if odd := sorted(self.labels.keys() ^ self.features.keys()):
            raise UserError(f"{self.name}: labels and features disagree about {odd[0]}; run stages -2 and -1 again")

    @property
    def utterances(self) -> list[str]:
        return list(self.labels)

    @property
    def genuine(self) -> np.ndarray:
        """Which utterances are genuine, bool[U]."""
        return np.array([label == "genuine" for label in self.labels.values()], dtype=bool)

    def both_classes(self) -> "Subset":
        """This subset, if it holds both classes; UserError otherwise."""
        if missing := GENUINE.keys() - set(self.labels.values()):
            raise UserError(f"{self.name}: no {min(missing)} utterance; training needs both classes")
        return self

    def only(self, utterances: Sequence[str]) -> "Subset":
        """The same subset with no more than these of its utterances; features are still read as they are needed."""
        labels, speakers = ({utt: of[utt] for utt in utterances if utt in of} for of in (self.labels, self.speakers))
        return Subset(self.name, labels, _Some(self.features, labels), speakers)


class _Some(Mapping[str, np.ndarray]):
    """The features of some utterances."""

    def __init__(self, features: Mapping[str, np.ndarray], utterances: Mapping[str, str]):
        self.features, self.utterances = features, utterances

    def __getitem__(self, utt: str) -> np.ndarray:
        if utt not in self.utterances:
            raise KeyError(utt)
        return self.features[utt]

    def __iter__(self) -> Iterator[str]:
        return iter(self.utterances)

    def __len__(self) -> int:
        return len(self.utterances)
