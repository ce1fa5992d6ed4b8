"""Our own extraction: a front end over recordings, in parallel."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Protocol

import numpy as np

import parallel
from errors import UserError
from features import audio

VERSION = 2  # raised whenever the same settings come to give other features: those that stand are then made anew


class FrontEnd(Protocol):
    """From a recording to its features; training, scoring and one's own recordings all pass here."""

    sample_rate: int

    def __call__(self, utt: str, samples: np.ndarray) -> np.ndarray:
        """int16[N] to float32[T × D]; the utterance id seeds whatever is random. UserError without a single frame."""


def extract(
    recordings: Iterable[tuple[str, str]], front_end: FrontEnd, jobs: int
) -> Iterator[tuple[str, np.ndarray]]:
    """`(utterance, features)` for every `(utterance, wav file)`, in order; the same bytes for any number of jobs."""
    return parallel.ordered_map(partial(features_of, front_end), recordings, jobs)


def features_of(front_end: FrontEnd, recording: tuple[str, str]) -> tuple[str, np.ndarray]:
    """`(utterance, wav file)` to `(utterance, float32[T × D])`; UserError, naming both, for an unusable recording."""
    utt, wav = recording
    samples = audio.read(wav, front_end.sample_rate)
    try:
        return utt, front_end(utt, samples)
    except UserError as error:
        raise UserError(f"{wav} ({utt}): {error}") from None
