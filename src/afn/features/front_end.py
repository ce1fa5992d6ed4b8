"""From a recording to its features: what settings describe, as a function of samples.

A description is what decides the features, as plain values: the settings without the name of their folder, the program
that computes them, and the content of Kaldi's option file. Stage -1 records it beside the features, and a training
records it beside the model. Training and the scoring of single recordings build their front end from a description, so
that both pass through the same function.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import numpy as np
import soundfile

from afn.common import config
from afn.common.errors import UserError
from afn.common.paths import ROOT
from afn.features import kaldi, kaldi_options
from afn.features.cmvn import sliding_cmvn
from afn.features.cqcc import cqcc
from afn.features.kaldi_options import SpectrogramOptions
from afn.features.lfcc import lfcc
from afn.features.log_magnitude import log_magnitude
from afn.features.modulation import modulation_cepstra
from afn.features.qlog import qlog_spectrum
from afn.features.settings import Features, Mfcc, Spectrogram
from afn.features.spectrogram import log_spectrogram, log_spectrogram_stretches
from afn.features.waveform import whitened

CONF = ROOT / "conf"
# Raised whenever the same settings give other features: existing ones are then extracted again.
VERSION = 2
STRETCH = 4096  # frames of a long recording that are worked on at a time, a multiple of spectrogram.BLOCK

# kind -> the function of samples int16[N] and settings that gives float[T × D]
FUNCTIONS: dict[str, Callable[[np.ndarray, Any], np.ndarray]] = {
    "log_magnitude": log_magnitude,
    "cqcc": cqcc,
    "lfcc": lfcc,
    "qlog": qlog_spectrum,
    "modulation": modulation_cepstra,
    "waveform": lambda samples, _: whitened(samples),
}


class FrontEnd(Protocol):
    """From a recording to its features. It can be sent to worker processes."""

    @property
    def sample_rate(self) -> int:
        """The sampling rate in Hz that recordings must have."""
        ...

    def __call__(self, utt: str, samples: np.ndarray) -> np.ndarray:
        """int16[N] to float32[T × D]; the utterance id seeds dither. UserError if there is not a single frame."""
        ...


def describe(settings: Features, backend: str | None = None) -> dict[str, Any]:
    """The description of the features that `settings` mean on this machine.

    `backend: auto` is resolved: to `backend`, the one that has made existing features, else to Kaldi where all its
    programs are found. Raises UserError for a bad option file and, unless `backend` is given, where Kaldi is asked for
    but not installed.
    """
    found = config.plain(settings)
    del found["name"]
    option_file = found.pop("conf", None)
    if backend is None:
        backend = _backend(settings)
    elif isinstance(settings, Spectrogram) and settings.backend != "auto":
        backend = settings.backend
    found["backend"] = backend
    if backend == "native":
        found["extractor"] = VERSION
    if isinstance(settings, Spectrogram) and backend == "native":
        found["options"] = asdict(kaldi_options.read(CONF / option_file))
    elif option_file is not None:
        found["options"] = kaldi_options.lines(CONF / option_file)
    return found


def _backend(settings: Features) -> str:
    if isinstance(settings, Mfcc):
        kaldi.require(kaldi.commands_for(config.plain(settings), CONF / settings.conf))
        return "kaldi"
    if not isinstance(settings, Spectrogram):
        return "native"  # Kaldi has no such features
    if settings.backend == "auto":
        return "kaldi" if len(kaldi.find()) == len(kaldi.PROGRAMS) else "native"
    if settings.backend == "kaldi":
        kaldi.require()
    return settings.backend


def from_description(description: Mapping[str, Any]) -> FrontEnd:
    """The front end of a description: our extractor, or Kaldi's programs if they made the features.

    Raises UserError for a malformed description, and where Kaldi is needed but not installed.
    """
    if description.get("backend") == "kaldi":
        front_end = KaldiFrontEnd(description)
        kaldi.require(kaldi.commands_for(description, Path()))
        return front_end
    return native(description)


def native(description: Mapping[str, Any]) -> FrontEnd:
    """Our extractor for a description, also for one that Kaldi's programs have made.

    Raises UserError for a malformed description, options that our extractor does not know, and MFCC.
    """
    kind = description.get("kind")
    if kind == "mfcc":
        raise UserError("features of kind mfcc: only Kaldi computes them. Install Kaldi, or choose other features.")
    try:
        if kind == "spectrogram":
            options = description["options"]
            known = SpectrogramOptions(**options) if isinstance(options, Mapping) else kaldi_options.parse(options)
            return SpectrogramFrontEnd(known, description["cmn_window"], description["norm_vars"])
        rest = {name: value for name, value in description.items() if name not in ("backend", "extractor")}
        return PlainFrontEnd(config.build(Features, {**rest, "name": "recorded"}, "the description of the features"))
    except (KeyError, TypeError) as error:
        raise UserError(f"the description of the features is incomplete ({error}). Run stage -1 again.") from None


@dataclass(frozen=True)
class SpectrogramFrontEnd:
    """Kaldi's log power spectrogram, less its sliding mean: int16[N] to float32[T × bins]."""

    options: SpectrogramOptions
    cmn_window: int | None
    norm_vars: bool

    @property
    def sample_rate(self) -> int:
        return int(self.options.sample_frequency)

    def frames(self, samples: np.ndarray) -> int:
        """The number of frames T of a recording. UserError if there is not a single one."""
        count = self.options.frames(len(samples))
        if count < 1:
            raise UserError(f"{len(samples)} samples are too few for one frame. Remove the recording from the list.")
        return count

    def __call__(self, utt: str, samples: np.ndarray) -> np.ndarray:
        self.frames(samples)
        return self._normalised(log_spectrogram(samples, self.options, utt))

    def stretches(self, utt: str, samples: np.ndarray) -> Iterator[np.ndarray]:
        """The rows of `self(utt, samples)`, equal to rounding, some at a time: an hour takes little memory."""
        self.frames(samples)
        window = self.cmn_window or 0
        held, begin = np.empty((0, self.options.bins), dtype=np.float32), 0  # begin: the first row not given yet
        for stretch in log_spectrogram_stretches(samples, self.options, utt, STRETCH):
            held = np.concatenate([held, stretch])
            end = len(held) - window  # rows from here on need frames that follow
            if end > begin:
                yield self._normalised(held)[begin:end]
                cut = max(end - window, 0)
                held, begin = held[cut:], end - cut
        if len(held) > begin:
            yield self._normalised(held)[begin:]

    def _normalised(self, features: np.ndarray) -> np.ndarray:
        return features if self.cmn_window is None else sliding_cmvn(features, self.cmn_window, self.norm_vars)


@dataclass(frozen=True)
class PlainFrontEnd:
    """One of FUNCTIONS with its settings: int16[N] to float32[T × D]."""

    settings: Any

    @property
    def sample_rate(self) -> int:
        return int(self.settings.sample_rate)

    def __call__(self, utt: str, samples: np.ndarray) -> np.ndarray:
        return FUNCTIONS[self.settings.kind](samples, self.settings).astype(np.float32, copy=False)


@dataclass(frozen=True)
class KaldiFrontEnd:
    """Kaldi's programs, as a description records them: on one recording, or on a list of them."""

    description: Mapping[str, Any]

    @property
    def sample_rate(self) -> int:
        given = [line.partition("#")[0].partition("=") for line in self.description["options"]]
        rates = [value for name, _, value in given if name.strip() == "--sample-frequency"]
        return int(float(rates[-1])) if rates else 16000  # Kaldi's default

    def __call__(self, utt: str, samples: np.ndarray) -> np.ndarray:
        """int16[N] to float32[T × bins]. Kaldi's dither is random: `utt` does not seed it."""
        with TemporaryDirectory() as name:
            wav = Path(name) / "recording.wav"
            soundfile.write(wav, samples, self.sample_rate, subtype="PCM_16")
            ((_, matrix),) = self.extract([("recording", str(wav))], Path(name))
            return matrix

    def extract(self, recordings: Sequence[tuple[str, str]], directory: Path) -> Iterator[tuple[str, np.ndarray]]:
        """`(utterance, float32[T × D])` for every `(utterance, wav file)`; temporary files go below `directory`.

        Errors as for `kaldi.extract`.
        """
        with TemporaryDirectory() as name:
            conf = Path(name) / "options.conf"
            conf.write_text("".join(f"{line}\n" for line in self.description["options"]), encoding="utf-8")
            yield from kaldi.extract(recordings, kaldi.commands_for(self.description, conf), directory)
