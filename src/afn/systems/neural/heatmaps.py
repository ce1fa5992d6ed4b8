"""Figures of what attention does: spectrogram, mask and filtered spectrogram; class means and profiles.

As files for one system, and as the bytes of a PNG for several systems side by side.
"""

from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path

import numpy as np

from afn.common.figures import CLASS_COLOURS, Axes, colormaps, png, png_file
from afn.common.progress import Progress
from afn.systems.neural import maps
from afn.systems.neural.maps import Maps
from afn.systems.protocol import Attended, Chosen, System

FRAME_SHIFT = 0.01  # s
NYQUIST = 8.0  # kHz
MARGINS = {"bottom": 0.075, "top": 0.925}
ACROSS = 4  # panels side by side, at most


def draw_recording(
    path: Path, spectrogram: np.ndarray, found: Attended, heading: str, above: Callable[[Axes], None] | None = None
) -> None:
    """Write the figure of one recording: float32[T × bins] and what the attention does to its first frames.

    `above` draws a further panel at the top.
    """
    length = min(len(spectrogram), found.mask.shape[1])
    mask, filtered = found.mask[:, :length], found.filtered[:, :length]
    limits = float(np.quantile(mask, 0.005)), float(np.quantile(mask, 0.995))
    draw_utterance(path, spectrogram.T[:, :length], mask, filtered, heading, limits, above)


def draw(system: System, chosen: Chosen, out: Path) -> None:
    """Write stage 1 of an attention network into `out`: a figure per utterance, `class_means.png`, and their arrays."""
    title, seed = system.settings.title, system.seed
    label = chosen.labels
    sums: dict[str, np.ndarray] = {}
    profiles: dict[str, list[np.ndarray]] = {}
    pictures = {}
    with Progress("attention", len(chosen.every)) as progress:
        for utt in chosen.every:
            spectrogram = chosen.features[utt]
            mask, filtered, logit = system.attend(spectrogram)
            if utt in chosen.averaged:
                sums[label[utt]] = sums.get(label[utt], 0) + mask.astype(np.float64)
                profiles.setdefault(label[utt], []).append(mask.mean(axis=1))
            if utt in chosen.utterances:
                length = min(len(spectrogram), mask.shape[1])
                pictures[utt] = spectrogram.T[:, :length], mask[:, :length], filtered[:, :length], logit
            progress.advance()
    masks = np.concatenate([picture[1].ravel() for picture in pictures.values()])
    limits = float(np.quantile(masks, 0.005)), float(np.quantile(masks, 0.995))
    for utt, (spectrogram, mask, filtered, logit) in pictures.items():
        heading = f"{utt} · {label[utt]} · score {logit:+.2f} · {title}, seed {seed}"
        draw_utterance(out / f"{utt}.png", spectrogram, mask, filtered, heading, limits)
    deviations = {name: np.std(rows, axis=0) for name, rows in profiles.items()}
    draw_class_means(
        out / "class_means.png",
        {name: total / len(profiles[name]) for name, total in sums.items()},
        deviations,
        f"{title}, seed {seed}: mean attention over "
        + " and ".join(f"{len(rows)} {name}" for name, rows in profiles.items()),
    )
    kept = maps.Maps(
        seed,
        {utt: label[utt] for utt in pictures},
        {utt: picture[0] for utt, picture in pictures.items()},
        {utt: picture[1] for utt, picture in pictures.items()},
        {name: (np.mean(rows, axis=0), deviations[name]) for name, rows in profiles.items()},
        {name: len(rows) for name, rows in profiles.items()},
    )
    maps.write(out / maps.NAME, kept)


def draw_utterance(
    path: Path,
    spectrogram: np.ndarray,
    mask: np.ndarray,
    filtered: np.ndarray,
    title: str,
    limits: tuple[float, float],
    above: Callable[[Axes], None] | None = None,
) -> None:
    """One utterance as three panels over its true length.

    Args:
        path: the PNG to write.
        spectrogram, mask, filtered: float[257 × T]: S in natural-log power, A, and S*.
        title: shown above.
        limits: the colour range of the mask; the same for all utterances, so that their figures are comparable.
        above: draws a panel at the top, with another time axis.
    """
    margins = {**MARGINS, "left": 0.07, "right": 0.99, "hspace": 0.09}  # a layout engine would draw everything twice
    if above:
        margins["top"] = 0.7
    with png_file(path, 9, 9.5 if above else 7.5) as figure:
        if above:
            above(figure.add_axes((0.07, 0.78, 0.82, 0.14)))
        panels = figure.subplots(3, 1, sharex=True, gridspec_kw=margins)
        span = float(np.quantile(np.abs(spectrogram), 0.995)) or 1.0
        _image(panels[0], spectrogram, "log power S, mean removed", "magma", (-span, span))
        _image(panels[1], mask, "attention A", "viridis", limits)
        span = float(np.quantile(np.abs(filtered), 0.995)) or 1.0
        _image(panels[2], filtered, "filtered S*", "magma", (-span, span))
        panels[2].set_xlabel("time (s)")
        figure.suptitle(title, y=0.98)


def draw_class_means(path: Path, means: dict[str, np.ndarray], deviations: dict[str, np.ndarray], title: str) -> None:
    """The mean mask of each class, and its profile over frequency.

    Args:
        path: the PNG to write.
        means: label -> float[257 × T], the mask averaged over utterances.
        deviations: label -> float[257], the standard deviation over utterances of the mask's mean over time.
        title: shown above.
    """
    with png_file(path, 11, 7) as figure:
        grid = figure.add_gridspec(len(means), 2, **MARGINS, left=0.045, right=0.985, width_ratios=(2, 1), wspace=0.24)
        profile = figure.add_subplot(grid[:, 1])
        limits = (min(m.min() for m in means.values()), max(m.max() for m in means.values()))
        for row, (label, mean) in enumerate(means.items()):
            panel = figure.add_subplot(grid[row, 0])
            _image(panel, mean, f"mean A, {label}", "viridis", limits)
            panel.set_xlabel("time in the tiled input (s)")
            _profile(profile, mean.mean(axis=1), deviations[label], label, label)
        profile.set(ylim=(0, NYQUIST), ylabel="frequency (kHz)", xlabel="mean A over time (± sd over utterances)")
        profile.locator_params(axis="x", nbins=4)
        profile.legend(frameon=False)
        profile.grid(alpha=0.3)
        figure.suptitle(title, y=0.98)


def common(systems: Mapping[str, Maps], per_class: int) -> list[str]:
    """Up to `per_class` genuine, then as many replayed utterances for which every system (title -> maps) has a mask."""
    if not systems:
        return []
    first = next(iter(systems.values()))
    found = [utt for utt in first.labels if all(utt in system.masks for system in systems.values())]
    return [utt for label in CLASS_COLOURS for utt in [utt for utt in found if first.labels[utt] == label][:per_class]]


def side_by_side_png(systems: Mapping[str, Maps], utt: str) -> bytes:
    """One utterance: its spectrogram, then the mask of each system (title -> maps).

    A system has one colour range for all utterances.
    """
    first = next(iter(systems.values()))
    spectrogram = first.spectrograms[utt].astype(np.float32)
    span = float(np.quantile(np.abs(spectrogram), 0.995)) or 1.0
    panels = [("log power S, mean removed", spectrogram, "magma", (-span, span))]
    for title, system in systems.items():
        values = np.concatenate([mask.ravel() for mask in system.masks.values()]).astype(np.float32)
        limits = float(np.quantile(values, 0.005)), float(np.quantile(values, 0.995))
        panels.append((title, system.masks[utt].astype(np.float32), "viridis", limits))
    rows = -(-len(panels) // ACROSS)
    columns = -(-len(panels) // rows)
    with png(0.4 + 3.9 * columns, 0.3 + 2.5 * rows, dpi=110, layout="constrained") as (figure, buffer):
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for axes in grid.ravel()[len(panels) :]:
            axes.set_visible(False)
        for index, (axes, (title, values, colours, limits)) in enumerate(zip(grid.ravel(), panels, strict=False)):
            _image(axes, values, "", colours, limits)
            axes.set_title(title, loc="left", fontsize=10)
            axes.set_ylabel("frequency (kHz)" if index % columns == 0 else "")
            if index + columns >= len(panels):
                axes.set_xlabel("time (s)")
                axes.tick_params(labelbottom=True)
    return buffer.getvalue()


def profiles_png(systems: Mapping[str, Maps]) -> bytes:
    """A panel per system: its attention to each frequency, mean ± sd over the utterances of each class."""
    rows = -(-len(systems) // ACROSS)
    columns = -(-len(systems) // rows)
    with png(0.4 + 3.1 * columns, 0.3 + 3.4 * rows, dpi=110, layout="constrained") as (figure, buffer):
        grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
        for axes in grid.ravel()[len(systems) :]:
            axes.set_visible(False)
        for (row, column), (title, system) in zip(product(range(rows), range(columns)), systems.items(), strict=False):
            axes = grid[row, column]
            for label, (mean, deviation) in system.profiles.items():
                _profile(axes, mean, deviation, label, f"{label} ({system.averaged[label]})")
            axes.set_title(title, loc="left", fontsize=10)
            axes.set(ylim=(0, NYQUIST), xlabel="mean A over time")
            axes.set_ylabel("frequency (kHz)" if column == 0 else "")
            axes.locator_params(axis="x", nbins=4)
            axes.grid(alpha=0.3)
            axes.legend(frameon=False, fontsize=8)
    return buffer.getvalue()


def _profile(axes: Axes, mean: np.ndarray, deviation: np.ndarray, label: str, shown: str) -> None:
    kilohertz = np.linspace(0, NYQUIST, len(mean))
    axes.plot(mean, kilohertz, color=CLASS_COLOURS[label], label=shown)
    axes.fill_betweenx(
        kilohertz, mean - deviation, mean + deviation, color=CLASS_COLOURS[label], alpha=0.2, linewidth=0
    )


def _image(axes: Axes, values: np.ndarray, label: str, colours: str, limits: tuple[float, float]) -> None:
    image = axes.imshow(
        values,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        cmap=colormaps[colours],
        vmin=limits[0],
        vmax=limits[1],
        extent=(0, values.shape[1] * FRAME_SHIFT, 0, NYQUIST),
    )
    axes.set_ylabel("frequency (kHz)")
    axes.figure.colorbar(image, ax=axes, label=label, pad=0.01)
