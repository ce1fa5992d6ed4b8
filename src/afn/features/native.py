"""Our own extraction: a front end over recordings, in parallel."""

import io
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np

from afn.common import allocator, files, parallel
from afn.common.errors import UserError
from afn.features import archives, audio

PART = 8  # recordings that a worker takes at a time

VERSION = 2  # raised whenever the same settings come to give other features: those that stand are then made anew


class FrontEnd(Protocol):
    """From a recording to its features; training, scoring and one's own recordings all pass here."""

    sample_rate: int

    def __call__(self, utt: str, samples: np.ndarray) -> np.ndarray:
        """int16[N] to float32[T × D]; the utterance id seeds whatever is random. UserError without a single frame."""


def write(
    directory: Path,
    recordings: Iterable[tuple[str, str]],
    front_end: FrontEnd,
    jobs: int,
    archive: str,
    done: Callable[[int], None] = lambda count: None,
) -> int:
    """Write the features of every `(utterance, wav file)` as `archives.write` does; returns how many there are.

    The same bytes for any number of jobs. `done` is told of every few utterances how many they are.
    """
    if jobs == 1:
        allocator.keep_freed()
        return archives.write(directory, map(partial(features_of, front_end), recordings), archive, done)
    with archives.writing(directory, archive) as writer:
        ark = files.temporary_name(directory / archives.ARCHIVE)
        few = iter(partial(_next, iter(recordings)), [])
        for entries in parallel.ordered_map(partial(_part, front_end, ark), few, jobs, chunk_size=1):
            for entry in entries:
                writer.enter(entry)
            done(len(entries))
    return writer.count


def _next(recordings: Iterator[tuple[str, str]]) -> list[tuple[str, str]]:
    return list(islice(recordings, PART))


def _part(front_end: FrontEnd, ark: Path, recordings: list[tuple[str, str]]) -> list[archives.Entry]:
    """Write the features of a few recordings to where they belong in `ark`.

    By the worker that made them: on their way to another process they would be copied four times.
    """
    packed = Buffer()
    entries = list(archives.pack(map(partial(features_of, front_end), recordings), packed))
    start = parallel.claim(packed.tell())
    with ark.open("r+b", buffering=0) as file:
        file.seek(start)
        rest = packed.getbuffer()
        while len(rest):
            rest = rest[file.write(rest) :]
    return [entry._replace(offset=start + entry.offset) for entry in entries]


class Buffer(io.BytesIO):
    """Memory that kaldi_io takes for a file."""

    mode = "wb"


def features_of(front_end: FrontEnd, recording: tuple[str, str]) -> tuple[str, np.ndarray]:
    """`(utterance, wav file)` to `(utterance, float32[T × D])`; UserError, naming both, for an unusable recording."""
    utt, wav = recording
    samples = audio.read(wav, front_end.sample_rate)
    try:
        return utt, front_end(utt, samples)
    except UserError as error:
        raise UserError(f"{wav} ({utt}): {error}") from None
