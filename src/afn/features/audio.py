"""Recordings as Kaldi hears them: one channel of 16-bit samples."""

import wave
from pathlib import Path

import numpy as np
import soundfile

from afn.common import files
from afn.common.errors import UserError

STREAMED = 0x7FFFF000  # bytes; from here on a length in a header was written by a program that did not know it
# soundfile's, the last two of names from which it takes a recording for headerless
UNREADABLE = (soundfile.LibsndfileError, OSError, TypeError, ValueError)


def inspect(path: Path | str, sample_rate: int) -> int:
    """The number of samples of a recording, from its header alone.

    Raises UserError unless the file is readable, whole, mono, 16-bit PCM, at `sample_rate` Hz and not empty.
    """
    try:
        info = soundfile.info(regular(path))
    except UNREADABLE as error:
        raise UserError(f"{path}: {_why_unreadable(Path(path), error)}") from None
    _check(path, info.samplerate, info.channels, info.subtype, info.frames, sample_rate)
    check_length(path)
    return info.frames


def read(path: Path | str, sample_rate: int) -> np.ndarray:
    """The samples of a recording: int16[N].

    Raises UserError unless the file is readable, whole, mono, 16-bit PCM, at `sample_rate` Hz and not empty.
    """
    try:
        with soundfile.SoundFile(regular(path)) as file:
            _check(path, file.samplerate, file.channels, file.subtype, file.frames, sample_rate)
            samples = file.read(dtype="int16")
            promised = file.frames
    except UNREADABLE as error:
        raise UserError(f"{path}: {_why_unreadable(Path(path), error)}") from None
    check_length(path)
    if len(samples) != promised:
        raise UserError(f"{path}: holds {len(samples)} of the {promised} samples its header promises; fetch it again")
    return samples


def write(path: Path | str, samples: np.ndarray, sample_rate: int) -> None:
    """Write int16[N] as a mono wav file, whole or not at all."""
    # Not by soundfile: inside its callbacks neither a full disk nor an interruption can be raised.
    with files.whole(path, "wb") as file, wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(sample_rate)
        wav.writeframes(np.ascontiguousarray(samples, dtype="<i2").tobytes())


def regular(path: Path | str) -> str:
    """`path` as text; raises OSError where no plain file is: a named pipe would be waited for without end."""
    if Path(path).exists() and not Path(path).is_file():
        raise OSError("not a plain file")
    return str(path)


def _check(path: Path | str, rate: int, channels: int, subtype: str, frames: int, sample_rate: int) -> None:
    wrong = []
    if rate != sample_rate:
        wrong.append(f"{rate} Hz instead of {sample_rate} Hz")
    if channels != 1:
        wrong.append(f"{channels} channels instead of one")
    if subtype != "PCM_16":
        wrong.append(f"{subtype} samples instead of 16-bit PCM")
    if wrong:
        raise UserError(f"{path}: {', '.join(wrong)}; convert it first")
    if frames == 0:
        raise UserError(f"{path}: holds no samples; take it out or fetch it again")


def _why_unreadable(path: Path, error: Exception) -> str:
    if not path.exists():
        return "no such recording"
    if path.is_file() and path.stat().st_size == 0:
        return "an empty file; fetch it again"
    return f"not a readable recording ({' '.join(str(error).split())}); fetch it again"


def check_length(path: Path | str) -> None:
    """Raise UserError for a wav file that was cut short; libsndfile would take what is left for the whole."""
    path = Path(path)
    with path.open("rb") as file:
        if file.read(4) != b"RIFF":
            return
        file.seek(12)
        while len(chunk := file.read(8)) == 8:
            length = int.from_bytes(chunk[4:], "little")
            if chunk[:4] == b"data":
                there = path.stat().st_size - file.tell()
                if there < length < STREAMED:
                    raise UserError(f"{path}: holds {there} of the {length} bytes it promises; fetch it again")
                return
            file.seek(length + length % 2, 1)  # chunks start at even places
