"""Text tables as Kaldi has them: one record a line, fields between blanks or tabs."""

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from afn.common.errors import UserError

# float() alone would accept 1_000 as well
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(inf|infinity|nan)", re.ASCII | re.IGNORECASE)


class TableRow(NamedTuple):
    """One line of a table."""

    where: str  # file:line, for messages
    fields: list[str]


def rows(
    path: Path | str,
    form: str,
    *,
    fix: str = "",
    unique: bool = True,
    blanks: bool = False,
    hints: Mapping[int, str] | None = None,
) -> Iterator[TableRow]:
    """The lines of a table that are not blank, read as they are asked for.

    A byte order mark and CRLF line ends are accepted.

    Args:
        path: the table, UTF-8.
        form: what a line is, one word per field, for example `utt speaker`.
        fix: what the user can do about a file that is missing or damaged.
        unique: refuse a first field that occurs twice.
        blanks: the last field may contain blanks, as the file names of a wav.scp.
        hints: number of fields -> what a file with that many is.

    Raises:
        UserError: with the file (and line), for a missing or empty file, other text than UTF-8, another number of
            fields, and a first field that occurs twice.
    """
    columns, fix = len(form.split()), fix or f"Name a text file of `{form}` lines."
    first_lines: dict[str, int] = {}
    empty = True
    try:
        with Path(path).open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                fields = line.split(maxsplit=columns - 1) if blanks else line.split()
                if not fields:
                    continue
                where = f"{path}:{number}"
                if len(fields) != columns:
                    hint = (hints or {}).get(len(fields), f"A line is `{form}`.")
                    raise UserError(f"{where}: {len(fields)} instead of {columns} fields. {hint}")
                if blanks:
                    fields[-1] = fields[-1].rstrip()
                if unique and (first := first_lines.setdefault(fields[0], number)) != number:
                    raise UserError(f"{where}: {fields[0]} is in line {first} already. Remove one of the two lines.")
                empty = False
                yield TableRow(where, fields)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file. {fix}") from None
    except IsADirectoryError:
        raise UserError(f"{path}: is a directory, not a file. {fix}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a UTF-8 text file. {fix}") from None
    if empty:
        raise UserError(f"{path}: the file is empty. {fix}")


def table(path: Path | str, form: str, *, fix: str = "", blanks: bool = False) -> dict[str, list[str]]:
    """A whole table: first field -> the other fields. Raises UserError as `rows` does."""
    common: dict[str, str] = {}  # speakers and conditions are a few texts in many lines: held once
    return {
        key: [common.setdefault(field, field) for field in fields]
        for _, (key, *fields) in rows(path, form, fix=fix, blanks=blanks)
    }


def number(text: str, where: str) -> float:
    """A finite number. Raises UserError, which begins with `where`, for anything else."""
    value = float(text) if NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(value):
        raise UserError(f"{where}: {text!r} is not a finite number. Correct the line.")
    return value
