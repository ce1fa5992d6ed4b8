"""Paths as the user, the repository and written files name them."""

import os
import unicodedata
from pathlib import Path

from afn.common.errors import ROOT as ROOT
from afn.common.errors import UserError


def portable(path: Path | str) -> str:
    """`path` as written into files: relative to the repository where it lies inside, absolute elsewhere."""
    try:
        path = Path(path).resolve()
    except RuntimeError:
        raise UserError(f"{path}: a link that leads to itself. Correct the link.") from None
    text = str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
    if not text.isascii() and os.fsencode(text).decode("utf-8", "ignore") != text:
        raise UserError(f"{text}: a name that is not UTF-8. Rename the file or folder.")
    return text


def spelled_otherwise(path: Path) -> Path | None:
    """A file beside `path` whose name is the same text in another Unicode form; macOS writes NFD, others NFC."""
    name = unicodedata.normalize("NFC", path.name)
    if name.isascii() or not path.parent.is_dir():
        return None
    return next((p for p in path.parent.iterdir() if unicodedata.normalize("NFC", p.name) == name), None)


def located(path: str) -> Path:
    """The file that a `portable` path names."""
    return ROOT / path


def user_path(path: str) -> Path:
    """The path a user wrote into a YAML or a wav.scp: `~` is expanded, a relative one starts at the repository.

    Raises UserError for a `~name` without a home, and for what cannot be a path.
    """
    if "\0" in path:
        raise UserError(f"{located(path)}: no such file or folder. Correct the path.")
    try:
        return located(str(Path(path).expanduser()))
    except RuntimeError:
        raise UserError(f"{path}: no such home folder. Write the whole path.") from None
