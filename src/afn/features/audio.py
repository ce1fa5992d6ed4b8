"""The one reader of recordings: any format, rate and number of channels becomes 16-bit samples at one rate."""

import os
import re
import shutil
import subprocess
import threading
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
import soundfile

from afn.common import files, paths
from afn.common.errors import UserError
from afn.features import containers
from afn.features.containers import FETCH, Container
from afn.features.waveform import FULL_SCALE

# What soundfile raises; TypeError where a file has no header that it knows
UNREADABLE = (soundfile.LibsndfileError, OSError, TypeError, ValueError)
SIMPLE = ("WAV", "WAVEX", "FLAC")  # the containers that Kaldi and our extractor read as they are
MAX_CLIPPED = 0.01  # of the samples of a floating-point file; with more of them the scale is not -1 ... 1
MAX_HOURS = 2.0  # of sound that is decoded at once: some GB of features
RATES = (4000, 768000)  # Hz; outside of these a header is wrong
OVERSHOOT = 0.5  # seconds that a segment may exceed its recording, as in Kaldi
BLOCK = 1 << 16  # frames decoded at a time
UNKNOWN = 1 << 62  # frames; libsndfile's length of a flac file whose header does not tell it
GAPLESS = 8192  # samples of an MP3 file, at most, that decoders leave out at its ends
CUT, CHANNEL, RESAMPLED, EXACT, ROUNDED, CLIPPED, UNFINISHED = (
    "cut from longer ones",
    "reduced to one channel",
    "resampled",
    "converted without loss",
    "converted",
    "clipped",
    "without a length in their headers",
)


@dataclass
class Opened:
    """A recording that is being decoded."""

    file: soundfile.SoundFile
    form: str  # of its samples, as PCM_24 or VORBIS, or what ffmpeg decodes
    simple: bool  # 16-bit samples in a container that is read as it is
    frames: int | None  # None: unknown until it is decoded
    slack: int = 0  # samples that may be fewer than `frames`
    seekable: bool = True
    unfinished: bool = False  # its header does not tell how long it is
    at_end: Callable[[], None] = lambda: None  # called when all is decoded: raises UserError if the decoder complains

    @property
    def rate(self) -> int:
        return int(self.file.samplerate)

    @property
    def channels(self) -> int:
        return int(self.file.channels)


class _Stream(soundfile.SoundFile):  # type: ignore[misc]
    """Read from the beginning to the end: soundfile would seek after every block, and stop where libsndfile guesses."""

    def seekable(self) -> bool:
        return False


def read(path: Path | str, sample_rate: int) -> np.ndarray:
    """The samples of a recording that needs no conversion: int16[N].

    Raises UserError unless the file is readable, whole, mono, 16-bit PCM, at `sample_rate` Hz and not empty.
    """
    with _opened(path) as recording:
        wrong = []
        if recording.rate != sample_rate:
            wrong.append(f"{recording.rate} Hz instead of {sample_rate} Hz")
        if recording.channels != 1:
            wrong.append(f"{recording.channels} channels instead of one")
        if recording.form != "PCM_16":
            wrong.append(f"{recording.form} samples instead of 16-bit PCM")
        if wrong:
            raise UserError(f"{path}: {', '.join(wrong)}. Convert it first.")
        return np.concatenate([np.zeros(0, np.int16), *_blocks(path, recording, "int16", 1)])


def convert(
    path: Path | str, sample_rate: int, channel: int | None = None, start: float | None = None, end: float | None = None
) -> tuple[np.ndarray, dict[str, str]]:
    """A recording of any form as 16-bit samples at `sample_rate` Hz.

    Args:
        path: the recording.
        sample_rate: Hz.
        channel: which channel of several, 1 for the first.
        start, end: the wanted part in seconds; None: from the beginning, to the end.

    Returns:
        int16[N], and what was done to the recording, the kind of change to a description; empty for a mono wav or flac
        file of 16-bit samples at `sample_rate` Hz, whose samples are those of the file.

    Raises UserError for an unreadable, truncated, empty or very long file, for NaN, infinity or another scale than
    -1 ... 1, for several channels if none is chosen, and for a channel or a part that does not exist.
    """
    with _opened(path) as recording:
        chosen = _channel(path, recording, channel)
        changes = {}
        if start is not None or end is not None:
            changes[CUT] = f"from {start or 0:g} s to {'the end' if end is None else f'{end:g} s'}"
        if recording.channels > 1:
            changes[CHANNEL] = f"channel {chosen} of {recording.channels}"
        if recording.unfinished:
            changes[UNFINISHED] = "its header does not tell its length; all that is there was taken"
        rate, form, simple = recording.rate, recording.form, recording.simple
        pieces, clipped, exact = [], 0, rate == sample_rate
        for piece in _resampled(_blocks(path, recording, "float64", chosen, start, end), rate, sample_rate):
            rounded = np.rint(piece := piece * FULL_SCALE)
            clipped += int(np.count_nonzero(np.abs(rounded) > FULL_SCALE))
            exact = exact and np.array_equal(rounded, piece)
            pieces.append(np.clip(rounded, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16))
    samples = np.concatenate(pieces)
    if rate != sample_rate:
        silent = f" (nothing above {rate // 2} Hz)" if rate < sample_rate else ""
        changes[RESAMPLED] = f"{rate} Hz resampled to {sample_rate} Hz{silent}"
    if not simple and exact and not clipped:
        changes[EXACT] = f"{form} samples, the same in 16 bits"
    elif not simple:
        changes[ROUNDED] = f"{form} samples rounded to 16 bits"
    if clipped:
        if form in ("FLOAT", "DOUBLE") and clipped > MAX_CLIPPED * len(samples):
            raise UserError(f"{path}: {clipped} of {len(samples)} samples exceed full scale. Scale it to -1 ... 1.")
        changes[CLIPPED] = f"{clipped} samples clipped"
    return samples, changes


def source(path: Path | str, sample_rate: int) -> np.ndarray:
    """The first channel of a recording of any form at `sample_rate` Hz, unrounded: float64[N], about ±1.

    Raises UserError for an unreadable, truncated, empty or very long file, and for NaN or infinity.
    """
    with _opened(path) as recording:
        pieces = list(_resampled(_blocks(path, recording, "float64", 1), recording.rate, sample_rate))
    return np.concatenate(pieces)


def write(path: Path | str, samples: np.ndarray, sample_rate: int) -> None:
    """Write int16[N] as a mono wav file, whole or not at all."""
    # Not by soundfile: inside its callbacks neither a full disk nor an interruption can be raised.
    with files.whole(path, "wb") as file, wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(sample_rate)
        wav.writeframes(np.ascontiguousarray(samples, dtype="<i2").tobytes())


def _channel(path: Path | str, recording: Opened, channel: int | None) -> int:
    count = recording.channels
    if channel is None and count > 1:
        raise UserError(
            f"{path}: has {count} channels. Choose one, 1 for the first: --channel N, or `channel: N` in the YAML of "
            f"a corpus."
        )
    if channel is not None and not 1 <= channel <= count:
        raise UserError(
            f"{path}: has {f'{count} channels' if count > 1 else 'one channel'}. Correct channel {channel}."
        )
    return channel or 1


def _resampled(blocks: Iterator[np.ndarray], rate: int, sample_rate: int) -> Iterator[np.ndarray]:
    """`blocks` of float64 at `rate` Hz, at `sample_rate` Hz: by soxr at its very high quality, as if they were one."""
    if rate == sample_rate:
        yield from blocks
        return
    import soxr  # here: most recordings of a corpus need no resampling

    stream = soxr.ResampleStream(rate, sample_rate, 1, dtype="float64", quality="VHQ")
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.zeros(0), last=True)


def _blocks(
    path: Path | str, recording: Opened, kind: str, channel: int, start: float | None = None, end: float | None = None
) -> Iterator[np.ndarray]:
    """The samples of a channel from `start` to `end` seconds, some at a time: at least one, all of them finite."""
    rate, total = recording.rate, recording.frames
    first, wanted = round((start or 0) * rate), None if end is None else round(end * rate)
    if first < 0 or (wanted is not None and wanted <= first):
        raise UserError(f"{path}: nothing lies from {start or 0:g} s to {end:g} s. Correct the segment.")
    last = total if wanted is None else wanted if total is None else min(wanted, total)
    if last is not None:
        _check_duration(path, (last - first) / rate)
    place = 0
    if first and recording.seekable:
        place = recording.file.seek(min(first, total or first))
    while (count := BLOCK if last is None else min(BLOCK, last - place + (wanted is None))) > 0:
        block = _decoded(path, recording, count, kind, place)
        if not len(block):
            recording.at_end()
            break
        samples = block[max(first - place, 0) :, channel - 1]
        place += len(block)
        if len(samples):
            _check_duration(path, (place - first) / rate)
            if kind != "int16" and not np.isfinite(samples).all():
                raise UserError(f"{path}: holds samples that are NaN or infinite. Repair the recording.")
            yield samples
    if last is not None and place < last - recording.slack:
        raise containers.cut(path, place, last, "samples")
    if place <= first:
        what = f"ends at {place / rate:g} s, where the segment begins" if first else "holds no samples"
        raise UserError(f"{path}: {what}. Remove it or get it again.")
    if wanted is not None and place < wanted - OVERSHOOT * rate:
        raise UserError(f"{path}: ends at {place / rate:g} s, the segment at {end:g} s. Correct the segment.")


def _decoded(path: Path | str, recording: Opened, count: int, kind: str, place: int) -> np.ndarray:
    """The next `count` frames, or all that are left: [frames × channels]."""
    try:
        block: np.ndarray = recording.file.read(count, dtype=kind, always_2d=True)
        return block
    except soundfile.LibsndfileError as error:
        raise UserError(f"{path}: damaged or cut short after {place} samples ({_reason(error)}). {FETCH}") from None


def _check_duration(path: Path | str, seconds: float) -> None:
    if seconds > 3600 * MAX_HOURS:
        raise UserError(f"{path}: longer than {MAX_HOURS:g} hours. Cut it into shorter recordings.")


# Opening


@contextmanager
def _opened(path: Path | str) -> Iterator[Opened]:
    """The recording, open at its beginning; soundfile's errors become UserErrors."""
    path = Path(path)
    try:
        if path.exists() and not path.is_file():  # reading a named pipe would wait forever
            raise OSError("not a plain file")
        container = containers.examine(path)
        decoder = _ffmpeg if container.by_ffmpeg else _fed if container.frames else _direct
        with decoder(path, container) as recording:
            if not RATES[0] <= recording.rate <= RATES[1]:
                raise UserError(f"{path}: a sampling rate of {recording.rate} Hz. Correct its header.")
            yield recording
    except UNREADABLE as error:
        raise UserError(f"{path}: {_why_unreadable(path, error)}") from None


@contextmanager
def _direct(path: Path, container: Container) -> Iterator[Opened]:
    """A file that libsndfile reads by itself."""
    # By its descriptor: of a name, libsndfile looks at the ending and at neighbours ("._" + name).
    with path.open("rb") as raw, _Stream(raw.fileno(), closefd=False) as file:
        known = file.frames < UNKNOWN
        simple = file.format in SIMPLE and file.subtype == "PCM_16"
        frames = file.frames if known else None
        yield Opened(file, file.subtype, simple, frames, seekable=known, unfinished=container.unfinished or not known)


@contextmanager
def _fed(path: Path, container: Container) -> Iterator[Opened]:
    """MPEG frames through a pipe: of a file without a Xing tag, libsndfile estimates the length and stops there."""
    assert container.frames is not None
    start, stop = container.frames
    reading, writing = os.pipe()

    def feed() -> None:
        with suppress(BrokenPipeError), path.open("rb") as file, os.fdopen(writing, "wb", buffering=0) as pipe:
            file.seek(start)
            left = stop - start
            while left and (block := file.read(min(left, BLOCK))):
                pipe.write(block)
                left -= len(block)

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    try:
        with os.fdopen(reading, "rb", buffering=0) as pipe, _Stream(pipe.fileno(), closefd=False) as file:
            yield Opened(file, file.subtype, False, container.samples, seekable=False, slack=GAPLESS)
    finally:
        feeder.join()


@contextmanager
def _ffmpeg(path: Path, container: Container) -> Iterator[Opened]:
    """A format that libsndfile lacks, through ffmpeg as wav of floats."""
    program = shutil.which("ffmpeg")
    if program is None:
        raise UserError(
            f"{path}: {container.name} is decoded by ffmpeg, which is not installed. Install it, or convert the "
            f"file to wav or flac."
        )
    name = b"file:" + os.fsencode(path)
    command: list[str | bytes] = [program, "-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe", "-i", name]
    command += ["-map", "0:a:0", "-c:a", "pcm_f32le", "-f", "wav", "pipe:1"]
    with (
        TemporaryFile() as log,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log) as process,
    ):
        assert process.stdout is not None

        def check() -> None:
            """It reports that a file was cut short, and goes on."""
            code = process.wait()
            log.seek(0)
            lines = [line for line in log.read().decode(errors="replace").splitlines() if line.strip()]
            if lines or code:
                reason = re.sub(r"^\[.*? @ 0x\w+\] ", "", lines[0]) if lines else f"exit code {code}"
                raise UserError(f"{path}: damaged or cut short (ffmpeg: {reason}). {FETCH}")

        try:
            try:
                file = _Stream(process.stdout.fileno(), closefd=False)
            except soundfile.LibsndfileError:
                check()
                raise
            with file:
                yield Opened(file, container.name, False, None, seekable=False, at_end=check)
        finally:
            process.kill()


def _why_unreadable(path: Path, error: Exception) -> str:
    if not path.exists():
        if paths.spelled_otherwise(path):
            return "no such recording, but one whose name looks the same, in another Unicode form (NFC, NFD). Rename."
        return "no such recording. Correct its path."
    return f"not a readable recording ({_reason(error)}). {FETCH}"


def _reason(error: Exception) -> str:
    """What libsndfile says, without the number of the file."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return re.sub(r"^(Error opening \d+: )?(Error : )?", "", " ".join(str(error).split())).rstrip(".")
