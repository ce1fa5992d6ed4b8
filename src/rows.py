"""The systems that run.sh's --system names, a name a line on stdout: one, those of a group, or a fusion's members."""

import sys
from pathlib import Path

import config
import errors
from errors import UserError
from layout import ROOT

# group -> the `kind` of its systems
GROUPS = {"all-neural": ("neural",), "all-classical": ("gmm", "ivector")}
CONF = ROOT / "conf"


def main() -> None:
    if len(sys.argv) != 2:
        raise UserError(f"give one name: a system, a fusion, all, or one of {', '.join(GROUPS)}")
    print("\n".join(rows(sys.argv[1])))


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
    return [path.stem for path in files if name == "all" or config.read(path).get("kind") in GROUPS[name]]


if __name__ == "__main__":
    errors.run(main)
