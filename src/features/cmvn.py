"""Sliding-window mean and variance normalisation, as Kaldi's apply-cmvn-sliding --center=true does it.

Source: Kaldi, feat/feature-functions.cc, SlidingWindowCmn.
"""

import numpy as np

VARIANCE_FLOOR = 1e-10


def sliding_cmvn(features: np.ndarray, window: int = 300, norm_vars: bool = False) -> np.ndarray:
    """Subtract from every frame the mean of the `window` frames around it (and divide by their deviation).

    Args:
        features: float[T × D].
        window: frames; near the ends the window is shifted inwards, so that it keeps its width. Shorter utterances
            are normalised as a whole.
        norm_vars: also normalise the variance.

    Returns:
        float32[T × D]
    """
    count = len(features)
    start = np.clip(np.arange(count) - window // 2, 0, max(count - window, 0))
    width = min(window, count)
    mean = _window_sums(features, start, width) / max(width, 1)
    if not norm_vars:
        return (features - mean).astype(np.float32)
    if width == 1:  # one frame has no variance; Kaldi gives zeros
        return np.zeros(features.shape, dtype=np.float32)
    variance = _window_sums(np.square(features, dtype=np.float64), start, width) / max(width, 1) - mean**2
    return ((features - mean) / np.sqrt(np.maximum(variance, VARIANCE_FLOOR))).astype(np.float32)


def _window_sums(features: np.ndarray, start: np.ndarray, width: int) -> np.ndarray:
    """float64: the sums over frames start[t] … start[t] + width - 1; one row if they are all the same."""
    if len(features) <= width:
        return features.sum(axis=0, dtype=np.float64, keepdims=True)
    sums = np.zeros((len(features) + 1, features.shape[1]))
    np.cumsum(features, axis=0, dtype=np.float64, out=sums[1:])
    return sums[start + width] - sums[start]
