"""Kaldi's programs as processes: where they are, and chains of them joined by pipes, without a shell."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from afn.common.errors import UserError

FOLDERS = ("featbin", "gmmbin", "fgmmbin", "ivectorbin")  # below $KALDI_ROOT/src
NAMED = 3  # of missing programs
COMPLAINTS = ("WARNING", "ERROR", "ASSERTION_FAILED")


def find(programs: Iterable[str]) -> dict[str, str]:
    """Where `programs` are: below `$KALDI_ROOT/src` first, then on PATH. What is missing is left out."""
    root = os.environ.get("KALDI_ROOT")
    below = [str(Path(root) / "src" / folder) for folder in FOLDERS] if root else []
    folders = os.pathsep.join([*below, os.environ.get("PATH", "")])
    found = {program: shutil.which(program, path=folders) for program in programs}
    return {program: path for program, path in found.items() if path}


def require(programs: Sequence[str], wanted_by: str, instead: str) -> dict[str, str]:
    """`find(programs)`, or a UserError: what is missing, the setting that wants it, and what to do instead."""
    found = find(programs)
    if missing := [program for program in programs if program not in found]:
        more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        names = ", ".join(missing[:NAMED]) + more
        raise UserError(f"{wanted_by}: {names} not found; set KALDI_ROOT or PATH, or {instead}")
    return found


class Chain:
    """Programs joined by pipes, all at work from the beginning; leaving it as a context manager ends them.

    Args:
        programs: where they are.
        commands: the name and the arguments of each.
        stem: their standard errors go to <stem>.<program>.log.
    """

    def __init__(self, programs: dict[str, str], commands: Sequence[Sequence[str]], stem: Path):
        self.processes: list[tuple[str, subprocess.Popen, Path]] = []
        pipe = None
        try:
            for place, (name, *arguments) in enumerate(commands, 1):
                log = stem.with_name(f"{stem.name}.{name}.log")
                with log.open("wb") as errors:
                    process = subprocess.Popen(
                        [programs[name], *arguments],
                        stdin=pipe if pipe is not None else subprocess.DEVNULL,
                        stdout=subprocess.PIPE if place < len(commands) else subprocess.DEVNULL,
                        stderr=errors,
                    )
                if pipe is not None:
                    pipe.close()  # the child holds it now; so it sees the end when the program before it ends
                pipe = process.stdout
                self.processes.append((name, process, log))
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def wait(self) -> None:
        """Wait for the end of all; UserError with the last words of the one that failed."""
        # All are waited for before one is blamed: when one dies, a broken pipe takes those before it down too.
        codes = [(name, process.wait(), log) for name, process, log in self.processes]
        for name, code, log in sorted(codes, key=lambda c: c[1] == -signal.SIGPIPE):
            if code:
                raise UserError(f"{name} ended with exit code {code}: {last_line(log)}")

    def complaint(self) -> str:
        """What the first program that complained said last; where none did, the last line of the first."""
        words = [last_line(log) for _, _, log in self.processes]
        return next((line for line in words if line.startswith(COMPLAINTS)), words[0])

    def stop(self) -> None:
        """End what still runs."""
        for _, process, _ in self.processes:
            process.kill()
            process.wait()


def last_line(log: Path) -> str:
    """The last complaint in a program's log, or else its last line."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return ([line for line in lines if line.startswith(COMPLAINTS)] or lines or ["it said nothing"])[-1]
