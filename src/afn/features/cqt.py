"""The constant-Q transform by non-stationary Gabor frames: one FFT of the utterance, one window per bin, inverse FFTs.

All bins get the frame rate of the widest one ("full rasterisation"), so that the result is a matrix.

Sources: Velasco, Holighaus, Dörfler, Grill: Constructing an invertible constant-Q transform with non-stationary Gabor
frames, DAFx 2011; Schörkhuber, Klapuri, Holighaus, Dörfler: A Matlab toolbox for efficient perfect reconstruction
time-frequency transforms with log-frequency resolution, AES 53rd conference, 2014 (the offset gamma).
Defaults: Todisco, Delgado, Evans: Constant Q cepstral coefficients, Computer Speech & Language 45, 2017; the ASVspoof
2017 baseline.
"""

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Self

import numpy as np
import scipy.fft
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from afn.common.config import Settings
from afn.features.waveform import unit_scale

GAMMA = 228.7  # Hz; 24.7 / 0.108, so that Q f + 228.7 Q is proportional to the ERB scale (Schörkhuber et al. 2014)
SHORTEST_WINDOW = 4  # DFT samples; narrower windows are widened to it, as in the toolbox
BLOCK = 1 << 15  # complex values transformed at a time, about: half a MiB, which stays in a core's cache
MOST_BINS = 64  # transformed at a time; their windows are all given the width of the widest
DIRECT = 128  # windows that reach so many DFT samples to each side are cheaper by matrix products than by a padded FFT


class CqtOptions(Settings):
    """The settings of the transform; the defaults are those of the ASVspoof 2017 baseline."""

    sample_rate: float = Field(default=16000.0, description="Hz")
    bins_per_octave: PositiveInt = Field(default=96, description="of the constant-Q transform")
    fmin: PositiveFloat = Field(default=15.625, description="Hz; sample_rate / 2^10, nine octaves below fmax")
    fmax: float = Field(
        default=8000.0, description="Hz; a bin whose window would reach beyond half the sample rate is left out"
    )
    gamma: NonNegativeFloat | None = Field(
        default=None, description="Hz, added to every bandwidth; null: 228.7 Q, as in the toolbox"
    )

    @model_validator(mode="after")
    def _windows_fit(self) -> Self:
        if not self.fmin < self.fmax <= self.sample_rate / 2:
            raise ValueError(
                f"fmin: {self.fmin} and fmax: {self.fmax} must rise between 0 and half of sample_rate: "
                f"{self.sample_rate}"
            )
        half = self.bandwidths(self.fmin) / 2
        if not half <= self.fmin <= self.sample_rate / 2 - half:
            raise ValueError(f"fmin: the window around {self.fmin} Hz is {2 * half:.6g} Hz wide and reaches too far")
        return self

    def bandwidths(self, frequencies: np.ndarray | float) -> np.ndarray | float:
        """The widths in Hz of the windows around `frequencies` (Hz): Q f + gamma."""
        q = 2 ** (1 / self.bins_per_octave) - 2 ** (-1 / self.bins_per_octave)
        return q * frequencies + (GAMMA * q if self.gamma is None else self.gamma)


def centre_frequencies(options: CqtOptions) -> np.ndarray:
    """float64[K], Hz: the centres of the bins, rising geometrically from fmin; 863 of them by default."""
    octaves = math.log2(options.fmax / options.fmin)
    steps = np.arange(math.floor(options.bins_per_octave * octaves) + 1)
    frequencies = options.fmin * 2 ** (steps / options.bins_per_octave)
    return frequencies[frequencies + options.bandwidths(frequencies) / 2 <= options.sample_rate / 2]


def frames(options: CqtOptions, samples: int) -> int:
    """The number of frames of a recording of `samples` samples: the width of its widest window in DFT samples.

    By default 117 frames a second, 4 at least. Frame m is centred at sample m · samples / frames.
    """
    return int(_geometry(options, samples)[1][-1])


def transform(samples: np.ndarray, options: CqtOptions) -> np.ndarray:
    """The constant-Q transform of one recording, complex128[K × M]: bin k in frame m, M as `frames` tells.

    The recording is taken as periodic. A stationary sine of amplitude a (full scale = 1) at the centre of a bin has the
    magnitude a there. Phases are "global" in the toolbox's word: they advance with the bin's centre in the DFT, modulo
    M. `samples` and errors as for `unit_scale`.
    """
    centres, lengths = _geometry(options, len(samples))
    moments = np.arange(lengths[-1])
    roots = np.exp(2j * np.pi / len(moments) * moments)
    coefficients = np.empty((len(centres), len(moments)), dtype=np.complex128)
    for bins, block in blocks(samples, options):
        coefficients[bins] = block.T * roots[np.outer(centres[bins], moments) % len(moments)]
    return coefficients


def blocks(samples: np.ndarray, options: CqtOptions) -> Iterator[tuple[slice, np.ndarray]]:
    """The transform some bins at a time, rising: `(bins, complex128[M × bins])`. Arguments and errors as above.

    Ten minutes of speech are 1 GB as a whole and 1 MB a block. Phases are "local": each bin is shifted down to 0 Hz,
    which saves a multiplication and leaves the power as it is.
    """
    signal = unit_scale(samples)
    centres, lengths = _geometry(options, len(signal))
    count = int(lengths[-1])
    reaches = (lengths - 1) // 2
    within = (centres - reaches).min() >= 0 and (centres + reaches).max() <= len(signal) // 2
    spectrum = scipy.fft.rfft(signal) if within else scipy.fft.fft(signal)  # short recordings need its whole period
    spectrum *= 2 / len(signal)
    at_once = min(max(BLOCK // count, 1), MOST_BINS)
    for start in range(0, len(centres), at_once):
        bins = slice(start, min(start + at_once, len(centres)))
        windowed = _windowed(spectrum, centres[bins], lengths[bins])
        reach = len(windowed) // 2
        yield bins, _few_to_time(windowed, count) if reach <= DIRECT else _many_to_time(windowed, count)


@lru_cache(maxsize=64)
def _geometry(options: CqtOptions, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """int[K] and int[K]: where in the DFT of `samples` samples each window is centred, and how wide it is."""
    frequencies = centre_frequencies(options)
    centres = np.floor(frequencies * samples / options.sample_rate).astype(np.int64)
    widths = np.floor(options.bandwidths(frequencies) * samples / options.sample_rate + 0.5).astype(np.int64)
    return centres, np.maximum(widths, SHORTEST_WINDOW)


def _windowed(spectrum: np.ndarray, centres: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """complex[(2 r + 1) × bins]: the spectrum around every centre under a periodic Hann window of its length.

    The windows are not cached: they belong to one length of recording only, and cost a tenth of the transform.
    """
    reach = (int(lengths[-1]) - 1) // 2  # an even window's first value is zero, so that all are symmetric
    offsets = np.arange(reach + 1)[:, None]
    half = np.cos(offsets * (2 * np.pi / lengths))
    half += 1
    half *= 0.5
    half[2 * offsets >= lengths] = 0
    # Windows of short recordings reach beyond the spectrum's ends; they see it repeated.
    windowed = spectrum.take(centres + np.arange(-reach, reach + 1)[:, None], mode="wrap")
    windowed[reach:] *= half
    windowed[:reach] *= half[:0:-1]
    return windowed


def _many_to_time(windowed: np.ndarray, count: int) -> np.ndarray:
    """complex[M × bins]: the inverse DFTs of size M, unscaled, of (2 r + 1) values around index 0 each."""
    reach = len(windowed) // 2
    padded = np.zeros((count, windowed.shape[1]), dtype=np.complex128)
    padded[: reach + 1] = windowed[reach:]
    padded[count - reach :] = windowed[:reach]
    return scipy.fft.ifft(padded, axis=0, norm="forward", overwrite_x=True)


def _few_to_time(windowed: np.ndarray, count: int) -> np.ndarray:
    """What `_many_to_time` gives, by real matrix products.

    The sum of a[j] exp(iθjm) over -r … r is that of (a[j] + a[-j]) cos(θjm) and i (a[j] - a[-j]) sin(θjm) over 0 … r.
    Frame M - m has the same sums as frame m, with the sign of the second changed.
    """
    reach = len(windowed) // 2
    cosines, sines = _waves(count)
    ahead, behind = windowed[reach:], windowed[reach::-1]
    even, odd = ahead + behind, (ahead - behind) * 1j
    even[0] *= 0.5
    even = (cosines[:, : reach + 1] @ even.view(np.float64)).view(np.complex128)
    odd = (sines[:, : reach + 1] @ odd.view(np.float64)).view(np.complex128)
    coefficients = np.empty((count, windowed.shape[1]), dtype=np.complex128)
    np.add(even, odd, out=coefficients[: len(even)])
    mirrored = slice((count - 1) // 2, 0, -1)
    np.subtract(even[mirrored], odd[mirrored], out=coefficients[len(even) :])
    return coefficients


@lru_cache(maxsize=4)
def _waves(count: int) -> tuple[np.ndarray, np.ndarray]:
    """float64[(M // 2 + 1) × (r + 1)] twice: cos and sin of 2π j m / M, for frames m and j = 0 … r."""
    angles = 2 * np.pi / count * np.arange(count)
    index = np.outer(np.arange(count // 2 + 1), np.arange(min(DIRECT, (count - 1) // 2) + 1)) % count
    return np.cos(angles)[index], np.sin(angles)[index]
