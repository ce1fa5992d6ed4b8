"""The EER of each kind of replay, always against all genuine speech."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from afn.metrics import eer
from afn.metrics.conditions import PARTS, THREATS, Conditions
from afn.metrics.trials import UNKNOWN, Trials

ALL, CONFIGURATION = "all", "configuration"
TITLES = {
    ALL: "Overall",
    CONFIGURATION: "Replay configuration",
    "environment": "Environment",
    "playback": "Playback device",
    "recorder": "Recording device",
    "environment threat": "Threat by environment",
    "playback threat": "Threat by playback device",
    "recorder threat": "Threat by recording device",
}


@dataclass(frozen=True)
class Group:
    """Replays with one property in common, and the EERs of systems on them.

    `factor` is a key of TITLES, `code` the corpus' name for the group, `label` the same with an explanation.
    `threats` are those of the code, or of environment, playback and recorder of a configuration; None if unknown.
    """

    factor: str
    code: str
    label: str
    threats: tuple[str | None, ...]
    replays: int
    eers: Mapping[str, float]  # system -> EER (0..1)


def breakdown(
    trials: Trials,
    systems: Mapping[str, np.ndarray],
    conditions: Conditions | None = None,
    compute: Callable[[ArrayLike, ArrayLike], float] = eer.linear_roc_eer,
) -> list[Group]:
    """The EERs of every group of replays, factor by factor, in the order of TITLES.

    Args:
        trials: N utterances.
        systems: name -> float[N], higher = more genuine.
        conditions: the meaning of the corpus' codes; without it there are no explanations and no threat groups.
        compute: the definition of the EER.

    Unknown factors are left out. EERs of groups with few replays are rough. Raises UserError if a class is missing or a
    score is NaN or infinite.
    """
    conditions = conditions or Conditions()
    genuine = trials.genuine
    groups = []
    for factor, code, label, threats, chosen in _groups(trials, conditions):
        eers = {name: compute(scores[genuine], scores[chosen]) for name, scores in systems.items()}
        groups.append(Group(factor, code, label, threats, int(chosen.sum()), eers))
    return groups


_Found = tuple[str, str, str, tuple[str | None, ...], np.ndarray]


def _groups(trials: Trials, conditions: Conditions) -> Iterator[_Found]:
    """Factor, code, label, threats and the replays of every group, bool[N]."""
    spoof = ~trials.genuine
    parts = dict(zip(PARTS, (trials.environments, trials.playbacks, trials.recorders), strict=True))
    yield ALL, ALL, "all replays", (), spoof
    yield from _configurations(trials, parts, conditions)
    for part, codes in parts.items():
        for code in _known(codes[spoof]):
            label = f"{code} {conditions.names[code]}" if code in conditions.names else _shown(code)
            yield part, code, label, (conditions.threat(part, code),), spoof & (codes == code)
    for part, codes in parts.items():
        of_each = np.array([conditions.threat(part, code) or "" for code in codes], dtype=str)
        for threat in THREATS:
            if (chosen := spoof & (of_each == threat)).any():
                yield f"{part} threat", threat, threat, (threat,), chosen


def _configurations(trials: Trials, parts: Mapping[str, np.ndarray], conditions: Conditions) -> Iterator[_Found]:
    numbers = conditions.numbers
    found = _known(trials.configurations[~trials.genuine])
    for code in sorted(found, key=lambda code: numbers.get(code, len(numbers) + 1)):  # stable: the others by name
        chosen = ~trials.genuine & (trials.configurations == code)
        first = int(np.argmax(chosen))
        threats = tuple(conditions.threat(part, str(codes[first])) for part, codes in parts.items())
        label = f"RC{numbers[code]:02d} {code}" if code in numbers else _shown(code)
        yield CONFIGURATION, code, label, threats, chosen


def _known(codes: np.ndarray) -> list[str]:
    """The different codes in bytewise order; none if all are unknown."""
    found = sorted(set(codes.tolist()), key=str.encode)
    return [] if found == [UNKNOWN] else found


def _shown(code: str) -> str:
    return "unknown" if code == UNKNOWN else code
