"""Kaldi's programs: where they are, and chains of them."""

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from afn.common.errors import UserError
from afn.common.processes import Chain

FOLDERS = ("featbin", "gmmbin", "fgmmbin", "ivectorbin")  # below $KALDI_ROOT/src
NAMED = 3  # missing programs that a message names


def find(programs: Iterable[str]) -> dict[str, str]:
    """The paths of `programs`: below `$KALDI_ROOT/src` first, then on PATH. Missing ones are left out."""
    root = os.environ.get("KALDI_ROOT")
    below = [str(Path(root) / "src" / folder) for folder in FOLDERS] if root else []
    folders = os.pathsep.join([*below, os.environ.get("PATH", "")])
    found = {program: shutil.which(program, path=folders) for program in programs}
    return {program: path for program, path in found.items() if path}


def require(programs: Sequence[str], wanted_by: str, instead: str) -> dict[str, str]:
    """`find(programs)`; raises UserError with the missing ones, the setting that needs them, and what to do instead."""
    found = find(programs)
    if missing := [program for program in programs if program not in found]:
        more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        names = ", ".join(missing[:NAMED]) + more
        raise UserError(f"{wanted_by}: {names} not found. Set KALDI_ROOT or PATH, or {instead}.")
    return found


def chain(programs: Mapping[str, str], commands: Sequence[Sequence[str]], stem: Path) -> Chain:
    """A chain of Kaldi's programs, `commands` by name and `programs` by path; logs go to <stem>.<program>.log."""
    return Chain([[programs[name], *arguments] for name, *arguments in commands], stem)
