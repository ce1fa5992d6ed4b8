"""Errors of users and of the system: one line on stderr and an exit code, without a traceback."""

import contextlib
import errno
import gc
import io
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import TextIO

ROOT = Path(__file__).resolve().parents[3]  # the repository
USER_ERROR = 2
DEBUG = "--debug"  # the option of every script
LONGEST = 1000  # characters of a line
SIGNALLED = 128  # and the signal's number: the shell's convention

RETRAIN = "Train again with --force."  # how to fix a training's damaged files
MAKE_ROOM = "Free some space and run the same command again: it resumes."
ELSEWHERE = "Correct its permissions, or choose another folder (--data, --exp)."
A_FILE = "A file is where a folder belongs. Move it away, or choose another folder (--data, --exp)."
FIXES = {
    errno.ENOSPC: MAKE_ROOM,
    errno.EDQUOT: MAKE_ROOM,
    errno.EFBIG: "Raise the limit on the size of files (`ulimit -f`) and run the same command again: it resumes.",
    errno.EACCES: ELSEWHERE,
    errno.EPERM: ELSEWHERE,
    errno.EROFS: ELSEWHERE,
    errno.ENOTDIR: A_FILE,
    errno.EEXIST: A_FILE,
    errno.EISDIR: "A folder is where a file belongs. Move it away.",
    errno.ENOENT: "Check the name. If it is under data/ or exp/, run the earlier stages again.",
    errno.ENAMETOOLONG: "Shorten the name.",
    errno.EMFILE: "Too many files are open at once. Lower --nj, or raise `ulimit -n`.",
}
OUT_OF_MEMORY = "out of memory. Lower --nj or train.batch_size and run the same command again."
NO_MEMORY = ("out of memory", "can't allocate memory")  # RuntimeErrors of PyTorch, on a GPU and on the CPU


class UserError(Exception):
    """A mistake that the user can fix. The text is one line: file or value, what is wrong, how to fix it."""


class Ended(KeyboardInterrupt):
    """SIGTERM or SIGHUP has arrived. What ends on Ctrl-C ends on this as well."""

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
    _open_streams()
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
    """Print the line for an error that is not a bug and return its exit code; None for any other error."""
    program = Path(sys.argv[0]).name
    if isinstance(error, UserError):
        return _say(program, str(error), USER_ERROR)
    if isinstance(error, BrokenPipeError):
        _drop(sys.stdout)  # the reader, as in `… | head`, has seen enough
        return SIGNALLED + signal.SIGPIPE
    if isinstance(error, OSError) and error.errno is not None:
        _drop(sys.stdout)
        # Without the name of a file, or if we know no fix, the call that failed helps to find the reason.
        place = "" if error.filename and error.errno in FIXES else f" ({_call(error)})"
        where = f"{error.filename}: " if error.filename else ""
        fix = FIXES.get(error.errno, "Correct that and run the same command again.")
        return _say(program, f"{where}{error.strerror}{place}. {fix}", USER_ERROR)
    if isinstance(error, KeyboardInterrupt):
        number = getattr(error, "number", signal.SIGINT)
        return _say(program, "interrupted. Run the same command again to resume.", SIGNALLED + number)
    out_of_memory = isinstance(error, RuntimeError) and any(words in str(error) for words in NO_MEMORY)
    if out_of_memory or isinstance(error, MemoryError):
        return _say(program, OUT_OF_MEMORY, USER_ERROR)
    return None


def _call(error: BaseException) -> str:
    """The call that raised `error`: its source line, file and line number."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].line} in {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "unknown call"


def _open_streams() -> None:
    """Let the standard streams take everything: what is closed is discarded, what cannot be encoded is escaped."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by the caller, as in `train.py >&-`
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123  # until the program ends
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _missing_package(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print one line for a package that the Python of a script lacks; other errors keep their traceback."""
    if not isinstance(error, ModuleNotFoundError) or DEBUG in sys.argv or (error.name or "").startswith("afn"):
        sys.__excepthook__(kind, error, trace)
        return
    fix = f"Use {ROOT / '.venv/bin/python'}, or install the packages of {ROOT / 'requirements.txt'}."
    sys.exit(_say(Path(sys.argv[0]).name, f"{sys.executable} lacks the package {error.name}. {fix}", USER_ERROR))


if Path(sys.argv[0] if sys.argv else "").resolve().is_relative_to(ROOT):  # only in scripts of this repository
    sys.excepthook = _missing_package


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Within the block SIGTERM and SIGHUP raise `Ended`, once; a signal that is ignored (nohup) stays so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _: FrameType | None) -> None:
        for other in before:
            signal.signal(other, signal.SIG_IGN)  # a second signal does not interrupt the cleaning up
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
    """Discard what `stream` could not write, so that Python does not try again at its end."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _say(program: str, text: str, code: int) -> int:
    """Print `text` as one line, without control characters and of limited length."""
    text = " ".join(text.split())
    text = "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]} … {text[-LONGEST // 2 :]}"
    print(f"{program}: error: {text}", file=sys.stderr, flush=True)
    return code
