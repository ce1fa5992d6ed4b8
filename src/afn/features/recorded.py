"""Front ends as the record of extracted features describes them, not as the settings in conf/ have become since.

Stage -1 writes the record beside the features: the row's `features`, the backend, and the content of Kaldi's option
file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import soundfile

from afn.common import config
from afn.features import front_end as front_ends
from afn.features import kaldi
from afn.features.native import FrontEnd
from afn.features.settings import Features

ADDED = ("backend", "extractor", "options", "made_from")  # what a record holds besides the settings
CONF = "options.conf"


def front_end(description: Mapping[str, Any]) -> FrontEnd:
    """Our own extractor, as a features' record describes it.

    Raises UserError for a malformed record, Kaldi options that our extractor does not know, and features that only
    Kaldi computes.
    """
    with TemporaryDirectory() as folder:
        return front_ends.front_end(_settings(description, Path(folder)), Path(folder))


def by_kaldi(description: Mapping[str, Any]) -> bool:
    """Whether the features were extracted by Kaldi's programs."""
    return description.get("backend") == "kaldi"


@dataclass(frozen=True)
class KaldiFrontEnd:
    """Kaldi's own programs on one recording at a time, as a features' record describes them."""

    description: Mapping[str, Any]

    def require(self) -> None:
        """Raise UserError unless all the programs are installed."""
        with TemporaryDirectory() as folder:
            kaldi.require(self._commands(Path(folder)))

    @property
    def sample_rate(self) -> int:
        given = [line.partition("#")[0].partition("=") for line in self.description["options"]]
        rates = [value for name, _, value in given if name.strip() == "--sample-frequency"]
        return int(float(rates[-1])) if rates else 16000  # Kaldi's default

    def __call__(self, utt: str, samples: np.ndarray) -> np.ndarray:
        """int16[N] to float32[T × bins]. Kaldi's dither is random, so that `utt` decides nothing."""
        with TemporaryDirectory() as name:
            wav = Path(name) / "recording.wav"
            soundfile.write(wav, samples, self.sample_rate, subtype="PCM_16")
            commands = self._commands(Path(name))
            ((_, matrix),) = kaldi.extract([("recording", str(wav))], commands, 1, Path(name))
            return matrix

    def _commands(self, folder: Path) -> kaldi.Commands:
        return front_ends.kaldi_commands(_settings(self.description, folder), folder)


def _settings(description: Mapping[str, Any], folder: Path) -> Features:
    """The settings in a record; where they name a file of Kaldi's options, it is written into `folder`."""
    settings = {name: value for name, value in description.items() if name not in ADDED}
    if description.get("kind") == "spectrogram":  # whose settings have a backend too
        settings["backend"] = description.get("backend")
    if "options" in description:
        settings["conf"] = CONF
        (folder / CONF).write_text("".join(f"{line}\n" for line in _lines(description["options"])), encoding="utf-8")
    return config.build(Features, settings, "the record of the features")


def _lines(options: Mapping[str, Any] | list[str]) -> list[str]:
    """Kaldi's option file: the lines that Kaldi was given, or the values that our extractor took."""
    if not isinstance(options, Mapping):
        return list(options)
    values = {name: str(value).lower() if isinstance(value, bool) else value for name, value in options.items()}
    return [f"--{name.replace('_', '-')}={value}" for name, value in values.items()]
