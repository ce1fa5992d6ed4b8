"""The systems that run.sh's --system names, a name a line on stdout: one, those of a group, or a fusion's members."""

import difflib
import sys
from pathlib import Path

from afn.common import config, errors
from afn.common.errors import UserError
from afn.common.paths import ROOT
from afn.systems import registry
from afn.systems.neural.settings import Neural

GROUPS = ("all-neural", "all-classical")  # networks (also of families that build on `neural`), and gmm and ivector
CONF = ROOT / "conf"


def main() -> None:
    if sys.argv[1:] in (["--help"], ["-h"]):
        print(__doc__)
        return
    if len(sys.argv) != 2:
        raise UserError(f"give one name: a system, a fusion, all, or one of {', '.join(GROUPS)}")
    name = sys.argv[1]
    found = rows(name)
    path = CONF / "systems" / f"{name}.yaml"
    if found == [name] and not name.endswith(".yaml") and not path.is_file():
        raise UserError(f"{path}: no such file; {meant(name)}")
    print("\n".join(found))


def rows(name: str, conf: Path = CONF) -> list[str]:
    """The names of the systems of a group, in alphabetical order, or of a fusion in conf/fusion, in its own.

    `all` is every system; any other name stands for itself.
    """
    fusion = conf / "fusion" / f"{name}.yaml"
    if fusion.is_file() and not (conf / "systems" / f"{name}.yaml").is_file():
        members = config.read(fusion).get("members")
        if isinstance(members, list):
            return [str(member) for member in members]
        name = "all"
    if name != "all" and name not in GROUPS:
        return [name]
    files = sorted((conf / "systems").glob("*.yaml"))
    return [path.stem for path in files if name == "all" or _group(config.read(path).get("kind")) == name]


def _group(kind: object) -> str:
    """The group of a family."""
    settings = registry.settings_of(kind) if isinstance(kind, str) else None
    if settings is not None and issubclass(settings, Neural):
        return "all-neural"
    return "all-classical" if kind in ("gmm", "ivector") else ""


def meant(name: str, conf: Path = CONF) -> str:
    """What to type for a name that there is not."""
    known = [path.stem for folder in ("systems", "fusion") for path in sorted((conf / folder).glob("*.yaml"))]
    known = list(dict.fromkeys([*known, "all", *GROUPS]))
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else f"choose one of: {', '.join(known)}"


if __name__ == "__main__":
    errors.run(main)
