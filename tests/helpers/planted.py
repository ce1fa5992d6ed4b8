"""A corpus for the i-vector tests: components that move together, one way for genuine, another for spoof."""

import numpy as np

from afn.common import config
from afn.common.paths import ROOT
from afn.systems.ivector.settings import IVectors
from afn.systems.subset import Subset

SMALL = [
    "features.coefficients=5",
    "ubm.components=4",
    "ubm.iterations=3",
    "ubm.full_iterations=2",
    "extractor.dimension=3",
    "extractor.iterations=3",
]


def row(*changes, name="ivector_cosine"):
    """A row of the table at toy size."""
    return config.load(IVectors, ROOT / "conf" / "systems" / f"{name}.yaml", [*SMALL, *changes])


def subset(name, seed, utterances=24, frames=60, dimension=5, components=4):
    """Frames around well separated means; in every component the classes differ along one direction."""
    model = np.random.default_rng(0)
    means = 20 * model.standard_normal((components, dimension))
    loadings = model.standard_normal((components, dimension, 2))
    rng = np.random.default_rng([seed, 1])
    labels, features, speakers = {}, {}, {}
    for number in rng.permutation(utterances):
        utt = f"{name[0].upper()}_{number}"
        labels[utt] = "genuine" if number % 2 else "spoof"
        factors = rng.standard_normal(2) + (2.5 if number % 2 else -2.5)
        which = rng.integers(components, size=frames + number % 7)
        shifted = means + loadings @ factors
        features[utt] = (shifted[which] + rng.standard_normal((len(which), dimension))).astype(np.float32)
        speakers[utt] = f"{name}{number % 3}"
    return Subset(name, labels, features, speakers)


def margin(system, subset):
    """The fraction of pairs of a genuine and a spoofed utterance that the system orders correctly."""
    scores = system.score(subset)
    assert list(scores) == subset.utterances
    genuine, spoof = ([s for u, s in scores.items() if subset.labels[u] == label] for label in ("genuine", "spoof"))
    return np.mean(np.array(genuine)[:, None] > np.array(spoof)[None])
