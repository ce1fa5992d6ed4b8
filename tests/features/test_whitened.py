"""The waveform as a feature."""

import numpy as np
import pytest

from afn.common.errors import UserError
from afn.features.whitened import whitened


def test_the_waveform_has_zero_mean_and_unit_variance_at_any_level():
    samples = np.random.default_rng(1).normal(300, 1000, 5000).astype(np.int16)
    features = whitened(samples)
    assert features.shape == (5000, 1) and features.dtype == np.float32
    assert abs(features.mean()) < 1e-6 and features.std(ddof=1) == pytest.approx(1, abs=1e-6)
    centred = samples - samples.mean()
    np.testing.assert_allclose(features.ravel(), centred / centred.std(ddof=1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(whitened(4 * samples.astype(np.float64)), features, rtol=1e-5, atol=1e-6)


def test_silence_becomes_zeros_and_no_samples_are_refused():
    assert not whitened(np.full(100, 7, np.int16)).any()
    assert not whitened(np.array([5], np.int16)).any()
    with pytest.raises(UserError, match="0 samples"):
        whitened(np.zeros(0, np.int16))
