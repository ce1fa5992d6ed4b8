"""An i-vector of 3.5 s: alignment with the background model, statistics, posterior mean.

The times do not depend on the values of frames and models, so both are random.
"""

import numpy as np

from afn.systems.gmm.models import DiagonalGMM, FullGMM
from afn.systems.ivector.extractor import IVectorExtractor
from measuring import Row, side_by_side

UTTERANCES, FRAMES = 32, 410  # of the constant-Q front end: 117 a second


def measure(repeats: int = 9) -> list[Row]:
    """An i-vector of the smaller and of the larger of the sizes in use."""
    rng = np.random.default_rng(1)
    utterances = [rng.standard_normal((FRAMES, 60), dtype=np.float32) for _ in range(UTTERANCES)]
    rows = []
    for components, dimension in ((64, 100), (128, 200)):
        means = rng.standard_normal((components, 60))
        ubm = FullGMM.from_diagonal(DiagonalGMM(np.full(components, 1 / components), means, np.ones_like(means)))
        extractor = IVectorExtractor.sampled(ubm, dimension, 1)
        seconds = side_by_side({"ours": lambda extractor=extractor: extractor.extract(utterances)}, repeats)["ours"]
        name = f"i-vector: {components} full components, {dimension} dimensions"
        rows.append(Row(name, "ms", 1000 * seconds / UTTERANCES))
    return rows
