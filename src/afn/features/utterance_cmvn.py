"""Mean and variance normalisation over a whole utterance."""

import numpy as np

CONSTANT = 1e-8  # a dimension whose deviation is below this holds rounding errors only (digital silence)


def utterance_cmvn(features: np.ndarray) -> np.ndarray:
    """Every dimension of float[T × D] less its mean, divided by its standard deviation (divisor T - 1): float64[T × D].

    A dimension that does not vary, or a single frame, becomes zeros.
    """
    centred = features - features.mean(axis=0, dtype=np.float64)
    deviation = np.sqrt(np.square(centred).sum(axis=0) / max(len(features) - 1, 1))
    varies = deviation >= CONSTANT
    return np.where(varies, centred / np.where(varies, deviation, 1.0), 0.0)
