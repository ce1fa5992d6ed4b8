"""Power and product spectra of the Fourier transform, normalised over the utterance between linear and log domain.

Sources: Alam, Bhattacharya, Kenny: Boosting the Performance of Spoofing Detection Systems on Replay Attacks Using
q-Logarithm Domain Feature Normalization, Odyssey 2018, doi 10.21437/Odyssey.2018-55; Zhu, Paliwal: Product of power
spectrum and group delay function for speech recognition, ICASSP 2004.

From the paper: the two spectra, their normalisation over the utterance in the q-logarithm domain, the logarithm after
it. Every number is our choice, and so are the division by a mean power before the q-logarithm and the floors.
"""

from typing import Literal

import numpy as np
import scipy.fft
from pydantic import Field

from afn.common.config import Share
from afn.features.cmvn import utterance_cmvn
from afn.features.framing import FrameOptions, of_frames, power_spectra

# Power beside the mean power it is divided by, below which a bin counts as digital silence: 100 dB down. The rounding
# to 16 bits alone leaves more in all bins of speech at an ordinary level.
SILENCE = 1e-10


class QLogOptions(FrameOptions):
    """The settings; frames in samples. What the paper leaves open, q first of all, is to be chosen on dev."""

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


def qlog_spectrum(samples: np.ndarray, options: QLogOptions) -> np.ndarray:
    """The normalised log spectrum of one recording, float64[T × (fft_size / 2 + 1)]; T ≥ 1.

    The power over its mean, at least SILENCE; its q-logarithm less the mean over the utterance; back by the inverse,
    floored, natural logarithm (without `return_to_log`: the normalised q-logarithms). For q = 1 that is log-domain mean
    normalisation: ln P less its mean over the utterance. A bin that is silent throughout becomes zeros, and every value
    is finite. A gain of the recording changes nothing, for `scale: bin` a gain of a single bin neither. `samples` and
    errors as for `unit_scale`.
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
    """float64[T × (fft_size / 2 + 1)] ≥ 0: the power or the product spectrum; `samples` and errors as above."""
    spectra, window = _product if options.spectrum == "product" else power_spectra, np.hamming(options.length)
    return of_frames(lambda frames: spectra(frames * window, options.fft_size), samples, options)


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
