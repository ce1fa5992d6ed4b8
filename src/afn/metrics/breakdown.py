"""The EER of each kind of replay: for each condition that a corpus names, and each of its codes."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from afn.metrics import eer
from afn.metrics.conditions import THREATS, TrialConditions
from afn.metrics.trials import UNKNOWN, Trials

ALL, CONFIGURATION = "all", "configuration"
MOST = 60  # codes of a condition; with more (or with one) it is left out. ASVspoof 2017 has 57 configurations
TITLES = {
    ALL: "Overall",
    CONFIGURATION: "Replay configuration",
    "playback": "Playback device",
    "recorder": "Recording device",
    "environment threat": "Threat by environment",
    "playback threat": "Threat by playback device",
    "recorder threat": "Threat by recording device",
}


@dataclass(frozen=True)
class TrialGroup:
    """Replays with one property in common, and the EERs of systems on them.

    `factor` is a condition, `all`, `configuration` or `… threat`, `code` the corpus' name for the group, `label` the
    same with an explanation. `threats` are those of the code, or of each condition of a configuration; None if unknown.
    """

    factor: str
    code: str
    label: str
    threats: tuple[str | None, ...]
    replays: int
    eers: Mapping[str, float]  # system -> EER (0..1)
    genuine: int = 0  # utterances that the replays are compared with

    @property
    def title(self) -> str:
        """The factor in words."""
        return TITLES.get(self.factor, self.factor.replace("_", " ").capitalize())


def breakdown(
    trials: Trials,
    systems: Mapping[str, np.ndarray],
    conditions: TrialConditions | None = None,
    compute: Callable[[ArrayLike, ArrayLike], float] = eer.linear_roc_eer,
) -> list[TrialGroup]:
    """The EERs of every group of replays: all, configurations, the codes of each condition, threat groups.

    Replays are compared with genuine speech of the same code, if there is any: a room's effect is on both classes. They
    are compared with all genuine speech where the condition describes replays alone, as the playback device. Source:
    Liu et al., "ASVspoof 2021: towards spoofed and deepfake speech detection in the wild" (IEEE/ACM TASLP 31, 2023),
    for the analysis by factor.

    `systems` maps names to scores, float[N], higher = more genuine. `conditions` are the meaning of the corpus' codes;
    without it there are no explanations and no threat groups. `compute` is the definition of the EER.

    Conditions of which the replays have one code only, or more than 60, are left out. EERs of groups with few
    utterances are rough. Raises UserError if a class is missing or a score is NaN or infinite.
    """
    groups = []
    for factor, code, label, threats, chosen, beside in _groups(trials, conditions or TrialConditions()):
        eers = {name: compute(scores[beside], scores[chosen]) for name, scores in systems.items()}
        groups.append(TrialGroup(factor, code, label, threats, int(chosen.sum()), eers, int(beside.sum())))
    return groups


_Found = tuple[str, str, str, tuple[str | None, ...], np.ndarray, np.ndarray]


def _groups(trials: Trials, conditions: TrialConditions) -> Iterator[_Found]:
    """Factor, code, label and threats of every group, its replays and the genuine speech beside them, bool[N] both."""
    genuine, spoof = trials.genuine, ~trials.genuine
    yield ALL, ALL, "all replays", (), spoof, genuine
    varied = {name: codes for name, codes in trials.conditions.items() if len(set(codes[spoof].tolist())) > 1}
    numbers = conditions.numbers
    if len(varied) > 1:  # stable: configurations without a number come last, by name
        found = sorted(_codes(trials, trials.configurations), key=lambda of: numbers.get(of[0], len(numbers) + 1))
        for code, chosen, beside in found:
            first = int(np.argmax(chosen))
            threats = tuple(conditions.threat(name, str(codes[first])) for name, codes in trials.conditions.items())
            label = f"RC{numbers[code]:02d} {code}" if code in numbers else _shown(code)
            yield CONFIGURATION, code, label, threats, chosen, beside
    for name, codes in varied.items():
        for code, chosen, beside in _codes(trials, codes):
            label = f"{code} {conditions.names[code]}" if code in conditions.names else _shown(code)
            yield name, code, label, (conditions.threat(name, code),), chosen, beside
    for name, threats_of in conditions.threats.items():
        of_each = np.array([threats_of.get(code, "") for code in trials.conditions[name].tolist()], dtype=str)
        for threat in THREATS:
            if (chosen := spoof & (of_each == threat)).any():
                yield f"{name} threat", threat, threat, (threat,), chosen, genuine


def _codes(trials: Trials, codes: np.ndarray) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """The codes of the replays in bytewise order, the replays of each, and the genuine speech to compare them with."""
    genuine, spoof = trials.genuine, ~trials.genuine
    found = sorted(set(codes[spoof].tolist()), key=str.encode)
    if not 1 < len(found) <= MOST:
        return []
    return [
        (code, spoof & (codes == code), beside if (beside := genuine & (codes == code)).any() else genuine)
        for code in found
    ]


def _shown(code: str) -> str:
    return "unknown" if code == UNKNOWN else code
