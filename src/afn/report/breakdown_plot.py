"""The breakdown of EERs as a figure: a line for each group of replays, a shaded cell for each system."""

from collections.abc import Sequence

import numpy as np

from afn.common.figures import Axes, Rectangle, colormaps, png
from afn.metrics.breakdown import TrialGroup
from afn.metrics.conditions import HIGH, LOW, MEDIUM

# Okabe and Ito's green, yellow-orange and vermilion; the digits make them readable without colour
THREAT_COLOURS = {LOW: "#009E73", MEDIUM: "#F0C442", HIGH: "#D55E00"}
THREAT_SIGNS = {LOW: "1", MEDIUM: "2", HIGH: "3"}
MOST_COLUMNS, FULL = 3, 15  # blocks side by side; lines from which on a further one is begun
LINE, HEADING = 0.205, 0.34  # heights in inches
SIGN, LETTER, BOLD, COUNT, CELL, GAP = 0.16, 0.072, 0.1, 0.55, 0.56, 0.35  # widths
CROWDED, NARROW_CELL = 6, 0.42  # beyond that many systems cells are narrower
COLOURS = "PuBu"
DARKEST, LIGHTEST = 0.95, 0.04  # the part of the colour map that is used
SLANT = np.radians(40)  # of the systems' names above the cells


def breakdown_png(groups: Sequence[TrialGroup]) -> bytes:
    """The groups of `afn.metrics.breakdown.breakdown` as a PNG; the darker a cell, the higher the EER in percent."""
    systems = list(groups[0].eers)
    columns = _columns(groups)
    cell = CELL if len(systems) <= CROWDED else NARROW_CELL
    name = LETTER * max(map(len, systems)) if len(systems) > 1 else 0.0  # the length of the longest
    head = 0.3 + name * np.sin(SLANT)
    room = len(systems) * cell + max(GAP, name * np.cos(SLANT) - cell / 2)  # right of the labels
    labels = [_label_width(column) for column in columns]
    depth = max(LINE * len(column) + HEADING * len({group.factor for group in column}) for column in columns)
    top = max(max(group.eers.values()) for group in groups) or 1.0
    width, height = sum(labels) + len(columns) * room, head + depth + 0.75
    with png(width, height) as (figure, buffer):
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, width), ylim=(height, 0))
        axes.axis("off")
        if len(systems) == 1:
            axes.text(0, head - 0.05, systems[0], fontsize=11.5, va="bottom")
        left = 0.0
        for column, label in zip(columns, labels, strict=True):
            y, cells, factor = head, left + label, ""
            _systems(axes, cells, y, systems, cell)
            for group in column:
                if group.factor != factor:
                    factor, middle = group.factor, y + 0.62 * HEADING
                    axes.text(left, middle, group.title, fontsize=10.5, weight="bold", va="center")
                    axes.text(cells - 0.1, middle, "replays", fontsize=7.5, color="#666666", ha="right", va="center")
                    y += HEADING
                _line(axes, left, cells, y, group, cell, top)
                y += LINE
            left = cells + room
        _legend(axes, head + depth + 0.3, top, any(any(group.threats) for group in groups))
    return buffer.getvalue()


def _columns(groups: Sequence[TrialGroup]) -> list[list[TrialGroup]]:
    """The groups in columns of about the same height; the groups of a factor stay together."""
    factors: dict[str, list[TrialGroup]] = {}
    for group in groups:
        factors.setdefault(group.factor, []).append(group)
    count = min(MOST_COLUMNS, len(factors), -(-len(groups) // FULL))
    columns: list[list[TrialGroup]] = [[] for _ in range(count)]
    for listed in sorted(factors.values(), key=len, reverse=True):
        min(columns, key=len).extend(listed)
    order = list(factors)
    return [sorted(column, key=lambda group: order.index(group.factor)) for column in columns]


def _label_width(column: Sequence[TrialGroup]) -> float:
    """The width of a column's labels, headings and counts in inches."""
    labels = [_indent(group) + LETTER * len(group.label) for group in column]
    return max(*labels, *(BOLD * len(group.title) for group in column)) + COUNT


def _indent(group: TrialGroup) -> float:
    return SIGN * len(group.threats) + 0.04 if any(group.threats) else 0.0


def _systems(axes: Axes, x: float, y: float, systems: Sequence[str], cell: float) -> None:
    if len(systems) == 1:
        axes.text(x + cell / 2, y - 0.05, "EER %", fontsize=8.5, ha="center", va="bottom")
        return
    for index, name in enumerate(systems):
        middle = x + (index + 0.5) * cell
        axes.text(middle - 0.05, y + 0.1, name, fontsize=8.5, rotation=np.degrees(SLANT), ha="left", va="bottom",
                  rotation_mode="anchor")  # fmt: skip


def _line(axes: Axes, left: float, cells: float, y: float, group: TrialGroup, cell: float, top: float) -> None:
    middle = y + LINE / 2
    for index, threat in enumerate(group.threats):
        if threat:
            _sign(axes, left + index * SIGN, middle, threat)
    axes.text(left + _indent(group), middle, group.label, fontsize=8.5, va="center_baseline")
    axes.text(cells - 0.1, middle, f"{group.replays:,}", fontsize=8, color="#555555", ha="right",
              va="center_baseline")  # fmt: skip
    for index, rate in enumerate(group.eers.values()):
        x, shade = cells + index * cell, _shade(rate, top)
        axes.add_patch(Rectangle((x, y), cell, LINE, facecolor=shade, edgecolor="white", linewidth=1))
        dark = np.dot(shade[:3], (0.299, 0.587, 0.114)) < 0.55  # perceived brightness, ITU-R BT.601
        axes.text(x + cell / 2, middle, f"{100 * rate:.1f}", fontsize=8.2, ha="center", va="center_baseline",
                  color="white" if dark else "#111111")  # fmt: skip


def _sign(axes: Axes, x: float, middle: float, threat: str) -> None:
    side = 0.82 * SIGN
    axes.add_patch(Rectangle((x, middle - side / 2), side, side, facecolor=THREAT_COLOURS[threat], linewidth=0))
    axes.text(x + side / 2, middle, THREAT_SIGNS[threat], fontsize=6.5, weight="bold", ha="center",
              va="center_baseline", color="#111111" if threat == MEDIUM else "white")  # fmt: skip


def _shade(rate: float, top: float) -> tuple[float, ...]:
    return colormaps[COLOURS](LIGHTEST + (DARKEST - LIGHTEST) * rate / top)


def _legend(axes: Axes, y: float, top: float, with_threats: bool) -> None:
    middle = y + LINE / 2
    axes.text(0, middle, "EER %", fontsize=8.5, va="center_baseline")
    left, width, steps = 0.5, 1.8, 60
    for step in range(steps):
        corner = (left + width * step / steps, y)
        axes.add_patch(Rectangle(corner, 1.02 * width / steps, LINE, facecolor=_shade(step + 0.5, steps), linewidth=0))
    for share in (0, 0.5, 1):
        place = left + share * width, y + LINE + 0.03
        axes.text(*place, f"{100 * share * top:.3g}", fontsize=7.5, ha="center", va="top")
    if not with_threats:
        return
    x = left + width + 0.5
    axes.text(x, middle, "Threat", fontsize=8.5, va="center_baseline")
    x += 0.55
    for threat in THREAT_COLOURS:
        _sign(axes, x, middle, threat)
        axes.text(x + SIGN + 0.04, middle, threat, fontsize=8.5, va="center_baseline")
        x += SIGN + 0.2 + LETTER * len(threat)
    axes.text(x + 0.1, middle, "of a configuration: its environment, playback and recording device", fontsize=8,
              color="#555555", va="center_baseline")  # fmt: skip
