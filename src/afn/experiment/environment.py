"""What a result was computed with: versions, device, commit, command."""

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
from afn.common.paths import ROOT, portable

PACKAGES = ("torch", "numpy", "scipy", "kaldi_io", "soundfile", "numba", "neat-python")


def describe() -> dict[str, Any]:
    """The environment as plain values; nothing that names the user or the machine."""
    cuda = torch.cuda.is_available()
    return {
        "python": platform.python_version(),
        "packages": {package: _version(package) for package in PACKAGES},
        "platform": f"{platform.system()} {platform.machine()}",
        "device": torch.cuda.get_device_name() if cuda else "CPU",
        "cuda": torch.version.cuda if cuda else None,
        "cores": os.cpu_count(),
        "commit": _commit(),
        "command": [portable(sys.argv[0]), *sys.argv[1:]],
    }


def write(path: Path) -> None:
    """Write the environment to `path` as JSON."""
    files.write_text(path, json.dumps(describe(), indent=2) + "\n")


def _version(package: str) -> str | None:
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
