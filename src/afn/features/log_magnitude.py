"""Log magnitude spectrum with a fine frequency grid: the input of the original Light CNN.

Source: Lavrentyeva et al., Interspeech 2017, sec. 3.1 (1728-point FFT, 864 bins), framing and pre-emphasis as in the
re-implementation github.com/fangfm/lcnn.
"""

import numpy as np
import scipy
from pydantic import Field

from afn.features.framing import FrameOptions, of_frames

FLOOR = 1e-7  # of the magnitude, samples in ±1: below a 16-bit step spread over a window


class LogMagnitudeOptions(FrameOptions):
    """Frames in samples; the last of fft_size / 2 + 1 bins, at the Nyquist frequency, is left out."""

    fft_size: int = Field(default=1728, description="frames are filled up with zeros to it; half as many bins")


def log_magnitude(samples: np.ndarray, options: LogMagnitudeOptions) -> np.ndarray:
    """int16[N] to float32[T × fft_size / 2], natural logarithm of magnitude; the last frame is filled up with zeros.

    Raises UserError for no samples, NaN or infinity.
    """
    window = scipy.signal.get_window("hamming", options.length)

    def spectrum(frames: np.ndarray) -> np.ndarray:
        magnitudes = np.abs(np.fft.rfft(frames * window, options.fft_size)[:, : options.fft_size // 2])
        return np.log(np.maximum(magnitudes, FLOOR)).astype(np.float32)

    return of_frames(spectrum, samples, options)
