"""The samples of a recording as the cepstral front ends take them: float64 between -1 and 1, checked."""

import numpy as np

from afn.common.errors import UserError

FULL_SCALE = 32768.0  # 16-bit steps


def unit_scale(samples: np.ndarray) -> np.ndarray:
    """The samples divided by the 16-bit full scale.

    Args:
        samples: int16[N], or float values on the same scale (about ±32768).

    Returns:
        float64[N], about ±1.

    Raises:
        UserError: no samples, more than one channel, or values that are not finite.
    """
    samples = np.asarray(samples)
    if samples.ndim != 1:
        raise UserError(f"the recording has the shape {samples.shape}; give one channel, a vector of samples")
    if not len(samples):
        raise UserError("the recording holds 0 samples; at least 1 is needed: take it out")
    signal = samples / FULL_SCALE
    if not np.isfinite(signal).all():
        first = int(np.flatnonzero(~np.isfinite(signal))[0])
        raise UserError(f"sample {first} of the recording is {samples[first]}, not a finite number; repair the file")
    return signal
