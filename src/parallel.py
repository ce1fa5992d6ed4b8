"""An ordered map over worker processes that never holds more than a handful of results."""

import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

CHUNK = 8  # items a worker takes at a time


def ordered_map(function: Callable[[Item], Result], items: Iterable[Item], jobs: int) -> Iterator[Result]:
    """`function` of every item, in their order, on `jobs` processes (in this one if 1).

    At most a few chunks per worker are under way, so that a slow consumer does not fill the memory.
    """
    if jobs == 1:
        yield from map(function, items)
        return
    with ProcessPoolExecutor(jobs, get_context("forkserver"), _leave_interrupts_to_parent) as pool:
        pending: deque = deque()
        try:
            iterator = iter(items)
            while chunk := list(islice(iterator, CHUNK)):
                pending.append(pool.submit(_each, function, chunk))
                if len(pending) >= 3 * jobs:
                    yield from pending.popleft().result()
            while pending:
                yield from pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def _each(function: Callable[[Item], Result], chunk: list[Item]) -> list[Result]:
    return [function(item) for item in chunk]


def _leave_interrupts_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
