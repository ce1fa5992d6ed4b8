"""Figures of where the score of two mixtures comes from: over time, and over the dimensions of the features."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from afn.common.figures import CLASS_COLOURS, Axes, png_file
from afn.common.progress import Progress
from afn.systems.protocol import Chosen

SMOOTHED = 25  # frames of the running mean
BLOCKS = ("static", "deltas", "delta-deltas")
BLOCK_COLOURS = ("#0072b2", "#e69f00", "#009e73")
NEUTRAL = "#999999"


class Explained(Protocol):
    """What the figures need of a trained pair of mixtures."""

    settings: Any
    seed: int

    @property
    def blocks(self) -> int: ...

    def explain(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]: ...


def draw(system: Explained, chosen: Chosen, out: Path) -> None:
    """Write stage 1 of a pair of mixtures into `out`: a figure per utterance, and `class_means.png`."""
    title, seed = system.settings.title, system.seed
    shares: dict[str, list[np.ndarray]] = {}
    with Progress("likelihood", len(chosen.every)) as progress:
        for utt in chosen.every:
            ratios, contributions = system.explain(chosen.features[utt])
            if utt in chosen.averaged:
                shares.setdefault(chosen.labels[utt], []).append(contributions)
            if utt in chosen.utterances:
                heading = f"{utt} · {chosen.labels[utt]} · score {ratios.mean():+.3f} · {title}, seed {seed}"
                draw_utterance(out / f"{utt}.png", ratios, contributions, system.blocks, heading)
            progress.advance()
    shares = dict(sorted(shares.items()))  # genuine, then spoof
    means = {name: np.mean(rows, axis=0) for name, rows in shares.items()}
    deviations = {name: np.std(rows, axis=0) for name, rows in shares.items()}
    counts = " and ".join(f"{len(rows)} {name}" for name, rows in shares.items())
    heading = f"{title}, seed {seed}: mean contributions over {counts}"
    draw_class_means(out / "class_means.png", means, deviations, system.blocks, heading)


def draw_utterance(path: Path, ratios: np.ndarray, contributions: np.ndarray, blocks: int, title: str) -> None:
    """One utterance as two panels.

    Args:
        path: the PNG to write.
        ratios: float[T], the log-likelihood ratio of every frame in nats; above 0 for genuine.
        contributions: float[D + 1], what every dimension adds to their mean; last the component weights' share.
        blocks: the number of equal parts of the dimensions: 1 statics alone, 2 with deltas, 3 with delta-deltas.
        title: shown above.
    """
    with png_file(path, 9, 6.5, "constrained") as figure:
        over_time, over_dimensions = figure.subplots(2, 1)
        width = min(SMOOTHED, len(ratios))
        mean = np.convolve(ratios, np.ones(width) / width, mode="valid")
        over_time.plot(ratios, color=NEUTRAL, linewidth=0.6, label="each frame")
        over_time.plot(np.arange(len(mean)) + (width - 1) / 2, mean, color="black", label=f"mean of {width} frames")
        whole = ratios.mean()
        over_time.axhline(whole, color=CLASS_COLOURS["genuine"], linestyle="--", label=f"mean {whole:+.3f}")
        # A few frames far out (clicks, digital silence) must not flatten the rest.
        low, high = np.quantile(ratios, (0.005, 0.995))
        margin = 0.1 * max(high - low, 1e-6)
        over_time.set(
            xlim=(0, max(len(ratios) - 1, 1)), ylim=(low - margin, high + margin), xlabel="frame",
            ylabel="log-likelihood ratio (nats)",
        )  # fmt: skip
        over_time.axhline(0, color="black", linewidth=0.8)
        over_time.legend(frameon=False, ncols=3, loc="upper right")
        _bars(over_dimensions, contributions, blocks)
        figure.suptitle(title)


def draw_class_means(
    path: Path, means: Mapping[str, np.ndarray], deviations: Mapping[str, np.ndarray], blocks: int, title: str
) -> None:
    """What every dimension adds to the scores of each class, label -> float[D + 1]: mean and standard deviation."""
    with png_file(path, 9, 5, "constrained") as figure:
        panel = figure.subplots()
        for label, mean in means.items():
            dimensions, deviation = np.arange(len(mean) - 1), deviations[label][:-1]
            weights = f"{label} (weights and entropy {mean[-1]:+.3f})"
            panel.plot(dimensions, mean[:-1], color=CLASS_COLOURS[label], marker=".", label=weights)
            around = mean[:-1] - deviation, mean[:-1] + deviation
            panel.fill_between(dimensions, *around, color=CLASS_COLOURS[label], alpha=0.2, linewidth=0)
        size = (len(next(iter(means.values()))) - 1) // blocks
        for block in range(1, blocks):
            panel.axvline(block * size - 0.5, color=NEUTRAL, linestyle=":")
        _label(panel)
        panel.legend(frameon=False)
        figure.suptitle(title)


def _bars(panel: Axes, contributions: np.ndarray, blocks: int) -> None:
    size = (len(contributions) - 1) // blocks
    for block, (name, colour) in enumerate(zip(BLOCKS[:blocks], BLOCK_COLOURS, strict=False)):
        dimensions = np.arange(block * size, (block + 1) * size)
        label = f"{name}, together {contributions[dimensions].sum():+.3f}"
        panel.bar(dimensions, contributions[dimensions], width=0.9, color=colour, label=label)
    rest = f"weights, entropy {contributions[-1]:+.3f}"
    panel.bar(blocks * size, contributions[-1], width=0.9, color=NEUTRAL, label=rest)
    _label(panel)
    panel.legend(frameon=False, ncols=2, fontsize="small")


def _label(panel: Axes) -> None:
    panel.axhline(0, color="black", linewidth=0.8)
    panel.set(xlabel="dimension of the features", ylabel="share of the score (nats)")
    panel.grid(axis="y", alpha=0.3)
