"""Attention masks: chosen utterances, class means, profiles over frequency."""

from pathlib import Path

import numpy as np

from afn.common.progress import Progress
from afn.systems.neural import heatmaps, maps
from afn.systems.neural.system import NeuralSystem
from afn.systems.protocol import Chosen


def draw(system: NeuralSystem, chosen: Chosen, out: Path) -> None:
    """Write one figure an utterance, `class_means.png`, and the arrays behind them."""
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
        heatmaps.draw_utterance(out / f"{utt}.png", spectrogram, mask, filtered, heading, limits)
    deviations = {name: np.std(rows, axis=0) for name, rows in profiles.items()}
    heatmaps.draw_class_means(
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
