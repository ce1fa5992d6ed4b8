"""Kaldi option files for the spectrogram: the options of compute-spectrogram-feats that our extractor knows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from afn.common.errors import UserError

WINDOWS = ("povey", "hamming", "hanning", "sine", "rectangular", "blackman")


@dataclass(frozen=True)
class SpectrogramOptions:
    """Options of compute-spectrogram-feats with Kaldi's names and defaults (feat/feature-window.h, -spectrogram.h)."""

    sample_frequency: float = 16000.0  # Hz
    frame_length: float = 25.0  # ms
    frame_shift: float = 10.0  # ms
    dither: float = 1.0  # standard deviation of the added noise, in 16-bit steps
    preemphasis_coefficient: float = 0.97
    remove_dc_offset: bool = True
    window_type: str = "povey"
    blackman_coeff: float = 0.42
    round_to_power_of_two: bool = True
    snip_edges: bool = True
    energy_floor: float = 0.0
    raw_energy: bool = True

    @property
    def length(self) -> int:
        """Samples per frame."""
        return int(self.sample_frequency * 0.001 * self.frame_length)

    @property
    def shift(self) -> int:
        """Samples from frame to frame."""
        return int(self.sample_frequency * 0.001 * self.frame_shift)

    @property
    def fft_size(self) -> int:
        return 1 << (self.length - 1).bit_length() if self.round_to_power_of_two else self.length

    @property
    def bins(self) -> int:
        return self.fft_size // 2 + 1

    def frames(self, samples: int) -> int:
        """The number of frames of a recording of `samples` samples."""
        if self.snip_edges:
            return 0 if samples < self.length else 1 + (samples - self.length) // self.shift
        return (samples + self.shift // 2) // self.shift


def read(path: Path | str) -> SpectrogramOptions:
    """The options in a Kaldi option file; errors as for `lines` and `parse`."""
    return parse(lines(path), path)


def parse(given: Sequence[str], path: Path | str = "Kaldi's options") -> SpectrogramOptions:
    """The options in the lines of a Kaldi option file: `--name=value`, comments after `#`. `path` names the file.

    Raises UserError for a malformed line, a value of a wrong type or an option that our extractor does not know.
    """
    known = {field.name.replace("_", "-"): field for field in fields(SpectrogramOptions)}
    values: dict[str, Any] = {}
    for number, line in enumerate(given, 1):
        line = line.partition("#")[0].strip()
        if not line:
            continue
        name, equals, text = line.removeprefix("--").partition("=")
        if not line.startswith("--"):
            raise UserError(f"{path}:{number}: {line!r} is not an option; write --name=value")
        if name not in known:
            raise UserError(
                f"{path}:{number}: our extractor does not know Kaldi's option --{name}; take it out, or use the kaldi "
                f"backend (it knows: {', '.join(known)})"
            )
        text = text.strip() if equals else "true"  # Kaldi's --flag
        values[known[name].name] = _value(known[name].type, text, f"{path}:{number}: --{name}")
    return _checked(SpectrogramOptions(**values), path)


def lines(path: Path | str) -> list[str]:
    """The lines of an option file; UserError if it is missing."""
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file. Change features.conf.") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a text file. Change features.conf.") from None


def _value(kind: object, text: str, where: str) -> float | bool | str:
    if kind in (bool, "bool"):
        if text in ("true", "false"):
            return text == "true"
        raise UserError(f"{where}={text}: must be true or false")
    if kind in (float, "float"):
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise UserError(f"{where}={text}: must be a number")
        return number
    return text


def _checked(options: SpectrogramOptions, path: Path | str) -> SpectrogramOptions:
    if options.window_type not in WINDOWS:
        raise UserError(f"{path}: --window-type={options.window_type}: must be one of {', '.join(WINDOWS)}")
    if not (options.length >= 2 and options.shift >= 1):
        raise UserError(f"{path}: frames of {options.length} samples every {options.shift}: too short")
    if not (options.dither >= 0 and 0 <= options.preemphasis_coefficient <= 1):
        raise UserError(f"{path}: --dither may not be negative and --preemphasis-coefficient lies between 0 and 1")
    return options
