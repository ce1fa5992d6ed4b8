"""A recording that is scored by itself: its samples, the windows it is cut into, and what scoring finds."""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Window(NamedTuple):
    """A part of a recording that gets a score."""

    start: float  # s
    end: float  # s
    features: np.ndarray  # float32[T × D]


@dataclass
class Recording:
    """A recording, and what scoring finds."""

    path: Path
    samples: np.ndarray  # int16[N]
    sample_rate: int  # Hz
    notes: list[str]
    warnings: list[str] = field(default_factory=list)  # in what it is unlike the training data
    spans: list[tuple[float, float]] = field(default_factory=list)  # of the windows, s
    runs: list[list[float]] = field(default_factory=list)  # the scores of each window, one a seed
    scores: list[float] = field(default_factory=list)  # of the windows
    score: float = math.nan
    lowest: Window | None = None  # the window with the lowest score
    heatmap: Path | None = None

    @property
    def utt(self) -> str:
        """The utterance id, which seeds the dither: the file's name without its ending, as in a corpus."""
        return readable(self.path.stem)

    @property
    def duration(self) -> float:
        return len(self.samples) / self.sample_rate

    @property
    def seconds(self) -> list[float]:
        """A score per second: the mean of the windows that contain its middle."""
        starts, ends = np.array(self.spans).T
        scores = np.array(self.scores)
        begins = np.arange(math.ceil(self.duration))
        middles = (begins + np.minimum(begins + 1, self.duration)) / 2
        within = ((starts <= m) & (m <= ends) for m in middles)
        return [float(scores[at].mean()) for at in within]


def starts(count: int, width: int) -> list[int]:
    """Where windows of `width` begin in `count` rows: half overlapping, the last ending with them."""
    last = max(count - width, 0)
    return [*range(0, last, max(width // 2, 1)), last]


def cut(stretches: Iterator[np.ndarray], places: list[int], width: int) -> Iterator[np.ndarray]:
    """The windows of `width` rows at `places`, or as many rows as there are, from consecutive stretches of rows."""
    held, first = next(stretches), 0
    for place in places:
        held, first = held[place - first :], place
        while len(held) < width and (more := next(stretches, None)) is not None:
            held = np.concatenate([held, more])
        yield held[:width]


def readable(path: Path | str) -> str:
    """A path as text that can be written in UTF-8; bytes of a name that are not UTF-8 are replaced."""
    return os.fsencode(path).decode("utf-8", "replace")
