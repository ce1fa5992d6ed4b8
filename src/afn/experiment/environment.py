"""The environment of a result: versions, device, commit, command."""

import json
import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from afn.common import files
from afn.common.errors import UserError
from afn.common.paths import ROOT, portable

PACKAGES = ("torch", "numpy", "scipy", "kaldi_io", "soundfile", "numba", "neat-python")


def describe() -> dict[str, Any]:
    """The environment as plain values, without the names of the user and the machine."""
    cuda = torch.cuda.is_available()
    return {
        "python": platform.python_version(),
        "packages": {package: version_of(package) for package in PACKAGES},
        "platform": f"{platform.system()} {platform.machine()}",
        "device": torch.cuda.get_device_name() if cuda else "CPU",
        "cuda": torch.version.cuda if cuda else None,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "commit": _commit(),
        "command": [portable(sys.argv[0]), *sys.argv[1:]],
    }


def add(path: Path) -> None:
    """Append the environment to the list in the JSON file `path`: one entry for each run that worked on a training."""
    files.write_text(path, json.dumps([*read(path), describe()], indent=2) + "\n")


def read(path: Path) -> list[dict[str, Any]]:
    """The environments in a file that `add` wrote, the latest last; none if there is no file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except ValueError:
        raise UserError(f"{path}: not a JSON file. Remove it, or train again with --force.") from None
    return content if isinstance(content, list) else []


def version_of(package: str) -> str | None:
    """The installed version of a package; None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The git commit of this repository, with a `+` when files differ from it; None outside git."""
    git = ["git", "-C", str(ROOT)]
    try:
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        changes = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit.stdout.strip() + ("+" if changes.stdout.strip() else "")
