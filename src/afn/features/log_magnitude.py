"""Log magnitude spectrum with a fine frequency grid: the input of the original Light CNN.

Source: Lavrentyeva et al., Interspeech 2017, sec. 3.1 (1728-point FFT, 864 bins), framing and pre-emphasis as in the
re-implementation github.com/fangfm/lcnn.
"""

from dataclasses import dataclass

import numpy as np
import scipy

from afn.features.framing import framed
from afn.features.waveform import unit_scale

FLOOR = 1e-7  # of the magnitude, samples in ±1: below a 16-bit step spread over a window


@dataclass(frozen=True, kw_only=True)
class LogMagnitudeOptions:
    """Frames in samples; the last of fft_size / 2 + 1 bins, at the Nyquist frequency, is left out."""

    sample_rate: int = 16000  # Hz
    length: int = 400  # samples a frame
    shift: int = 160  # samples from frame to frame
    fft_size: int = 1728  # frames are filled up with zeros to it; half as many bins
    preemphasis: float = 0.97  # x[n] - preemphasis x[n-1]; 0: none

    def __post_init__(self) -> None:
        if not 2 <= self.length <= self.fft_size or self.shift < 1:
            raise ValueError(f"length, shift: {self.length}, {self.shift} must fit into fft_size {self.fft_size}")

    @property
    def bins(self) -> int:
        return self.fft_size // 2


def log_magnitude(samples: np.ndarray, options: LogMagnitudeOptions) -> np.ndarray:
    """int16[N] to float32[T × bins], natural logarithm of magnitude; a last, partial frame is filled with zeros.

    Raises UserError for no samples, NaN or infinity.
    """
    wave = unit_scale(samples)
    wave = np.append(wave[0], wave[1:] - options.preemphasis * wave[:-1])
    count = 1 + max(0, -(-(len(wave) - options.length) // options.shift))
    frames = framed(wave, options.length, options.shift, count)
    spectrum = np.fft.rfft(frames * scipy.signal.get_window("hamming", options.length), options.fft_size)
    return np.log(np.maximum(np.abs(spectrum[:, : options.bins]), FLOOR)).astype(np.float32)
