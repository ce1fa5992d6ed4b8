"""The figure of scores over time of a recording with several windows."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from afn.common.figures import CLASS_COLOURS, Axes, png_file

MINUTES = 300  # s; the time of longer recordings is in minutes


def draw(axes: Axes, seconds: list[float], threshold: float | None, suspicious: tuple[float, float]) -> None:
    """Draw a score per second, the threshold, and the span (s) of the most suspicious section."""
    unit, name = (60, "min") if len(seconds) > MINUTES else (1, "s")
    axes.step(np.arange(len(seconds) + 1) / unit, [*seconds, seconds[-1]], where="post", color="black", linewidth=0.9)
    if threshold is not None:
        axes.axhline(threshold, color=CLASS_COLOURS["spoof"], linestyle="--", linewidth=0.9, label="threshold")
    start, end = suspicious
    axes.axvspan(start / unit, end / unit, color=CLASS_COLOURS["spoof"], alpha=0.25, label="most suspicious")
    axes.set(xlim=(0, len(seconds) / unit), ylabel="score", xlabel=f"time ({name})")
    axes.legend(frameon=False, fontsize=8, ncols=2, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0)


def write(path: Path, heading: str, plot: Callable[[Axes], None]) -> None:
    """Write the figure that `plot` draws, alone: for a system without attention."""
    with png_file(path, 9, 2.6) as figure:
        plot(figure.add_axes((0.08, 0.2, 0.89, 0.58)))
        figure.suptitle(heading, y=0.98)
