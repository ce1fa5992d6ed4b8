"""An iteration of EM for a diagonal Gaussian mixture, beside scikit-learn's in float64, its own precision.

Both begin from the same parameters. The time of an iteration is that of a run of 16 less that of a run of one, divided
by 15, so that neither side's start and end count.
"""

import time
import warnings
from collections.abc import Callable

import numpy as np
from sklearn.mixture import GaussianMixture

from afn.systems.gmm.frames import moments
from afn.systems.gmm.models import DiagonalGMM
from measuring import Row, side_by_side

FRAMES, DIMENSIONS = 20_000, 60
ITERATIONS = 16


def measure(repeats: int = 3) -> list[Row]:
    """An iteration of EM with few and with many components."""
    frames = clusters()
    doubles = frames.astype(np.float64)
    rows = []
    for components in (64, 512):
        start = soft_start(frames, components)
        sides = {
            "ours": lambda start=start: pace(lambda iterations: ours(frames, start, iterations)),
            "theirs": lambda start=start: pace(lambda iterations: sklearns(doubles, start, iterations)),
        }
        ms = {name: 1000 * seconds for name, seconds in side_by_side(sides, repeats).items()}
        name = f"GMM: an iteration of EM, {components} components"
        rows.append(Row(name, "ms", ms["ours"], ms["theirs"], "scikit-learn"))
    return rows


def clusters() -> np.ndarray:
    """float32[T × D]: overlapping clusters, the dimensions on scales that fall as those of cepstra do."""
    rng = np.random.default_rng(1)
    centres = 0.4 * rng.standard_normal((200, DIMENSIONS))
    frames = centres[rng.integers(200, size=FRAMES)] + rng.standard_normal((FRAMES, DIMENSIONS))
    return (frames * np.geomspace(100, 1, DIMENSIONS)).astype(np.float32)


def soft_start(frames: np.ndarray, components: int) -> DiagonalGMM:
    """Means of 20 random frames each, so that no component is left with a single frame and its variance to a floor."""
    chosen = np.random.default_rng(1).integers(len(frames), size=(components, 20))
    means = frames[chosen].mean(axis=1, dtype=np.float64)
    return DiagonalGMM(np.full(components, 1 / components), means, moments(frames)[2].repeat(components, 1))


def pace(run: Callable[[int], None]) -> float:
    """Seconds an iteration."""
    seconds = []
    for iterations in (1, ITERATIONS):
        started = time.perf_counter()
        run(iterations)
        seconds.append(time.perf_counter() - started)
    return (seconds[1] - seconds[0]) / (ITERATIONS - 1)


def ours(frames: np.ndarray, start: DiagonalGMM, iterations: int) -> None:
    model = DiagonalGMM(start.weights, start.means, start.variances)
    model.fit(frames, iterations, tolerance=-np.inf, variance_floor=1e-6, min_count=0)


def sklearns(frames: np.ndarray, start: DiagonalGMM, iterations: int) -> None:
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
