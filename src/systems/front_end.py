"""The features that a system's settings describe, as functions of samples; they pass to worker processes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from errors import UserError
from features import kaldi_options
from features.cmvn import sliding_cmvn
from features.kaldi_options import SpectrogramOptions
from features.log_magnitude import log_magnitude
from features.native import FrontEnd
from features.spectrogram import log_spectrogram
from systems.settings import Features, LogMagnitude, Spectrogram


def front_end(settings: Features, conf: Path) -> FrontEnd:
    """The function that the settings describe; `conf` is the folder of Kaldi option files."""
    if isinstance(settings, Spectrogram):
        options = kaldi_options.read(conf / settings.conf)
        return SpectrogramFrontEnd(options, settings.cmn_window, settings.norm_vars)
    return LogMagnitudeFrontEnd(settings)


@dataclass(frozen=True)
class SpectrogramFrontEnd:
    """Kaldi's log power spectrogram after the sliding mean: int16[N] to float32[T × bins]."""

    options: SpectrogramOptions
    cmn_window: int
    norm_vars: bool

    @property
    def sample_rate(self) -> int:
        return int(self.options.sample_frequency)

    def __call__(self, utt: str, samples: np.ndarray) -> np.ndarray:
        if self.options.frames(len(samples)) < 1:
            raise UserError(f"{len(samples)} samples are too few for one frame; take it out")
        return sliding_cmvn(log_spectrogram(samples, self.options, utt), self.cmn_window, self.norm_vars)


@dataclass(frozen=True)
class LogMagnitudeFrontEnd:
    """The fine log magnitude spectrum: int16[N] to float32[T × bins]."""

    settings: LogMagnitude

    @property
    def sample_rate(self) -> int:
        return self.settings.sample_rate

    def __call__(self, utt: str, samples: np.ndarray) -> np.ndarray:
        return log_magnitude(samples, self.settings)
