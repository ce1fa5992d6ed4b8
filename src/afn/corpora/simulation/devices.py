"""Simulated microphones, recorders and loudspeakers: a frequency response and soft saturation."""

from dataclasses import dataclass

import numpy as np
import scipy

from afn.common.checks import at_least, within
from afn.corpora.simulation.random_streams import between, stream

Ends = tuple[float, float]  # the value of a transparent device (quality 0) and of a poor one (quality 1)
LONGEST_RESPONSE = 0.5  # s kept of a measured response


@dataclass(frozen=True)
class Kind:
    """A kind of device; pairs are [transparent, poor], and a device of quality q lies q of the way between them."""

    low_cut: Ends  # Hz, lower band edge (-3 dB), between the ends on a logarithmic scale
    low_order: int  # slope there, 6 dB per octave each
    high_cut: Ends  # Hz, upper band edge
    high_order: int  # slope there
    resonances: int  # peaks or dips
    resonance_gain: Ends  # dB, how high they may be
    drive: Ends  # RMS level at the input of the saturation tanh(x): 0.1 hardly bends speech, 1 does so plainly; 0: none
    scatter: float  # relative deviation of one device's band edges from its kind's, at most

    def __post_init__(self) -> None:
        within(self, 10, 2000, "low_cut")
        within(self, 2500, 7900, "high_cut")  # the Nyquist frequency is 8000
        within(self, 0, 30, "resonance_gain")
        within(self, 0, 10, "drive")
        within(self, 0, 0.5, "scatter")
        at_least(self, resonances=0, low_order=1, high_order=1)


@dataclass(frozen=True)
class Device:
    """One device: saturation at RMS level `drive`, then second-order sections, or a measured response instead."""

    drive: float
    sections: np.ndarray
    measured: np.ndarray | None = None

    def __call__(self, samples: np.ndarray, level: float) -> np.ndarray:
        """The device's output for `samples`, whose RMS during speech is `level`: float64[N], same length."""
        if self.drive:
            scale = self.drive / level
            samples = np.tanh(scale * samples) / scale
        if self.measured is not None:
            return scipy.signal.fftconvolve(samples, self.measured)[: len(samples)]
        return scipy.signal.sosfilt(self.sections, samples)


def draw(
    kind: Kind, quality: float, seed: int, code: str, sample_rate: int, measured: np.ndarray | None = None
) -> Device:
    """The device of that code: its band edges and resonances, the same wherever it occurs.

    quality: 0 (transparent) to 1 (poor). `measured`, an impulse response, replaces the filters.
    """
    rng = stream(seed, "device", code)
    low = _geometric(kind.low_cut, quality) * (1 + between(rng, (-kind.scatter, kind.scatter)))
    high = _geometric(kind.high_cut, quality) * (1 + between(rng, (-kind.scatter, kind.scatter)))
    high = min(high, 0.49 * sample_rate)
    filters = [
        scipy.signal.butter(kind.low_order, low, "highpass", fs=sample_rate, output="sos"),
        scipy.signal.butter(kind.high_order, high, "lowpass", fs=sample_rate, output="sos"),
    ]
    most = _linear(kind.resonance_gain, quality)
    for _ in range(kind.resonances):
        centre = np.exp(between(rng, (np.log(1.2 * low), np.log(0.8 * high))))
        gain = between(rng, (0.4, 1.0)) * most * rng.choice((-1, 1))
        filters.append(resonance(centre, gain, between(rng, (1.5, 5.0)), sample_rate))
    return Device(_linear(kind.drive, quality), np.concatenate(filters), measured)


def resonance(centre: float, gain: float, sharpness: float, sample_rate: int) -> np.ndarray:
    """A peak (gain > 0) or dip of `gain` dB at `centre` Hz with Q = `sharpness`: one second-order section, 1 x 6.

    The analogue prototype (s^2 + s A/Q + 1) / (s^2 + s/(A Q) + 1), A = 10^(gain/40), by the bilinear transform.
    """
    amplitude = 10 ** (gain / 40)
    warped = 2 * sample_rate * np.tan(np.pi * centre / sample_rate)  # so that the centre lands on `centre`
    numerator = [1, warped * amplitude / sharpness, warped**2]
    denominator = [1, warped / (amplitude * sharpness), warped**2]
    b, a = scipy.signal.bilinear(numerator, denominator, fs=sample_rate)
    return np.concatenate([b, a])[None]


def from_peak(response: np.ndarray, sample_rate: int) -> np.ndarray:
    """A measured impulse response from 2 ms before its peak on, at most half a second, of unit energy."""
    start = max(0, int(np.abs(response).argmax()) - round(0.002 * sample_rate))
    kept = response[start : start + round(LONGEST_RESPONSE * sample_rate)]
    return kept / np.sqrt((kept**2).sum())


def _linear(ends: Ends, quality: float) -> float:
    return ends[0] + quality * (ends[1] - ends[0])


def _geometric(ends: Ends, quality: float) -> float:
    return float(ends[0] * (ends[1] / ends[0]) ** quality)
