"""Work on several processes: an ordered map that holds a handful of results, and commands run side by side.

Whatever ends this process ends those as well, SIGKILL included: they watch a pipe whose other end only this one holds.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import TypeVar

from errors import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")

CHUNK = 8  # items a worker takes at a time
GRACE = 1.0  # seconds that a worker has to give back what it holds before it ends

_stopping = threading.Event()  # in a worker: the process that wants its results has ended, or wants no more


def ordered_map(function: Callable[[Item], Result], items: Iterable[Item], jobs: int) -> Iterator[Result]:
    """`function` of every item, in their order, on `jobs` processes (in this one if 1).

    At most a few chunks per worker are under way, so that a slow consumer does not fill the memory. Raises UserError
    when a worker is killed.
    """
    if jobs == 1:
        yield from map(function, items)
        return
    context = get_context("forkserver")
    reader, writer = context.Pipe(duplex=False)
    with reader, writer, ProcessPoolExecutor(jobs, context, _start, (reader,)) as pool:
        pending: deque = deque()
        try:
            iterator = iter(items)
            while chunk := list(islice(iterator, CHUNK)):
                pending.append(pool.submit(_each, function, chunk))
                if len(pending) >= 3 * jobs:
                    yield from pending.popleft().result()
            while pending:
                yield from pending.popleft().result()
        except BaseException as error:
            writer.close()
            for future in pending:
                future.cancel()
            if isinstance(error, BrokenProcessPool):
                raise UserError("a worker process was killed, perhaps for memory; give a lower --nj") from None
            raise


def _start(reader: Connection) -> None:
    """Set up a worker: an interruption is the parent's to handle; the end of the parent is noticed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(reader,), daemon=True).start()


def _end_with_parent(reader: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        reader.recv()
    _stopping.set()
    time.sleep(GRACE)
    os._exit(1)


def _each(function: Callable[[Item], Result], chunk: list[Item]) -> list[Result]:
    results = []
    for item in chunk:
        if _stopping.is_set():
            break
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
