"""Figures do not depend on the user's matplotlib: its backend, its settings, its folder."""

import os
import re
import subprocess
import sys

import pytest

from afn.common import figures
from afn.common.paths import ROOT

DRAW = """
import os, sys
from pathlib import Path
from afn.common import figures
with figures.png_file(Path(sys.argv[1]), 2, 1) as figure:
    figure.subplots().set_title(r"one $ \\few $|$ 中")
assert os.environ.get("MPLBACKEND") == (sys.argv[2] or None)
"""
BROKEN = "text.usetex: True\nfont.size: 40\nno such key: 3\nsavefig.transparent: True\n"


def draw(folder, backend="", **environment):
    """The bytes of a figure that another process draws in `folder`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MPL")} | environment
    environment |= {"PYTHONPATH": str(ROOT / "src")} | ({"MPLBACKEND": backend} if backend else {})
    command = [sys.executable, "-W", "error", "-c", DRAW, folder / "a.png", backend]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return (folder / "a.png").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["module://no_such_package.backend_inline", "svg"])
def test_neither_a_notebooks_backend_nor_a_matplotlibrc_changes_a_figure(tmp_path, backend):
    for name in ("plain", "mine"):
        (tmp_path / name).mkdir()
    (tmp_path / "mine" / "matplotlibrc").write_text(BROKEN)
    (tmp_path / "a file").touch()
    found = draw(tmp_path / "mine", backend, MPLCONFIGDIR=str(tmp_path / "a file"), HOME=str(tmp_path / "a file"))
    assert found == draw(tmp_path / "plain") and found.startswith(b"\x89PNG")


def test_only_one_module_imports_matplotlib():
    imports = re.compile(r"^\s*(import|from) matplotlib", re.MULTILINE)
    found = [path for path in (ROOT / "src").rglob("*.py") if imports.search(path.read_text(encoding="utf-8"))]
    assert found == [ROOT / "src" / "afn" / "common" / "figures.py"]


def test_a_figure_leaves_the_users_settings(tmp_path):
    before = dict(figures.matplotlib.rcParams)
    with figures.png(1, 1) as (figure, buffer):
        figure.subplots()
    assert buffer.getvalue().startswith(b"\x89PNG") and dict(figures.matplotlib.rcParams) == before
