"""Training examples made ahead of the step that needs them: crops, masks and augmented recordings.

An example depends on the seed, the epoch and the utterance alone: neither on the order of the work nor on the number of
processes that do it. Without PyTorch, which worker processes then need not import.
"""

import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

from afn.common.errors import UserError
from afn.systems.subset import GENUINE, Subset

T = TypeVar("T")

AHEAD = 2  # batches that are ready before they are needed


def check_width(features: np.ndarray, bins: int) -> None:
    """Raise UserError unless `features` have `bins` values a frame."""
    if features.shape[1] != bins:
        raise UserError(
            f"features have {features.shape[1]} values per frame, the network takes {bins}. Change features.conf."
        )


def repeated(features: np.ndarray, frames: int, start: int = 0) -> np.ndarray:
    """float[T × D] to float[frames × D]: from frame `start` on, the utterance repeated until it is long enough."""
    return features[np.arange(start, start + frames) % len(features)]


class Item(NamedTuple):
    """One utterance in a batch."""

    utt: str
    label: str
    turn: int  # how often the same epoch has had it before
    features: np.ndarray  # float32[T × D]


@dataclass(frozen=True)
class Examples:
    """Makes batches of training examples, in any process.

    Args:
        seed: of the training.
        frames: of an example.
        bins: values per frame that the network takes.
        crop: whether an example is a random part of the utterance, less the mean of the whole; else its beginning.
    """

    seed: int
    frames: int
    bins: int
    crop: bool

    def batch(self, work: tuple[int, Sequence[Item]]) -> tuple[np.ndarray, np.ndarray]:
        """`(epoch, items)` to examples float32[B × 1 × D × frames] and targets float32[B], 1 = genuine."""
        epoch, items = work
        made = [self.example(item, epoch) for item in items]
        features, labels = zip(*made, strict=True)
        return np.stack(features)[:, None], np.array([GENUINE[label] for label in labels], dtype=np.float32)

    def example(self, item: Item, epoch: int) -> tuple[np.ndarray, str]:
        """One utterance as float32[D × frames], and its label."""
        key = (self.seed, epoch, item.utt, item.turn)
        features, label = item.features, item.label
        check_width(features, self.bins)
        start = 0
        if self.crop:
            start = int(stream(key).integers(max(len(features) - self.frames, 0) + 1))
        example = repeated(features, self.frames, start)
        if self.crop:
            example -= features.mean(axis=0)
        return example.T, label


def stream(key: Sequence[int | str]) -> np.random.Generator:
    """The random numbers of an example."""
    return np.random.default_rng([zlib.crc32(part.encode()) if isinstance(part, str) else part for part in key])


class Varied:
    """A subset whose examples differ from epoch to epoch."""

    def __init__(self, subset: Subset, examples: Examples):
        self.subset, self.examples = subset, examples
        self.utterances = subset.utterances

    def batches(self, order: Sequence[Sequence[int]], epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The batches of indices in `order`, as `Examples.batch` makes them."""
        for batch in order:
            yield self.examples.batch((epoch, [self._item(index) for index in batch]))

    def _item(self, index: int) -> Item:
        turn, place = divmod(index, len(self.utterances))
        utt = self.utterances[place]
        return Item(utt, self.subset.labels[utt], turn, self.subset.features[utt])


def ahead(items: Iterator[T], count: int = AHEAD) -> Iterator[T]:
    """`items`, of which a thread computes `count` before they are asked for."""
    end = object()
    with ThreadPoolExecutor(1) as thread:
        waiting = deque(thread.submit(next, items, end) for _ in range(count))
        try:
            while (item := waiting.popleft().result()) is not end:
                waiting.append(thread.submit(next, items, end))
                yield item  # type: ignore[misc]
        finally:
            for future in waiting:
                future.cancel()
