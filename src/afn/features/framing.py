"""A signal cut into frames."""

import numpy as np

FRAME_BLOCK = 4096  # frames that a front end transforms at a time, which keeps an hour of speech small


def framed(signal: np.ndarray, length: int, shift: int, count: int) -> np.ndarray:
    """The first `count` frames of a signal, the end filled up with zeros as far as they reach.

    Args:
        signal: float[N].
        length, shift: samples per frame, and from frame to frame.

    Returns:
        float[count × length], a view.
    """
    signal = np.pad(signal, (0, max((count - 1) * shift + length - len(signal), 0)))
    return np.lib.stride_tricks.sliding_window_view(signal, length)[::shift][:count]
