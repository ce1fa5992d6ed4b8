"""One run at a time in a folder. A second run is refused, and the message names the first.

The lock is `filelock`'s on a file `.NAME.lock` beside the folder NAME; the file holds the process, host, start and
command. The system releases the lock when that process ends, however it ends: a file that a killed run left locks
nothing. File systems without locks are not protected.
"""

import contextlib
import errno
import math
import os
import shlex
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from afn.common.errors import UserError

UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
PAUSE = 0.1  # seconds between attempts
PATIENCE = 5.0  # seconds: a run that was just killed holds its lock until the system has freed its memory
LONGEST = 100  # characters of a command in the message


def name(folder: Path) -> Path:
    """The lock file of `folder`; beside it, so that the folder itself may be removed and created again."""
    return folder.with_name(f".{folder.name}.lock")


@contextlib.contextmanager
def hold(folder: Path, patience: float | None = None) -> Iterator[None]:
    """Lock `folder` for the block, after waiting for another run up to `patience` seconds (PATIENCE by default).

    Raises UserError, with process, host, start and command of the other run, if that run still holds the lock then.
    """
    patience = PATIENCE if patience is None else patience
    path = name(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=-1 if patience == math.inf else patience, poll_interval=PAUSE, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(f"{folder}: {_holder(path)} is at work here. Wait for it to end, or end it.") from None
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
    if lock.is_locked:
        command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
        text = f"process {os.getpid()} on {socket.gethostname()} since {time.strftime('%F %T')}: {command}\n"
        with contextlib.suppress(OSError):  # a full disk is reported where a result is written
            path.write_text(text, encoding="utf-8", errors="backslashreplace")
    try:
        yield
    finally:
        if lock.is_locked:
            path.unlink(missing_ok=True)  # before the release: filelock does not take over a file without a name
            lock.release()


@contextlib.contextmanager
def hold_one(folders: Sequence[Path]) -> Iterator[int]:
    """Lock the first of `folders` that is free, for the block; yields its index. Waits until one is free."""
    while True:
        for index, folder in enumerate(folders):
            with contextlib.ExitStack() as stack:
                try:
                    stack.enter_context(hold(folder, patience=0))
                except UserError:
                    continue
                yield index
                return
        time.sleep(PAUSE)


def _holder(path: Path) -> str:
    """The run that holds a lock, in words. Its file is empty for a moment before the holder has written to it."""
    with contextlib.suppress(OSError):
        if text := path.read_text(encoding="utf-8", errors="replace").strip():
            process, _, command = text.partition(": ")
            return f"{process} ({command if len(command) <= LONGEST else command[: LONGEST - 1] + '…'})"
    return "another process"
