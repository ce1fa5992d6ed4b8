"""The frame around every figure: one style, and the same bytes for the same content."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib
import matplotlib.style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


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
