"""Measured impulse responses: the files of a folder as rooms, loudspeakers and microphones."""

from pathlib import Path

import numpy as np

from afn.common.errors import UserError
from afn.corpora.simulation import source_audio
from afn.corpora.simulation.devices import from_peak
from afn.corpora.simulation.random_streams import stream
from afn.features import audio

# The first of these words in a file's name gives its role; else in the folders above it, nearest first.
WORDS = {"rir": "room", "room": "room", "speaker": "loudspeaker", "mic": "microphone"}


def role(path: Path) -> str | None:
    """`room`, `loudspeaker` or `microphone`, by the words in a path (`rir`, `room`, `speaker`, `mic`); None without."""
    for name in (path.stem, *(parent.name for parent in path.parents)):
        for word, meaning in WORDS.items():
            if word in name.lower():
                return meaning
    return None


def assign(folder: Path, codes: dict[str, list[str]], seed: int, sample_rate: int) -> dict[str, np.ndarray]:
    """Deal the files of a folder to codes; `codes` maps a role to its codes. Every file goes to one code at most.

    Returns code -> float64[N] at `sample_rate` Hz, from the peak on, of unit energy. Codes beyond the number of files
    are left out: their response stays the simulated one. Raises UserError when the folder is missing, a file cannot be
    decoded or none has a role.
    """
    found: dict[str, list[Path]] = {}
    for path in source_audio.below(folder):
        found.setdefault(role(path.relative_to(folder)) or "", []).append(path)
    if not any(found.get(name) for name in codes):
        raise UserError(
            f"{folder}: holds no usable impulse response. File or folder names must contain the role of each "
            f"({', '.join(f'{word} = {meaning}' for word, meaning in WORDS.items())})."
        )
    responses = {}
    for name, names in codes.items():
        paths = found.get(name, [])
        order = stream(seed, "impulse responses", name).permutation(len(paths))
        for code, k in zip(names, order, strict=False):
            samples = audio.source(paths[k], sample_rate)
            if not np.abs(samples).max() > 0:
                raise UserError(f"{paths[k]}: holds only zeros. Remove it.")
            responses[code] = from_peak(samples, sample_rate)
    return responses
