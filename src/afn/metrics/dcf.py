"""Detection costs of ASVspoof 5: minDCF and actDCF of a countermeasure, and the minimum a-DCF of a verifier.

A detection cost weighs error rates by priors and costs, and is normalised: 1 is the cost of the better of a system that
accepts everything and one that rejects everything. Source: the evaluation plan of ASVspoof 5; for the a-DCF, Shim et
al., "a-DCF: an architecture agnostic metric with application to spoofing-robust speaker verification" (Odyssey 2024).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from afn.metrics import roc


@dataclass(frozen=True)
class DetectionCosts:
    """The prior of a replay, and the costs of errors."""

    spoof: float = 0.05
    miss: float = 1.0  # of genuine speech
    false_alarm: float = 10.0  # of a replay

    @property
    def threshold(self) -> float:
        """The Bayes threshold of log-likelihood ratios (natural logarithm, genuine : spoof)."""
        return math.log(self.false_alarm * self.spoof / (self.miss * (1 - self.spoof)))


@dataclass(frozen=True)
class TandemCosts:
    """Priors of the three kinds of trial (they add up to 1) and costs of the errors made on them.

    The defaults are those of the evaluation plans of ASVspoof 2019, 2021 and 5.
    """

    target: float = 0.9405
    nontarget: float = 0.0095
    spoof: float = 0.05
    miss: float = 1.0  # of a target by the verifier; by either subsystem in the 2021 definition of the t-DCF
    false_alarm: float = 10.0  # of a nontarget
    false_alarm_spoof: float = 10.0  # of a replay
    miss_countermeasure: float = 1.0  # of a target by the countermeasure; only in the 2019 definition of the t-DCF


ASVSPOOF5, ASVSPOOF = DetectionCosts(), TandemCosts()


def normalised(misses: ArrayLike, false_alarms: ArrayLike, costs: DetectionCosts = ASVSPOOF5) -> np.ndarray:
    """The normalised cost of error rates (0..1), float64 of their shape."""
    reject, accept = costs.miss * (1 - costs.spoof), costs.false_alarm * costs.spoof
    cost: np.ndarray = (reject * np.asarray(misses) + accept * np.asarray(false_alarms)) / min(reject, accept)
    return cost


def min_dcf(genuine: ArrayLike, spoof: ArrayLike, costs: DetectionCosts = ASVSPOOF5) -> float:
    """The lowest normalised cost (0..1) over all thresholds of these scores, higher = more genuine.

    Raises UserError for an empty class, NaN and infinity.
    """
    false_alarms, misses = roc.rates(genuine, spoof)
    return float(normalised(misses, false_alarms, costs).min())


def act_dcf(genuine: ArrayLike, spoof: ArrayLike, costs: DetectionCosts = ASVSPOOF5) -> float:
    """The normalised cost of log-likelihood ratios at their Bayes threshold; ratios at or above it are accepted.

    Above 1, a system that looks at nothing is better. Arguments and errors as in `min_dcf`.
    """
    genuine, spoof = roc.checked(genuine=genuine, spoof=spoof)
    return float(normalised(np.mean(genuine < costs.threshold), np.mean(spoof >= costs.threshold), costs))


def min_a_dcf(
    target: ArrayLike, nontarget: ArrayLike, spoof: ArrayLike, costs: TandemCosts = ASVSPOOF, resamples: int = 0
) -> tuple[float, np.ndarray]:
    """The lowest normalised a-DCF (0..1) over all thresholds of a verifier that also rejects replays (SASV).

    Arguments are vectors of its scores, higher = more like the genuine speaker. Also returns it for `resamples` of the
    trials of each kind, float64[resamples]; always the same ones. Raises UserError as `min_dcf` does.
    """
    kinds = roc.checked(target=target, nontarget=nontarget, spoof=spoof)
    thresholds, places = np.unique(np.concatenate(kinds), return_inverse=True)
    of_kinds = np.split(places, np.cumsum([kind.size for kind in kinds])[:-1])
    reject = costs.target * costs.miss
    accept = costs.nontarget * costs.false_alarm, costs.spoof * costs.false_alarm_spoof

    def lowest_of(of_kinds: list[np.ndarray]) -> float:
        below = [np.append(0, np.bincount(of, minlength=thresholds.size).cumsum()) / of.size for of in of_kinds]
        misses, *accepted = below
        curve = reject * misses + sum(cost * (1 - rate) for cost, rate in zip(accept, accepted, strict=True))
        return float(curve.min() / min(reject, sum(accept)))

    rng = np.random.default_rng(0)
    resampled = [lowest_of([rng.choice(of, of.size) for of in of_kinds]) for _ in range(resamples)]
    return lowest_of(of_kinds), np.array(resampled)
