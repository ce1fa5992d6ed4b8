"""Functions for worker processes in tests, which import them from here."""

import os
import signal
import sys
import time
from pathlib import Path

import joblib

from afn.common import errors, parallel
from afn.common.errors import UserError

SLOW = 0.5  # seconds


def square(item: int) -> int:
    """The square; even items take longer, so that odd ones overtake them."""
    time.sleep(0.05 * (item % 2 == 0))
    return item * item


def process(_: int) -> int:
    """The id of the process that does the work."""
    return os.getpid()


def busy(_: int) -> int:
    """The same, after a while."""
    time.sleep(SLOW)
    return os.getpid()


def threads(_: int) -> str | None:
    """How many threads BLAS is told to use."""
    return os.environ.get("OPENBLAS_NUM_THREADS")


def nested(_: int) -> set[int]:
    """The processes of a joblib call inside a unit."""
    return set(joblib.Parallel()(joblib.delayed(process)(item) for item in range(4)))


def refused(item: int) -> int:
    """UserError for 5."""
    if item == 5:
        raise UserError("item 5 is wrong. Remove it.")
    return item


def killed(item: int) -> int:
    """The item, unless that is 9: then SIGKILL."""
    if item == 9:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def killed_once(marker: Path) -> int:
    """The id of the process; the first one that comes here is killed."""
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


def session(commands: list[tuple[int, list[str]]], log: str) -> None:
    """Run stages (number, sys.argv) as programs in a new session, as run.sh does, with all output in `log`."""
    import stages

    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stdout.flush()
    for stream in (1, 2):
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
    try:
        os.setsid()  # from here on signals are sent
        for number, words in commands:
            sys.argv = words
            errors.run(stages.SCRIPTS[number].main)
    except KeyboardInterrupt:  # between two stages
        sys.exit(130)


def main() -> None:
    """Print the process of each unit of a long map."""
    for pid in parallel.ordered_map(busy, range(1000), 2):
        print(pid, flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it is ignored
    sys.argv[0] = "program"
    errors.run(main)
