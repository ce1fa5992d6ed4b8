"""Linear-frequency cepstral coefficients, as the ASVspoof 2019 and 2021 baselines compute them.

Sources: Sahidullah, Kinnunen, Hanilçi: A comparison of features for synthetic speech detection, Interspeech 2015, and
the LFCC programs of the ASVspoof 2019 and 2021 baselines.
"""

from typing import Self

import numpy as np
import scipy.fft
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

from afn.common.config import Settings
from afn.features.cmvn import utterance_cmvn
from afn.features.deltas import with_deltas
from afn.features.filterbank import check_edges, triangles
from afn.features.framing import of_frames, power_spectra

EPS = np.finfo(np.float64).eps  # added to the energies before the logarithm, as in the baselines


class LfccOptions(Settings):
    """The settings of the coefficients; the defaults are those of the ASVspoof 2019 baseline, 60 dimensions.

    The 2021 baseline: frame_length 30, fft_size 1024, filters 70, coefficients 19, preemphasis 0, normalised_deltas
    true, and for logical access and deepfakes high_frequency 4000.
    """

    sample_rate: float = Field(default=16000.0, description="Hz")
    frame_length: float = Field(default=20.0, description="ms; frames overlap by half")
    fft_size: int = Field(default=512, description="frames are filled up with zeros to it")
    filters: PositiveInt = Field(default=20, description="triangular, evenly spaced")
    low_frequency: NonNegativeFloat = Field(default=0.0, description="Hz: the lower edge of the lowest filter")
    high_frequency: float = Field(default=8000.0, description="Hz: the upper edge of the highest filter")
    coefficients: PositiveInt = Field(default=20, description="cepstra, c0 included")
    preemphasis: float = Field(default=0.97, description="x[n] - preemphasis x[n-1]; 0: none")
    deltas: NonNegativeInt = Field(default=2, description="0: none, 1: deltas, 2: deltas and delta-deltas")
    delta_window: PositiveInt = Field(default=1, description="frames to each side")
    normalised_deltas: bool = Field(default=False, description="divide the deltas by 2 Σ i²")
    cmvn: bool = Field(default=False, description="normalise every dimension over the utterance, as the last step")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.coefficients > self.filters:
            raise ValueError(f"coefficients: {self.coefficients} must be at most the {self.filters} filters")
        if not 2 <= self.length <= self.fft_size:
            raise ValueError(f"frame_length: {self.length} samples must be 2 to fft_size: {self.fft_size}")
        check_edges(self.low_frequency, self.high_frequency, self.sample_rate)
        return self

    @property
    def length(self) -> int:
        """Samples per frame."""
        return int(self.sample_rate * 0.001 * self.frame_length)

    @property
    def shift(self) -> int:
        """Samples from frame to frame."""
        return self.length - self.length // 2

    def frames(self, samples: int) -> int:
        """The number of frames of a recording of `samples` samples; the last is filled up with zeros."""
        return max(-((self.length // 2 - samples) // self.shift), 1)


def lfcc(samples: np.ndarray, options: LfccOptions) -> np.ndarray:
    """The linear-frequency cepstral coefficients of one recording, float64[T × D]; T ≥ 1.

    Cepstra of the decadic logarithm from c0 on, then their deltas, then delta-deltas. `samples` and errors as for
    `unit_scale`.
    """
    window, edges = np.hamming(options.length), (options.low_frequency, options.high_frequency)
    bank = triangles(options.sample_rate, options.fft_size, options.filters, *edges)

    def cepstra(frames: np.ndarray) -> np.ndarray:
        energies = power_spectra(frames * window, options.fft_size) @ bank
        return scipy.fft.dct(np.log10(energies + EPS), norm="ortho", axis=1)[:, : options.coefficients]

    statics = of_frames(cepstra, samples, options)
    features = with_deltas(statics, options.deltas, options.delta_window, options.normalised_deltas)
    return utterance_cmvn(features) if options.cmvn else features
