"""Work on several processes: an ordered map that holds a handful of results, and commands run side by side.

Whatever ends this process ends those as well, SIGKILL included: they watch a pipe whose other end only this one holds.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Condition
from typing import TypeVar

from afn.common import allocator
from afn.common.errors import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")

CHUNK = 8  # items a worker takes at a time, unless told otherwise
PACKAGES = ["numpy", "scipy.fft", "soundfile", "yaml"]  # imported once, by the process that workers are forked from
GRACE = 1.0  # seconds that a worker has to give back what it holds before it ends

_stopping = threading.Event()  # in a worker: the process that wants its results has ended, or wants no more


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], jobs: int, chunk_size: int = CHUNK
) -> Iterator[Result]:
    """`function` of every item, in their order, on `jobs` processes (in this one if 1).

    A worker takes `chunk_size` items at a time; while at one it may `claim`. At most a few chunks per worker are under
    way, so that a slow consumer does not fill the memory. Raises UserError when a worker is killed.
    """
    if jobs == 1:
        yield from map(function, items)
        return
    context = get_context("forkserver")
    context.set_forkserver_preload(PACKAGES)
    reader, writer = context.Pipe(duplex=False)
    claims = Claims(context.Condition(), context.Array("q", 2, lock=False))
    with reader, writer, ProcessPoolExecutor(jobs, context, _start, (reader, claims)) as pool:
        pending: deque = deque()
        try:
            numbered = enumerate(items)
            while chunk := list(islice(numbered, chunk_size)):
                pending.append(pool.submit(_each, function, chunk))
                if len(pending) >= 3 * jobs:
                    yield from pending.popleft().result()
            while pending:
                yield from pending.popleft().result()
        except BaseException as error:
            writer.close()  # the workers pass over what is left to do
            if isinstance(error, BrokenProcessPool):
                raise UserError("a worker process was killed, perhaps for memory; give a lower --nj") from None
            raise


@dataclass
class Claims:
    """What the workers of one map share: whose turn it is, and the sum of all claims so far."""

    turn: Condition
    state: ctypes.Array  # the number of the item whose turn it is, and that sum
    number: int = 0  # of the item that this worker is at


_claims: Claims | None = None  # in a worker


def claim(amount: int) -> int:
    """In a worker of `ordered_map`, once for its item: the sum of what all items before it have claimed.

    So that results of any size can be put beside each other, by whoever has them, in the order of their items. Waits
    for the claims of the items before.
    """
    with _claims.turn:
        _claims.turn.wait_for(lambda: _claims.state[0] == _claims.number)
        start = _claims.state[1]
        _claims.state[:] = _claims.number + 1, start + amount
        _claims.turn.notify_all()
    return start


def _start(reader: Connection, claims: Claims) -> None:
    """Set up a worker: an interruption is the parent's to handle; the end of the parent is noticed."""
    global _claims
    allocator.keep_freed()
    _claims = claims
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(reader,), daemon=True).start()


def _end_with_parent(reader: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        reader.recv()
    _stopping.set()
    time.sleep(GRACE)
    os._exit(1)


def _each(function: Callable[[Item], Result], chunk: list[tuple[int, Item]]) -> list[Result]:
    results = []
    for number, item in chunk:
        if _stopping.is_set():
            break
        _claims.number = number
        results.append(function(item))
    return results


def run_all(commands: Sequence[Sequence[str]], jobs: int) -> list[int]:
    """Run `commands`, at most `jobs` at a time; returns their exit codes, in order.

    Each has a pipe for stdin, which is at its end when this process is: they call `end_with_stdin`.
    """
    waiting, running, codes = deque(enumerate(commands)), {}, {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                index, command = waiting.popleft()
                running[index] = subprocess.Popen(command, stdin=subprocess.PIPE)
            time.sleep(0.05)
            for index, process in list(running.items()):
                if process.poll() is not None:
                    codes[index] = running.pop(index).returncode
                    process.stdin.close()
    except BaseException:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait()
        raise
    return [codes[index] for index in range(len(commands))]


def end_with_stdin() -> None:
    """From now on end this process, by SIGTERM, when its stdin is at its end."""

    def watch() -> None:
        while os.read(0, 1):  # not sys.stdin, whose lock this thread would hold when Python ends
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
