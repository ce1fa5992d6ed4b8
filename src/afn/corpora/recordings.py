"""The recordings a corpus lists: where the user's paths lead, and whether what lies there can be used."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import soundfile

from afn.common.errors import UserError
from afn.common.paths import located as from_root
from afn.common.progress import Progress
from afn.features import audio

SAMPLE_RATE = 16000  # Hz; ASVspoof 2017, and every feature of this repository


def located(path: str) -> Path:
    """The path a user wrote into a YAML or a wav.scp: `~` is expanded, a relative one starts at the repository.

    Raises UserError for a `~name` without a home.
    """
    try:
        return from_root(str(Path(path).expanduser()))
    except RuntimeError:
        raise UserError(f"{path}: no such home folder; write the path out") from None


def check(
    subset: str, paths: Sequence[Path], *, copies: Path | None = None, say: Callable[[str], None] = print
) -> list[Path]:
    """The recordings at `paths`, every one readable, whole, mono, 16-bit PCM, at 16 kHz and not empty.

    Some copies of ASVspoof hold a few recordings as floating point, with samples that are multiples of 2^-15 all the
    same. Where `copies` names a folder, such a recording is written into it as the 16-bit PCM that it stands for, and
    the copy takes its place in the result: neither Kaldi nor our extractor reads floating point.

    Raises UserError after looking at all: it names the first that fails and says how many more do.
    """
    checked, faults = [], []
    with Progress(f"checking {subset}", len(paths)) as progress:
        for path in paths:
            try:
                checked.append(_checked(path, copies))
            except UserError as fault:
                faults.append(str(fault))
            progress.advance()
    if faults:
        more = f" ({len(faults) - 1} more of the {len(paths)} recordings of {subset} fail)" if faults[1:] else ""
        raise UserError(f"{faults[0]}{more}")
    if copied := sum(path is not given for path, given in zip(checked, paths, strict=True)):
        say(f"{subset}: {copied} recordings held 16-bit samples as floating point; copied as PCM to {copies}")
    return checked


def _checked(path: Path, copies: Path | None) -> Path:
    """`path`, or its 16-bit copy in `copies`; raises UserError when neither will do."""
    try:
        audio.inspect(path, SAMPLE_RATE)
    except UserError:
        samples = None if copies is None else _float_as_int16(path)
        if samples is None:
            raise
        audio.check_length(path)
        audio.write(copies / path.name, samples, SAMPLE_RATE)
        return copies / path.name
    return path


def _float_as_int16(path: Path) -> np.ndarray | None:
    """The samples, int16[N], of a mono 16 kHz recording that holds them as floats without loss; None of any other."""
    try:
        with soundfile.SoundFile(audio.regular(path)) as file:
            if file.subtype not in ("FLOAT", "DOUBLE") or (file.samplerate, file.channels) != (SAMPLE_RATE, 1):
                return None
            scaled = file.read(dtype="float64") * 2**15
    except audio.UNREADABLE:
        return None
    if not len(scaled) or not np.isfinite(scaled).all():
        return None
    samples = np.clip(scaled, -(2**15), 2**15 - 1).astype(np.int16)
    return samples if np.array_equal(samples, scaled) else None
