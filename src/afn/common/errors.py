"""A user's mistakes: one clear line on stderr and a non-zero exit, never a traceback."""

import contextlib
import errno
import gc
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import TextIO

USER_ERROR = 2
DEBUG = "--debug"  # the option of every script
LONGEST = 1000  # characters of a line
SIGNALLED = 128  # and the signal's number: the shell's convention

RETRAIN = "Train again with --force."  # how to fix a training's damaged files
MAKE_ROOM = "make room, then run the same command again: it resumes"
ELSEWHERE = "correct its permissions, or choose another folder (--data, --exp)"
FIXES = {
    errno.ENOSPC: MAKE_ROOM,
    errno.EDQUOT: MAKE_ROOM,
    errno.EFBIG: "raise the limit on the size of files (`ulimit -f`), then run the same command again: it resumes",
    errno.EACCES: ELSEWHERE,
    errno.EPERM: ELSEWHERE,
    errno.EROFS: ELSEWHERE,
    errno.ENOTDIR: "a file is where a folder belongs: move it away, or choose another folder (--data, --exp)",
    errno.EEXIST: "a file is where a folder belongs: move it away, or choose another folder (--data, --exp)",
    errno.EISDIR: "a folder is where a file belongs: move it away",
    errno.ENOENT: "check the name; if it is under data/ or exp/, run the earlier stages again",
    errno.ENAMETOOLONG: "shorten the name",
    errno.EMFILE: "too many files are open at once: lower --nj, or raise `ulimit -n`",
}
OUT_OF_MEMORY = "out of memory; lower what is held at once (--nj, train.batch_size), then run the same command again"
# RuntimeErrors of PyTorch, on a GPU and on the CPU.
NO_MEMORY = ("out of memory", "can't allocate memory")


class UserError(Exception):
    """A mistake that the user can fix. The text is one line: file or value, what is wrong, how to fix it."""


class Ended(KeyboardInterrupt):
    """Asked to end by another signal than Ctrl-C's; what ends on Ctrl-C ends on this as well."""

    def __init__(self, number: int):
        super().__init__()
        self.number = number


def run(main: Callable[[], None]) -> None:
    """Call `main` and turn a user's mistake, a refused file operation or a signal into one line and an exit code.

    SIGTERM and SIGHUP end the program as Ctrl-C does: temporary files are removed, other processes ended. `--debug`
    anywhere on the command line prints the traceback as well.
    """
    debug = DEBUG in sys.argv
    sys.argv = [word for word in sys.argv if word != DEBUG]
    try:
        with _ended_by_signals():
            main()
            sys.stdout.flush()
        gc.freeze()  # or Python would look for garbage among all modules at its end: 0.2 to 0.3 s
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            traceback.print_exc()
        code = report(error)
        if code is None:
            raise
        sys.exit(code)


def report(error: BaseException) -> int | None:
    """Print the line for an error that is none of the program's own; its exit code, or None for any other error."""
    program = Path(sys.argv[0]).name
    if isinstance(error, UserError):
        return _say(program, str(error), USER_ERROR)
    if isinstance(error, BrokenPipeError):
        _drop(sys.stdout)  # the reader, as in `… | head`, has seen enough
        return SIGNALLED + signal.SIGPIPE
    if isinstance(error, OSError) and error.errno is not None:
        _drop(sys.stdout)
        where = f"{error.filename}: " if error.filename else ""
        fix = FIXES.get(error.errno, "correct that, then run the same command again")
        return _say(program, f"{where}{error.strerror}; {fix}", USER_ERROR)
    if isinstance(error, KeyboardInterrupt):
        number = getattr(error, "number", signal.SIGINT)
        return _say(program, "interrupted; run the same command again to resume", SIGNALLED + number)
    out_of_memory = isinstance(error, RuntimeError) and any(words in str(error) for words in NO_MEMORY)
    if out_of_memory or isinstance(error, MemoryError):
        return _say(program, OUT_OF_MEMORY, USER_ERROR)
    return None


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Within the block SIGTERM and SIGHUP raise `Ended`, once; a signal that is ignored (nohup) stays so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _: FrameType | None) -> None:
        for other in before:
            signal.signal(other, signal.SIG_IGN)  # an orderly end is not disturbed
        raise Ended(number)

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    before = {number: handler for number, handler in before.items() if handler != signal.SIG_IGN}
    for number in before:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _drop(stream: TextIO) -> None:
    """Throw away what `stream` could not write, so that Python does not stumble over it again at its end."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _say(program: str, text: str, code: int) -> int:
    """Print `text` as one line; what a file has put into it can neither steer the terminal nor flood it."""
    text = " ".join(text.split())
    text = "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]} … {text[-LONGEST // 2 :]}"
    print(f"{program}: error: {text}", file=sys.stderr, flush=True)
    return code
