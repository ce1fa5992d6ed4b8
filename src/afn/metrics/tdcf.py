"""The tandem detection cost (t-DCF) of a countermeasure in front of a given speaker verifier (ASV), at its minimum.

Source: for 2019, Kinnunen et al., "t-DCF: a detection cost function for the tandem assessment of spoofing
countermeasures and automatic speaker verification" (Odyssey 2018), as evaluated by ASVspoof 2019; for 2021, Kinnunen et
al., "Tandem assessment of spoofing countermeasures and automatic speaker verification: fundamentals" (IEEE/ACM TASLP
28, 2020), as evaluated by ASVspoof 2021.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from afn.common.errors import UserError
from afn.metrics import eer, roc
from afn.metrics.dcf import ASVSPOOF, TandemCosts

YEARS: tuple[Literal[2019], Literal[2021]] = (2019, 2021)  # of the definitions of the t-DCF
KINDS = ("target", "nontarget", "spoof")  # of the trials of a speaker verifier
LOWEST = 0.001  # how far below the lowest score the scripts of ASVspoof put the threshold that accepts everything


@dataclass(frozen=True)
class Verifier:
    """The error rates (0..1) of an ASV at its threshold."""

    threshold: float
    false_alarm: float  # nontargets accepted
    miss: float  # targets rejected
    false_alarm_spoof: float  # replays accepted


@dataclass(frozen=True)
class Tandem:
    """The minimum normalised t-DCF over all thresholds of the countermeasure, and its constants.

    t-DCF(t) = c0 + c1 · P_miss(t) + c2 · P_fa(t), divided by c0 + min(c1, c2), which is the cost of the better of a
    countermeasure that accepts everything and one that rejects everything.
    """

    minimum: float  # 0 at best; 1 is the cost of a useless countermeasure
    threshold: float  # in units of the countermeasure's scores; higher ones are accepted as genuine
    c0: float
    c1: float
    c2: float


def verifier(target: ArrayLike, nontarget: ArrayLike, spoof: ArrayLike) -> Verifier:
    """An ASV at the threshold of its EER (official definition, targets against nontargets).

    Arguments are vectors of ASV scores, higher = more like the speaker; scores at or above the threshold are accepted.
    Raises UserError if a kind of trial is missing or a score is NaN or infinite.
    """
    target, nontarget, spoof = roc.checked(target=target, nontarget=nontarget, spoof=spoof)
    threshold = eer.official_threshold(target, nontarget)
    accepted = [float(np.mean(kind >= threshold)) for kind in (nontarget, spoof)]
    return Verifier(threshold, accepted[0], float(np.mean(target < threshold)), accepted[1])


def minimum(
    genuine: ArrayLike,
    spoof: ArrayLike,
    asv: Verifier,
    definition: Literal[2019, 2021] = 2021,
    costs: TandemCosts = ASVSPOOF,
) -> Tandem:
    """The minimum normalised t-DCF of a countermeasure's scores (higher = more genuine) in front of the verifier `asv`.

    The definition of 2019 omits c0, the cost of the ASV's errors, so that a perfect countermeasure costs 0. Raises
    UserError if a class is missing, a score is NaN or infinite, or the ASV is so poor that c1 or c2 is below 0, where
    a countermeasure's errors would reduce the cost.
    """
    false, true = roc.roc(genuine, spoof)
    scores = np.unique(np.concatenate([np.ravel(genuine), np.ravel(spoof)]).astype(np.float64))[::-1]
    # Vertex k accepts the k highest of the distinct scores; the threshold is the next one, which it rejects.
    thresholds = np.append(scores, scores[-1] - LOWEST)
    misses, false_alarms = (true[-1] - true) / true[-1], false / false[-1]
    c0, c1, c2 = constants(asv, definition, costs)
    curve = ((c0 + c1 * misses + c2 * false_alarms) / (c0 + min(c1, c2)))[::-1]
    best = int(np.argmin(curve))  # of equally good thresholds the lowest, as in the scripts of ASVspoof
    return Tandem(float(curve[best]), float(thresholds[::-1][best]), c0, c1, c2)


def constants(
    asv: Verifier, definition: Literal[2019, 2021], costs: TandemCosts = ASVSPOOF
) -> tuple[float, float, float]:
    """C0, C1 and C2 of `Tandem`. Raises UserError where the t-DCF is not defined, as `minimum` does."""
    of_asv = costs.target * costs.miss * asv.miss + costs.nontarget * costs.false_alarm * asv.false_alarm
    c2 = costs.spoof * costs.false_alarm_spoof * asv.false_alarm_spoof
    if definition == 2019:
        c0, c1 = 0.0, costs.target * costs.miss_countermeasure - of_asv
    else:
        c0, c1 = of_asv, costs.target * costs.miss - of_asv
    if c1 < 0 or c2 < 0 or c0 + min(c1, c2) == 0:
        raise UserError(
            f"the t-DCF is not defined for this verifier (P_miss {asv.miss:.3g}, P_fa {asv.false_alarm:.3g}, "
            f"P_fa of replays {asv.false_alarm_spoof:.3g}). Give scores of a better verifier."
        )
    return c0, c1, c2
