"""Log magnitude spectrum with a fine frequency grid: the input of the original Light CNN.

Source: Lavrentyeva et al., Interspeech 2017, sec. 3.1 (1728-point FFT, 864 bins), framing and pre-emphasis as in the
re-implementation github.com/fangfm/lcnn.
"""

from typing import Self

import numpy as np
import scipy
from pydantic import Field, PositiveInt, model_validator

from afn.common.config import Settings
from afn.features.framing import framed
from afn.features.waveform import unit_scale

FLOOR = 1e-7  # of the magnitude, samples in ±1: below a 16-bit step spread over a window


class LogMagnitudeOptions(Settings):
    """Frames in samples; the last of fft_size / 2 + 1 bins, at the Nyquist frequency, is left out."""

    sample_rate: PositiveInt = Field(default=16000, description="Hz")
    length: int = Field(default=400, ge=2, description="samples per frame")
    shift: PositiveInt = Field(default=160, description="samples from frame to frame")
    fft_size: int = Field(default=1728, description="frames are filled up with zeros to it; half as many bins")
    preemphasis: float = Field(default=0.97, description="x[n] - preemphasis x[n-1]; 0: none")

    @model_validator(mode="after")
    def _frame_fits(self) -> Self:
        if self.length > self.fft_size:
            raise ValueError(f"length: {self.length} must be at most fft_size: {self.fft_size}")
        return self

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
