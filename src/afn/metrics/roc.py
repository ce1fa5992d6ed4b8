"""The receiver operating characteristic (ROC): how many utterances of either class a falling threshold accepts."""

import numpy as np
from numpy.typing import ArrayLike

from afn.common.errors import UserError


def checked(**classes: ArrayLike) -> list[np.ndarray]:
    """The scores of each class as float64 vectors; UserError, with its name, for one that is empty or not finite."""
    found = []
    for name, scores in classes.items():
        values = np.asarray(scores, dtype=np.float64).ravel()
        if not values.size:
            raise UserError(f"no {name} scores. Give scores of both classes.")
        finite = np.isfinite(values)
        if not finite.all():
            raise UserError(f"a {name} score is {values[~finite][0]}. Give finite scores.")
        found.append(values)
    return found


def roc(genuine: ArrayLike, spoof: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """The vertices of the raw ROC as the threshold falls: one per distinct score, and (0, 0) before them.

    `genuine` and `spoof` are vectors of scores, higher = more genuine. Returns two int64 vectors of one length, not
    falling: the spoof and the genuine utterances accepted (false and true positives). Equal scores pass together, so
    that a tie between the classes is a slanted step. Raises UserError for an empty class, NaN or infinity.
    """
    genuine, spoof = (np.sort(values) for values in checked(genuine=genuine, spoof=spoof))
    thresholds = np.unique(np.concatenate([genuine, spoof]))[::-1]
    false, true = (values.size - np.searchsorted(values, thresholds, side="left") for values in (spoof, genuine))
    return np.concatenate([[0], false]), np.concatenate([[0], true])


def rates(genuine: ArrayLike, spoof: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """The vertices of the ROC as rates: false alarm rates and miss rates, two float64 vectors within 0..1.

    False alarms rise, misses fall, from (0, 1) to (1, 0). Arguments and errors as in `roc`.
    """
    false, true = roc(genuine, spoof)
    return false / false[-1], (true[-1] - true) / true[-1]


def rates_at(genuine: np.ndarray, spoof: np.ndarray, threshold: float) -> tuple[float | None, float | None]:
    """False acceptance and false rejection rate (0..1) of a threshold; scores above it are accepted as genuine.

    The threshold may be that of other scores, as `afn.metrics.eer.official_threshold` of dev. A missing class has None.
    """
    accepted = float(np.mean(spoof > threshold)) if spoof.size else None
    return accepted, float(np.mean(genuine <= threshold)) if genuine.size else None
