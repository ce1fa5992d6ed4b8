"""Modulation dynamic features: how fast, and how strongly, the energy of every band moves, as cepstra over the bands.

Source: Suthokumar, Sethu, Wijenayake, Ambikairajah: Modulation Dynamic Features for the Detection of Replay Attacks,
Interspeech 2018, doi 10.21437/Interspeech.2018-1846.

From the paper: the modulation spectrum of every band; its centroid frequency, the dynamic feature; the average energy
over the long frame, the static feature. Every number is our choice, and so are the filters, the envelope, the removal
of its mean, the cosine transform, the deltas and the normalisation.
"""

from collections.abc import Iterator
from typing import Literal, Self

import numpy as np
import scipy
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

from afn.common.config import Settings
from afn.features.cmvn import utterance_cmvn
from afn.features.deltas import with_deltas
from afn.features.filterbank import check_edges, gaussians, triangles
from afn.features.framing import FRAME_BLOCK, framed, power_spectra
from afn.features.waveform import unit_scale

# Beside the sums of modulation magnitudes and the energies. It is far below what the rounding to 16 bits leaves in a
# band and far above the rounding errors of the transforms: digital silence and perfectly steady bands do not move.
EPS = 1e-7
MODULATION_BLOCK = 128  # modulation frames at a time


class ModulationOptions(Settings):
    """The settings; all values are ours, to be tuned on dev. Short frames in samples, modulation frames in ms.

    For the static feature: statistic energy, and cmvn false, for what it tells of the channel is its mean.
    """

    sample_rate: PositiveInt = Field(default=16000, description="Hz")
    length: int = Field(default=320, ge=2, description="samples per short frame")
    shift: PositiveInt = Field(default=40, description="the envelopes have sample_rate / shift values per second, 400")
    fft_size: PositiveInt = Field(default=512, description="short frames are filled up with zeros to it")
    bands: PositiveInt = Field(default=60, description="between low_frequency and high_frequency")
    low_frequency: NonNegativeFloat = Field(default=0.0, description="Hz: the lower edge of the lowest band")
    high_frequency: float = Field(default=8000.0, description="Hz: the upper edge of the highest band")
    shape: Literal["triangular", "gaussian"] = Field(
        default="triangular", description="of the bands, which are evenly spaced"
    )
    envelope: Literal["sqrt", "power"] = Field(default="sqrt", description="of the energy of a band")
    modulation_length: float = Field(default=256.0, description="ms")
    modulation_hop: float = Field(default=0.5, gt=0, le=1, description="fraction of the modulation frame")
    modulation_fft_size: PositiveInt = Field(
        default=256, description="modulation frames are filled up with zeros to it"
    )
    modulation_limit: float = Field(default=200.0, description="Hz: faster modulations are left out")
    remove_mean: bool = Field(
        default=True, description="of the envelope in every modulation frame, from the spectrum above 0 Hz"
    )
    statistic: Literal["centroid", "energy"] = Field(
        default="centroid", description="both are the paper's: the dynamic and the static feature"
    )
    log_centroid: bool = Field(default=False, description="take the logarithm of the centroid")
    coefficients: PositiveInt = Field(default=30, description="cepstra, c0 included")
    deltas: NonNegativeInt = Field(default=0, description="0: none, 1: deltas, 2: deltas and delta-deltas")
    delta_window: PositiveInt = Field(default=1, description="modulation frames to each side")
    cmvn: bool = Field(default=True, description="normalise every dimension over the utterance, as the last step")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.coefficients > self.bands:
            raise ValueError(f"coefficients: {self.coefficients} must be at most the {self.bands} bands")
        if self.length > self.fft_size:
            raise ValueError(f"length: {self.length} must be at most fft_size: {self.fft_size}")
        check_edges(self.low_frequency, self.high_frequency, self.sample_rate)
        spacing = (self.high_frequency - self.low_frequency) / (self.bands + 1)
        resolution = self.sample_rate / self.fft_size
        if spacing < resolution:
            raise ValueError(
                f"bands: {self.bands}, {spacing:g} Hz apart, are finer than the bins, {resolution:g} Hz apart"
            )
        if not 4 <= self.modulation_frame <= self.modulation_fft_size:
            raise ValueError(
                f"modulation_length: {self.modulation_frame} values of the envelope must be 4 to "
                f"modulation_fft_size: {self.modulation_fft_size}"
            )
        resolution = self.envelope_rate / self.modulation_fft_size
        if not resolution <= self.modulation_limit <= self.envelope_rate / 2:
            raise ValueError(
                f"modulation_limit: {self.modulation_limit} must lie between {resolution:g} Hz, the first bin, and "
                f"{self.envelope_rate / 2:g} Hz, half the rate of the envelopes"
            )
        return self

    @property
    def envelope_rate(self) -> float:
        """Values of an envelope per second."""
        return self.sample_rate / self.shift

    @property
    def modulation_frame(self) -> int:
        """Values of an envelope per modulation frame."""
        return int(self.modulation_length * 0.001 * self.envelope_rate)

    @property
    def modulation_shift(self) -> int:
        """Values of an envelope from modulation frame to modulation frame."""
        return max(round(self.modulation_hop * self.modulation_frame), 1)

    @property
    def modulation_frequencies(self) -> np.ndarray:
        """float64[F], Hz: the bins of the modulation spectrum from 0 Hz to the limit."""
        frequencies = scipy.fft.rfftfreq(self.modulation_fft_size, 1 / self.envelope_rate)
        return frequencies[frequencies <= self.modulation_limit]


def modulation_cepstra(samples: np.ndarray, options: ModulationOptions) -> np.ndarray:
    """The cepstra over the bands of what `statistic` takes from every modulation spectrum, float64[M × D]; M ≥ 1.

    centroid: Σ f |E(f)| / Σ |E(f)| over 0 < f ≤ limit, Hz; 0 for a band that does not move, and as a natural logarithm
    at least that of the first bin. energy: ln |E(0)|². Of these the orthonormal DCT-II from c0 on, then deltas and
    delta-deltas. A recording that is shorter than a modulation frame is continued by its mirror image; longer ones end
    with their last whole frame. `samples` and errors as for `unit_scale`.
    """
    statistic = np.concatenate([_statistic(block, options) for block in _spectra(samples, options)])
    cepstra = scipy.fft.dct(statistic, norm="ortho", axis=1)[:, : options.coefficients]
    features = with_deltas(cepstra, options.deltas, options.delta_window)
    return utterance_cmvn(features) if options.cmvn else features


def _statistic(spectra: np.ndarray, options: ModulationOptions) -> np.ndarray:
    """float64[M × K] of modulation spectra float64[M × K × F]."""
    if options.statistic == "energy":
        return np.log(np.square(spectra[..., 0]) + EPS)
    frequencies, magnitudes = options.modulation_frequencies[1:], spectra[..., 1:]
    centroid = magnitudes @ frequencies / (magnitudes.sum(axis=-1) + EPS)
    return np.log(np.maximum(centroid, frequencies[0])) if options.log_centroid else centroid


def _spectra(samples: np.ndarray, options: ModulationOptions) -> Iterator[np.ndarray]:
    """The magnitudes |E(f)| of every band at `modulation_frequencies`, float64[some frames × K × F] at a time.

    At 0 Hz that of the envelope; above, with `remove_mean`, that of its movement about its mean in the frame. Left in,
    the mean, smeared by the window, covers the slowest modulations, and shallow movement passes for slow.
    """
    length = options.modulation_frame
    frames = np.lib.stride_tricks.sliding_window_view(envelopes(samples, options), length, axis=0)
    frames = frames[:: options.modulation_shift]
    window = scipy.signal.get_window("hann", length)
    bins = len(options.modulation_frequencies)
    mean = scipy.fft.rfft(window / window.sum(), options.modulation_fft_size)[:bins]
    for start in range(0, len(frames), MODULATION_BLOCK):
        block = frames[start : start + MODULATION_BLOCK] * window
        spectra = scipy.fft.rfft(block, options.modulation_fft_size, axis=-1)[..., :bins]
        if options.remove_mean:
            spectra[..., 1:] -= spectra[..., :1] * mean[1:]
        yield np.abs(spectra)


def envelopes(samples: np.ndarray, options: ModulationOptions) -> np.ndarray:
    """The envelope of every band, a modulation frame long at least: the root of its energy, samples in ±1.

    Arguments and errors as for `modulation_cepstra`.

    Returns:
        float64[T × K], `envelope_rate` values a second; for `envelope: power` the energy itself.
    """
    signal = unit_scale(samples)
    least = (options.modulation_frame - 1) * options.shift + options.length
    signal = np.pad(signal, (0, max(least - len(signal), 0)), mode="symmetric")
    frames = framed(signal, options.length, options.shift, 1 + (len(signal) - options.length) // options.shift)
    window = scipy.signal.get_window("hann", options.length)
    shape = triangles if options.shape == "triangular" else gaussians
    edges = options.low_frequency, options.high_frequency
    bank = shape(options.sample_rate, options.fft_size, options.bands, *edges)
    energies = np.empty((len(frames), options.bands))
    for start in range(0, len(frames), FRAME_BLOCK):
        block = slice(start, start + FRAME_BLOCK)
        np.matmul(power_spectra(frames[block] * window, options.fft_size), bank, out=energies[block])
    return np.sqrt(energies, out=energies) if options.envelope == "sqrt" else energies
