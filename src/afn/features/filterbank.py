"""Banks of overlapping filters over the bins of a power spectrum, evenly spaced in frequency."""

from functools import lru_cache

import numpy as np
import scipy.fft


@lru_cache(maxsize=8)
def triangles(sample_rate: float, fft_size: int, bands: int, low: float, high: float) -> np.ndarray:
    """float64[(fft_size / 2 + 1) × bands]: triangles of height 1 between the centres beside them (read-only).

    The centres and, as the outermost edges, `low` and `high` (Hz) are evenly spaced.
    """
    frequencies, edges = _frequencies(sample_rate, fft_size), np.linspace(low, high, bands + 2)
    below, centre, above = edges[:-2], edges[1:-1], edges[2:]
    rise, fall = (frequencies - below) / (centre - below), (above - frequencies) / (above - centre)
    return _read_only(np.maximum(np.minimum(rise, fall), 0))


@lru_cache(maxsize=8)
def gaussians(sample_rate: float, fft_size: int, bands: int, low: float, high: float) -> np.ndarray:
    """float64[(fft_size / 2 + 1) × bands]: bells of height 1 at the centres of `triangles` (read-only).

    Neighbours cross at half their height, as the triangles do.
    """
    edges = np.linspace(low, high, bands + 2)
    distance = (_frequencies(sample_rate, fft_size) - edges[1:-1]) / (edges[1] - edges[0])
    return _read_only(np.exp2(-4 * np.square(distance)))


def check_edges(low: float, high: float, sample_rate: float) -> None:
    """ValueError unless the bank's edges rise within 0 … sample_rate / 2 (Hz)."""
    if not low < high <= sample_rate / 2:
        edges = f"low_frequency: {low} and high_frequency: {high}"
        raise ValueError(f"{edges} must rise between 0 and half of sample_rate: {sample_rate}")


def _frequencies(sample_rate: float, fft_size: int) -> np.ndarray:
    return scipy.fft.rfftfreq(fft_size, 1 / sample_rate)[:, None]


def _read_only(weights: np.ndarray) -> np.ndarray:
    weights.flags.writeable = False
    return weights
