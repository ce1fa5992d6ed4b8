"""The one place that imports matplotlib: one style, no window, and the same bytes for the same content.

Modules that draw take matplotlib's names from here. No setting of the user's matplotlib changes a figure.
"""
# ruff: noqa: E402  # the environment is set first

import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from afn.common import files

# A notebook names its own backend in MPLBACKEND and hands it to `!./run.sh`. Matplotlib refuses to be imported where
# that backend is not installed. The figures here use none.
_notebook, _first = os.environ.pop("MPLBACKEND", None), "matplotlib" not in sys.modules
_log = logging.getLogger("matplotlib")
_level = _log.level
_log.setLevel(logging.ERROR)  # no warnings about a matplotlibrc that no figure uses, nor about a read-only home
import matplotlib
import matplotlib.style
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, Patch
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

_log.setLevel(_level)
if _notebook is not None:
    os.environ["MPLBACKEND"] = _notebook
    if _first:
        with suppress(ValueError):
            matplotlib.rcParams["backend"] = _notebook

__all__ = [
    "CLASS_COLOURS", "Artist", "Axes", "FancyArrowPatch", "Figure", "FixedLocator", "Line2D", "MaxNLocator",
    "NullLocator", "Patch", "colormaps", "png", "png_file",
]  # fmt: skip

CLASS_COLOURS = {"genuine": "#0072b2", "spoof": "#d55e00"}  # Okabe and Ito, safe for colour-blind readers
STYLE: list[str | dict[str, Any]] = ["default", {"text.parse_math": False}]  # a dollar in a name starts no formula


@contextmanager
def png(
    width: float, height: float, dpi: int = 150, box: str | None = "tight", layout: Any = None
) -> Iterator[tuple[Figure, io.BytesIO]]:
    """A figure of `width` × `height` inches to draw on, and a buffer that holds its PNG after the block.

    `box` and `layout` are matplotlib's `bbox_inches` and layout engine.
    """
    buffer = io.BytesIO()
    with warnings.catch_warnings(), matplotlib.style.context(STYLE, after_reset=True):
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # a box stands for the character
        figure = Figure(figsize=(width, height), dpi=dpi, layout=layout)
        FigureCanvasAgg(figure)
        yield figure, buffer
        # Without metadata: matplotlib would write its version.
        figure.savefig(buffer, format="png", metadata={"Software": None}, bbox_inches=box)


@contextmanager
def png_file(path: Path, width: float, height: float, layout: Any = None) -> Iterator[Figure]:
    """A figure of `width` × `height` inches to draw on; the block's end writes it to `path`, whole or not at all."""
    with png(width, height, 110, None, layout) as (figure, buffer):
        yield figure
    with files.whole(path, "wb") as file:
        file.write(buffer.getbuffer())
