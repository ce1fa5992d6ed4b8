"""A subset of a corpus as systems see it: utterances, labels, features."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from errors import UserError

GENUINE = {"genuine": 1.0, "spoof": 0.0}  # the target of a network


@dataclass(frozen=True)
class Subset:
    """`labels` (utterance -> genuine|spoof) and `features` (utterance -> float32[T × D]), over the same utterances.

    `speakers` (utterance -> name) where they are known.
    """

    name: str
    labels: Mapping[str, str]
    features: Mapping[str, np.ndarray]
    speakers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if odd := sorted(self.labels.keys() ^ self.features.keys()):
            raise UserError(f"{self.name}: labels and features disagree about {odd[0]}; run stages -2 and -1 again")

    @property
    def utterances(self) -> list[str]:
        return list(self.labels)
