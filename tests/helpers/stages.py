"""Runs the stage scripts within the test's process, as run.sh calls them."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import attention
import evaluate
import extract
import prepare
import score
import train
from afn.common.errors import UserError

SCRIPTS = {-2: prepare, -1: extract, 0: train, 1: attention, 2: score, 3: evaluate}
WITH_SYSTEM = (-1, 0, 1, 2)
PARALLEL = (-2, -1)


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

    def run(self, stages: Sequence[int], *more: str) -> None:
        """Run `stages` in order; `more` options come last. Raises UserError as the script does."""
        for number in stages:
            words = ["--corpus", str(self.corpus), "--data", str(self.data), "--exp", str(self.exp)]
            with_system = number in WITH_SYSTEM
            words += list(self.options) if with_system else []
            words += [word for word in more if with_system or word == "--force"]
            words += ["--nj", "1"] if number in PARALLEL else []
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(sys, "argv", [f"{SCRIPTS[number].__name__}.py", *words])
                SCRIPTS[number].main()

    def refused(self, stages: Sequence[int], *more: str) -> str:
        """The message with which the last of `stages` refuses to work."""
        with pytest.raises(UserError) as error:
            self.run(stages, *more)
        return str(error.value)
