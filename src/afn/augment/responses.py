"""Measured impulse responses of rooms, loudspeakers and microphones, from the files of a folder."""

import hashlib
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np

from afn.augment import source_audio
from afn.augment.signals import from_peak
from afn.common.errors import UserError
from afn.common.files import sha256
from afn.features import audio

# The first of these in a file's name gives its role; else in the folders above it, nearest first.
# `mic` begins a word, for "dynamic" and "ceramic" say nothing.
WORDS = {"rir": "room", "room": "room", "speaker": "loudspeaker", "mic": "microphone"}
PATTERNS = {word: re.compile(rf"(?<![A-Za-z]){word}|{word.title()}|{word.upper()}") for word in WORDS}
PATTERNS |= {word: re.compile(word, re.IGNORECASE) for word in ("room", "speaker")}


def role(path: Path) -> str | None:
    """`room`, `loudspeaker` or `microphone`, by the words in a path (`rir`, `room`, `speaker`, `mic`); None without."""
    for name in (path.stem, *(parent.name for parent in path.parents)):
        for word, meaning in WORDS.items():
            if PATTERNS[word].search(name):
                return meaning
    return None


def files(folder: Path) -> dict[str, list[Path]]:
    """The responses below a folder by role, sorted by path; the folder's own name is the last that counts.

    Raises UserError when the folder is missing or no file has a role.
    """
    found: dict[str, list[Path]] = {}
    for path in source_audio.below(folder):
        if meaning := role(folder.resolve().name / path.relative_to(folder)):
            found.setdefault(meaning, []).append(path)
    if not found:
        raise UserError(
            f"{folder}: holds no usable impulse response. File or folder names must contain the role of each "
            f"({', '.join(f'{word} = {meaning}' for word, meaning in WORDS.items())})."
        )
    return found


def read(path: Path, sample_rate: int) -> np.ndarray:
    """A response from its peak on: float64[N] of unit energy. Raises UserError if it cannot be decoded or is silent."""
    samples = audio.source(path, sample_rate)
    if not np.abs(samples).max() > 0:
        raise UserError(f"{path}: holds only zeros. Remove it.")
    return from_peak(samples, sample_rate)


@lru_cache(maxsize=1)
def of_folders(folders: tuple[Path, ...], sample_rate: int) -> dict[str, list[np.ndarray]]:
    """All responses of several folders by role, read once by each process; errors as for `files` and `read`."""
    found: dict[str, list[np.ndarray]] = {}
    for folder in folders:
        for meaning, paths in files(folder).items():
            found.setdefault(meaning, []).extend(read(path, sample_rate) for path in paths)
    return found


def digest(folders: Iterable[Path]) -> str:
    """The SHA-256 of the roles and contents of all responses of several folders; errors as for `files`."""
    listed = ((meaning, path) for folder in folders for meaning, paths in files(folder).items() for path in paths)
    lines = (f"{meaning} {sha256(path)}\n" for meaning, path in listed)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
