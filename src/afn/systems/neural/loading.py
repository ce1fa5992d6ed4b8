"""Training examples made ahead of the step that needs them: crops, masks and augmented recordings.

A batch depends on the seed, the epoch and its utterances alone: neither on the order of the work nor on the number of
processes that do it. Without PyTorch, which worker processes then need not import.
"""

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeVar

import numpy as np

from afn.augment import Augmentation, Augmenter, masked
from afn.augment.channels import Key
from afn.augment.random_streams import stream
from afn.common import parallel
from afn.common.errors import UserError
from afn.features import audio
from afn.features.front_end import FrontEnd
from afn.systems.subset import GENUINE, Subset

T = TypeVar("T")

AHEAD = 2  # batches that are ready before they are needed
PER_JOB = 4  # batches that a worker makes before they are waited for


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
    """One utterance in a batch: its features, or the recording that is to be augmented."""

    utt: str
    label: str
    turn: int  # how often the same epoch has had it before
    source: np.ndarray | str  # float32[T × D], or a wav file


@dataclass(frozen=True)
class Examples:
    """Makes batches of training examples, in any process.

    Args:
        seed: of the training.
        frames: of an example, the beginning of the utterance; or the range of a random part of it.
        bins: values per frame that the network takes.
        augment: how recordings and features are changed.
        front_end: extracts the features of changed recordings.
    """

    seed: int
    frames: int | tuple[int, int]
    bins: int
    augment: Augmentation | None = None
    front_end: FrontEnd | None = None

    def batch(self, work: tuple[int, Sequence[Item]]) -> tuple[np.ndarray, np.ndarray]:
        """`(epoch, items)` to examples float32[B × 1 × D × frames] and targets float32[B], 1 = genuine."""
        epoch, items = work
        frames = self.frames
        if not isinstance(frames, int):
            random = stream(0, self.seed, epoch, items[0].utt, items[0].turn, "frames")
            frames = int(random.integers(*frames, endpoint=True))
        features, labels = zip(*(self.example(item, epoch, frames) for item in items), strict=True)
        return np.stack(features)[:, None], np.array([GENUINE[label] for label in labels], dtype=np.float32)

    def example(self, item: Item, epoch: int, frames: int) -> tuple[np.ndarray, str]:
        """One utterance as float32[D × frames], and its label, which is spoof if it was replayed."""
        key = (self.seed, epoch, item.utt, item.turn)
        features, label = self._augmented(item, key) if isinstance(item.source, str) else (item.source, item.label)
        check_width(features, self.bins)
        start = 0
        if not isinstance(self.frames, int):
            start = int(stream(0, *key, "crop").integers(max(len(features) - frames, 0) + 1))
        example = repeated(features, frames, start)
        return (example if self.augment is None else masked(example, self.augment, key)).T, label

    def _augmented(self, item: Item, key: Key) -> tuple[np.ndarray, str]:
        """The features of a recording that `key` changes, and its label."""
        assert isinstance(item.source, str) and self.front_end is not None
        samples, label = self._augmenter(audio.read(item.source, self.front_end.sample_rate), item.label, key)
        return self.front_end(" ".join(map(str, key)), samples), label

    @cached_property
    def _augmenter(self) -> Augmenter:
        assert self.augment is not None and self.front_end is not None
        return Augmenter(self.augment, self.front_end.sample_rate)


class Varied:
    """A subset whose examples differ from epoch to epoch.

    Args:
        subset: its `recordings` are needed where `examples` changes them.
        jobs: processes that change recordings; the same bytes for any number.
    """

    def __init__(self, subset: Subset, examples: Examples, jobs: int):
        self.subset, self.examples, self.jobs = subset, examples, jobs
        self.utterances = subset.utterances
        self.from_recordings = examples.augment is not None and examples.augment.changes_samples

    def batches(self, order: Sequence[Sequence[int]], epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The batches of indices in `order`, as `Examples.batch` makes them."""
        jobs = self.jobs if self.from_recordings else 1
        parts = -(-len(order) // (PER_JOB * jobs))  # bounded, for workers do not wait for the step
        for part in range(parts):
            chosen = order[len(order) * part // parts : len(order) * (part + 1) // parts]
            work = ((epoch, [self._item(index) for index in batch]) for batch in chosen)
            yield from parallel.ordered_map(self.examples.batch, work, jobs)

    def _item(self, index: int) -> Item:
        turn, place = divmod(index, len(self.utterances))
        utt = self.utterances[place]
        source = self.subset.recordings[utt] if self.from_recordings else self.subset.features[utt]
        return Item(utt, self.subset.labels[utt], turn, source)


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
            if isinstance(items, Generator):
                thread.submit(items.close)
