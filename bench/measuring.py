"""Shared by the measurements: a row of the table, and timing side by side."""

import os
import re
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as in stage -1: a job uses one core


@dataclass(frozen=True)
class Row:
    """A line of the table that bench/run.py prints: medians of one run, ours beside another's."""

    what: str
    unit: str
    ours: float
    theirs: float | None = None  # None: nothing to compare with
    beside: str = ""  # names `theirs`
    more_is_better: bool = False
    goal: float | None = None  # of the ratio, or of `ours` without `theirs`

    @property
    def ratio(self) -> float | None:
        """How many times better ours is."""
        if self.theirs is None:
            return None
        return self.ours / self.theirs if self.more_is_better else self.theirs / self.ours


def side_by_side(sides: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """The median seconds of each side over `repeats` alternating rounds, after one that is not counted.

    A side that returns a float has measured its own seconds; others are timed here.
    """
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(repeats + 1):
        for name, run in sides.items():
            started = time.perf_counter()
            result = run()
            seconds = result if isinstance(result, float) else time.perf_counter() - started
            if number:
                taken[name].append(seconds)
    return {name: statistics.median(values) for name, values in taken.items()}


def peak() -> float:
    """The peak memory of this process in bytes."""
    status = Path("/proc/self/status")
    if status.is_file():  # Linux: getrusage includes the process that started this one
        return 1024 * float(re.search(r"VmHWM:\s*(\d+) kB", status.read_text())[1])
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * (1 if sys.platform == "darwin" else 1024)


def show(rows: list[Row]) -> None:
    """Print the rows as a table: ours, the other, the ratio (above 1: ours is better), and the goal."""
    widest = max(len(row.what) for row in rows)
    print(f"{'':{widest}}  {'ours':>10} {'beside':>10} {'':11} {'ratio':>7} {'goal':>7}")
    for row in rows:
        theirs = "" if row.theirs is None else f"{row.theirs:.4g}"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        goal = "" if row.goal is None else f"{row.goal:g}"
        compared = f" {row.beside}" if ratio else ""
        print(f"{row.what:{widest}}  {row.ours:10.4g} {theirs:>10} {row.unit:11} {ratio:>7} {goal:>7}{compared}")
