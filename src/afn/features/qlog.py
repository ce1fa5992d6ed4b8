"""Power and product spectra of the Fourier transform, normalised over the utterance between linear and log domain.

Sources: Alam, Bhattacharya, Kenny: Boosting the Performance of Spoofing Detection Systems on Replay Attacks Using
q-Logarithm Domain Feature Normalization, Odyssey 2018, doi 10.21437/Odyssey.2018-55; Zhu, Paliwal: Product of power
spectrum and group delay function for speech recognition, ICASSP 2004.

From the paper: the two spectra, their normalisation over the utterance in the q-logarithm domain, the logarithm after
it. Every number is our choice, and so are the division by a mean power before the q-logarithm and the floors.
"""

from typing import Literal, Self

import numpy as np
import scipy.fft
from pydantic import Field, PositiveInt, model_validator

from afn.common.config import Settings, Share
from afn.features.framing import FRAME_BLOCK, framed
from afn.features.utterance_cmvn import utterance_cmvn
from afn.features.waveform import unit_scale

# Power beside the mean power it is divided by, below which a bin counts as digital silence: 100 dB down. The rounding
# to 16 bits alone leaves more in all bins of speech at an ordinary level.
SILENCE = 1e-10


class QLogOptions(Settings):
    """The settings; frames in samples. What the paper leaves open, q first of all, is to be chosen on dev."""

    sample_rate: PositiveInt = Field(default=16000, description="Hz")
    length: int = Field(default=400, ge=2, description="samples per frame")
    shift: PositiveInt = Field(default=160, description="samples from frame to frame")
    fft_size: int = Field(default=512, description="frames are filled up with zeros to it; half as many bins, and one")
    preemphasis: float = Field(default=0.97, description="x[n] - preemphasis x[n-1]; 0: none")
    spectrum: Literal["power", "product"] = Field(default="power", description="both are the paper's")
    scale: Literal["bin", "utterance"] = Field(
        default="bin", description="divide by the mean power of every bin, or by one of all bins"
    )
    q: float = Field(default=0.9, ge=0, le=1, description="0: linear, 1: ln, the control")
    norm_vars: bool = Field(
        default=False, description="also divide the q-logarithms by their deviation over the utterance"
    )
    return_to_log: bool = Field(
        default=True, description="end with the natural logarithm; false: with the normalised q-logarithms"
    )
    floor: Share = Field(
        default=1e-6, description="of the normalised power, which is around 1, before the last logarithm"
    )

    @model_validator(mode="after")
    def _frame_fits(self) -> Self:
        if self.length > self.fft_size:
            raise ValueError(f"length: {self.length} must be at most fft_size: {self.fft_size}")
        return self

    @property
    def dims(self) -> int:
        return self.fft_size // 2 + 1

    def frames(self, samples: int) -> int:
        """The number of frames of a recording of `samples` samples; the last is filled up with zeros."""
        return 1 + max(-((self.length - samples) // self.shift), 0)


def qlog_spectrum(samples: np.ndarray, options: QLogOptions) -> np.ndarray:
    """The normalised log spectrum of one recording.

    The power over its mean, at least SILENCE; its q-logarithm less the mean over the utterance; back by the inverse,
    floored, natural logarithm. For q = 1 that is log-domain mean normalisation: ln P less its mean over the utterance.
    A bin that is silent throughout becomes zeros, and every value is finite.

    Args:
        samples: int16[N], or float values on the same scale (about ±32768); any N ≥ 1 gives a frame at least.
        options: the settings.

    Returns:
        float64[T × dims]; without `return_to_log` the normalised q-logarithms. A gain of the recording changes
        nothing, for `scale: bin` a gain of a single bin neither.

    Raises:
        UserError: no samples, more than one channel, or values that are not finite.
    """
    values = power(samples, options)
    mean = values.mean(axis=0 if options.scale == "bin" else None)
    values /= np.where(mean > 0, mean, 1.0)
    np.maximum(values, SILENCE, out=values)
    values = log_q(values, options.q)
    values = utterance_cmvn(values) if options.norm_vars else values - values.mean(axis=0)
    if not options.return_to_log:
        return values
    return np.log(np.maximum(exp_q(values, options.q), options.floor))


def power(samples: np.ndarray, options: QLogOptions) -> np.ndarray:
    """float64[T × dims] ≥ 0: the power or the product spectrum, samples in ±1; arguments and errors as above."""
    signal = unit_scale(samples)
    signal[1:] -= options.preemphasis * signal[:-1]
    frames = framed(signal, options.length, options.shift, options.frames(len(signal)))
    spectrum = _product if options.spectrum == "product" else _power
    blocks = [frames[start : start + FRAME_BLOCK] for start in range(0, len(frames), FRAME_BLOCK)]
    return np.concatenate([spectrum(block * np.hamming(options.length), options.fft_size) for block in blocks])


def _power(frames: np.ndarray, fft_size: int) -> np.ndarray:
    spectrum = scipy.fft.rfft(frames, fft_size, axis=1)
    return np.square(spectrum.real) + np.square(spectrum.imag)


def _product(frames: np.ndarray, fft_size: int) -> np.ndarray:
    """|Re X Re Y + Im X Im Y|, Y the transform of n x[n], n from 0 in every frame: power times group delay."""
    spectrum = scipy.fft.rfft(frames, fft_size, axis=1)
    weighted = scipy.fft.rfft(frames * np.arange(frames.shape[1]), fft_size, axis=1)
    return np.abs(spectrum.real * weighted.real + spectrum.imag * weighted.imag)


def log_q(x: np.ndarray, q: float) -> np.ndarray:
    """The q-logarithm (x^(1 - q) - 1) / (1 - q) of x ≥ 0, for q = 1 ln x; of 0 it is finite for q < 1 only."""
    with np.errstate(divide="ignore"):
        logarithm = np.log(x)
    return logarithm if q == 1 else np.expm1((1 - q) * logarithm) / (1 - q)  # smooth in q, also close to 1


def exp_q(y: np.ndarray, q: float) -> np.ndarray:
    """The inverse of `log_q`, max(1 + (1 - q) y, 0)^(1 / (1 - q)), for q = 1 exp y."""
    if q == 1:
        return np.exp(y)
    with np.errstate(divide="ignore"):
        return np.exp(np.log1p(np.maximum((1 - q) * np.asarray(y), -1)) / (1 - q))
