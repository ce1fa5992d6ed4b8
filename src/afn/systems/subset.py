"""A subset of a corpus as systems see it: utterances, labels, features."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from afn.common.errors import UserError

GENUINE = {"genuine": 1.0, "spoof": 0.0}  # the target of a network


@dataclass(frozen=True)
class Subset:
    """`labels` (utterance -> genuine|spoof) and `features` (utterance -> float32[T × D]), over the same utterances.

    `speakers` (utterance -> name) and `recordings` (utterance -> wav file) where they are known.
    """

    name: str
    labels: Mapping[str, str]
    features: Mapping[str, np.ndarray]
    speakers: Mapping[str, str] = field(default_factory=dict)
    recordings: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if odd := sorted(self.labels.keys() ^ self.features.keys()):
            raise UserError(f"{self.name}: labels and features disagree about {odd[0]}. Run stages -2 and -1 again.")

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
            raise UserError(f"{self.name}: no {min(missing)} utterance. Training needs both classes.")
        return self


def in_order(count: int, batch_size: int) -> Iterator[range]:
    """The indices 0…count-1 in batches."""
    for start in range(0, count, batch_size):
        yield range(start, min(start + batch_size, count))
