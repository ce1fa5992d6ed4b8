"""Recordings of any rate, sample format and number of channels, as the front ends take them."""

from pathlib import Path

import numpy as np
import soundfile
import soxr

from afn.common.errors import UserError
from afn.features import audio
from afn.features.waveform import FULL_SCALE

MOST_CLIPPED = 0.01  # of the samples; more means that they are not between -1 and 1


def read(path: Path, sample_rate: int, channel: int | None = None) -> tuple[np.ndarray, list[str]]:
    """A recording as one channel of 16-bit samples at `sample_rate` Hz.

    What is 16-bit PCM, mono and at that rate already passes through `audio.read`, as in stage -1. Anything else that
    soundfile reads is converted.

    Args:
        path: the recording.
        sample_rate: Hz.
        channel: which channel of several, 1 for the first.

    Returns:
        int16[N], and what was done to the recording, in words.

    Raises:
        UserError: for an unreadable, truncated or empty file, for NaN, infinity or another scale than -1 … 1, and for
            several channels of which none is chosen, or one that is not there.
    """
    if not path.is_file():  # a named pipe would be waited for without end
        raise UserError(f"{path}: {'not a plain file' if path.exists() else 'no such recording'}")
    try:
        info = soundfile.info(str(path))
        if channel is not None and not 1 <= channel <= info.channels:
            raise UserError(f"{path}: has {_channels(info.channels)}; mend --channel {channel}")
        if (info.samplerate, info.channels, info.subtype) == (sample_rate, 1, "PCM_16"):
            return audio.read(path, sample_rate), []
        if channel is None and info.channels > 1:
            raise UserError(f"{path}: has {info.channels} channels; choose one with --channel N, 1 for the first")
        with soundfile.SoundFile(str(path)) as file:
            samples = file.read(dtype="float32", always_2d=True)[:, (channel or 1) - 1]
    except audio.UNREADABLE as error:
        raise UserError(f"{path}: not a readable recording ({' '.join(str(error).split())})") from None
    audio.check_length(path)
    if len(samples) != info.frames:
        raise UserError(f"{path}: holds {len(samples)} of the {info.frames} samples its header promises")
    if not len(samples):
        raise UserError(f"{path}: holds no samples")
    if not np.isfinite(samples).all():
        raise UserError(f"{path}: holds samples that are NaN or infinite; mend the recording")
    notes = [f"channel {channel} of {info.channels}"] if info.channels > 1 else []
    if info.samplerate != sample_rate:
        samples = soxr.resample(samples, info.samplerate, sample_rate, quality="VHQ")
        silent = f" (nothing above {info.samplerate // 2} Hz)" if info.samplerate < sample_rate else ""
        notes.append(f"{info.samplerate} Hz resampled to {sample_rate} Hz{silent}")
    if info.subtype != "PCM_16":
        notes.append(f"{info.subtype} samples rounded to 16 bits")
    samples = np.rint(samples * FULL_SCALE)
    if clipped := np.count_nonzero(np.abs(samples) > FULL_SCALE):
        if clipped > MOST_CLIPPED * len(samples):
            raise UserError(f"{path}: {clipped} of {len(samples)} samples exceed full scale; scale it to -1 … 1 first")
        notes.append(f"{clipped} samples clipped")
    return np.clip(samples, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16), notes


def _channels(count: int) -> str:
    return f"{count} channels" if count > 1 else "one channel"
