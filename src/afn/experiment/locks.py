"""One run at a time in a folder: a second one is refused, and told whose it is.

The lock is flock(2) on a file `.NAME.lock` beside the folder NAME. It belongs to an open file and so vanishes with the
process that holds it, however that ends: a lock file without a living holder is stale, and is taken over. The file says
who holds it. On file systems without flock a folder is not guarded.
"""

import contextlib
import errno
import fcntl
import os
import shlex
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from afn.common.errors import UserError

UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
BUSY = (errno.EAGAIN, errno.EACCES)
PAUSE = 0.1  # seconds between attempts


def name(folder: Path) -> Path:
    """The lock file of `folder`; beside it, so that the folder itself may be removed and created again."""
    return folder.with_name(f".{folder.name}.lock")


@contextlib.contextmanager
def hold(folder: Path, patience: float = 0.0) -> Iterator[None]:
    """Let no other run work in `folder` within the block.

    A run that another one keeps out waits up to `patience` seconds, then raises UserError, which names the other's
    process, host, start and command.
    """
    path = name(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + patience
    while (file := _taken(path)) is None:
        if time.monotonic() >= deadline:
            raise UserError(f"{folder}: {_holder(path)} is at work here; wait for it to end, or end it")
        time.sleep(PAUSE)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # while it is still held: nobody can have taken it over
        os.close(file)


@contextlib.contextmanager
def hold_one(folders: Sequence[Path]) -> Iterator[int]:
    """Hold the first of `folders` that is free, for the block; yields its place. Waits until one is free."""
    while True:
        for place, folder in enumerate(folders):
            if (file := _taken(name(folder))) is None:
                continue
            try:
                yield place
            finally:
                name(folder).unlink(missing_ok=True)
                os.close(file)
            return
        time.sleep(PAUSE)


def _taken(path: Path) -> int | None:
    """The locked file, open, with this process's name in it; None while another holds it."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            if not _locked(file):
                os.close(file)
                return None
            if _is(file, path):
                command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
                text = f"process {os.getpid()} on {socket.gethostname()} since {time.strftime('%F %T')}: {command}\n"
                with contextlib.suppress(OSError):  # a full disk is met where something is written that matters
                    os.ftruncate(file, 0)
                    os.write(file, text.encode(errors="backslashreplace"))
                return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)  # its holder removed it between our opening and our locking it; the next is another file


def _locked(file: int) -> bool:
    """Whether `file` is ours now; False where another process has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in BUSY:
            return False
        if error.errno not in UNSUPPORTED:
            raise
    return True


def _is(file: int, path: Path) -> bool:
    """Whether `path` still names the open `file`."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _holder(path: Path) -> str:
    """Who holds a lock, in words; its file is empty for the instant before the holder has written there."""
    with contextlib.suppress(OSError):
        if text := path.read_text(encoding="utf-8", errors="replace").strip():
            process, _, command = text.partition(": ")
            return f"{process} ({command if len(command) <= 100 else command[:99] + '…'})"
    return "another process"
