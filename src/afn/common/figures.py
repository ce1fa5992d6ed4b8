"""The frame around every figure: one style, and the same bytes for the same content."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import matplotlib.style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from afn.common import files

CLASS_COLOURS = {"genuine": "#0072b2", "spoof": "#d55e00"}  # Okabe and Ito, safe for colour-blind readers


@contextmanager
def png(width: float, height: float, dpi: int = 150) -> Iterator[tuple[Figure, io.BytesIO]]:
    """A figure of `width` × `height` inches to draw on, and a buffer that holds its PNG after the block."""
    buffer = io.BytesIO()
    with matplotlib.style.context("default", after_reset=True), matplotlib.rc_context({"font.size": 10}):
        figure = Figure(figsize=(width, height), dpi=dpi)
        FigureCanvasAgg(figure)
        yield figure, buffer
        # Without metadata: matplotlib would write its version.
        figure.savefig(buffer, format="png", metadata={"Software": None}, bbox_inches="tight")


def plain(text: str) -> str:
    """`text` as matplotlib shows it literally: an unescaped dollar starts a formula."""
    return text.replace("$", "\\$")


def save(figure: Figure, path: Path) -> None:
    """Write the figure as a PNG, whole or not at all."""
    with files.whole(path, "wb") as file:
        figure.savefig(file, format="png", dpi=110, metadata={"Software": None})
