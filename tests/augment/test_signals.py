"""Filters that are designed by ourselves, for speed, against those of SciPy."""

import numpy as np
import pytest
import scipy

from afn.augment import signals
from afn.augment.random_streams import stream

RATE = 16000


@pytest.mark.parametrize("kind", ["highpass", "lowpass"])
def test_band_edges_are_the_sections_of_scipy(kind):
    rng = stream(1, kind)
    for order in range(1, 41):
        frequency = float(np.exp(rng.uniform(np.log(10), np.log(0.49 * RATE))))
        expected = scipy.signal.butter(order, frequency, kind, fs=RATE, output="sos")
        np.testing.assert_array_equal(signals.band_edge(kind, frequency, order, RATE), expected)


def test_a_resonance_is_the_bilinear_transform_of_its_prototype():
    rng = stream(1, "resonance")
    for _ in range(100):
        centre, gain, sharpness = rng.uniform([20, -12, 0.2], [7800, 12, 20])
        amplitude, warped = 10 ** (gain / 40), 2 * RATE * np.tan(np.pi * centre / RATE)
        analogue = [[1, warped * of / sharpness, warped**2] for of in (amplitude, 1 / amplitude)]
        expected = np.concatenate(scipy.signal.bilinear(*analogue, fs=RATE))
        np.testing.assert_allclose(signals.resonance(centre, gain, sharpness, RATE)[0], expected, rtol=1e-9, atol=1e-12)
