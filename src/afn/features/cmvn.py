"""Mean and variance normalisation: over a sliding window, as Kaldi does it, and over the utterance."""

import numpy as np

VARIANCE_FLOOR = 1e-10
CONSTANT = 1e-8  # a dimension whose deviation is below this holds rounding errors only (digital silence)


def sliding_cmvn(features: np.ndarray, window: int = 300, norm_vars: bool = False) -> np.ndarray:
    """float[T × D] less the mean of the `window` frames around each, float32[T × D]; `norm_vars`: over their deviation.

    As Kaldi's apply-cmvn-sliding --center=true: near the ends the window is shifted inwards, so that it keeps its
    width. Shorter utterances are normalised as a whole. Source: Kaldi, feat/feature-functions.cc, SlidingWindowCmn.
    """
    count, width, half = len(features), min(window, len(features)), window // 2
    mean = _window_sums(features, width)
    mean /= max(width, 1)
    if norm_vars:
        if width == 1:  # one frame has no variance; Kaldi gives zeros
            return np.zeros(features.shape, dtype=np.float32)
        variance = _window_sums(np.square(features, dtype=np.float64), width) / width - mean**2
        deviation = np.sqrt(np.maximum(variance, VARIANCE_FLOOR))
    normalised = np.empty(features.shape, dtype=np.float32)
    moves = count - width + 1  # places of the window; it does not move before the first and after the last
    for frames, places in (
        (slice(0, half), slice(0, 1)),
        (slice(half, half + moves), slice(None)),
        (slice(half + moves, None), slice(-1, None)),
    ):
        if norm_vars:
            normalised[frames] = (features[frames] - mean[places]) / deviation[places]
        else:
            np.subtract(features[frames], mean[places], out=normalised[frames], casting="same_kind")
    return normalised


def _window_sums(features: np.ndarray, width: int) -> np.ndarray:
    """float64[T - width + 1 × D]: the sums of `width` frames from each frame on that has so many after it."""
    sums = np.empty((len(features) - width + 1, *features.shape[1:]))
    features[:width].sum(axis=0, dtype=np.float64, out=sums[0])
    np.subtract(features[width:], features[: len(features) - width], out=sums[1:], dtype=np.float64)
    return np.cumsum(sums, axis=0, out=sums)


def utterance_cmvn(features: np.ndarray) -> np.ndarray:
    """Every dimension of float[T × D] less its mean, divided by its standard deviation (divisor T - 1): float64[T × D].

    A dimension that does not vary, or a single frame, becomes zeros.
    """
    centred = features - features.mean(axis=0, dtype=np.float64)
    deviation = np.sqrt(np.square(centred).sum(axis=0) / max(len(features) - 1, 1))
    varies = deviation >= CONSTANT
    return np.where(varies, centred / np.where(varies, deviation, 1.0), 0.0)
