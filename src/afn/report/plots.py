"""Figures of scores, as the bytes of PNG files: the same scores give the same bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from afn.common import figures
from afn.common.figures import CLASS_COLOURS, Axes, Line2D, png
from afn.metrics import det, eer, roc

# The palette of Okabe and Ito for colour-blind readers, without its yellow, which is too pale for lines on white
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
STYLES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1.5, 1, 1.5)))  # the next one each time the colours are used up
MARKERS = "osD^vPX"
TICKS = np.array([0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 40, 60, 80, 90, 95, 98, 99, 99.5, 99.9]) / 100
NARROWEST = 0.055  # distance of two ticks, as a fraction of the axis, at which their labels do not touch
THRESHOLD: dict[str, Any] = {"color": "#333333", "linestyle": (0, (4, 2)), "linewidth": 1}
BINS = 60
TAILS = 0.001  # fraction of the scores at either end that go into the outermost bins: outliers do not compress the rest


@dataclass(frozen=True)
class Scores:
    """The scores of one system on one subset, both classes; higher = more genuine."""

    title: str
    genuine: np.ndarray
    spoof: np.ndarray


def det_png(panels: Mapping[str, Sequence[Scores]]) -> bytes:
    """DET curves of several systems as a PNG: one panel for each name -> systems, axes in percent on normal deviates.

    The EER by the linear ROC is marked on each curve and given in the legend. A system has one colour in all panels.
    """
    titles = list(dict.fromkeys(scores.title for systems in panels.values() for scores in systems))
    eers = [eer.linear_roc_eer(s.genuine, s.spoof) for systems in panels.values() for s in systems]
    low, high = _limits(eers)
    with png(5.6 * len(panels), 5.6) as (figure, buffer):
        columns = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, (name, systems) in zip(columns, panels.items(), strict=True):
            _axes(axes, name, low, high)
            for scores in systems:
                _draw(axes, scores, titles.index(scores.title), low, high)
            below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.12)}  # inside it would hide curves
            axes.legend(**below, fontsize=9, handlelength=2.6, frameon=False, title="EER, linear ROC")
    return buffer.getvalue()


def histograms_png(panels: Mapping[str, Sequence[Scores]]) -> bytes:
    """Score histograms of several systems as a PNG: a row for each system, a column for each name -> systems.

    Each class adds up to 100 %, since there may be ten replays per genuine utterance. A line marks the threshold of
    the EER (official definition). All panels of a system share an axis, so that a shift of its scores is visible.
    """
    titles = list(dict.fromkeys(scores.title for systems in panels.values() for scores in systems))
    ends = {title: _ends([s for systems in panels.values() for s in systems if s.title == title]) for title in titles}
    with png(4.8 * len(panels), 0.5 + 1.75 * len(titles)) as (figure, buffer):
        grid = figure.subplots(len(titles), len(panels), squeeze=False)
        for (index, title), (column, (name, systems)) in product(enumerate(titles), enumerate(panels.items())):
            axes = grid[index, column]
            found = [scores for scores in systems if scores.title == title]
            axes.set_visible(bool(found))
            for scores in found:
                _histogram(axes, scores, *ends[title])
            if index == len(titles) - 1:
                axes.set_xlabel("score")
            if index == 0:
                axes.text(0.5, 1.34, name, transform=axes.transAxes, ha="center", fontsize=12)
        handles: list[figures.Artist] = [
            figures.Patch(facecolor=c, edgecolor=c, alpha=0.6, label=label) for label, c in CLASS_COLOURS.items()
        ]
        handles.append(Line2D([], [], **THRESHOLD, label="threshold of the EER"))
        figure.tight_layout(h_pad=0.8, w_pad=1.5)
        figure.legend(
            handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=3, frameon=False, fontsize=9
        )
    return buffer.getvalue()


def curves_png(curves: Mapping[str, Mapping[int, Mapping[str, Sequence[float]]]]) -> bytes:
    """Training curves of several systems as a PNG: a row for each, with the loss on the left, the dev EER on the right.

    Args:
        curves: title -> seed -> column of the training's metrics.csv -> its values, one an epoch; the columns are
            epoch, train_loss, dev_loss and dev_eer (percent).
    """
    with png(9.6, 0.4 + 2.1 * len(curves)) as (figure, buffer):
        grid = figure.subplots(len(curves), 2, squeeze=False)
        for (loss, rate), (title, seeds) in zip(grid, curves.items(), strict=True):
            for index, (seed, columns) in enumerate(seeds.items()):
                colour, style = COLOURS[index % len(COLOURS)], STYLES[index // len(COLOURS) % len(STYLES)]
                epochs, rates = columns["epoch"], columns["dev_eer"]
                loss.plot(epochs, columns["train_loss"], color=colour, linewidth=0.9, linestyle=(0, (3, 1.5)))
                loss.plot(epochs, columns["dev_loss"], color=colour, linewidth=1.6)
                rate.plot(epochs, rates, color=colour, linestyle=style, linewidth=1.6, label=f"seed {seed}")
                best = int(np.argmin(rates))
                rate.plot(epochs[best], rates[best], "o", color=colour, markeredgecolor="white", markersize=7)
            loss.set_title(title, loc="left", fontsize=10)
            loss.set_ylabel("loss")
            rate.set_ylabel("dev EER (%)")
            rate.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
            rate.set_ylim(bottom=0)
            for axes in (loss, rate):
                axes.xaxis.set_major_locator(figures.MaxNLocator(integer=True))
                _light(axes)
        for axes in grid[-1]:
            axes.set_xlabel("epoch")
        lines = [Line2D([], [], color="#444444", linewidth=1.6), Line2D([], [], color="#444444", linewidth=0.9,
                 linestyle=(0, (3, 1.5))), Line2D([], [], color="#444444", marker="o", linestyle="")]  # fmt: skip
        figure.tight_layout(h_pad=0.8, w_pad=1.5)
        figure.legend(lines, ["dev", "train", "epoch that is kept"], loc="upper center", bbox_to_anchor=(0.5, 0.0),
                      ncols=3, frameon=False, fontsize=9)  # fmt: skip
    return buffer.getvalue()


def _ends(panels: Sequence[Scores]) -> tuple[float, float]:
    """The ends of the axis of a system's scores."""
    quantiles = [np.quantile(np.concatenate([s.genuine, s.spoof]), [TAILS, 1 - TAILS]) for s in panels]
    low, high = np.min(quantiles), np.max(quantiles)
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def _histogram(axes: Axes, scores: Scores, low: float, high: float) -> None:
    edges = np.linspace(low, high, BINS + 1)
    for values, colour in zip((scores.genuine, scores.spoof), CLASS_COLOURS.values(), strict=True):
        shares = 100 * np.histogram(np.clip(values, low, high), edges)[0] / values.size
        axes.stairs(shares, edges, fill=True, color=colour, alpha=0.35, linewidth=0)
        axes.stairs(shares, edges, color=colour, linewidth=1.2)
    threshold = np.clip(eer.official_threshold(scores.genuine, scores.spoof), low, high)
    axes.axvline(threshold, **THRESHOLD)
    rate = 100 * eer.linear_roc_eer(scores.genuine, scores.spoof)
    axes.set_title(scores.title, loc="left", fontsize=10)
    axes.set_title(f"EER {rate:.2f} %", loc="right", fontsize=9, color="#444444")
    axes.set(xlim=(low, high), ylim=(0, None), ylabel="% of class")
    _light(axes)


def _light(axes: Axes) -> None:
    """A pale grid and a frame with two sides."""
    axes.set_axisbelow(True)
    axes.grid(color="#e4e4e4", linewidth=0.6)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color("#888888")


def _limits(eers: Sequence[float]) -> tuple[float, float]:
    """The first and last rate of the axes: every EER lies well between them, within the range of the ticks."""
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
        axis.set_major_locator(figures.FixedLocator(det.normal_deviate(ticks).tolist()))
        axis.set_minor_locator(figures.NullLocator())
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
    # Rates beyond the axes are drawn slightly outside the frame, where they are clipped, not along its edge.
    x, y = det.curve(*roc.rates(scores.genuine, scores.spoof), low / 2, (1 + high) / 2)
    colour, marker = COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]
    style = STYLES[index // len(COLOURS) % len(STYLES)]
    point = det.normal_deviate(np.clip(rate, low, high))
    axes.plot(x, y, color=colour, linestyle=style, linewidth=1.6, zorder=2)
    axes.plot(point, point, color=colour, marker=marker, markersize=7, markeredgecolor="white", clip_on=False, zorder=4)
    axes.plot(
        [], [], color=colour, linestyle=style, marker=marker, markeredgecolor="white", markersize=7, linewidth=1.6,
        label=f"{scores.title}  {100 * rate:.2f} %",
    )  # fmt: skip
