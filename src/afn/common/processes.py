"""External programs joined by pipes, without a shell."""

import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from afn.common.errors import UserError

COMPLAINTS = ("WARNING", "ERROR", "ASSERTION_FAILED")  # prefixes of Kaldi's messages


class Chain:
    """Programs joined by pipes, all started at once. Leaving the context manager ends them.

    Args:
        commands: the program (a path, or a name on PATH) and the arguments of each.
        stem: the standard error of each goes to <stem>.<program>.log.
        output: an open file for the output of the last program; None discards it.

    Raises:
        UserError: a program cannot be started.
    """

    def __init__(self, commands: Sequence[Sequence[str]], stem: Path, output: IO[Any] | None = None):
        self.processes: list[tuple[str, subprocess.Popen[bytes], Path]] = []
        names = [Path(command[0]).name for command in commands]
        pipe = None
        try:
            for place, (name, command) in enumerate(zip(names, commands, strict=True), 1):
                number = f"{place}." if names.count(name) > 1 else ""
                log = stem.with_name(f"{stem.name}.{number}{name}.log")
                last = output if output is not None else subprocess.DEVNULL
                with log.open("wb") as errors:
                    try:
                        process = subprocess.Popen(
                            command,
                            stdin=pipe if pipe is not None else subprocess.DEVNULL,
                            stdout=subprocess.PIPE if place < len(commands) else last,
                            stderr=errors,
                        )
                    except OSError as error:
                        raise UserError(f"{command[0]}: {error.strerror}. Install it or correct its name.") from None
                if pipe is not None:
                    pipe.close()  # only the child has it now, so that it gets an end of file
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
        """Wait until all have ended. Raises UserError with the last message of the program that failed."""
        # A failing program breaks the pipe of those before it: their SIGPIPE is reported only if nothing else failed.
        codes = [(name, process.wait(), log) for name, process, log in self.processes]
        for name, code, log in sorted(codes, key=lambda c: c[1] == -signal.SIGPIPE):
            if code:
                raise UserError(f"{name} ended with exit code {code}: {last_line(log)}")

    def complaint(self) -> str:
        """The last message of the first program that complained; if none did, the last line of the first program."""
        messages = [last_line(log) for _, _, log in self.processes]
        return next((line for line in messages if line.startswith(COMPLAINTS)), messages[0])

    def stop(self) -> None:
        """End the programs that still run."""
        for _, process, _ in self.processes:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def last_line(log: Path) -> str:
    """The last complaint in a program's log; if there is none, its last line."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return ([line for line in lines if line.startswith(COMPLAINTS)] or lines or ["no message"])[-1]
