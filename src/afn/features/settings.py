"""What a YAML in conf/systems may say of features: one model per kind, with the name of their folder."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from afn.common.config import Execution, FolderName, Settings
from afn.features import nuisance
from afn.features.cqcc import CqccOptions
from afn.features.lfcc import LfccOptions
from afn.features.log_magnitude import LogMagnitudeOptions
from afn.features.modulation import ModulationOptions
from afn.features.qlog import QLogOptions

FILE = frozenset({nuisance.OF_FILE})  # no feature sees the file
GAIN = frozenset({"level", "peak", "noise_floor"})  # gone where a constant gain is, but for rounding and dither


class Named(Settings):
    """What features of all kinds have."""

    name: Execution[FolderName] = Field(description="the folder below the data directory")

    @property
    def removes(self) -> frozenset[str]:
        """Names of nuisances (features/nuisance.py) that the features of a recording do not depend on."""
        return FILE


class Spectrogram(Named):
    """Kaldi's log power spectrogram, less its sliding mean (features/spectrogram.py, features/kaldi.py)."""

    kind: Literal["spectrogram"]
    conf: Execution[str] = Field(description="Kaldi options, relative to conf/; their content is recorded")
    backend: Execution[Literal["auto", "kaldi", "native"]] = Field(
        description="auto: Kaldi where it is installed, else our extractor; the one that was used is recorded"
    )
    cmn_window: PositiveInt | None = Field(description="frames of the sliding mean; null: it is not subtracted")
    norm_vars: bool = Field(description="divide by the sliding deviation as well")

    @property
    def removes(self) -> frozenset[str]:
        return FILE | {"offset"} | (GAIN if self.cmn_window else set())  # Kaldi removes the mean of every frame


class LogMagnitude(Named, LogMagnitudeOptions):
    """A log magnitude spectrum with a fine frequency grid (features/log_magnitude.py)."""

    kind: Literal["log_magnitude"]


class Cqcc(Named, CqccOptions):
    """Constant-Q cepstral coefficients (features/cqcc.py)."""

    kind: Literal["cqcc"]

    @property
    def removes(self) -> frozenset[str]:
        return FILE | {"offset"} | (GAIN if self.cmvn else set())  # the lowest bin is above 0 Hz


class Lfcc(Named, LfccOptions):
    """Linear-frequency cepstral coefficients (features/lfcc.py)."""

    kind: Literal["lfcc"]

    @property
    def removes(self) -> frozenset[str]:
        return FILE | (GAIN if self.cmvn else set())


class QLog(Named, QLogOptions):
    """Spectra normalised in the q-logarithm domain (features/qlog.py)."""

    kind: Literal["qlog"]

    @property
    def removes(self) -> frozenset[str]:
        return FILE | GAIN  # spectra are divided by their mean


class Modulation(Named, ModulationOptions):
    """Modulation dynamic features (features/modulation.py)."""

    kind: Literal["modulation"]

    @property
    def removes(self) -> frozenset[str]:
        return FILE | (GAIN if self.cmvn or self.statistic == "centroid" else set())


class Mfcc(Named):
    """Mel-frequency cepstra, which only Kaldi's programs compute (features/kaldi.py)."""

    kind: Literal["mfcc"]
    conf: Execution[str] = Field(
        description="options of compute-mfcc-feats, relative to conf/; their content is recorded"
    )
    deltas: NonNegativeInt = Field(description="0: none, 1: deltas, 2: deltas and delta-deltas")
    delta_window: PositiveInt = Field(description="frames to each side")
    cmn_window: PositiveInt | None = Field(description="frames of the sliding mean; null: it is not subtracted")
    norm_vars: bool = Field(description="divide by the sliding deviation as well")

    @property
    def removes(self) -> frozenset[str]:
        return FILE | (GAIN if self.cmn_window else set())


class Waveform(Named):
    """The samples themselves, whitened (features/waveform.py)."""

    kind: Literal["waveform"]
    sample_rate: PositiveInt = Field(default=16000, description="Hz")

    @property
    def removes(self) -> frozenset[str]:
        return FILE | GAIN | {"offset"}


Features = Annotated[
    Spectrogram | LogMagnitude | Cqcc | Lfcc | QLog | Modulation | Mfcc | Waveform, Field(discriminator="kind")
]
