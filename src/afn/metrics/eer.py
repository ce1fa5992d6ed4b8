"""The equal error rate (EER) by three common definitions, which differ by tenths of a point on the same scores.

Rates are counted in utterances, so the arithmetic is exact (integers) up to the last division.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from afn.metrics import dcf
from afn.metrics.roc import checked, roc


@dataclass(frozen=True)
class Definition:
    """One definition of the EER: `name` in files, `title` in tables, `source` in words, `compute` the function."""

    name: str
    title: str
    source: str
    compute: Callable[[ArrayLike, ArrayLike], float]


def linear_roc_eer(genuine: ArrayLike, spoof: ArrayLike) -> float:
    """The EER (0..1) where straight lines between the points of the raw ROC cross P_fa = 1 - P_tp.

    Arguments and errors as in `roc`. Source: the scoring code of Lai et al. (ICASSP 2019), which finds the root of
    1 - x - tpr(x) on scikit-learn's `roc_curve`; all network rows of their Table 2 are EERs by this definition.
    """
    false, true = roc(genuine, spoof)
    after = int(np.searchsorted(_side(false, true), 0))
    return _crossing(false, true, after - 1, after)


def convex_hull_eer(genuine: ArrayLike, spoof: ArrayLike) -> float:
    """The EER (0..0.5) where the convex hull of the ROC crosses P_fa = P_miss (ROCCH-EER).

    Arguments and errors as in `roc`. Never above one half: the hull includes the chance line. Source: Brümmer and de
    Villiers, "The BOSARIS toolkit user guide" (2011), as used by the official ASVspoof 2017 baseline.

    Only the edge of the hull at the crossing is computed: between two vertices on either side of the crossing, the
    vertex farthest above the chord replaces one of them until none is above it.
    """
    false, true = roc(genuine, spoof)
    side = _side(false, true)
    low, high = 0, false.size - 1
    while True:
        inner = slice(low, high + 1)
        run, rise = false[high] - false[low], true[high] - true[low]
        above = (true[inner] - true[low]) * run - (false[inner] - false[low]) * rise
        best = int(np.argmax(above))
        if above[best] <= 0:
            break
        if side[low + best] < 0:
            low += best
        else:
            high = low + best
    return _crossing(false, true, low, high)


def official_eer(genuine: ArrayLike, spoof: ArrayLike) -> float:
    """The EER (0..1) at the threshold where the miss and false alarm rates are closest: the mean of both.

    Arguments and errors as in `roc`. Source: the evaluation scripts of ASVspoof 2019 and 2021. They lower the threshold
    past one utterance at a time even among equal scores, genuine before spoof; so does this function.
    """
    return _official(genuine, spoof)[0]


def official_threshold(genuine: ArrayLike, spoof: ArrayLike) -> float:
    """The threshold of `official_eer`: scores above it are accepted as genuine.

    In units of the scores. Where several thresholds are equally good, the lowest, as in the scripts of ASVspoof.
    """
    return _official(genuine, spoof)[1]


def _official(genuine: ArrayLike, spoof: ArrayLike) -> tuple[float, float]:
    genuine, spoof = checked(genuine=genuine, spoof=spoof)
    scores = np.concatenate([genuine, spoof])
    order = np.argsort(scores, kind="stable")  # stable: among equal scores genuine comes first
    is_genuine = order < genuine.size
    rejected = np.concatenate([[0], np.cumsum(is_genuine)])
    misses = rejected / genuine.size
    false_alarms = (spoof.size - (np.arange(scores.size + 1) - rejected)) / spoof.size
    # Not in integers: which of two equally near thresholds is first depends on the rounding of these differences.
    nearest = int(np.argmin(np.abs(misses - false_alarms)))
    eer = float((misses[nearest] + false_alarms[nearest]) / 2)
    # The scripts' threshold below every score lies 0.001 under the lowest.
    return eer, float(scores[order[nearest - 1]] if nearest else scores[order[0]] - 0.001)


def _side(false: np.ndarray, true: np.ndarray) -> np.ndarray:
    """P_fa + P_tp - 1 in units of 1 / (genuine x spoof): rises strictly from below to above 0 along an ROC."""
    side: np.ndarray = false * true[-1] + true * false[-1] - false[-1] * true[-1]
    return side


def _crossing(false: np.ndarray, true: np.ndarray, low: int, high: int) -> float:
    """P_fa where the straight line between vertices `low` and `high`, on either side, crosses P_fa = 1 - P_tp."""
    side = _side(false, true)
    before, after = int(side[low]), int(side[high])
    start, end = int(false[low]), int(false[high])
    return (start * (after - before) - before * (end - start)) / ((after - before) * int(false[-1]))


LINEAR_ROC = Definition(
    "linear_roc",
    "linear ROC",
    "straight lines between the points of the raw ROC, where P_fa = P_miss; the definition of the paper",
    linear_roc_eer,
)
CONVEX_HULL = Definition(
    "convex_hull",
    "convex hull",
    "convex hull of the ROC, where P_fa = P_miss (BOSARIS); the definition of the ASVspoof 2017 baseline",
    convex_hull_eer,
)
OFFICIAL = Definition(
    "official",
    "official ASVspoof",
    "mean of P_miss and P_fa at the threshold where they are nearest; the definition of ASVspoof 2019 and 2021",
    official_eer,
)
DEFINITIONS = (LINEAR_ROC, CONVEX_HULL, OFFICIAL)


@dataclass(frozen=True)
class Measured:
    """The EERs (0..1) of one set of scores by the `name` of each definition, and minDCF; None if a class is missing."""

    eers: Mapping[str, float] | None = None
    threshold: float | None = None  # of the official definition, in units of the scores
    min_dcf: float | None = None  # normalised, costs of ASVspoof 5


def measure(genuine: np.ndarray, spoof: np.ndarray) -> Measured:
    """EERs and minDCF of one set of scores (higher = more genuine); UserError for NaN and infinity."""
    if not genuine.size or not spoof.size:
        return Measured()
    eers = {definition.name: definition.compute(genuine, spoof) for definition in DEFINITIONS}
    return Measured(eers, official_threshold(genuine, spoof), dcf.min_dcf(genuine, spoof))


def spread(measured: Iterable[Measured], definition: str) -> tuple[float, float | None] | None:
    """Mean and standard deviation (n - 1; None for a single one) of the EERs; None if there is no EER."""
    eers = [m.eers[definition] for m in measured if m.eers]
    if not eers:
        return None
    return float(np.mean(eers)), float(np.std(eers, ddof=1)) if len(eers) > 1 else None
