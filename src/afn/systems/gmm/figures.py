"""Log-likelihood ratios of Gaussian mixtures: over time, and what every dimension of the features adds to them."""

from pathlib import Path

import numpy as np

from afn.common.progress import Progress
from afn.systems.gmm import likelihood_plots
from afn.systems.gmm.system import MixturePair
from afn.systems.protocol import Chosen


def draw(system: MixturePair, chosen: Chosen, out: Path) -> None:
    """Write one figure an utterance, and `class_means.png`: the mean contributions of the classes."""
    title, seed = system.settings.title, system.seed
    shares: dict[str, list[np.ndarray]] = {}
    with Progress("likelihood", len(chosen.every)) as progress:
        for utt in chosen.every:
            ratios, contributions = system.explain(chosen.features[utt])
            if utt in chosen.averaged:
                shares.setdefault(chosen.labels[utt], []).append(contributions)
            if utt in chosen.utterances:
                heading = f"{utt} · {chosen.labels[utt]} · score {ratios.mean():+.3f} · {title}, seed {seed}"
                likelihood_plots.draw_utterance(out / f"{utt}.png", ratios, contributions, system.blocks, heading)
            progress.advance()
    shares = dict(sorted(shares.items()))  # genuine, then spoof
    means = {name: np.mean(rows, axis=0) for name, rows in shares.items()}
    deviations = {name: np.std(rows, axis=0) for name, rows in shares.items()}
    counts = " and ".join(f"{len(rows)} {name}" for name, rows in shares.items())
    heading = f"{title}, seed {seed}: mean contributions over {counts}"
    likelihood_plots.draw_class_means(out / "class_means.png", means, deviations, system.blocks, heading)
