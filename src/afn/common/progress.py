"""Progress of long loops: a tqdm bar on a terminal, a plain line now and then in a log."""

import sys
import time

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 15.0


class Progress:
    """Counts `total` steps of a loop named `label`; use as a context manager and call `advance` after each step.

    On a terminal it is a bar on stderr; anywhere else a line on stdout every 15 seconds and one at the end of a loop
    that took that long.
    """

    def __init__(self, label: str, total: int, unit: str = "utt"):
        self.label, self.total, self.unit = label, total, unit
        self.done = 0
        bar = sys.stderr.isatty()
        self.bar = tqdm(total=total, desc=label, unit=f" {unit}", dynamic_ncols=True) if bar else None
        self.started = self.spoken = time.monotonic()

    def advance(self, steps: int = 1, **figures: float) -> None:
        """Count `steps` more; `figures` (name=value) are shown beside the count, as `loss=0.31`."""
        self.done += steps
        if self.bar is not None:
            if figures:
                self.bar.set_postfix({name: f"{value:.4g}" for name, value in figures.items()}, refresh=False)
            self.bar.update(steps)
            return
        now = time.monotonic()
        if now - self.spoken >= SECONDS_BETWEEN_LINES:
            self.spoken = now
            shown = "".join(f", {name} {value:.4g}" for name, value in figures.items())
            rate = self.done / (now - self.started)
            print(f"{self.label}: {self.done}/{self.total} {self.unit} ({rate:.3g} {self.unit}/s){shown}", flush=True)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()
