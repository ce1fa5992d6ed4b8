"""Runs the stage scripts within the test's process, as run.sh calls them."""

import io
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest

import attention
import evaluate
import extract
import prepare
import score
import train
from afn.common import errors
from afn.common.errors import UserError

SCRIPTS = {-2: prepare, -1: extract, 0: train, 1: attention, 2: score, 3: evaluate}
WITH_SYSTEM = (-1, 0, 1, 2)
PARALLEL = (-2, -1, 3)


def overrides(*settings: str) -> list[str]:
    """The words of a command line that override `settings`: NAME=VALUE each."""
    return [word for setting in settings for word in ("--set", setting)]


class Outcome(NamedTuple):
    """How a script ended: exit code, stdout and stderr."""

    code: int
    out: str
    err: str

    def refused(self, *words: str) -> None:
        """Assert exit code 2 and a single line of stderr that holds `words`."""
        assert self.code == 2, self
        assert self.err.count("\n") == 1 and ".py: error: " in self.err and len(self.err) < 1500, self.err
        for word in words:
            assert word in self.err, self.err


class Pipeline:
    """One corpus and one system, with data/ and exp/ in `folder`.

    Args:
        folder: for data/ and exp/.
        corpus: its YAML.
        options: of all stages with a system.
    """

    def __init__(self, folder: Path, corpus: Path, *options: str):
        self.folder, self.corpus, self.options = folder, corpus, options

    @property
    def exp(self) -> Path:
        return self.folder / "exp"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def arguments(self, number: int, *more: str) -> list[str]:
        """The command line of a stage; --data and --exp among `more` win. Options of systems go to no other stage."""
        with_system = number in WITH_SYSTEM
        words = [f"{SCRIPTS[number].__name__}.py", "--corpus", self.corpus, "--data", self.data, "--exp", self.exp]
        words += [*(self.options if with_system else []), *(["--nj", 1] if number in PARALLEL else []), *more]
        return [*map(str, words), *(["--resamples", "20"] if number == 3 else [])]

    def run(self, stages: Sequence[int], *more: str) -> None:
        """Run `stages` in order; `more` options go to those with a system. Raises UserError as the script does."""
        for number in stages:
            words = [word for word in more if number in WITH_SYSTEM or word in ("--force", "--audit")]
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(sys, "argv", self.arguments(number, *words))
                SCRIPTS[number].main()

    def refused(self, stages: Sequence[int], *more: str) -> str:
        """The message with which the last of `stages` refuses to work."""
        with pytest.raises(UserError) as error:
            self.run(stages, *more)
        return str(error.value)

    def ended(self, number: int, *more: object) -> Outcome:
        """Run a stage as a program, which turns errors into a line and an exit code."""
        code, out, err = 0, io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr(sys, "argv", self.arguments(number, *map(str, more)))
            try:
                errors.run(SCRIPTS[number].main)
            except SystemExit as stop:
                code = stop.code
        return Outcome(code, out.getvalue(), err.getvalue())

    def contents(self, without: Sequence[str] = ()) -> dict[Path, bytes]:
        """Every file below `folder`, but for names in `without` and what an interrupted run keeps to resume."""
        files = (path for path in self.folder.rglob("*") if path.is_file() and path.name not in without)
        return {path: path.read_bytes() for path in files if not {".forced", "parts"} & set(path.parts)}

    @contextmanager
    def restored(self) -> Iterator["Pipeline"]:
        """Afterwards `folder` is as before. Its name stays the same, for files name others by paths."""
        kept = self.folder.with_name(f"{self.folder.name}.kept")
        shutil.copytree(self.folder, kept, symlinks=True)
        try:
            yield self
        finally:
            shutil.rmtree(self.folder)
            kept.rename(self.folder)
