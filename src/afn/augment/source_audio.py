"""Real source audio for the simulation: the audio files below a folder."""

from pathlib import Path

from afn.common.errors import UserError

SUFFIXES = (".wav", ".flac")


def below(folder: Path) -> list[Path]:
    """The wav and flac files anywhere below a folder, sorted by path. Raises UserError when it is missing."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder. Name one that exists.")
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix().encode())
