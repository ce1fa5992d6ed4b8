"""The samples of a recording as front ends take them: float64 between -1 and 1, checked."""

import numpy as np

from afn.common.errors import UserError
from afn.features.cmvn import utterance_cmvn

FULL_SCALE = 32768.0  # 16-bit steps


def unit_scale(samples: np.ndarray) -> np.ndarray:
    """int16[N], or float values on the same scale (about ±32768), to float64[N] of about ±1; N ≥ 1.

    Raises UserError for no samples, more than one channel, and values that are not finite.
    """
    samples = np.asarray(samples)
    if samples.ndim != 1:
        raise UserError(f"the recording has the shape {samples.shape}. Give one channel, a vector of samples.")
    if not len(samples):
        raise UserError("the recording holds 0 samples. Remove it.")
    signal = samples / FULL_SCALE
    if not np.isfinite(signal).all():
        first = int(np.flatnonzero(~np.isfinite(signal))[0])
        raise UserError(f"sample {first} of the recording is {samples[first]}, not a finite number. Repair the file.")
    return signal


def whitened(samples: np.ndarray) -> np.ndarray:
    """The waveform itself as a feature, float32[N × 1] of mean 0 and variance 1; a constant becomes zeros.

    `samples` and errors as for `unit_scale`.
    """
    return utterance_cmvn(unit_scale(samples)[:, None]).astype(np.float32)
