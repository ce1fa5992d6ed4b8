"""Kaldi data directories: `wav.scp utt2spk spk2utt utt2label utt2cond`, sorted bytewise."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from afn.common import files
from afn.common.errors import UserError

LABELS = ("genuine", "spoof")
AGAIN = "run stage -2 first"


@dataclass(frozen=True, order=True, slots=True)
class Utterance:
    """One recording: its id (no `.wav`), the file, the speaker, the label and how it was replayed.

    `environment`, `playback` and `recorder` are `-` for genuine speech and where they are unknown.
    """

    utt: str
    wav: str
    speaker: str
    label: str
    environment: str = "-"
    playback: str = "-"
    recorder: str = "-"


def write(directory: Path, utterances: Iterable[Utterance]) -> None:
    """Write a data directory. Raises UserError for duplicate ids, unknown labels and names with white space."""
    utterances = sorted(utterances, key=lambda u: u.utt.encode())
    check(utterances, str(directory))
    spk2utt: dict[str, list[str]] = {}
    for u in utterances:
        spk2utt.setdefault(u.speaker, []).append(u.utt)
    tables = {
        "wav.scp": [f"{u.utt} {u.wav}" for u in utterances],
        "utt2spk": [f"{u.utt} {u.speaker}" for u in utterances],
        "spk2utt": [f"{speaker} {' '.join(spk2utt[speaker])}" for speaker in sorted(spk2utt, key=str.encode)],
        "utt2label": [f"{u.utt} {u.label}" for u in utterances],
        "utt2cond": [f"{u.utt} {u.environment} {u.playback} {u.recorder}" for u in utterances],
    }
    for name, lines in tables.items():
        files.write_text(directory / name, "".join(f"{line}\n" for line in lines))


def read(directory: Path, *, fill: bool = False, pipes: bool = False, mend: str = AGAIN) -> list[Utterance]:
    """The utterances of a data directory, sorted bytewise by id.

    With `fill` a directory without utt2spk or utt2cond will do: every utterance is then its own speaker, its condition
    unknown. With `pipes` a `wav` may be a pipe as Kaldi has them, `program … |`; nothing runs it here. `mend` is what
    the user is told to do about missing or contradicting files.

    Raises UserError when a file is missing or malformed, or when the files do not list the same utterances.
    """
    wav = table(directory / "wav.scp", 2, mend)
    label = table(directory / "utt2label", 2, mend)
    speaker, condition = {utt: [utt] for utt in wav}, {utt: ["-", "-", "-"] for utt in wav}
    if not fill or (directory / "utt2spk").exists():
        speaker = table(directory / "utt2spk", 2, mend)
    if not fill or (directory / "utt2cond").exists():
        condition = table(directory / "utt2cond", 4, mend)
    for name, other in (("utt2spk", speaker), ("utt2label", label), ("utt2cond", condition)):
        if odd := sorted(wav.keys() ^ other.keys(), key=str.encode):
            raise UserError(f"{directory}: wav.scp and {name} disagree about {odd[0]}; {mend}")
    utterances = [Utterance(utt, wav[utt][0], speaker[utt][0], label[utt][0], *condition[utt]) for utt in wav]
    utterances.sort(key=lambda u: u.utt.encode())
    check(utterances, str(directory), pipes)
    return utterances


def recordings(directory: Path) -> Iterator[tuple[str, str]]:
    """The `(utterance, wav)` of the wav.scp that stage -2 has written, read as they are asked for.

    Raises UserError for a list that stage -2 would not have written: another order, two of a name, a pipe.
    """
    path, last = directory / "wav.scp", b""
    for number, (utt, wav) in _rows(path, 2, AGAIN):
        if utt.encode() <= last:
            raise UserError(f"{path}:{number}: {utt} is out of bytewise order, or stands here a second time; {AGAIN}")
        _check_recording(utt, wav, str(directory))
        last = utt.encode()
        yield utt, wav
    if not last:
        raise UserError(f"{directory}: no utterances")


def table(path: Path, columns: int, mend: str = AGAIN) -> dict[str, list[str]]:
    """A Kaldi text table: first field -> the other fields, `columns` in all (the last field may hold blanks).

    Raises UserError, with the `mend`, for a file that is missing or no text, and for malformed or repeated lines.
    """
    rows: dict[str, list[str]] = {}
    common: dict[str, str] = {}  # labels, speakers and conditions are a few texts in many lines: held once
    for number, (key, *fields) in _rows(path, columns, mend):
        if key in rows:
            raise UserError(f"{path}:{number}: {key} stands here a second time; take one out")
        rows[key] = [common.setdefault(field, field) for field in fields]
    return rows


def _rows(path: Path, columns: int, mend: str) -> Iterator[tuple[int, list[str]]]:
    """The lines of a table that are not blank: their numbers and fields."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                fields = [field.strip() for field in line.split(maxsplit=columns - 1)]
                if fields and len(fields) != columns:
                    raise UserError(f"{path}:{number}: {len(fields)} fields where {columns} belong; mend the line")
                if fields:
                    yield number, fields
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {mend}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a text file; {mend}") from None


def is_pipe(wav: str) -> bool:
    """Whether Kaldi would run `wav` as a command."""
    return wav.startswith("|") or wav.endswith("|")


def check(utterances: list[Utterance], where: str, pipes: bool = False) -> None:
    """Raise UserError unless the ids are unique and fit for file names, the labels known, no name holds white space
    and every recording is a file that one line can name (with `pipes`: or a pipe).
    """
    seen: set[str] = set()
    for u in utterances:
        if u.utt in seen:
            raise UserError(f"{where}: utterance {u.utt} is listed twice; take one out")
        seen.add(u.utt)
        if u.label not in LABELS:
            raise UserError(f"{where}: utterance {u.utt} has label {u.label!r}; use genuine or spoof")
        _check_recording(u.utt, u.wav, where, pipes)
        for field in (u.utt, u.speaker, u.environment, u.playback, u.recorder):
            if not field or field.split() != [field]:
                raise UserError(f"{where}: utterance {u.utt}: {field!r} may not hold white space")
    if not utterances:
        raise UserError(f"{where}: no utterances")


def _check_recording(utt: str, wav: str, where: str, pipes: bool = False) -> None:
    if "/" in utt or "\0" in utt:
        raise UserError(f"{where}: utterance {utt!r}: an id may not hold '/' or NUL, it names files; rename it")
    if is_pipe(wav) and not pipes:
        raise UserError(
            f"{where}: utterance {utt}: {wav!r} is a pipe: it would run a shell command of whoever wrote the "
            "list; convert the recordings to wav files and list those, or, if you trust the list, allow its "
            "wav.scp to run programs: stage -2 with --allow-pipes"
        )
    if not wav or wav.strip() != wav or any(character in wav for character in "\n\r\0"):
        raise UserError(f"{where}: utterance {utt}: {wav!r} cannot stand in a wav.scp; rename the file")
