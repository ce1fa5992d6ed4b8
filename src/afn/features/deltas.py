"""Deltas: the slope of features over time, by regression over the frames around each."""

import numpy as np


def regression(features: np.ndarray, window: int = 3, normalised: bool = True) -> np.ndarray:
    """The slope of every dimension at every frame, float[T × D] to float64[T × D]: Σ i (x[t + i] - x[t - i]), i ≥ 1.

    `window` is the number of frames to each side; beyond the ends the edge frames are repeated. `normalised` divides by
    2 Σ i², which makes it the least-squares slope per frame (28 for a window of 3).

    Source: Young et al., The HTK Book, "Delta, acceleration and third differential coefficients".
    """
    count, steps = len(features), range(1, window + 1)
    padded = np.pad(np.asarray(features, dtype=np.float64), ((window, window), (0, 0)), mode="edge")
    slope = np.zeros(features.shape)
    for i in steps:
        slope += i * (padded[window + i : window + i + count] - padded[window - i : window - i + count])
    return slope / (2 * sum(i * i for i in steps)) if normalised else slope


def with_deltas(features: np.ndarray, order: int = 2, window: int = 3, normalised: bool = True) -> np.ndarray:
    """The features, their deltas, delta-deltas, … side by side: float[T × D] to float64[T × (order + 1) D].

    Each is the regression over the one before it, edges repeated each time, as in the CQCC toolbox.
    """
    parts = [np.asarray(features, dtype=np.float64)]
    for _ in range(order):
        parts.append(regression(parts[-1], window, normalised))
    return np.concatenate(parts, axis=1)
