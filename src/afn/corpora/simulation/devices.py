"""Simulated microphones, recorders and loudspeakers: a frequency response and soft saturation."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import scipy
from pydantic import Field, NonNegativeInt, PositiveInt

from afn.augment import signals
from afn.augment.random_streams import between, stream
from afn.common.config import Ends, Settings
from afn.corpora.recordings import SAMPLE_RATE


class Kind(Settings):
    """A kind of device; pairs are [transparent, poor], and a device of quality q lies q of the way between them."""

    low_cut: Ends[Annotated[float, Field(ge=10, le=2000)]] = Field(
        description="Hz, lower band edge (-3 dB), between the ends on a logarithmic scale"
    )
    low_order: PositiveInt = Field(description="of the filter there, 6 dB per octave each")
    high_cut: Ends[Annotated[float, Field(ge=2500, le=7900)]] = Field(  # the Nyquist frequency is 8000
        description="Hz, upper band edge"
    )
    high_order: PositiveInt = Field(description="of the filter there")
    resonances: NonNegativeInt = Field(description="number of peaks or dips")
    resonance_gain: Ends[Annotated[float, Field(ge=0, le=30)]] = Field(description="dB, maximum height of one")
    drive: Ends[Annotated[float, Field(ge=0, le=10)]] = Field(
        description="RMS level at the input of the saturation tanh(x): 0.1 hardly distorts speech, 1 clearly; 0: none"
    )
    scatter: float = Field(
        ge=0, le=0.5, description="maximum relative deviation of a device's band edges from its kind's"
    )


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
            return signals.convolved(samples, self.measured)
        return scipy.signal.sosfilt(self.sections, samples)


def sampled(kind: Kind, quality: float, seed: int, code: str, measured: np.ndarray | None = None) -> Device:
    """The device of that code: its band edges and resonances, the same wherever it occurs.

    quality: 0 (transparent) to 1 (poor). `measured`, an impulse response, replaces the filters.
    """
    rng = stream(seed, "device", code)
    low = _geometric(kind.low_cut, quality) * (1 + between(rng, (-kind.scatter, kind.scatter)))
    high = _geometric(kind.high_cut, quality) * (1 + between(rng, (-kind.scatter, kind.scatter)))
    high = min(high, 0.49 * SAMPLE_RATE)
    filters = [
        scipy.signal.butter(kind.low_order, low, "highpass", fs=SAMPLE_RATE, output="sos"),
        scipy.signal.butter(kind.high_order, high, "lowpass", fs=SAMPLE_RATE, output="sos"),
    ]
    most = _linear(kind.resonance_gain, quality)
    for _ in range(kind.resonances):
        centre = np.exp(between(rng, (np.log(1.2 * low), np.log(0.8 * high))))
        gain = between(rng, (0.4, 1.0)) * most * rng.choice((-1, 1))
        filters.append(signals.resonance(centre, gain, between(rng, (1.5, 5.0)), SAMPLE_RATE))
    return Device(_linear(kind.drive, quality), np.concatenate(filters), measured)


def _linear(ends: tuple[float, float], quality: float) -> float:
    return ends[0] + quality * (ends[1] - ends[0])


def _geometric(ends: tuple[float, float], quality: float) -> float:
    return float(ends[0] * (ends[1] / ends[0]) ** quality)
