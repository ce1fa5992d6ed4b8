"""The waveform itself, whitened as a whole: zero mean and unit variance."""

import numpy as np

from afn.features.utterance_cmvn import utterance_cmvn
from afn.features.waveform import unit_scale


def whitened(samples: np.ndarray) -> np.ndarray:
    """int16[N], or floats on that scale, to float32[N × 1] of mean 0 and variance 1; a constant becomes zeros.

    Raises UserError for no samples, NaN or infinity.
    """
    return utterance_cmvn(unit_scale(samples)[:, None]).astype(np.float32)
