"""Several trainings in one process, in turns.

A training in turns is an iterator: its next turn gives the device work, then passes on before anyone waits for the
result. On a GPU each training has a stream of its own, so that what one batch of four leaves idle the others fill.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

import torch

from afn.common.errors import UserError

Name = TypeVar("Name", bound=Hashable)


def take(
    trainings: Iterable[tuple[Name, Iterator[None]]], at_once: int, failed: Callable[[Name, UserError], None]
) -> None:
    """Take turns at up to `at_once` trainings, `(name, turns)`, until all have ended; a new one begins as one ends.

    One that ends with a UserError is told to `failed`, and the others go on. Whatever else ends one ends all.
    """
    waiting = iter(trainings)
    running: dict[Name, tuple[Iterator[None], torch.cuda.Stream | None]] = {}
    try:
        while True:
            for name, turns in islice(waiting, at_once - len(running)):
                running[name] = turns, torch.cuda.Stream() if torch.cuda.is_available() else None
            if not running:
                return
            for name, (turns, stream) in list(running.items()):
                try:
                    with torch.cuda.stream(stream):
                        next(turns)
                except StopIteration:
                    del running[name]
                except UserError as error:
                    del running[name]
                    failed(name, error)
    finally:
        for turns, _ in running.values():
            turns.close()
