"""The one reader of recordings: strict for corpora, converting for single recordings and for source audio."""

import os
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

from afn.common import files
from afn.common.errors import UserError
from afn.features.waveform import FULL_SCALE

STREAMED = 0x7FFFF000  # bytes; a header with this length or more was written by a program that did not know it
# What soundfile raises; the last two for names from which it concludes that a recording has no header
UNREADABLE = (soundfile.LibsndfileError, OSError, TypeError, ValueError)
FETCH = "Get the file again."
MAX_CLIPPED = 0.01  # of the samples; with more of them the scale is not -1 ... 1


def inspect(path: Path | str, sample_rate: int) -> int:
    """The number of samples of a recording, from its header alone.

    Raises UserError unless the file is readable, whole, mono, 16-bit PCM, at `sample_rate` Hz and not empty.
    """
    with _opened(path) as file:
        _check_form(path, file, sample_rate)
        count: int = file.frames
    check_length(path)
    return count


def read(path: Path | str, sample_rate: int) -> np.ndarray:
    """The samples of a recording: int16[N].

    Raises UserError unless the file is readable, whole, mono, 16-bit PCM, at `sample_rate` Hz and not empty.
    """
    with _opened(path) as file:
        _check_form(path, file, sample_rate)
        samples: np.ndarray = file.read(dtype="int16")
        _check_whole(path, samples, file.frames)
    return samples


def convert(path: Path | str, sample_rate: int, channel: int | None = None) -> tuple[np.ndarray, list[str]]:
    """A recording of any rate, sample format and number of channels as 16-bit samples at `sample_rate` Hz.

    A file that `read` accepts passes through `read`, as in stage -1. Any other that soundfile reads is converted.

    Args:
        path: the recording.
        sample_rate: Hz.
        channel: which channel of several, 1 for the first.

    Returns:
        int16[N], and what was done to the recording, in words.

    Raises:
        UserError: for an unreadable, truncated or empty file, for NaN, infinity or another scale than -1 ... 1, for
            several channels if none is chosen, and for a channel that does not exist.
    """
    with _opened(path) as file:
        rate, channels, subtype = file.samplerate, file.channels, file.subtype
        if channel is not None and not 1 <= channel <= channels:
            raise UserError(f"{path}: has {_channels(channels)}. Correct --channel {channel}.")
        if (rate, channels, subtype) == (sample_rate, 1, "PCM_16"):
            return read(path, sample_rate), []
        if channel is None and channels > 1:
            raise UserError(f"{path}: has {channels} channels. Choose one with --channel N, 1 for the first.")
        samples = _samples(path, file, "float32", (channel or 1) - 1)
    notes = [f"channel {channel} of {channels}"] if channels > 1 else []
    if rate != sample_rate:
        samples = resample(samples, rate, sample_rate)
        silent = f" (nothing above {rate // 2} Hz)" if rate < sample_rate else ""
        notes.append(f"{rate} Hz resampled to {sample_rate} Hz{silent}")
    if subtype != "PCM_16":
        notes.append(f"{subtype} samples rounded to 16 bits")
    samples = np.rint(samples * FULL_SCALE)
    if clipped := np.count_nonzero(np.abs(samples) > FULL_SCALE):
        if clipped > MAX_CLIPPED * len(samples):
            raise UserError(f"{path}: {clipped} of {len(samples)} samples exceed full scale. Scale it to -1 ... 1.")
        notes.append(f"{clipped} samples clipped")
    return np.clip(samples, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16), notes


def source(path: Path | str, sample_rate: int) -> np.ndarray:
    """The first channel of a recording of any form at `sample_rate` Hz, unrounded: float64[N], about ±1.

    Raises UserError for an unreadable, truncated or empty file, and for NaN or infinity.
    """
    with _opened(path) as file:
        samples = _samples(path, file, "float64", 0)
        rate = file.samplerate
    return resample(samples, rate, sample_rate)


def resample(samples: np.ndarray, rate: int, sample_rate: int) -> np.ndarray:
    """`samples` (float[N] at `rate` Hz) at `sample_rate` Hz, by soxr at its very high quality."""
    if rate == sample_rate:
        return samples
    import soxr  # here: recordings of a corpus are never resampled

    resampled: np.ndarray = soxr.resample(samples, rate, sample_rate, quality="VHQ")
    return resampled


def write(path: Path | str, samples: np.ndarray, sample_rate: int) -> None:
    """Write int16[N] as a mono wav file, whole or not at all."""
    # Not by soundfile: inside its callbacks neither a full disk nor an interruption can be raised.
    with files.whole(path, "wb") as file, wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(sample_rate)
        wav.writeframes(np.ascontiguousarray(samples, dtype="<i2").tobytes())


def check_length(path: Path | str) -> None:
    """Raise UserError for a wav file that was cut short; libsndfile would read the rest as if it were the whole."""
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
                    raise UserError(f"{path}: holds {there} of the {length} bytes its header promises. {FETCH}")
                return
            file.seek(length + length % 2, 1)  # chunks start at even places


def float_as_int16(path: Path | str, sample_rate: int) -> np.ndarray | None:
    """The samples, int16[N], of a mono recording that holds 16-bit samples as floats without loss; None of any other.

    Raises UserError for a file that is unreadable or cut short.
    """
    with _opened(path) as file:
        if file.subtype not in ("FLOAT", "DOUBLE") or (file.samplerate, file.channels) != (sample_rate, 1):
            return None
        scaled = file.read(dtype="float64") * FULL_SCALE
    if not len(scaled) or not np.isfinite(scaled).all():
        return None
    samples: np.ndarray = np.clip(scaled, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    if not np.array_equal(samples, scaled):
        return None
    check_length(path)
    return samples


@contextmanager
def _opened(path: Path | str) -> Iterator[soundfile.SoundFile]:
    """The recording, open; soundfile's errors become UserErrors."""
    try:
        if Path(path).exists() and not Path(path).is_file():  # reading a named pipe would wait forever
            raise OSError("not a plain file")
        with soundfile.SoundFile(os.fsencode(path)) as file:
            yield file
    except UNREADABLE as error:
        raise UserError(f"{path}: {_why_unreadable(Path(path), error)}") from None


def _samples(path: Path | str, file: soundfile.SoundFile, kind: str, channel: int) -> np.ndarray:
    """All samples of a channel, which must be whole, finite and at least one."""
    samples: np.ndarray = file.read(dtype=kind, always_2d=True)[:, channel]
    _check_whole(path, samples, file.frames)
    if not len(samples):
        raise UserError(f"{path}: holds no samples. Remove it or get it again.")
    if not np.isfinite(samples).all():
        raise UserError(f"{path}: holds samples that are NaN or infinite. Repair the recording.")
    return samples


def _check_whole(path: Path | str, samples: np.ndarray, promised: int) -> None:
    check_length(path)
    if len(samples) != promised:
        raise UserError(f"{path}: holds {len(samples)} of the {promised} samples its header promises. {FETCH}")


def _check_form(path: Path | str, file: soundfile.SoundFile, sample_rate: int) -> None:
    wrong = []
    if file.samplerate != sample_rate:
        wrong.append(f"{file.samplerate} Hz instead of {sample_rate} Hz")
    if file.channels != 1:
        wrong.append(f"{file.channels} channels instead of one")
    if file.subtype != "PCM_16":
        wrong.append(f"{file.subtype} samples instead of 16-bit PCM")
    if wrong:
        raise UserError(f"{path}: {', '.join(wrong)}. Convert it first.")
    if file.frames == 0:
        raise UserError(f"{path}: holds no samples. Remove it or get it again.")


def _why_unreadable(path: Path, error: Exception) -> str:
    if not path.exists():
        return "no such recording. Correct its path."
    if path.is_file() and path.stat().st_size == 0:
        return f"an empty file. {FETCH}"
    return f"not a readable recording ({' '.join(str(error).split()).rstrip('.')}). {FETCH}"


def _channels(count: int) -> str:
    return f"{count} channels" if count > 1 else "one channel"
