"""Kaldi data directories: `wav.scp utt2spk spk2utt utt2label utt2cond`, sorted bytewise, and `utt2hash`.

Four tables are ours. `utt2cond` names its columns in a first line, `#utt room device`; without one it has the three of
ASVspoof 2017. `utt2source` has the original of every recording that stage -2 has converted, and `utt2part` the channel,
start and end (`-` where not given) if only a part of it was taken. `utt2hash` has `utt sha256 bytes mtime_ns` of every
original: a replaced recording is noticed.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from afn.common import files, labels, paths, tables
from afn.common.errors import UserError
from afn.common.labels import LABELS
from afn.common.progress import Progress

T = TypeVar("T")

RUN_STAGE = "Run stage -2 first."
SOURCES = "utt2source"  # exists if a recording was converted
PARTS = "utt2part"  # exists if one is a channel or a segment of its source
HASHES = "utt2hash"  # exists if the content of all recordings is known
TABLES = ("wav.scp", "utt2spk", "spk2utt", "utt2label", "utt2cond", HASHES)
BLOCK = 1 << 20  # bytes read at a time
HEADER = "#utt"  # begins the first line of utt2cond, which names its columns
CONDITIONS = ("environment", "playback", "recorder")  # the columns of a utt2cond that does not name them
UNKNOWN = "-"  # an unknown condition


class Content(NamedTuple):
    """What a recording's file holds, and the size and time of change by which that is seen without reading it."""

    sha256: str
    size: int  # bytes
    mtime_ns: int

    @classmethod
    def of(cls, path: Path, known: "Content | None" = None) -> "Content":
        """The content of a file; `known` is returned if size and time of change are still the same.

        Raises OSError for a file that cannot be read.
        """
        status = path.stat()
        if known is not None and (status.st_size, status.st_mtime_ns) == known[1:]:
            return known
        digest = hashlib.sha256()
        with path.open("rb", buffering=0) as file:
            while block := file.read(BLOCK):
                digest.update(block)
        return cls(digest.hexdigest(), status.st_size, status.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class Utterance:
    """One recording: its id (no `.wav`), the file, the speaker, the label and how it was recorded or replayed.

    `conditions` maps the columns of utt2cond to codes, `-` where unknown; all utterances of a corpus have the same
    columns in the same order. `channel`, `start` and `end` say which part of `wav` is meant, until the recordings have
    been checked. After that, `content` is that of the user's file, and `source` names it if `wav` is a converted copy.
    """

    utt: str
    wav: str
    speaker: str
    label: str
    conditions: Mapping[str, str] = field(default_factory=dict, hash=False)
    channel: int | None = None  # 1 for the first
    start: float | None = None  # s
    end: float | None = None  # s
    content: Content | None = field(default=None, compare=False, repr=False)
    source: str | None = field(default=None, compare=False, repr=False)


class Conditions:
    """Makes `Utterance.conditions` of codes; utterances with the same codes share one mapping, which saves memory."""

    def __init__(self, columns: Iterable[str]):
        self.columns = tuple(columns)
        self._known: dict[tuple[str, ...], Mapping[str, str]] = {}

    def of(self, codes: Iterable[str]) -> Mapping[str, str]:
        """The conditions of one utterance, from its codes in the order of the columns."""
        key = tuple(codes)
        if key not in self._known:
            self._known[key] = dict(zip(self.columns, key, strict=True))
        return self._known[key]


def write(directory: Path, utterances: Iterable[Utterance]) -> None:
    """Write a data directory.

    Raises UserError for duplicate ids, unknown labels, names with white space and other conditions than the first's.
    """
    utterances = sorted(utterances, key=lambda u: u.utt.encode())
    check(utterances, str(directory))
    spk2utt: dict[str, list[str]] = {}
    for u in utterances:
        spk2utt.setdefault(u.speaker, []).append(u.utt)
    converted = [u for u in utterances if u.source is not None]
    known = all(u.content is not None for u in utterances)
    header = " ".join((HEADER, *utterances[0].conditions))
    lines = {
        "wav.scp": [f"{u.utt} {u.wav}" for u in utterances],
        "utt2spk": [f"{u.utt} {u.speaker}" for u in utterances],
        "spk2utt": [f"{speaker} {' '.join(spk2utt[speaker])}" for speaker in sorted(spk2utt, key=str.encode)],
        "utt2label": [f"{u.utt} {u.label}" for u in utterances],
        "utt2cond": [header, *(" ".join((u.utt, *u.conditions.values())) for u in utterances)],
        SOURCES: [f"{u.utt} {u.source}" for u in converted],
        PARTS: [f"{u.utt} {part_text(u)}" for u in converted if (u.channel, u.start, u.end) != (None, None, None)],
        HASHES: _hash_lines({u.utt: u.content for u in utterances if u.content is not None}) if known else [],
    }
    for name, table in lines.items():
        if table:
            files.write_text(directory / name, "".join(f"{line}\n" for line in table))
        else:
            (directory / name).unlink(missing_ok=True)


def part_text(u: Utterance) -> str:
    """`channel start end` of an utterance, `-` where not given."""
    return " ".join("-" if value is None else repr(value) for value in (u.channel, u.start, u.end))


def read(directory: Path, *, fill: bool = False, pipes: bool = False, fix: str = RUN_STAGE) -> list[Utterance]:
    """The utterances of a data directory, sorted bytewise by id; their content is not read.

    With `fill`, for the user's own, utt2spk and utt2cond may be missing: every utterance is then its own speaker,
    without conditions. If there is `segments`, wav.scp lists recordings, and utterances are segments of them.
    With `pipes`, a `wav` may be a pipe as Kaldi has them, `program … |`; it is not run. `fix` tells the user what to do
    about missing or contradicting files.

    Raises UserError when a file is missing or malformed, or when the files do not list the same utterances.
    """
    wav = tables.table(directory / "wav.scp", "utt file", fix=fix, blanks=True)
    label = labels.read(directory / "utt2label", fix)
    segments = directory / "segments"
    parts = _read_segments(segments, wav, fix) if fill and segments.exists() else {u: (u, None, None) for u in wav}
    speaker = {utt: [utt] for utt in parts}
    condition: Mapping[str, Mapping[str, str]] = dict.fromkeys(parts, {})
    if not fill or (directory / "utt2spk").exists():
        speaker = tables.table(directory / "utt2spk", "utt speaker", fix=fix)
    if not fill or (directory / "utt2cond").exists():
        condition = _read_conditions(directory / "utt2cond", fix)
    others: dict[str, Mapping[str, Any]] = {"utt2spk": speaker, "utt2label": label, "utt2cond": condition}
    for name, other in others.items():
        if odd := sorted(parts.keys() ^ other.keys(), key=str.encode):
            first = "segments" if fill and segments.exists() else "wav.scp"
            raise UserError(f"{directory}: {first} and {name} disagree about {odd[0]}. {fix}")
    utterances = [
        Utterance(utt, wav[recording][0], speaker[utt][0], label[utt], condition[utt], start=start, end=end)
        for utt, (recording, start, end) in parts.items()
    ]
    utterances.sort(key=lambda u: u.utt.encode())
    check(utterances, str(directory), pipes)
    return utterances


def same_conditions(found: Mapping[T, list[Utterance]]) -> dict[T, list[Utterance]]:
    """The utterances of several lists with the columns of all, in the order of first occurrence; `-` where unknown."""
    columns = {column: UNKNOWN for listed in found.values() for u in listed[:1] for column in u.conditions}
    conditions = Conditions(columns)

    def of(utterance: Utterance) -> Utterance:
        if tuple(utterance.conditions) == tuple(columns):
            return utterance
        return replace(utterance, conditions=conditions.of((columns | dict(utterance.conditions)).values()))

    return {name: [of(utterance) for utterance in listed] for name, listed in found.items()}


def recordings(directory: Path) -> Iterator[tuple[str, str]]:
    """The `(utterance, wav)` of the wav.scp that stage -2 has written, read as they are asked for.

    Raises UserError for a list that stage -2 did not write: another order, an id that occurs twice, a pipe.
    """
    last = b""
    for where, (utt, wav) in tables.rows(directory / "wav.scp", "utt file", fix=RUN_STAGE, unique=False, blanks=True):
        if utt.encode() <= last:
            raise UserError(f"{where}: {utt} is out of bytewise order, or occurs twice. {RUN_STAGE}")
        _check_recording(utt, wav, str(directory))
        last = utt.encode()
        yield utt, wav


def hashes(directory: Path) -> dict[str, Content]:
    """The content of every recording as stage -2 has found it. Raises UserError for a missing or malformed utt2hash."""
    found = {}
    for where, fields in tables.rows(directory / HASHES, "utt sha256 bytes mtime_ns", fix=RUN_STAGE):
        utt, sha256, size, mtime_ns = fields
        if len(sha256) != 64 or not (size.isdecimal() and mtime_ns.removeprefix("-").isdecimal()):
            raise UserError(f"{where}: not a line of `utt sha256 bytes mtime_ns`. {RUN_STAGE}")
        found[utt] = Content(sha256, int(size), int(mtime_ns))
    return found


def recordings_hash(directory: Path) -> str:
    """The SHA-256 of the ids and contents (and parts) of all recordings: the same wherever they are and when copied."""
    found = sorted(hashes(directory).items(), key=lambda item: item[0].encode())
    digest = hashlib.sha256("".join(f"{utt} {content.sha256}\n" for utt, content in found).encode())
    if (directory / PARTS).exists():
        digest.update((directory / PARTS).read_bytes())
    return digest.hexdigest()


def changed(directory: Path, *, refresh: bool = False) -> list[str]:
    """The ids whose file is gone or no longer has the recorded content; only files that look changed are read.

    Of a converted recording, the original is compared and the copy must exist.

    With `refresh`, new times of change of files with the old content are written into utt2hash. Raises UserError for
    missing or malformed tables.
    """
    recorded, wavs = hashes(directory), dict(recordings(directory))
    if odd := sorted(wavs.keys() ^ recorded.keys(), key=str.encode):
        raise UserError(f"{directory}: wav.scp and utt2hash disagree about {odd[0]}. {RUN_STAGE}")
    originals = {}
    if (directory / SOURCES).exists():
        originals = tables.table(directory / SOURCES, "utt file", fix=RUN_STAGE, blanks=True)
    now: dict[str, Content] = {}
    other = []
    with Progress(f"comparing {directory.name}", len(wavs)) as progress:
        for utt, wav in wavs.items():
            try:
                if utt in originals:
                    paths.located(wav).stat()
                    (wav,) = originals[utt]
                now[utt] = Content.of(paths.located(wav), recorded[utt])
            except OSError:
                other.append(utt)
            else:
                if now[utt].sha256 != recorded[utt].sha256:
                    other.append(utt)
            progress.advance()
    if refresh and not other and now != recorded:
        files.write_text(directory / HASHES, "".join(f"{line}\n" for line in _hash_lines(now)))
    return other


def is_pipe(wav: str) -> bool:
    """Whether Kaldi would run `wav` as a command."""
    return wav.startswith("|") or wav.endswith("|")


def check(utterances: list[Utterance], where: str, pipes: bool = False) -> None:
    """Check what a data directory can hold.

    Raises UserError unless the ids are unique and fit for file names, the labels known, no name contains white space
    and every recording is a file that one line can name (with `pipes`: or a pipe).
    """
    seen: set[str] = set()
    for u in utterances:
        if u.utt in seen:
            raise UserError(f"{where}: utterance {u.utt} is listed twice. Remove one of the two.")
        seen.add(u.utt)
        if u.label not in LABELS:
            raise UserError(f"{where}: utterance {u.utt} has label {u.label!r}. Use genuine or spoof.")
        _check_recording(u.utt, u.wav, where, pipes)
        for name in (u.utt, u.speaker, *u.conditions, *u.conditions.values()):
            if not name or name.split() != [name]:
                raise UserError(f"{where}: utterance {u.utt}: {name!r} contains white space or is empty. Rename it.")
        if tuple(u.conditions) != tuple(utterances[0].conditions):
            raise UserError(f"{where}: utterances {utterances[0].utt} and {u.utt} have conditions of other names.")
    if not utterances:
        raise UserError(f"{where}: no utterances. List at least one.")


def _read_segments(
    path: Path, recordings: Mapping[str, Any], fix: str
) -> dict[str, tuple[str, float | None, float | None]]:
    """The recording of every segment, its start and its end (s; None: the end of the recording)."""
    found: dict[str, tuple[str, float | None, float | None]] = {}
    for where, (utt, recording, first, last) in tables.rows(path, "utt recording start end", fix=fix):
        start, end = tables.number(first, where), tables.number(last, where)
        if recording not in recordings:
            raise UserError(f"{where}: recording {recording} is not in wav.scp. {fix}")
        if start < 0 or (end <= start and end != -1):
            raise UserError(f"{where}: a segment from {first} to {last} s. Let it start at 0 or later, and end later.")
        found[utt] = (recording, start, None if end == -1 else end)  # Kaldi's -1: up to the end
    return found


def _read_conditions(path: Path, fix: str) -> dict[str, Mapping[str, str]]:
    """The conditions of every utterance in a utt2cond, the columns named by its first line."""
    where, (line,) = next(tables.rows(path, "line", fix=fix, blanks=True))
    first, *columns = line.split()
    if first != HEADER:
        if len(columns) != len(CONDITIONS):
            fields = f"{len(columns) + 1} instead of {len(CONDITIONS) + 1} fields"
            raise UserError(f"{where}: {fields}. Name the columns in a first line: {HEADER} NAME …")
        columns = list(CONDITIONS)
    if len(set(columns)) < len(columns):
        raise UserError(f"{where}: the same name for two columns. Rename one of them.")
    conditions, found = Conditions(columns), {}
    for row in tables.rows(path, " ".join(("utt", *columns)), fix=fix):
        if first != HEADER or row.where != where:
            found[row.fields[0]] = conditions.of(row.fields[1:])
    return found


def _check_recording(utt: str, wav: str, where: str, pipes: bool = False) -> None:
    if any(character in utt for character in "/|\0"):  # Kaldi runs a name that ends in |
        raise UserError(
            f"{where}: utterance {utt!r}: an id names files and may not contain '/', '|' or NUL. Rename it."
        )
    if is_pipe(wav) and not pipes:
        raise UserError(
            f"{where}: utterance {utt}: {wav!r} is a pipe, a shell command that the author of the list would run here. "
            "Convert the recordings to wav files and list those, or, if you trust the list, allow its wav.scp to run "
            "programs: stage -2 with --allow-pipes."
        )
    if not wav or wav.strip() != wav or any(character in wav for character in "\n\r\0"):
        raise UserError(f"{where}: utterance {utt}: {wav!r} cannot be written into a wav.scp. Rename the file.")


def _hash_lines(contents: Mapping[str, Content]) -> list[str]:
    """The lines of utt2hash."""
    return [f"{utt} {' '.join(map(str, contents[utt]))}" for utt in sorted(contents, key=str.encode)]
