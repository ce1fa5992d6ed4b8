"""How long an iteration of EM takes for a diagonal Gaussian mixture, beside scikit-learn's in the same run.

    python bench/bench_gmm.py
    python bench/bench_gmm.py --frames 1500000 --repeats 1 --without-sklearn

Both begin from the same parameters and take the same number of iterations; the mean log-likelihoods that they reach
are printed beside the times. An iteration's time is that of a run less that of a run of one iteration, divided by the
iterations between them, so that neither side's start and end count. The sides alternate, so that
other load affects both. scikit-learn is not a requirement of this project: after `pip install scikit-learn` its
columns appear.
"""

import argparse
import os
import resource
import statistics
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import torch

from afn.systems.gmm.frames import moments
from afn.systems.gmm.models import DiagonalGMM
from measuring import Row

MIB = 2**10  # kB, in which Linux counts the peak of the process, frames and libraries included


def measure(repeats: int = 3) -> list[Row]:
    """An iteration of EM, 20,000 frames of 60 dimensions; scikit-learn in float64, its own precision."""
    frames = clusters(20_000, 60, 1)
    rows = []
    for components in (64, 512):
        start = soft_start(frames, components, 1)
        sides = {"ours": lambda iterations, start=start: ours(frames, start, iterations)}
        if find_spec("sklearn") is not None:
            doubles = frames.astype(np.float64)
            sides["theirs"] = lambda iterations, start=start, doubles=doubles: sklearns(doubles, start, iterations)
        medians, _ = paces(sides, 16, repeats)
        name = f"GMM: an iteration of EM, {components} components"
        rows.append(Row(name, "ms", medians["ours"], medians.get("theirs"), "scikit-learn"))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, nargs="+", default=[20_000], help="numbers of frames (default 20000)")
    parser.add_argument("--dimensions", type=int, nargs="+", default=[60, 90], help="(default 60 90)")
    parser.add_argument("--components", type=int, nargs="+", default=[64, 512], help="(default 64 512)")
    parser.add_argument("--iterations", type=int, default=4, help="of a run, above 1 (default 4)")
    parser.add_argument("--repeats", type=int, default=3, help="runs of which the median is taken (default 3)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of PyTorch (default: its choice)")
    parser.add_argument("--seed", type=int, default=1, help="of the frames and the start (default 1)")
    parser.add_argument("--without-sklearn", action="store_true", help="ours alone")
    arguments = parser.parse_args()
    if arguments.iterations < 2 or min(arguments.repeats, arguments.threads) < 1:
        parser.error("--iterations must be above 1, --repeats and --threads at least 1")
    torch.set_num_threads(arguments.threads)
    compared = not arguments.without_sklearn and find_spec("sklearn") is not None
    print(
        f"ms an iteration, median of {arguments.repeats}; {arguments.threads} threads of PyTorch, OMP_NUM_THREADS "
        f"{os.environ.get('OMP_NUM_THREADS', 'not set')}; log-likelihoods after {arguments.iterations} iterations"
    )
    print(f"{'frames':>8} {'dims':>5} {'comp.':>5} {'ours':>9} {'log-lik.':>10}", end="")
    others = f" {'sklearn64':>9} {'ratio':>6} {'log-lik.':>10} {'sklearn32':>9} {'ratio':>6}"
    print(others if compared else f" {'peak MiB':>8}")
    for count in arguments.frames:
        for dimension in arguments.dimensions:
            frames = clusters(count, dimension, arguments.seed)
            for components in arguments.components:
                row(frames, components, arguments, compared)
    if not compared and not arguments.without_sklearn:
        print("scikit-learn is not installed; `pip install scikit-learn` to see it beside ours")


def clusters(count: int, dimension: int, seed: int) -> np.ndarray:
    """float32[T × D]: overlapping clusters, the dimensions on scales that fall as those of cepstra do."""
    rng = np.random.default_rng(seed)
    frames = rng.standard_normal((count, dimension), dtype=np.float32)
    centres = 0.4 * rng.standard_normal((200, dimension), dtype=np.float32)
    for block in np.array_split(frames, max(1, count // 10_000)):  # so that the peak of memory is not the making's
        block += centres[rng.integers(200, size=len(block))]
        block *= np.geomspace(100, 1, dimension, dtype=np.float32)
    return frames


def soft_start(frames: np.ndarray, components: int, seed: int) -> DiagonalGMM:
    """Means of 20 random frames each, so that no component is left with a single frame and its variance to a floor."""
    drawn = np.random.default_rng(seed).integers(len(frames), size=(components, 20))
    means = frames[drawn].mean(axis=1, dtype=np.float64)
    return DiagonalGMM(np.full(components, 1 / components), means, moments(frames)[2].repeat(components, 1))


def row(frames: np.ndarray, components: int, arguments: argparse.Namespace, compared: bool) -> None:
    start = soft_start(frames, components, arguments.seed)
    sides: dict[str, Callable[[int], float]] = {"ours": lambda iterations: ours(frames, start, iterations)}
    if compared:
        doubles = frames.astype(np.float64)
        sides["sklearn64"] = lambda iterations: sklearns(doubles, start, iterations)
        sides["sklearn32"] = lambda iterations: sklearns(frames, start, iterations)
    medians, reached = paces(sides, arguments.iterations, arguments.repeats)
    print(f"{len(frames):8d} {frames.shape[1]:5d} {components:5d} {medians['ours']:9.1f}", end="")
    print(f" {reached['ours']:10.4f}", end="")
    if not compared:
        print(f" {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB:8.0f}", end="")
    else:
        ratios = {name: median / medians["ours"] for name, median in medians.items()}
        print(f" {medians['sklearn64']:9.1f} {ratios['sklearn64']:6.1f} {reached['sklearn64']:10.4f}", end="")
        print(f" {medians['sklearn32']:9.1f} {ratios['sklearn32']:6.1f}", end="")
    print(flush=True)


def paces(
    sides: dict[str, Callable[[int], float]], iterations: int, repeats: int
) -> tuple[dict[str, float], dict[str, float]]:
    """The median ms an iteration of each side, taking turns, and the log-likelihoods that they reach."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    reached: dict[str, float] = {}
    for _ in range(repeats):
        for name, run in sides.items():
            short, _ = timed(run, 1)
            long, reached[name] = timed(run, iterations)
            times[name].append(1000 * (long - short) / (iterations - 1))
    return {name: statistics.median(values) for name, values in times.items()}, reached


def timed(run: Callable[[int], float], iterations: int) -> tuple[float, float]:
    """Seconds, and what `run` returned."""
    started = time.perf_counter()
    result = run(iterations)
    return time.perf_counter() - started, result


def ours(frames: np.ndarray, start: DiagonalGMM, iterations: int) -> float:
    """The mean log-likelihood after `iterations`."""
    model = DiagonalGMM(start.weights, start.means, start.variances)
    model.fit(frames, iterations, tolerance=-np.inf, variance_floor=1e-6, min_count=0)
    return model.log_likelihood(frames).double().mean().item()


def sklearns(frames: np.ndarray, start: DiagonalGMM, iterations: int) -> float:
    """The mean log-likelihood after `iterations`."""
    from sklearn.mixture import GaussianMixture

    model = GaussianMixture(
        start.components,
        covariance_type="diag",
        tol=0,
        reg_covar=1e-6,
        max_iter=iterations,
        init_params="random_from_data",
        weights_init=start.weights.numpy(),
        means_init=start.means.numpy(),
        precisions_init=1 / start.variances.numpy(),
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that so few iterations do not converge
        model.fit(frames)
    return float(model.score(frames))


if __name__ == "__main__":
    main()
