"""Normalisation of spectra in the q-logarithm domain against direct formulas and its two ends, linear and log."""

import numpy as np
import pytest

from afn.common import config
from afn.features.qlog import SILENCE, QLogOptions, exp_q, log_q, power, qlog_spectrum

X = np.logspace(-9, 4, 53)


@pytest.fixture(scope="module")
def speech_like():
    """0.6 s of noise that swells and fades by 40 dB, on the 16-bit scale."""
    t = np.arange(9600) / 16000
    return np.random.default_rng(0).normal(size=9600) * 2000 * 10 ** (np.sin(2 * np.pi * 4 * t) - 1)


def transforms(samples, options):
    """complex[T × dims] of the frames and of the frames times n, by the sums that define them."""
    signal = samples / 32768
    signal = np.append(signal[0], signal[1:] - options.preemphasis * signal[:-1])
    n, k = np.arange(options.length), np.arange(options.fft_size // 2 + 1)
    window = 0.54 - 0.46 * np.cos(2 * np.pi * n / (options.length - 1))
    waves = np.exp(-2j * np.pi * np.outer(n, k) / options.fft_size)
    starts = range(0, len(signal) - options.length + 1, options.shift)
    frames = np.array([signal[start : start + options.length] * window for start in starts])
    return frames @ waves, (frames * n) @ waves


@pytest.mark.parametrize("q", [0.0, 0.5, 0.9, 1.3])
def test_the_q_logarithm_is_its_definition(q):
    np.testing.assert_allclose(log_q(X, q), (X ** (1 - q) - 1) / (1 - q), rtol=1e-9, atol=1e-12)
    y = np.linspace(-0.6, 0.6, 13) / abs(1 - q)
    np.testing.assert_allclose(exp_q(y, q), (1 + (1 - q) * y) ** (1 / (1 - q)), rtol=1e-9)


@pytest.mark.parametrize("distance", [1e-3, 1e-6, 1e-9, 1e-12, 1e-15, -1e-6, -1e-12])
def test_the_limit_q_to_1_is_smooth(distance):
    # The next term of the series: ln²(x) / 2 of the distance, nothing of the rounding errors of x^d - 1.
    np.testing.assert_allclose(log_q(X, 1 - distance), np.log(X), rtol=0, atol=abs(distance) * 260 + 1e-13)
    y = np.log(X)
    np.testing.assert_allclose(exp_q(y, 1 - distance), X, rtol=abs(distance) * 300 + 1e-12)


def test_zero_and_what_lies_below_every_q_logarithm_are_finite():
    np.testing.assert_allclose(log_q(np.zeros(1), 0.9), -10)
    np.testing.assert_allclose(exp_q(np.array([-10.0, -11.0]), 0.9), 0, atol=1e-100)


@pytest.mark.parametrize("scale", ["bin", "utterance"])
def test_q_1_is_mean_normalisation_in_the_log_domain(speech_like, scale):
    first, _ = transforms(speech_like, QLogOptions())
    log_power = np.log(np.abs(first) ** 2)
    ours = qlog_spectrum(speech_like[: 400 + 160 * (len(first) - 1)], QLogOptions(q=1.0, scale=scale))
    np.testing.assert_allclose(ours, log_power - log_power.mean(axis=0), rtol=0, atol=1e-9)


@pytest.mark.parametrize("scale", ["bin", "utterance"])
def test_in_between_it_is_the_steps_one_after_the_other(speech_like, scale):
    values = np.abs(transforms(speech_like, QLogOptions())[0]) ** 2
    z = (values / (values.mean(axis=0) if scale == "bin" else values.mean())) ** 0.3 / 0.3
    z -= z.mean(axis=0)
    whole = speech_like[: 400 + 160 * (len(values) - 1)]
    options = {"q": 0.7, "scale": scale, "floor": 0.3}
    np.testing.assert_allclose(qlog_spectrum(whole, QLogOptions(**options, return_to_log=False)), z, atol=1e-9)
    expected = np.log(np.maximum(np.maximum(1 + 0.3 * z, 0) ** (1 / 0.3), 0.3))
    assert 0 < (expected == np.log(0.3)).mean() < 0.5  # the floor is part of what is compared
    np.testing.assert_allclose(qlog_spectrum(whole, QLogOptions(**options)), expected, rtol=0, atol=1e-8)
    scaled = qlog_spectrum(whole, QLogOptions(**options, norm_vars=True, return_to_log=False))
    np.testing.assert_allclose(scaled, z / z.std(axis=0, ddof=1), rtol=0, atol=1e-9)


@pytest.mark.parametrize("options", [QLogOptions(), QLogOptions(length=320, shift=100, fft_size=1024, preemphasis=0.5)])
def test_the_spectra_are_those_of_the_defining_sums(speech_like, options):
    first, second = transforms(speech_like, options)
    ours = power(speech_like, options)[: len(first)]
    np.testing.assert_allclose(ours, first.real**2 + first.imag**2, rtol=0, atol=1e-12)
    product = QLogOptions(**{**config.plain(options), "spectrum": "product"})
    expected = np.abs(first.real * second.real + first.imag * second.imag)
    np.testing.assert_allclose(power(speech_like, product)[: len(first)], expected, rtol=0, atol=1e-9)
    assert np.median(expected / (ours + 1e-20)) == pytest.approx(options.length / 2, rel=0.1)  # delay of mid-frame


def test_silence_beside_sound_counts_as_100_db_below_the_mean():
    speech = np.random.default_rng(0).normal(size=16000) * 1000
    speech[8000:] = 0
    values = power(speech, QLogOptions())
    expected = np.log(np.maximum(values / values.mean(axis=0), 1e-10))
    assert SILENCE == 1e-10 and (expected == np.log(1e-10)).any()
    ours = qlog_spectrum(speech, QLogOptions(q=1.0))
    np.testing.assert_allclose(ours, expected - expected.mean(axis=0), rtol=0, atol=1e-9)
