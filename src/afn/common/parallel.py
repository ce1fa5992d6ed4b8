"""Work on several processes or machines: one ordered map, by joblib.

Locally joblib runs processes (loky). Within `cluster` the same calls go to a Dask cluster that the user has started.
"""

import argparse
import contextlib
import functools
import logging
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, islice
from typing import Any, TypeVar

from afn.common import allocator
from afn.common.errors import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")

PATIENCE = 10.0  # seconds that a Dask scheduler has to answer
PATIENCE_FOR_WORKERS = 60.0  # seconds that its first worker, perhaps a queued job, has to start
INSTALL = "Install it in this environment: pip install dask distributed."

_backend: Any = None  # joblib's backend for the Dask cluster, within `cluster`

# joblib warns of tasks that an error has made useless, and of workers that it restarts between two tasks because they
# have grown by 300 MB. Neither affects a result.
warnings.filterwarnings("ignore", r"\d+ tasks (have been successfully|which were still)", UserWarning)
warnings.filterwarnings("ignore", "A worker stopped while some jobs were given to the executor", UserWarning)


def add_options(parser: argparse.ArgumentParser, *, nj: bool = True) -> None:
    """Add --cluster, the address of a Dask scheduler, and with `nj` also --nj, the number of parallel jobs."""
    if nj:
        parser.add_argument(
            "--nj",
            type=positive,
            default=default_jobs(),
            metavar="N",
            help="parallel jobs on this machine (%(default)s, the cores that this process may use)",
        )
    parser.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="work on a Dask cluster instead, for example tcp://host:8786 (docs/cluster.md)",
    )


def positive(text: str) -> int:
    """The type of an option that takes a whole number above 0."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number above 0")
    return int(text)


def default_jobs() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], jobs: int, threads: int | None = 1
) -> Iterator[Result]:
    """`function` of every item, in the order of the items, on `jobs` processes; in this process if `jobs` is 1.

    Within `cluster`, all workers of the cluster do it, and `jobs` has no effect. Items are taken from the iterable as
    they are needed, about two per process ahead. Functions, items and results are pickled.

    Args:
        function: one unit of work. Files that it writes must be complete or absent: it may be run again elsewhere.
        threads: for BLAS and OpenMP in each of these processes; None: OMP_NUM_THREADS, or an equal share of the cores.

    Raises:
        UserError: a worker process was killed; the cluster has no workers, or too many were lost at one unit.
        Exception: what `function` raises, from the first call that fails.
    """
    items = iter(items)
    if _backend is None:
        first = list(islice(items, jobs))
        items, jobs = chain(first, items), len(first)  # no more processes than items
        if jobs <= 1:
            yield from (_call(function, item) for item in items)
            return
    import joblib  # here, for it takes 0.2 s

    if _backend is None:
        # Idle workers serve the next call, if these settings are the same.
        settings: dict[str, Any] = {"inner_max_num_threads": threads, "initializer": _start, "initargs": (os.getpid(),)}
        with joblib.parallel_config("loky", **settings):
            pool = joblib.Parallel(n_jobs=jobs, batch_size=1, return_as="generator", max_nbytes=None)
    else:
        pool = joblib.Parallel(backend=_backend, n_jobs=-1, batch_size=1, return_as="generator")
    try:
        yield from pool(joblib.delayed(_call)(function, item) for item in items)
    except BrokenProcessPool:
        raise UserError("a worker process was killed, perhaps for lack of memory. Give a lower --nj.") from None


_keep_freed = functools.cache(allocator.keep_freed)  # once in a process


def _call(function: Callable[[Item], Result], item: Item) -> Result:
    _keep_freed()
    return function(item)


def _start(parent: int) -> None:
    """Set up a local worker: the parent handles Ctrl-C, and the worker ends when the parent does, SIGKILL included."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


@contextlib.contextmanager
def cluster(address: str | None) -> Iterator[None]:
    """Within the block `ordered_map` works on the Dask cluster whose scheduler is at `address`; None: on this machine.

    Workers need the same package and the same file system. A unit whose worker is lost is run again by another one, at
    most as often as Dask's `distributed.scheduler.allowed-failures` says.

    Raises:
        UserError: Dask is not installed, or no scheduler answers.
    """
    global _backend
    if address is None:
        yield
        return
    try:
        from dask.distributed import Client

        from afn.common import dask_backend
    except ImportError:
        raise UserError(f"--cluster {address}: dask is not installed. {INSTALL}") from None
    try:
        dask_backend.wait_for_scheduler(address, PATIENCE)
        client = Client(address, timeout=PATIENCE, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise UserError(
            f"--cluster {address}: no Dask scheduler answers ({error}). Start one (docs/cluster.md), or correct the "
            f"address."
        ) from None
    for name in ("distributed", "distributed.client"):  # what matters to the user is raised
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    with client:
        _backend = dask_backend.Backend(client=client, wait_for_workers_timeout=PATIENCE_FOR_WORKERS)
        try:
            yield
        finally:
            _backend = None
