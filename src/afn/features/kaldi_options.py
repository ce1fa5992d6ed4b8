"""Kaldi option files for the spectrogram: the options of compute-spectrogram-feats that our extractor knows."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from afn.common import tables
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
        where, line = f"{path}:{number}", line.partition("#")[0].strip()
        if not line:
            continue
        name, equals, text = line.removeprefix("--").partition("=")
        if not line.startswith("--"):
            raise UserError(f"{where}: {line!r} is not an option. Write --name=value.")
        if name not in known:
            raise UserError(
                f"{where}: our extractor does not know Kaldi's option --{name}. Remove it, or use the kaldi backend "
                f"(known options: {', '.join(known)})."
            )
        field, text = known[name], text.strip() if equals else "true"  # Kaldi's --flag
        if isinstance(field.default, bool) and text not in ("true", "false"):
            raise UserError(f"{where}: --{name}={text}. Write true or false.")
        if isinstance(field.default, bool):
            values[field.name] = text == "true"
        else:
            is_number = isinstance(field.default, float)
            values[field.name] = tables.number(text, f"{where}: --{name}") if is_number else text
    options = SpectrogramOptions(**values)
    if options.window_type not in WINDOWS:
        raise UserError(f"{path}: --window-type={options.window_type}. Choose one of {', '.join(WINDOWS)}.")
    if not (options.length >= 2 and options.shift >= 1):
        raise UserError(
            f"{path}: frames of {options.length} samples every {options.shift} are too short. Lengthen them."
        )
    if not (options.dither >= 0 and 0 <= options.preemphasis_coefficient <= 1):
        raise UserError(f"{path}: --dither may not be negative. --preemphasis-coefficient lies between 0 and 1.")
    return options


def lines(path: Path | str) -> list[str]:
    """The lines of an option file; UserError if it is missing."""
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file. Change features.conf.") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a text file. Change features.conf.") from None
