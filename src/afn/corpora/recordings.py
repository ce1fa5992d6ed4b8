"""The recordings a corpus lists: where the user's paths lead, whether the files can be used, and what they contain."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from afn.common import owned
from afn.common.errors import UserError
from afn.common.paths import located as from_root
from afn.common.paths import portable
from afn.common.progress import Progress
from afn.corpora.datadir import Content, Utterance
from afn.features import audio

FOLDER = "audio"  # below data/<corpus>, for converted copies
SAMPLE_RATE = 16000  # Hz; ASVspoof 2017, and every feature of this repository


def located(path: str) -> Path:
    """The path a user wrote into a YAML or a wav.scp: `~` is expanded, a relative one starts at the repository.

    Raises UserError for a `~name` without a home, and for what cannot be a path.
    """
    if "\0" in path:
        raise UserError(f"{from_root(path)}: no such file or folder. Correct the path.")
    try:
        return from_root(str(Path(path).expanduser()))
    except RuntimeError:
        raise UserError(f"{path}: no such home folder. Write the whole path.") from None


def check(
    subset: str, utterances: Sequence[Utterance], *, copies: Path | None = None, say: Callable[[str], None] = print
) -> list[Utterance]:
    """The utterances with the content of their files, each readable, whole, mono, 16-bit PCM, 16 kHz and not empty.

    Some copies of ASVspoof hold a few recordings as floating point, with samples that are multiples of 2^-15 all the
    same. Where `copies` names a folder, such a recording is written to `copies`/`subset` as the 16-bit PCM that it
    equals, and that copy is listed instead: neither Kaldi nor our extractor reads floating point.

    Raises UserError after looking at all: it names the first that fails and says how many more do.
    """
    checked, faults, copied = [], [], 0
    with Progress(f"checking {subset}", len(utterances)) as progress:
        for utterance in utterances:
            path = from_root(utterance.wav)
            try:
                used = _checked(path, copies and copies / subset)
                copied += used != path
                source = portable(path) if used != path else None
                checked.append(replace(utterance, wav=portable(used), content=Content.of(path), source=source))
            except UserError as fault:
                faults.append(str(fault))
            progress.advance()
    if faults:
        more = f" ({len(faults) - 1} more of the {len(utterances)} recordings of {subset} fail)" if faults[1:] else ""
        raise UserError(f"{faults[0]}{more}")
    if copied and copies:
        say(f"{subset}: {copied} recordings held 16-bit samples as floating point; copied as PCM to {copies / subset}")
    return checked


def _checked(path: Path, copies: Path | None) -> Path:
    """`path`, or its 16-bit copy in `copies`. Raises UserError when neither can be used."""
    try:
        audio.inspect(path, SAMPLE_RATE)
    except UserError:
        if copies is None or (samples := audio.float_as_int16(path, SAMPLE_RATE)) is None:
            raise
        owned.claim(copies.parent)
        copy = copies / path.name
        status = path.stat()
        audio.write(copy, samples, SAMPLE_RATE)
        os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))  # a replaced original has another time
        return copy
    return path
