"""Files that are complete or absent: written under a temporary name, renamed when complete."""

import csv
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

SCRATCH = ".scratch-"  # how the names of temporary folders begin


@contextmanager
def whole(path: Path | str, mode: str = "w") -> Iterator[IO[Any]]:
    """Open `path` for writing (`mode` "w" or "wb"); it appears under its name only if the block ends without an error.

    An earlier file of that name remains until then. The folder is created if it is missing. An OSError of writing, such
    as that of a full disk, has the name of the file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")  # always the same: the next run replaces what a killed one left
    encoding, newline = (None, None) if "b" in mode else ("utf-8", "\n")
    try:
        with temporary.open(mode, encoding=encoding, newline=newline) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None and str(error.filename) in ("None", str(temporary)):
            error.filename = str(path)
        raise


@contextmanager
def scratch(directory: Path) -> Iterator[Path]:
    """A temporary folder inside `directory`, which one run uses at a time: those that killed runs left are removed."""
    directory.mkdir(parents=True, exist_ok=True)
    for left in directory.glob(f"{SCRATCH}*"):
        shutil.rmtree(left, ignore_errors=True)
    with TemporaryDirectory(prefix=SCRATCH, dir=directory, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def write_text(path: Path | str, text: str) -> None:
    """Write `text` to `path`, whole or not at all."""
    with whole(path) as file:
        file.write(text)


def write_csv(path: Path | str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write `rows` (column -> value, the same columns in each) under a header, whole or not at all."""
    with whole(path) as file:
        if rows:
            writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def sha256(path: Path | str) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
