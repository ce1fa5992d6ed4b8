"""What tests have worker processes do: functions that those can import."""

import os
import signal
import time
from pathlib import Path

from afn.common import parallel


def put(path: Path, size: int) -> int:
    """Put `size` bytes, all of that value, behind those of the items before; returns where. ValueError below 0."""
    if size < 0:
        raise ValueError(size)
    time.sleep(0.01 * (size % 3))  # some overtake those before them
    start = parallel.claim(size)
    with path.open("r+b") as file:
        file.seek(start)
        file.write(bytes([size]) * size)
    return start


def killed(item: int) -> int:
    """The item, unless that is 9: then SIGKILL."""
    if item == 9:
        os.kill(os.getpid(), signal.SIGKILL)
    return item
