"""Folders that the project has created. It writes and deletes only in these.

The proof is a small file `.afn`, written when the project creates the folder (or finds it empty). It names the folder,
so that a copy under another name, which is the user's, does not count. A tree of such folders may be moved as a whole.
"""

import shutil
import uuid
from collections.abc import Iterable
from pathlib import Path

from afn.common.errors import UserError

MARKER = ".afn"
TEMPORARY = ".afn-tmp-"  # how a marker's name begins while it is written
SCHEMA = "afn output folder, schema 1"


def is_ours(folder: Path) -> bool:
    """Whether the project made this folder."""
    return _marked(folder) is not None


def check(folder: Path, only: Iterable[str] = ()) -> None:
    """Raise UserError unless the project may write into `folder`: it is ours, empty, or does not exist.

    With `only`, names of files, the folder is shared with the user: it may hold other files, and only these are ours.
    """
    if is_ours(folder) or not folder.exists():
        return
    if not folder.is_dir():
        raise UserError(f"{folder}: a file is where a folder belongs. Move it away.")
    only = tuple(only)
    entries = sorted(path.name for path in folder.iterdir() if not path.match(f"{TEMPORARY}*"))
    foreign = [name for name in entries if not only or name in only]
    if foreign and not is_ours(folder):  # another process may have claimed it just now
        raise UserError(
            f"{folder}: contains {foreign[0]}{f' and {len(foreign) - 1} more' if foreign[1:] else ''}, which this "
            f"project did not make; nothing was changed. Choose another name: in the YAML or another --data or --exp, "
            f"or move the folder away."
        )


def claim(folder: Path, only: Iterable[str] = ()) -> None:
    """Create `folder` if it is missing and mark it as the project's; `only` as for `check`, which it calls."""
    only = tuple(only)
    check(folder, only)
    if not is_ours(folder):
        lines = [SCHEMA, _names(folder)[is_ours(folder.absolute().parent)], *(f"only {name}" for name in only)]
        folder.mkdir(parents=True, exist_ok=True)
        # Several processes may claim a folder at once: each renames another file, and all write the same.
        temporary = folder / f"{TEMPORARY}{uuid.uuid4().hex}"
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        temporary.replace(folder / MARKER)


def remove(folder: Path, patterns: Iterable[str] = ("*",)) -> list[Path]:
    """Delete what matches `patterns` in a folder of ours, and the folder itself when nothing else is in it.

    Returns what was left: the other entries, or the folder where it is not ours. A link is removed, never followed.
    """
    only = _marked(folder)
    if only is None or folder.is_symlink():
        return [folder] if folder.exists() else []
    patterns, left = tuple(patterns), []
    for path in sorted(folder.iterdir()):
        if path.name == MARKER:
            continue
        if path.match(f"{TEMPORARY}*"):  # of a killed process
            path.unlink(missing_ok=True)
            continue
        if not any(path.match(pattern) for pattern in patterns) or (only and path.name not in only):
            left.append(path)
        elif path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    if not left:  # last, so that an interrupted removal goes on
        (folder / MARKER).unlink()
        folder.rmdir()
    return left


def _marked(folder: Path) -> tuple[str, ...] | None:
    """None where the folder is not ours; else the names that alone are ours, none if all are."""
    try:
        lines = (folder / MARKER).read_text(encoding="utf-8").split("\n")[:-1]
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
        return None
    if lines[:1] != [SCHEMA] or lines[1:2] not in ([name] for name in _names(folder)):
        return None
    return tuple(line.removeprefix("only ") for line in lines[2:])


def _names(folder: Path) -> tuple[str, str]:
    """How a marker may name its folder: alone, or below a parent that is ours as well."""
    folder = folder.absolute()
    return ascii(folder.name), ascii(f"{folder.parent.name}/{folder.name}")
