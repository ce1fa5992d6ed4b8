"""Signals and filters that simulations share: noise, loudness, resonances, measured responses."""

from typing import Annotated

import numpy as np
import scipy
from pydantic import Field

FULL_SCALE = 0.98  # of 16 bits; louder peaks turn the whole recording down
LONGEST_RESPONSE = 0.5  # s kept of a measured response
FRAME = 0.02  # s
LOUD = 1e-3  # of the power of the loudest frame; below it, 30 dB down, lie pauses
SILENT = 1e-9  # loudness of digital silence, so that it can divide

Probability = Annotated[float, Field(ge=0, le=1)]


def rms(samples: np.ndarray) -> float:
    """The root mean square of float64[N]."""
    return float(np.sqrt((samples**2).mean()))


def powers(samples: np.ndarray, frame: int) -> np.ndarray:
    """The power of successive pieces of `frame` samples of float64[N]: float64[N / frame], without the last part."""
    whole = len(samples) // frame
    return (samples[: whole * frame].reshape(whole, frame) ** 2).mean(axis=1)


def loud(samples: np.ndarray, sample_rate: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Powers of the frames of float64[N], which of them are at most 30 dB below the loudest, and a frame's length."""
    frame = min(len(samples), round(FRAME * sample_rate))
    power = powers(samples, frame)
    return power, power >= LOUD * power.max(), frame


def loudness(samples: np.ndarray, sample_rate: int) -> float:
    """The RMS of float64[N] in its loud frames: without pauses; never 0."""
    power, chosen, _ = loud(samples, sample_rate)
    return max(float(np.sqrt(power[chosen].mean())), SILENT)


def coloured_noise(rng: np.random.Generator, count: int, tilt: float, sample_rate: int) -> np.ndarray:
    """Gaussian noise whose power falls as f^-tilt above 50 Hz (flat below): float64[count] of unit RMS."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    frequency = np.maximum(np.fft.rfftfreq(count, 1 / sample_rate), 50.0)
    noise = np.fft.irfft(spectrum * frequency ** (-tilt / 2), count)
    return noise / rms(noise)


def resonance(centre: float, gain: float, sharpness: float, sample_rate: int) -> np.ndarray:
    """A peak (gain > 0) or dip of `gain` dB at `centre` Hz with Q = `sharpness`: one second-order section, 1 x 6.

    The analogue prototype (s^2 + s A/Q + 1) / (s^2 + s/(A Q) + 1), A = 10^(gain/40), by the bilinear transform.
    """
    amplitude = 10 ** (gain / 40)
    warped = 2 * sample_rate * np.tan(np.pi * centre / sample_rate)  # so that the centre lands on `centre`
    # As scipy.signal.bilinear, which takes a millisecond: s = 2 fs (z - 1) / (z + 1).
    factor = np.sqrt(2 * sample_rate)
    plus, minus = np.array([1, 1]) / factor, np.array([-1, 1]) * factor
    b, a = (
        warped**2 * np.convolve(plus, plus) + np.convolve(linear * plus, minus) + np.convolve(minus, minus)
        for linear in (warped * amplitude / sharpness, warped / (amplitude * sharpness))
    )
    return np.concatenate([b[::-1], a[::-1]])[None] / a[2]


def band_edge(kind: str, frequency: float, order: int, sample_rate: int) -> np.ndarray:
    """A Butterworth filter, `highpass` or `lowpass` with -3 dB at `frequency` Hz: second-order sections [S × 6].

    As scipy.signal.butter, which takes a millisecond for what any zeros and poles need; here all zeros are equal, but
    that odd orders have a zero and a pole at 0 as well.
    """
    zeros, poles, gain = scipy.signal.butter(order, frequency, kind, fs=sample_rate, output="zpk")
    upper = poles[poles.imag > 0]
    pairs = [*zip(upper, upper.conj(), strict=True)]
    left = [*zeros.real]
    if order % 2:
        pairs, left = [*pairs, (poles[order // 2].real, 0.0)], [*left, 0.0]
    sections = []
    for pair in sorted(pairs, key=lambda pair: abs(1 - abs(pair[0]))):  # from the circle inwards
        left.sort(key=lambda zero: abs(zero - pair[0]), reverse=True)
        sections.append(np.concatenate([_product(left.pop(), left.pop()), _product(*pair).real]))
    sections[-1][:3] *= gain
    return np.array(sections[::-1])


def _product(*roots: complex) -> np.ndarray:
    """The coefficients of (z - a) (z - b)."""
    return np.convolve([1, -roots[0]], [1, -roots[1]])


def from_peak(response: np.ndarray, sample_rate: int) -> np.ndarray:
    """A measured impulse response from 2 ms before its peak on, at most half a second, of unit energy."""
    start = max(0, int(np.abs(response).argmax()) - round(0.002 * sample_rate))
    kept = response[start : start + round(LONGEST_RESPONSE * sample_rate)]
    return kept / np.sqrt((kept**2).sum())


def convolved(samples: np.ndarray, response: np.ndarray) -> np.ndarray:
    """`samples` as heard through `response`: float64[N], as long as `samples`."""
    heard: np.ndarray = scipy.signal.fftconvolve(samples, response)[: len(samples)]
    return heard
