"""Modulation features of signals whose modulation is known, and against a second, direct computation."""

import numpy as np
import pytest
import scipy.fft

from afn.features.filterbank import gaussians, triangles
from afn.features.modulation import ModulationOptions, modulation_cepstra

RAW = {"coefficients": 60, "cmvn": False}  # all cepstra: the values of the bands can be had back
RATE = 16000
SPACING = 8000 / 61  # Hz: from band to band, the first centre too


def tone(band, seconds=2.0, modulation=0.0, depth=0.0, amplitude=8000.0):
    """A tone at the centre of a band, its amplitude swelling `depth` about the mean at `modulation` Hz."""
    t = np.arange(int(seconds * RATE)) / RATE
    envelope = amplitude * (1 + depth * np.cos(2 * np.pi * modulation * t))
    return envelope * np.sin(2 * np.pi * SPACING * (band + 1) * t)


def bands(samples, **change):
    """float64[M × K]: the statistic of every band, by the inverse cosine transform of the cepstra."""
    cepstra = modulation_cepstra(samples, ModulationOptions(**{**RAW, **change}))
    return scipy.fft.idct(cepstra, norm="ortho", axis=1)


@pytest.mark.parametrize("shape", ["triangular", "gaussian"])
@pytest.mark.parametrize("modulation", [12.0, 20.0, 35.0])
@pytest.mark.parametrize("band", [10, 30, 50])
def test_the_centroid_of_an_amplitude_modulated_tone_is_its_modulation_frequency(band, modulation, shape):
    centroid = bands(tone(band, modulation=modulation, depth=0.5), shape=shape)
    assert centroid.shape == (14, 60)
    np.testing.assert_allclose(centroid[:, band], modulation, atol=3)


def test_a_steady_tone_and_silence_do_not_move():
    assert not bands(np.zeros(RATE, np.int16)).any()
    t = np.arange(RATE) / RATE
    steady = bands(32768 * 0.25 * np.sin(2 * np.pi * 4000 * t))  # every frame holds whole periods
    assert np.abs(steady[:, 28:33]).max() < 0.5
    logs = bands(np.zeros(RATE, np.int16), log_centroid=True)
    np.testing.assert_allclose(logs, np.log(1.5625), atol=1e-12)
    np.testing.assert_allclose(bands(np.zeros(RATE), statistic="energy"), np.log(1e-7), atol=1e-9)


@pytest.mark.parametrize("shape", [triangles, gaussians])
def test_bands_are_evenly_spaced_and_cross_halfway(shape):
    weights = shape(8000.0, 1600, 9, 500.0, 3000.0)  # bins of 5 Hz, centres every 250 Hz from 750 Hz on
    assert weights.shape == (801, 9)
    np.testing.assert_array_equal(weights.argmax(axis=0) * 5, 750 + 250 * np.arange(9))
    np.testing.assert_allclose(weights.max(axis=0), 1, atol=1e-12)
    for k in range(8):
        np.testing.assert_allclose(weights[(875 + 250 * k) // 5, [k, k + 1]], 0.5, atol=1e-12)
    with pytest.raises(ValueError):
        weights[0, 0] = 1


@pytest.mark.parametrize("remove_mean", [False, True])
def test_agrees_with_the_steps_one_by_one(remove_mean):
    noise = np.random.default_rng(0).normal(size=9000) * 1000
    options = ModulationOptions(
        bands=20, coefficients=7, modulation_hop=0.25, modulation_limit=50.0, remove_mean=remove_mean, cmvn=False
    )
    hann = lambda n: 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)  # noqa: E731
    starts = range(0, len(noise) - 319, 40)
    power = [np.abs(np.fft.rfft(noise[s : s + 320] / 32768 * hann(320), 512)) ** 2 for s in starts]
    centres = 8000 / 21 * np.arange(1, 21)
    distance = np.abs(np.arange(257)[:, None] * 31.25 - centres) / (8000 / 21)
    envelope = np.sqrt(np.array(power) @ np.maximum(1 - distance, 0))
    frequencies = np.arange(1, 33) * 400 / 256  # to 50 Hz
    centroids = []
    for start in range(0, len(envelope) - 101, 26):
        frame, window = envelope[start : start + 102], hann(102)[:, None]
        if remove_mean:
            frame = frame - (frame * window).sum(axis=0) / window.sum()
        magnitude = np.abs(np.fft.rfft(frame * window, 256, axis=0))[1:33]
        centroids.append(frequencies @ magnitude / magnitude.sum(axis=0))
    orders = np.arange(7)[:, None]
    dct = np.cos(np.pi * orders * (2 * np.arange(20) + 1) / 40) * np.sqrt(np.where(orders == 0, 1, 2) / 20)
    np.testing.assert_allclose(modulation_cepstra(noise, options), np.array(centroids) @ dct.T, rtol=0, atol=1e-4)
