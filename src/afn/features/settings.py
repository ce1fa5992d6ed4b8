"""What a YAML in conf/systems may say of features: one dataclass a kind, with the folder that they are kept in."""

from dataclasses import dataclass
from typing import Literal

from afn.common.checks import at_least
from afn.common.config import execution
from afn.features.cqcc import CqccOptions
from afn.features.lfcc import LfccOptions
from afn.features.log_magnitude import LogMagnitudeOptions
from afn.features.modulation import ModulationOptions
from afn.features.qlog import QLogOptions


@dataclass(frozen=True, kw_only=True)
class Named:
    """What features of all kinds have."""

    name: str = execution()  # the folder below the data directory

    def __post_init__(self) -> None:
        folder_name(self.name)
        if options := getattr(super(), "__post_init__", None):  # of the options that a kind adds to
            options()


@dataclass(frozen=True, kw_only=True)
class Spectrogram(Named):
    """Kaldi's log power spectrogram after the sliding mean (features/spectrogram.py, features/kaldi.py)."""

    kind: Literal["spectrogram"]
    conf: str = execution()  # Kaldi options, relative to conf/; their content is recorded
    # auto: Kaldi where it is installed, else our extractor; the one that was used is recorded
    backend: Literal["auto", "kaldi", "native"] = execution()
    cmn_window: int  # frames
    norm_vars: bool  # divide by the sliding deviation as well

    def __post_init__(self) -> None:
        at_least(self, cmn_window=1)
        super().__post_init__()


@dataclass(frozen=True, kw_only=True)
class LogMagnitude(Named, LogMagnitudeOptions):
    """A log magnitude spectrum with a fine frequency grid (features/log_magnitude.py)."""

    kind: Literal["log_magnitude"]


@dataclass(frozen=True, kw_only=True)
class Cqcc(Named, CqccOptions):
    """Constant-Q cepstral coefficients (features/cqcc.py)."""

    kind: Literal["cqcc"]


@dataclass(frozen=True, kw_only=True)
class Lfcc(Named, LfccOptions):
    """Linear-frequency cepstral coefficients (features/lfcc.py)."""

    kind: Literal["lfcc"]


@dataclass(frozen=True, kw_only=True)
class QLog(Named, QLogOptions):
    """Spectra normalised in the q-logarithm domain (features/qlog.py)."""

    kind: Literal["qlog"]


@dataclass(frozen=True, kw_only=True)
class Modulation(Named, ModulationOptions):
    """Modulation dynamic features (features/modulation.py)."""

    kind: Literal["modulation"]


@dataclass(frozen=True, kw_only=True)
class Mfcc(Named):
    """Mel-frequency cepstra, which only Kaldi's programs compute (features/kaldi.py)."""

    kind: Literal["mfcc"]
    conf: str = execution()  # options of compute-mfcc-feats, relative to conf/; their content is recorded
    deltas: int  # 0: none, 1: slopes too, 2: slopes of slopes too
    delta_window: int  # frames to each side
    cmn_window: int | None  # frames of the sliding mean; null: it stays
    norm_vars: bool  # divide by the sliding deviation as well

    def __post_init__(self) -> None:
        at_least(self, deltas=0, delta_window=1, cmn_window=1)
        super().__post_init__()


@dataclass(frozen=True, kw_only=True)
class Waveform(Named):
    """The samples themselves, whitened: features/whitened.py."""

    kind: Literal["waveform"]
    sample_rate: int = 16000  # Hz


def folder_name(name: str) -> None:
    """Raise ValueError unless `name` can name a folder."""
    if not name or "/" in name or name.startswith(".") or not name.isprintable():
        raise ValueError(f"name: {name!r} must be the name of a folder")


Features = Spectrogram | LogMagnitude | Cqcc | Lfcc | QLog | Modulation | Mfcc | Waveform
