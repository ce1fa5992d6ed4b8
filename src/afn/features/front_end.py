"""The features that a system's settings describe, as functions of samples; they pass to worker processes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from afn.common.errors import UserError
from afn.features import kaldi, kaldi_options
from afn.features.cmvn import sliding_cmvn
from afn.features.cqcc import cqcc
from afn.features.kaldi_options import SpectrogramOptions
from afn.features.lfcc import lfcc
from afn.features.log_magnitude import log_magnitude
from afn.features.modulation import modulation_cepstra
from afn.features.native import FrontEnd
from afn.features.qlog import qlog_spectrum
from afn.features.settings import Cqcc, Features, Lfcc, LogMagnitude, Mfcc, Modulation, QLog, Spectrogram, Waveform
from afn.features.spectrogram import log_spectrogram
from afn.features.whitened import whitened


def front_end(settings: Features, conf: Path) -> FrontEnd:
    """The function that the settings describe; `conf` is the folder of Kaldi option files."""
    if isinstance(settings, Spectrogram):
        options = kaldi_options.read(conf / settings.conf)
        return SpectrogramFrontEnd(options, settings.cmn_window, settings.norm_vars)
    if isinstance(settings, Mfcc):
        raise UserError(f"features {settings.name}: only Kaldi computes MFCC; install it, or choose other features")
    return PlainFrontEnd(settings)


def kaldi_commands(settings: Spectrogram | Mfcc, conf: Path) -> kaldi.Commands:
    """What Kaldi's programs are told to compute these features; `conf` is the folder of their option files."""
    if isinstance(settings, Mfcc):
        slopes = settings.deltas, settings.delta_window
        return kaldi.mfcc(conf / settings.conf, *slopes, settings.cmn_window, settings.norm_vars)
    return kaldi.spectrogram(conf / settings.conf, settings.cmn_window, settings.norm_vars)


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


# What needs no more than samples and its settings: float[T × D] of int16[N]
FUNCTIONS: dict[type, Callable[[np.ndarray, Any], np.ndarray]] = {
    LogMagnitude: log_magnitude,
    Cqcc: cqcc,
    Lfcc: lfcc,
    QLog: qlog_spectrum,
    Modulation: modulation_cepstra,
    Waveform: lambda samples, _: whitened(samples),
}


@dataclass(frozen=True)
class PlainFrontEnd:
    """One of FUNCTIONS with its settings: int16[N] to float32[T × D]."""

    settings: Any

    @property
    def sample_rate(self) -> int:
        return int(self.settings.sample_rate)

    def __call__(self, utt: str, samples: np.ndarray) -> np.ndarray:
        return FUNCTIONS[type(self.settings)](samples, self.settings).astype(np.float32, copy=False)
