"""Figures of scores, as the bytes of PNG files: the same scores give the same bytes."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib
import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from evaluation import det, eer

# Okabe and Ito's palette, told apart by colour-blind readers; its yellow is too pale for lines on white
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
STYLES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1.5, 1, 1.5)))  # one after another where the colours run out
MARKERS = "osD^vPX"
TICKS = np.array([0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 40, 60, 80, 90, 95, 98, 99, 99.5, 99.9]) / 100
NARROWEST = 0.055  # of the axis, between two ticks, that their labels do not touch


@dataclass(frozen=True)
class Scores:
    """The scores of one system on one subset, both classes; higher = more genuine."""

    title: str
    genuine: np.ndarray
    spoof: np.ndarray


def det_png(panels: Mapping[str, Sequence[Scores]]) -> bytes:
    """DET curves of several systems as a PNG: one panel for each name -> systems, axes in percent on normal deviates.

    The EER by the linear ROC is marked on each curve and stands in the legend. A system keeps its colour in all panels.
    """
    titles = list(dict.fromkeys(scores.title for systems in panels.values() for scores in systems))
    eers = [eer.linear_roc_eer(s.genuine, s.spoof) for systems in panels.values() for s in systems]
    low, high = _limits(eers)
    buffer = io.BytesIO()
    with matplotlib.style.context("default", after_reset=True), matplotlib.rc_context({"font.size": 10}):
        figure = Figure(figsize=(5.6 * len(panels), 5.6), dpi=150)
        FigureCanvasAgg(figure)
        columns = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, (name, systems) in zip(columns, panels.items(), strict=True):
            _axes(axes, name, low, high)
            for scores in systems:
                _draw(axes, scores, titles.index(scores.title), low, high)
            below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.12)}  # inside it would hide curves
            axes.legend(**below, fontsize=9, handlelength=2.6, frameon=False, title="EER, linear ROC")
        # Without metadata: the version of matplotlib would stand there.
        figure.savefig(buffer, format="png", metadata={"Software": None}, bbox_inches="tight")
    return buffer.getvalue()


def _limits(eers: Sequence[float]) -> tuple[float, float]:
    """The rates at which the axes begin and end: every EER lies well within, as far as the ticks reach."""
    below, above = TICKS[min(eers) / 8 >= TICKS], TICKS[min(3 * max(eers), 0.5 + max(eers) / 2) <= TICKS]
    low = below[-1] if below.size else TICKS[0]
    high = above[0] if above.size else TICKS[-1]
    return float(low), float(max(high, 0.4))


def _axes(axes: Axes, name: str, low: float, high: float) -> None:
    ends = det.normal_deviate([low, high])
    ticks: list[float] = []
    for tick in TICKS[(low <= TICKS) & (high >= TICKS)]:
        if not ticks or np.diff(det.normal_deviate([ticks[-1], tick])) > NARROWEST * np.diff(ends):
            ticks.append(tick)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(FixedLocator(det.normal_deviate(ticks)))
        axis.set_minor_locator(NullLocator())
        axis.set_ticklabels([f"{100 * tick:g}" for tick in ticks])
    axes.set(xlim=ends, ylim=ends, aspect="equal", title=name, axisbelow=True)
    axes.set_xlabel("false alarms: replayed speech accepted (%)")
    axes.set_ylabel("misses: genuine speech rejected (%)")
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.plot(ends, ends, color="#999999", linewidth=0.8, linestyle=(0, (2, 3)), zorder=1)
    for spine in axes.spines.values():
        spine.set_color("#888888")


def _draw(axes: Axes, scores: Scores, index: int, low: float, high: float) -> None:
    rate = eer.linear_roc_eer(scores.genuine, scores.spoof)
    # Rates beyond the axes go a little outside the frame, where they are cut off, and not along its edge.
    x, y = det.curve(*det.points(scores.genuine, scores.spoof), low / 2, (1 + high) / 2)
    colour, marker = COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]
    style = STYLES[index // len(COLOURS) % len(STYLES)]
    point = det.normal_deviate(np.clip(rate, low, high))
    axes.plot(x, y, color=colour, linestyle=style, linewidth=1.6, zorder=2)
    axes.plot(point, point, color=colour, marker=marker, markersize=7, markeredgecolor="white", clip_on=False, zorder=4)
    title = scores.title.replace("$", "\\$")  # no formula
    axes.plot(
        [], [], color=colour, linestyle=style, marker=marker, markeredgecolor="white", markersize=7, linewidth=1.6,
        label=f"{title}  {100 * rate:.2f} %",
    )  # fmt: skip
