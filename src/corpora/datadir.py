"""Kaldi data directories: `wav.scp utt2spk spk2utt utt2label utt2cond`, sorted bytewise."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import files
from errors import UserError

LABELS = ("genuine", "spoof")


@dataclass(frozen=True, order=True)
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


def read(directory: Path) -> list[Utterance]:
    """The utterances of a data directory, sorted bytewise by id.

    Raises UserError when a file is missing or malformed, or when the files do not list the same utterances.
    """
    wav = table(directory / "wav.scp", 2)
    speaker, label, condition = (
        table(directory / name, columns) for name, columns in (("utt2spk", 2), ("utt2label", 2), ("utt2cond", 4))
    )
    for name, other in (("utt2spk", speaker), ("utt2label", label), ("utt2cond", condition)):
        if odd := sorted(wav.keys() ^ other.keys()):
            raise UserError(f"{directory}: wav.scp and {name} disagree about {odd[0]}; run stage -2 again")
    utterances = [Utterance(utt, wav[utt][0], speaker[utt][0], label[utt][0], *condition[utt]) for utt in wav]
    utterances.sort(key=lambda u: u.utt.encode())
    check(utterances, str(directory))
    return utterances


def table(path: Path, columns: int) -> dict[str, list[str]]:
    """A Kaldi text table: first field -> the other fields, `columns` in all (the last field may hold blanks)."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run stage -2 first") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a text file; run stage -2 again") from None
    rows: dict[str, list[str]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.split(maxsplit=columns - 1)
        if not fields:
            continue
        if len(fields) != columns:
            raise UserError(f"{path}:{number}: {len(fields)} fields where {columns} belong; mend the line")
        if fields[0] in rows:
            raise UserError(f"{path}:{number}: {fields[0]} stands here a second time; take one out")
        rows[fields[0]] = [field.strip() for field in fields[1:]]
    return rows


def check(utterances: list[Utterance], where: str) -> None:
    """Raise UserError unless the ids are unique, the labels known and no name holds white space."""
    seen: set[str] = set()
    for u in utterances:
        if u.utt in seen:
            raise UserError(f"{where}: utterance {u.utt} is listed twice; take one out")
        seen.add(u.utt)
        if u.label not in LABELS:
            raise UserError(f"{where}: utterance {u.utt} has label {u.label!r}; use genuine or spoof")
        for field in (u.utt, u.speaker, u.environment, u.playback, u.recorder):
            if not field or field.split() != [field]:
                raise UserError(f"{where}: utterance {u.utt}: {field!r} may not hold white space")
    if not utterances:
        raise UserError(f"{where}: no utterances")
