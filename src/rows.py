"""The systems that run.sh's --system names: one, `all`, or `all-neural`; a name a line on stdout."""

import sys
from pathlib import Path

import config
import errors
from errors import UserError
from layout import ROOT

GROUPS = {"all": None, "all-neural": "neural"}  # group -> the `kind` of its systems


def main() -> None:
    if len(sys.argv) != 2:
        raise UserError("give one name: a system, all, or all-neural")
    print("\n".join(rows(sys.argv[1])))


def rows(name: str, folder: Path = ROOT / "conf" / "systems") -> list[str]:
    """The names of the systems in a group, in alphabetical order; any other name stands for itself."""
    if name not in GROUPS:
        return [name]
    wanted = GROUPS[name]
    return [path.stem for path in sorted(folder.glob("*.yaml")) if wanted in (None, config.read(path).get("kind"))]


if __name__ == "__main__":
    errors.run(main)
