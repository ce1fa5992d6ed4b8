"""The recordings a corpus lists: where the user's paths lead, whether the files can be used, and what they contain."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from afn.common import files, owned, parallel
from afn.common.errors import UserError
from afn.common.paths import located as from_root
from afn.common.paths import portable
from afn.common.progress import Progress
from afn.corpora import datadir
from afn.corpora.datadir import Content, Utterance
from afn.corpora.kind import Say
from afn.features import audio

FOLDER = "audio"  # below data/<corpus>, for converted copies
LOG = "made_from"  # in a folder of copies, what each was made from
UNIT = 32  # recordings that a worker checks at once
SILENT = "digital silence"
SAMPLE_RATE = 16000  # Hz; ASVspoof 2017, and every feature of this repository


class Made(NamedTuple):
    """How a recording came to be as it is listed: of what file and part, and the kinds of change."""

    content: Content
    part: tuple[int | None, float | None, float | None]  # channel, start and end in seconds
    kinds: tuple[str, ...]


class Checked(NamedTuple):
    """A recording that can be used; `wav` is a copy if the user's file needed a conversion."""

    utterance: Utterance
    made: Made


def check(
    subset: str, utterances: Sequence[Utterance], *, copies: Path, jobs: int = 1, force: bool = False, say: Say = print
) -> list[Utterance]:
    """The utterances with the content of their files, each of them decoded once: whole, and not empty.

    A mono wav or flac file of 16-bit samples at 16 kHz stays as it is. Of any other, and of a part of a file, a copy
    is written, `copies`/`subset`/UTT.wav, and listed with the user's file as its source. A copy is made again with
    `force`, or if that file, the channel or the segment has changed. `say` is told what was done to how many
    recordings. Raises UserError after looking at all; it names the first that fails and says how many more do.
    """
    folder = copies / subset
    known = {} if force else _log(folder)
    items = [(utterance, known.get(utterance.utt)) for utterance in utterances]
    units = (items[first : first + UNIT] for first in range(0, len(items), UNIT))
    found: list[Checked] = []
    faults: list[str] = []
    with Progress(f"checking {subset}", len(utterances)) as progress:
        for results in parallel.ordered_map(partial(_check_all, folder), units, jobs):
            done = [result for result in results if isinstance(result, Checked)]
            faults += [result for result in results if isinstance(result, str)]
            found += done
            if folder.is_dir():
                with (folder / LOG).open("a", encoding="utf-8") as file:  # an interrupted run goes on from here
                    file.writelines(_line(checked) for checked in done if checked.utterance.source is not None)
            progress.advance(len(results))
    if faults:
        more = f" ({len(faults) - 1} more of the {len(utterances)} recordings of {subset} fail)" if faults[1:] else ""
        raise UserError(f"{faults[0]}{more}")
    _tidy(folder, found)
    _report(subset, folder, found, say)
    return [checked.utterance for checked in found]


def counts(copies: Path) -> dict[str, dict[str, int]]:
    """Subset -> kind of change -> how many of the copies have it, from the folder that `check` was given."""
    found = {folder.name: Counter(kind for made in _log(folder).values() for kind in made.kinds)
             for folder in sorted(copies.glob("*/"))}  # fmt: skip
    return {subset: dict(sorted(kinds.items())) for subset, kinds in found.items() if kinds}


def _check_all(folder: Path, items: Sequence[tuple[Utterance, Made | None]]) -> list[Checked | str]:
    """Every utterance checked, or what is wrong with its recording; the work of a worker process."""
    results: list[Checked | str] = []
    for utterance, known in items:
        try:
            results.append(_check(folder, utterance, known))
        except UserError as fault:
            results.append(str(fault))
    return results


def _check(folder: Path, utterance: Utterance, known: Made | None) -> Checked:
    path, copy = from_root(utterance.wav), folder / f"{utterance.utt}.wav"
    part = (utterance.channel, utterance.start, utterance.end)
    made = None
    if known and known.part == part and copy.is_file() and path.is_file():
        content = Content.of(path, known.content)
        if content.sha256 == known.content.sha256:
            made = Made(content, part, known.kinds)
    if made is None:
        samples, changes = audio.convert(path, SAMPLE_RATE, *part)
        kinds = tuple(changes) + ((SILENT,) if samples.min() == samples.max() else ())
        made = Made(Content.of(path), part, kinds)
        if not changes.keys() - {audio.UNFINISHED}:
            return Checked(replace(utterance, wav=portable(path), content=made.content), made)
        if "/" in utterance.utt:
            raise UserError(f"{utterance.utt}: an id names files and may not contain '/'. Rename it.")
        owned.claim(folder.parent)
        owned.claim(folder)
        audio.write(copy, samples, SAMPLE_RATE)
    return Checked(replace(utterance, wav=portable(copy), content=made.content, source=portable(path)), made)


def _tidy(folder: Path, found: Sequence[Checked]) -> None:
    """Remove copies that are no longer listed, and write the log of the others."""
    copied = [checked for checked in found if checked.utterance.source is not None]
    if not copied:
        owned.remove(folder)
        return
    kept = {f"{checked.utterance.utt}.wav" for checked in copied} | {owned.MARKER}
    for path in folder.iterdir():
        if path.name not in kept:
            path.unlink()
    files.write_text(folder / LOG, "".join(map(_line, copied)))


def _report(subset: str, folder: Path, found: Sequence[Checked], say: Say) -> None:
    kinds = Counter(kind for checked in found for kind in checked.made.kinds)
    silent = kinds.pop(SILENT, 0)
    if copied := sum(checked.utterance.source is not None for checked in found):
        did = ", ".join(f"{number} {kind}" for kind, number in kinds.items())
        say(f"{subset}: {copied} of {len(found)} recordings are read from 16 kHz mono 16-bit copies in {folder}: {did}")
    elif kinds:
        say(f"{subset}: {kinds[audio.UNFINISHED]} recordings are {audio.UNFINISHED}; all that is there is used")
    if silent:
        first = next(checked.utterance.utt for checked in found if SILENT in checked.made.kinds)
        say(f"warning: {subset}: {silent} recordings are digital silence ({first}). Remove them from the corpus.")


# The log of a folder of copies: `utt sha256 bytes mtime_ns channel start end kind, kind`


def _line(checked: Checked) -> str:
    u, made = checked
    return " ".join((u.utt, *map(str, made.content), datadir.part_text(u), ", ".join(made.kinds))) + "\n"


def _log(folder: Path) -> dict[str, Made]:
    """The copies in a folder; a line that a killed run has not completed does not count."""
    found = {}
    try:
        lines = (folder / LOG).read_text(encoding="utf-8").splitlines(keepends=True)
    except (FileNotFoundError, UnicodeDecodeError):
        return {}
    for line in lines:
        fields = line.split(" ", 7)
        if len(fields) == 8 and line.endswith("\n"):
            utt, sha256, size, mtime_ns, channel, *times, kinds = fields
            start, end = (None if time == "-" else float(time) for time in times)
            part = (None if channel == "-" else int(channel), start, end)
            found[utt] = Made(Content(sha256, int(size), int(mtime_ns)), part, tuple(kinds.strip().split(", ")))
    return found
