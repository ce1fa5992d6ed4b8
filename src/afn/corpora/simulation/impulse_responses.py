"""Measured impulse responses: the files of a folder as rooms, loudspeakers and microphones."""

from pathlib import Path

import numpy as np

from afn.augment import responses
from afn.augment.random_streams import stream


def assign(folder: Path, codes: dict[str, list[str]], seed: int, sample_rate: int) -> dict[str, np.ndarray]:
    """Deal the files of a folder to codes; `codes` maps a role to its codes. Every file goes to one code at most.

    Returns code -> float64[N] at `sample_rate` Hz, from the peak on, of unit energy. Codes beyond the number of files
    are left out: their response stays the simulated one. Raises UserError as `responses.files` and `responses.read` do.
    """
    found = responses.files(folder)
    dealt = {}
    for role, names in codes.items():
        paths = found.get(role, [])
        order = stream(seed, "impulse responses", role).permutation(len(paths))
        for code, k in zip(names, order, strict=False):
            dealt[code] = responses.read(paths[k], sample_rate)
    return dealt
