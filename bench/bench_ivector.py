"""How long an i-vector takes: alignment with the background model, statistics, posterior mean.

    python bench/bench_ivector.py --threads 2

An utterance has 410 frames of 60 dimensions, which is 3.5 s of the constant-Q front end at 117 frames a second. The
times do not depend on what the frames say, so that frames and models are random.
"""

import argparse
import statistics
import time

import numpy as np
import torch

from afn.systems.gmm.models import DiagonalGMM, FullGMM
from afn.systems.ivector.extractor import IVectorExtractor
from measuring import Row

RATE = 117  # frames a second: systems with constant-Q cepstra


def measure(repeats: int = 9) -> list[Row]:
    """An i-vector of the smaller and of the larger of the sizes in use, of 3.5 s."""
    rng = np.random.default_rng(1)
    utterances = [rng.standard_normal((410, 60), dtype=np.float32) for _ in range(32)]
    rows = []
    for components, dimension in ((64, 100), (128, 200)):
        means = rng.standard_normal((components, 60))
        ubm = FullGMM.from_diagonal(DiagonalGMM(np.full(components, 1 / components), means, np.ones_like(means)))
        taken = statistics.median(times(IVectorExtractor.sampled(ubm, dimension, 1), utterances, repeats))
        rows.append(Row(f"i-vector: {components} full components, {dimension} dimensions", "ms", taken))
    return rows


def times(extractor: IVectorExtractor, utterances: list[np.ndarray], repeats: int) -> list[float]:
    """The ms an utterance of `repeats` calls."""
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        extractor.extract(utterances)
        taken.append(1000 * (time.perf_counter() - started) / len(utterances))
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utterances", type=int, default=64, help="extracted in one call (default 64)")
    parser.add_argument("--frames", type=int, default=410, help="of an utterance (default 410)")
    parser.add_argument("--dimensions", type=int, default=60, help="of a frame (default 60)")
    parser.add_argument("--repeats", type=int, default=9, help="calls of which the median is taken (default 9)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="(default: PyTorch's own choice)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rng = np.random.default_rng(1)
    size = (arguments.frames, arguments.dimensions)
    utterances = [rng.standard_normal(size, dtype=np.float32) for _ in range(arguments.utterances)]
    print(f"ms an utterance, median (and least) of {arguments.repeats}; {arguments.threads} threads")
    names = ("components", "i-vector", "covariances", "selected", "ms", "least", "× real time")
    print("{:>10} {:>8} {:>11} {:>8} {:>7} {:>7} {:>11}".format(*names))
    for components, dimension in ((64, 100), (128, 200)):
        means = rng.standard_normal((components, arguments.dimensions))
        diagonal = DiagonalGMM(np.full(components, 1 / components), means, np.ones_like(means))
        for ubm, selected, least in (
            (diagonal, None, 0.0),
            (FullGMM.from_diagonal(diagonal), None, 0.0),
            (FullGMM.from_diagonal(diagonal), 20, 0.025),
        ):
            extractor = IVectorExtractor.sampled(ubm, dimension, 1, selected, least)
            taken = times(extractor, utterances, arguments.repeats)
            median = statistics.median(taken)
            kind = "diagonal" if ubm is diagonal else "full"
            print(f"{components:10d} {dimension:8d} {kind:>11} {selected or 'all':>8}", end="")
            print(f" {median:7.2f} {min(taken):7.2f} {1000 * arguments.frames / RATE / median:11.0f}", flush=True)


if __name__ == "__main__":
    main()
