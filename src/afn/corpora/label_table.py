"""Labels in a table with a header, as spreadsheets write them: `file`, `label`, and what else is known.

    file,label,speaker,subset,room
    anna/001.flac,bonafide,anna,train,office

`speaker` and `subset` are optional; any other column is a condition. Columns are separated by commas, semicolons or
tabs. Files start at a folder that the caller names, and may lack their ending.
"""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from afn.common import labels, paths
from afn.common.errors import UserError
from afn.common.labels import SUBSETS
from afn.corpora.datadir import UNKNOWN, Conditions, Utterance

NEEDED = ("file", "label")
OPTIONAL = ("speaker", "subset")
SEPARATORS = ",;\t"
ENDINGS = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".aif", ".aiff", ".m4a")  # of files named without


class Table(NamedTuple):
    """The utterances of a table in its order, and the subset of each ("" where the table has no such column)."""

    utterances: list[Utterance]
    subsets: list[str]
    columns: list[str]


def read(path: Path, audio: Path, channel: int | None = None) -> Table:
    """The utterances of the table at `path`, their files below `audio`.

    Without a speaker, every utterance is its own. An id is the file's name without its ending, folders included.
    Raises UserError, which names file and line, for missing columns, unknown labels or subsets, and duplicates.
    """
    rows = _rows(path)
    where, columns = next(rows, (str(path), []))
    if absent := [name for name in NEEDED if name not in columns]:
        found = f"columns {', '.join(columns)}" if any(columns) else "the file is empty"
        raise UserError(f"{where}: no column {absent[0]} ({found}). Begin with a line of names: file,label,…")
    if len(set(columns)) < len(columns) or "" in columns:
        raise UserError(f"{where}: a column has no name, or the name of another: {', '.join(columns)}. Rename it.")
    conditions = Conditions(_word(name) for name in columns if name not in (*NEEDED, *OPTIONAL))
    table, seen = Table([], [], columns), dict[str, str]()
    for where, fields in rows:
        if len(fields) != len(columns):
            raise UserError(f"{where}: {len(fields)} instead of {len(columns)} fields. Quote fields with separators.")
        row = dict(zip(columns, fields, strict=True))
        label = labels.parse(row["label"], where)
        utt = _id(row["file"], audio, where)
        if utt in seen:
            raise UserError(f"{where}: {row['file']} has the id {utt}, as in {seen[utt]}. List each file once.")
        seen[utt] = where
        subset = row.get("subset", "")
        if "subset" in columns and subset not in SUBSETS:
            raise UserError(f"{where}: unknown subset {subset!r}. Write {', '.join(SUBSETS)}.")
        speaker = _word(row.get("speaker", "")) if row.get("speaker") else utt
        known = conditions.of(_word(row[name]) for name in columns if name not in (*NEEDED, *OPTIONAL))
        wav = paths.portable(_file(row["file"], audio))
        table.utterances.append(Utterance(utt, wav, speaker, label, known, channel=channel))
        table.subsets.append(subset)
    if not table.utterances:
        raise UserError(f"{path}: no line below the names of the columns. List at least one file.")
    return table


def _rows(path: Path) -> Iterator[tuple[str, list[str]]]:
    """`file:line` and the fields of every line that is not blank, the names of the columns first."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            reader = csv.reader(file, delimiter=max(SEPARATORS, key=first.count), skipinitialspace=True, strict=True)
            for fields in reader:
                stripped = [field.strip() for field in fields]
                if any(stripped):
                    yield f"{path}:{reader.line_num}", stripped
    except OSError as error:
        raise UserError(f"{path}: {(error.strerror or str(error)).lower()}. Correct corpus.labels.") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a UTF-8 text file. Save it as CSV in UTF-8.") from None
    except csv.Error as error:
        raise UserError(f"{path}: not a CSV or TSV file ({error}). Correct the file.") from None


def _id(file: str, audio: Path, where: str) -> str:
    """The utterance id of a file as the table names it."""
    path = Path(file)
    if path.is_absolute():
        path = path.relative_to(audio) if path.is_relative_to(audio) else Path(path.name)
    utt = re.sub(r"[\s/|\\]+", "_", str(path.with_suffix("") if path.suffix.lower() in ENDINGS else path))
    if not file or utt.strip("._") == "":
        raise UserError(f"{where}: {file!r} is not the name of a file. Correct the line.")
    return utt


def _file(file: str, audio: Path) -> Path:
    """The file; if there is none and one with an ending is, that one."""
    path = audio / file
    if not path.exists():
        found = [longer for ending in ENDINGS if (longer := path.with_name(path.name + ending)).exists()]
        if len(found) == 1:
            return found[0]
    return path


def _word(text: str) -> str:
    """A name or code as data directories hold it, without white space."""
    return "_".join(text.split()) or UNKNOWN
