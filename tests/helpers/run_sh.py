"""run.sh with a stub in place of the interpreter, which records what it is told to run."""

import os
import subprocess
from pathlib import Path

from afn.common.paths import ROOT

# Writes AFN_FORCED, its folder, name and arguments to $RECORD, one call a line. --system a+b means two systems.
# $LACKING: packages it says are missing. $FAILING, $INTERRUPTED: part of the command that fails or interrupts run.sh.
STUB = r"""#!/bin/sh
case $* in
  -c*) [ -z "$LACKING" ] || echo "$LACKING"; exit 0 ;;
  *rows.py*) printf '%s\n' "$2" | tr + '\n'; exit 0 ;;
esac
{ printf '%s\037' "${AFN_FORCED-}" "$(pwd)" "$0" "$@"; echo; } >> "$RECORD"
case $*/ in
  *"${FAILING:-/none/}"*) exit 1 ;;
  *"${INTERRUPTED:-/none/}"*) kill -TERM "$PPID"; exec sleep 60 ;;
  *-m\ venv*) mkdir -p .venv/bin; rm -f .venv/bin/python; cp "$0" .venv/bin/python ;;
esac
"""
ENVIRONMENT = {"PYTHON", "VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "CDPATH", "AFN_FORCED"}


class Shell:
    """run.sh of `repository`, run in `folder` by the stub."""

    def __init__(self, folder: Path, repository: Path = ROOT):
        self.folder, self.repository, self.record = folder, repository, folder / "record"
        self.python = stub(folder / "python")
        inherited = {name: value for name, value in os.environ.items() if name not in ENVIRONMENT}
        self.environment = inherited | {"PYTHON": str(self.python), "RECORD": str(self.record)}

    def __call__(self, *arguments, command=None, cwd=None, **environment):
        """The finished process; an environment variable that is None is unset."""
        merged = {**self.environment, **environment}
        return subprocess.run(
            [*(command or [self.repository / "run.sh"]), *arguments],
            cwd=cwd or self.folder,
            env={name: str(value) for name, value in merged.items() if value is not None},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def lines(self):
        """The calls since the last look: AFN_FORCED, folder, interpreter and arguments of each."""
        if not self.record.exists():
            return []
        found = [line.split("\x1f")[:-1] for line in self.record.read_text(encoding="utf-8").splitlines()]
        self.record.unlink()
        return found

    def calls(self):
        """The arguments of the calls since the last look, by script."""
        return {Path(call[3]).name: call[4:] for call in self.lines()}


def stub(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(STUB, encoding="utf-8")
    path.chmod(0o755)
    return path
