"""Detection error trade-off (DET) curves: the miss rate against the false alarm rate on normal-deviate axes.

Source: Martin et al., "The DET curve in assessment of detection task performance", Eurospeech 1997.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri


def normal_deviate(rate: ArrayLike) -> np.ndarray:
    """Where a rate (0..1) lies on a DET axis: the standard normal quantile; -inf at 0, +inf at 1."""
    deviates: np.ndarray = ndtri(np.asarray(rate, dtype=np.float64))
    return deviates


def curve(
    false_alarms: np.ndarray, misses: np.ndarray, low: float, high: float, resolution: int = 2000
) -> tuple[np.ndarray, np.ndarray]:
    """A drawable DET curve in normal deviates, from `afn.metrics.roc.rates`; both rates limited to low..high.

    Straight lines between vertices are curved on these axes, so the lines are filled up to about `resolution` points.
    """
    index = np.arange(false_alarms.size, dtype=np.float64)
    fill = -(-resolution // max(false_alarms.size - 1, 1))  # points per line
    fine = np.linspace(0.0, false_alarms.size - 1, (false_alarms.size - 1) * fill + 1)
    x, y = (normal_deviate(np.clip(np.interp(fine, index, rates), low, high)) for rates in (false_alarms, misses))
    return x, y
