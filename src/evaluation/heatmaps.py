"""Figures of what attention does: spectrogram, mask and filtered spectrogram; class means and profiles."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import files

FRAME_SHIFT = 0.01  # s
NYQUIST = 8.0  # kHz
COLOURS = {"genuine": "#0072b2", "spoof": "#d55e00"}  # Okabe and Ito: told apart by everybody


def draw_utterance(
    path: Path, spectrogram: np.ndarray, mask: np.ndarray, filtered: np.ndarray, title: str, limits: tuple[float, float]
) -> None:
    """One utterance as three panels over its true length.

    Args:
        path: the PNG to write.
        spectrogram, mask, filtered: float[257 × T]: S in natural-log power, A, and S*.
        title: shown above.
        limits: the colour range of the mask; the same for all utterances makes their pictures comparable.
    """
    figure = Figure(figsize=(9, 7.5), layout="constrained")
    panels = figure.subplots(3, 1, sharex=True)
    span = float(np.quantile(np.abs(spectrogram), 0.995)) or 1.0
    _image(panels[0], spectrogram, "log power S, mean removed", "magma", (-span, span))
    _image(panels[1], mask, "attention A", "viridis", limits)
    span = float(np.quantile(np.abs(filtered), 0.995)) or 1.0
    _image(panels[2], filtered, "filtered S*", "magma", (-span, span))
    panels[2].set_xlabel("time (s)")
    figure.suptitle(title)
    _save(figure, path)


def draw_class_means(path: Path, means: dict[str, np.ndarray], deviations: dict[str, np.ndarray], title: str) -> None:
    """The mean mask of each class, and its profile over frequency.

    Args:
        path: the PNG to write.
        means: label -> float[257 × T], the mask averaged over utterances.
        deviations: label -> float[257], the standard deviation over utterances of the mask's mean over time.
        title: shown above.
    """
    figure = Figure(figsize=(11, 7), layout="constrained")
    grid = figure.add_gridspec(len(means), 2, width_ratios=(2, 1))
    profile = figure.add_subplot(grid[:, 1])
    limits = (min(m.min() for m in means.values()), max(m.max() for m in means.values()))
    for row, (label, mean) in enumerate(means.items()):
        panel = figure.add_subplot(grid[row, 0])
        _image(panel, mean, f"mean A, {label}", "viridis", limits)
        panel.set_xlabel("time in the tiled input (s)")
        over_time = mean.mean(axis=1)
        kilohertz = np.linspace(0, NYQUIST, len(over_time))
        profile.plot(over_time, kilohertz, color=COLOURS[label], label=label)
        low, high = over_time - deviations[label], over_time + deviations[label]
        profile.fill_betweenx(kilohertz, low, high, color=COLOURS[label], alpha=0.2, linewidth=0)
    profile.set(ylim=(0, NYQUIST), ylabel="frequency (kHz)", xlabel="mean A over time (± sd over utterances)")
    profile.legend(frameon=False)
    profile.grid(alpha=0.3)
    figure.suptitle(title)
    _save(figure, path)


def _image(axes: Axes, values: np.ndarray, label: str, colours: str, limits: tuple[float, float]) -> None:
    image = axes.imshow(
        values,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        cmap=mpl.colormaps[colours],
        vmin=limits[0],
        vmax=limits[1],
        extent=(0, values.shape[1] * FRAME_SHIFT, 0, NYQUIST),
    )
    axes.set_ylabel("frequency (kHz)")
    axes.figure.colorbar(image, ax=axes, label=label, pad=0.01)


def _save(figure: Figure, path: Path) -> None:
    with files.whole(path, "wb") as file:
        figure.savefig(file, format="png", dpi=110, metadata={"Software": None})
