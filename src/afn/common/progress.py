"""Progress of long loops: a tqdm bar on a terminal, a line every 15 seconds in a log."""

import sys

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 15.0
LINE = "{desc}: {n_fmt}/{total_fmt}{unit}, {remaining} left{postfix}"


class Progress(tqdm):  # type: ignore[misc]  # tqdm has no types
    """Counts `total` steps of a loop named `label`; use as a context manager and call `advance` after each step.

    The bar is on stderr. Without a terminal the lines are on stdout, and a loop shorter than 15 seconds prints none.
    A loop within another one shows nothing.
    """

    def __init__(self, label: str, total: int, unit: str = "utt"):
        self.terminal = sys.stderr.isatty()
        options = {"dynamic_ncols": True} if self.terminal else {"bar_format": LINE, "leave": False, "miniters": 1}
        within = any(not getattr(bar, "disable", True) for bar in getattr(tqdm, "_instances", ()))
        pause = 0.1 if self.terminal else SECONDS_BETWEEN_LINES
        super().__init__(
            total=total, desc=label, unit=f" {unit}", mininterval=pause, delay=pause, disable=within, **options
        )

    def advance(self, steps: int = 1, **figures: float) -> None:
        """Count `steps` more; `figures` (name=value) are shown beside the count, as `loss=0.31`."""
        if figures:
            self.set_postfix({name: f"{value:.4g}" for name, value in figures.items()}, refresh=False)
        self.update(steps)

    def display(self, msg: str | None = None, pos: int | None = None) -> bool:
        """Called by tqdm to show the count."""
        if self.terminal:
            return bool(super().display(msg, pos))
        if msg is None:
            print(self, flush=True)
        return False
