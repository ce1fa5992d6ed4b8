"""Slopes of features over time, by regression over the frames around each."""

import numpy as np


def regression(features: np.ndarray, window: int = 3, normalised: bool = True) -> np.ndarray:
    """The slope of every dimension at every frame: sum over i of i (x[t + i] - x[t - i]), i = 1 … window.

    Args:
        features: float[T × D].
        window: frames to each side; beyond the ends the edge frames are repeated.
        normalised: divide by 2 Σ i², which makes it the least-squares slope per frame (28 for a window of 3).

    Returns:
        float64[T × D]

    Source: Young et al., The HTK Book, "Delta, acceleration and third differential coefficients".
    """
    count = len(features)
    padded = _edges_repeated(features, window)
    slope = np.zeros(features.shape)
    for i in range(1, window + 1):
        slope += i * (padded[window + i : window + i + count] - padded[window - i : window - i + count])
    return slope / (2 * _squares(window)) if normalised else slope


def with_deltas(features: np.ndarray, order: int = 2, window: int = 3, normalised: bool = True) -> np.ndarray:
    """The features, their slopes, the slopes of those, … side by side: float[T × D] to float64[T × (order + 1) D].

    Every slope is taken of the one before it, edges repeated anew, as in the CQCC toolbox.
    """
    parts = [np.asarray(features, dtype=np.float64)]
    for _ in range(order):
        parts.append(regression(parts[-1], window, normalised))
    return np.concatenate(parts, axis=1)


def kaldi_deltas(features: np.ndarray, order: int = 2, window: int = 2) -> np.ndarray:
    """The features and their slopes as Kaldi's add-deltas gives them: float[T × D] to float64[T × (order + 1) D].

    They differ from `with_deltas` in the frames at both ends: the weights of a higher order are those of the first
    convolved with themselves, applied once to the features with their edge frames repeated.

    Source: Kaldi, feat/feature-functions.cc, DeltaFeatures.
    """
    count = len(features)
    padded = _edges_repeated(features, order * window)
    first = np.arange(-window, window + 1) / (2 * _squares(window))
    weights: np.ndarray = np.ones(1)
    parts = []
    for _ in range(order + 1):
        begin = order * window - len(weights) // 2
        parts.append(sum(w * padded[begin + i : begin + i + count] for i, w in enumerate(weights)))
        weights = np.convolve(weights, first)
    return np.concatenate(parts, axis=1)


def _edges_repeated(features: np.ndarray, margin: int) -> np.ndarray:
    """float64[(margin + T + margin) × D]; of nothing, nothing is made."""
    index = np.clip(np.arange(-margin, len(features) + margin), 0, max(len(features) - 1, 0))
    return np.asarray(features, dtype=np.float64)[index if len(features) else slice(0)]


def _squares(window: int) -> int:
    return sum(i * i for i in range(1, window + 1))
