"""Front ends as the record of extracted features describes them, not as the settings in conf/ have become since.

Stage -1 writes the record beside the features: the row's `features`, the backend, and the content of Kaldi's option
file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import soundfile

import config
from features import kaldi
from features.native import FrontEnd
from systems import front_end as front_ends
from systems.settings import Features, Spectrogram

ADDED = ("backend", "options", "made_from")  # what a record holds besides the settings; `backend` is one of them too
CONF = "options.conf"


def front_end(description: Mapping[str, Any], where: str = "features") -> FrontEnd:
    """Our own extractor, as a features' record describes it; `where` names the record in messages.

    Raises UserError for a malformed record, or Kaldi options that our extractor does not know.
    """
    settings = _settings(description, where)
    if not isinstance(settings, Spectrogram):
        return front_ends.front_end(settings, Path())
    with TemporaryDirectory() as folder:
        _write_options(Path(folder), description)
        return front_ends.front_end(replace(settings, conf=CONF), Path(folder))


def by_kaldi(description: Mapping[str, Any]) -> bool:
    """Whether the features were extracted by Kaldi's programs."""
    return description.get("backend") == "kaldi"


def kaldi_installed() -> bool:
    return len(kaldi.find()) == len(kaldi.PROGRAMS)


@dataclass(frozen=True)
class KaldiFrontEnd:
    """Kaldi's own programs on one recording at a time, as a features' record describes them."""

    description: Mapping[str, Any]
    where: str = "features"

    @property
    def sample_rate(self) -> int:
        given = [line.partition("#")[0].partition("=") for line in self.description["options"]]
        rates = [value for name, _, value in given if name.strip() == "--sample-frequency"]
        return int(float(rates[-1])) if rates else 16000  # Kaldi's default

    def __call__(self, utt: str, samples: np.ndarray) -> np.ndarray:
        """int16[N] to float32[T × bins]. Kaldi's dither is random, so that `utt` decides nothing."""
        settings = _settings(self.description, self.where)
        with TemporaryDirectory() as name:
            folder = Path(name)
            _write_options(folder, self.description)
            soundfile.write(folder / "recording.wav", samples, self.sample_rate, subtype="PCM_16")
            recording = [("recording", str(folder / "recording.wav"))]
            commands = front_ends.kaldi_commands(replace(settings, conf=CONF), folder)
            ((_, matrix),) = kaldi.extract(recording, commands, 1, folder)
            return matrix


def _settings(description: Mapping[str, Any], where: str) -> Features:
    settings = {name: value for name, value in description.items() if name not in ADDED}
    if description.get("kind") == "spectrogram":
        settings["backend"] = description.get("backend")
    return config.build(Features, settings, where)


def _write_options(folder: Path, description: Mapping[str, Any]) -> None:
    """Kaldi's option file: the lines that Kaldi was given, or the values that our extractor took."""
    options = description.get("options") or []
    if isinstance(options, Mapping):
        text = {name: str(value).lower() if isinstance(value, bool) else value for name, value in options.items()}
        options = [f"--{name.replace('_', '-')}={value}" for name, value in text.items()]
    (folder / CONF).write_text("".join(f"{line}\n" for line in options), encoding="utf-8")
