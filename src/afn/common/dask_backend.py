"""joblib's backend for Dask, made to fit a pipeline: every unit runs on the cluster, and every failure is reported."""

import socket
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Any

from distributed import KilledWorker
from distributed.comm.addressing import parse_address, parse_host_port
from joblib._dask import DaskDistributedBackend
from joblib.parallel import SequentialBackend

from afn.common.errors import UserError


class Backend(DaskDistributedBackend):  # type: ignore[misc]  # joblib has no types
    """joblib's own backend with the changes below."""

    def effective_n_jobs(self, n_jobs: int) -> int:
        """At least 2: with 1, joblib would work in this process instead of on a cluster of one worker."""
        try:
            return max(2, int(super().effective_n_jobs(n_jobs)))
        except TimeoutError:
            raise UserError(
                f"the Dask cluster had no worker for {self.wait_for_workers_timeout:g} s. Start workers "
                f"(docs/cluster.md)."
            ) from None

    def get_nested_backend(self) -> tuple[Any, int]:
        """Calls of joblib inside a unit stay in its worker."""
        return SequentialBackend(nesting_level=1), 1

    def submit(self, func: Callable[..., Any], callback: Callable[..., Any] | None = None) -> Future[Any]:
        """Submit a unit. A failure of Dask itself reaches the callback as well; joblib would wait for ever."""
        future: Future[Any] = super().submit(func, callback)

        def failed(done: Future[Any]) -> None:
            if callback is not None and (error := done.exception()) is not None:
                callback(error)

        future.add_done_callback(failed)
        return future

    def retrieve_result_callback(self, out: Any) -> Any:
        """The result of a unit, or what it has raised. UserError for a failure of Dask."""
        if not isinstance(out, BaseException):
            return super().retrieve_result_callback(out)
        if isinstance(out, KilledWorker):
            raise UserError("several Dask workers died at one unit, perhaps for lack of memory. Give workers more.")
        if isinstance(out, CancelledError):
            raise UserError("the Dask scheduler is gone. Start it again, then run the same command again.")
        missing = out.__cause__ if isinstance(out, RuntimeError) else out  # in the scheduler, or in a worker
        if isinstance(missing, ModuleNotFoundError):
            raise UserError(
                f"the Dask scheduler or its workers lack the Python module {missing.name}. Install this package there "
                f"(docs/cluster.md)."
            )
        raise out


def wait_for_scheduler(address: str, patience: float) -> None:
    """Wait up to `patience` seconds until something accepts connections at `address`.

    A Dask client without a scheduler waits 20 s more when it is closed. Raises OSError if nothing does, and
    ValueError for a malformed address.
    """
    protocol, place = parse_address(address)
    if protocol not in ("tcp", "tls"):
        return
    host, port = parse_host_port(place)
    deadline = time.monotonic() + patience
    while True:
        try:
            socket.create_connection((host, port), timeout=patience).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
