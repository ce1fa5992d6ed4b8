"""Confidence intervals of EERs and costs, and of differences between EERs, by a bootstrap over speakers and conditions.

Trials are not independent: errors on trials of one speaker, and of one replay configuration, are correlated. Resampling
single trials would treat 12,008 replays as independent although there are 17 speakers and 57 configurations.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import joblib
import numpy as np
from scipy.sparse import csr_array

from afn.common import parallel
from afn.common.progress import Progress
from afn.metrics import eer, roc
from afn.metrics.trials import UNKNOWN, Trials

RESAMPLES = 10_000
LEVEL = 0.95
CHUNK = 1 << 21  # trials times resamples that are sampled at a time
MOST_TRIALS = 5_000  # of a class that is resampled by trials; beyond that, as many random groups of trials are
WEIGHT = np.int32  # of a trial, and of all trials of a block: half the memory that large sets move
# Rates are computed at every threshold beyond which a class has fewer trials than DENSE, and at others in steps of 2 %.
DENSE, STEP = 50, 1.02
MOST_THREADS = 8  # each takes up to 0.1 GB, and more are limited by the speed of the memory


@dataclass(frozen=True)
class Interval:
    """A figure of the given scores and the ends of its confidence interval, all as fractions."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """The EERs (linear ROC, 0..1) of several systems on the same trials, and on the same resamples of them."""

    eers: Mapping[str, float]
    resampled: Mapping[str, np.ndarray]  # system -> float64[resamples]
    remark: str  # what was resampled

    def interval(self, system: str, level: float = LEVEL) -> Interval:
        """The EER of a system with its percentile interval."""
        return interval(self.eers[system], self.resampled[system], level)

    def difference(self, system: str, other: str, level: float = LEVEL) -> Interval:
        """EER of `system` minus EER of `other`, paired: both are computed on the same resamples.

        If the interval excludes 0, the sign does not depend on which speakers and configurations the corpus contains.
        """
        return interval(self.eers[system] - self.eers[other], self.resampled[system] - self.resampled[other], level)


def interval(value: float, resampled: np.ndarray, level: float = LEVEL) -> Interval:
    """A figure with its percentile interval from the same figure of every resample, float[resamples]."""
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(value), float(low), float(high))


def bootstrap(
    trials: Trials,
    systems: Mapping[str, np.ndarray],
    resamples: int = RESAMPLES,
    seed: int = 0,
    label: str = "bootstrap",
) -> Bootstrap:
    """Resample speakers and configurations, and measure every system on every resample.

    Speakers are sampled with replacement, as many as there are, and independently so are configurations. The weight of
    a trial is the count of its speaker times the count of its configuration. Genuine speech without a configuration
    counts as often as its speaker. Both classes share the samples. Resamples without a class are sampled again. Trials
    within a cell are not resampled in addition: the intervals are conservative already, because the noise of trials
    counts once for each factor. A class with a single speaker and configuration is resampled by trials (of more than
    5,000, by 5,000 random groups of them).
    On made-up corpora of 8 or 20 speakers and as many configurations, 95 % intervals contained the true EER in 95 to 99
    of 100 cases, intervals over trials in 65 to 93. With fewer than about ten of either they are rough.

    Source: Owen, "The pigeonhole bootstrap" (Annals of Applied Statistics 1(2), 2007), for two crossed factors; Bisani
    and Ney, "Bootstrap estimates for confidence intervals in ASR performance evaluation" (ICASSP 2004), for pairing.

    `systems` maps names to scores, float[N], higher = more genuine. The same seed, trials and number of resamples give
    the same intervals. `label` is that of the progress. Raises UserError if a class is missing or a score is NaN or
    infinite.
    """
    sampler = _Sampler(trials, seed)
    curves = {name: _Curve(scores, trials.genuine, sampler) for name, scores in systems.items()}
    resampled = sampler.measure(
        lambda weights: {name: Resampled(curve, weights).eers() for name, curve in curves.items()}, resamples, label
    )
    eers = {
        name: eer.linear_roc_eer(scores[trials.genuine], scores[~trials.genuine]) for name, scores in systems.items()
    }
    return Bootstrap(eers, resampled, sampler.remark)


def figures(
    trials: Trials,
    scores: np.ndarray,
    computed: Mapping[str, Callable[["Resampled"], np.ndarray]],
    resamples: int = RESAMPLES,
    seed: int = 0,
    label: str = "bootstrap",
) -> tuple[dict[str, np.ndarray], str]:
    """Several figures of one system on every resample, and what was resampled; arguments as in `bootstrap`.

    `computed` maps the name of a figure to a function from several resamples to its values, float64[R].
    """
    sampler = _Sampler(trials, seed)
    curve = _Curve(scores, trials.genuine, sampler)

    def measured(weights: np.ndarray) -> dict[str, np.ndarray]:
        resampled = Resampled(curve, weights)
        return {name: compute(resampled) for name, compute in computed.items()}

    return sampler.measure(measured, resamples, label), sampler.remark


class _Sampler:
    """Samples the weights of cells: trials of one class, speaker and configuration, which all have the same weight."""

    def __init__(self, trials: Trials, seed: int):
        self.rng = np.random.default_rng(seed)
        self.trials = len(trials.utts)
        classes = {"genuine": trials.genuine, "spoof": ~trials.genuine}
        self.speaker_count, speaker = _levels(trials.speakers)
        configured = classes["spoof"] | (trials.configurations != UNKNOWN)
        self.configuration_count, of_configured = _levels(trials.configurations[configured])
        # Genuine speech without a configuration looks up a count of one after those of the configurations.
        configuration = np.full(self.trials, self.configuration_count)
        configuration[configured] = of_configured
        # Classes in which no factor varies are resampled by trials
        group, self.by_trials = np.zeros(self.trials, dtype=np.int64), {}
        for name, chosen in classes.items():
            if np.unique(speaker[chosen]).size < 2 and np.unique(configuration[chosen]).size < 2:
                count = int(chosen.sum())
                group[chosen] = np.arange(count)
                if count > MOST_TRIALS:
                    group[chosen] = np.random.default_rng(0).permutation(count) % MOST_TRIALS
                self.by_trials[name] = count
        keys = np.stack([trials.genuine, speaker, configuration, group])
        shape = (2, self.speaker_count, self.configuration_count + 1, int(group.max()) + 1)
        cells, self.cell = np.unique(np.ravel_multi_index(tuple(keys), shape), return_inverse=True)
        genuine, self.speaker, self.configuration, self.group = np.unravel_index(cells, shape)
        self.cells = cells.size
        self.of_class = {"genuine": np.flatnonzero(genuine == 1), "spoof": np.flatnonzero(genuine == 0)}

    @property
    def remark(self) -> str:
        factors = [
            f"{count} {what}s"
            for count, what in ((self.speaker_count, "speaker"), (self.configuration_count, "replay configuration"))
            if count > 1
        ]
        factors += [f"the {count} {name} trials" for name, count in self.by_trials.items()]
        return f"resampled: {' and '.join(factors)}"

    def measure(
        self, function: Callable[[np.ndarray], dict[str, np.ndarray]], resamples: int, label: str
    ) -> dict[str, np.ndarray]:
        """What `function` finds in the weights of every chunk, joined; by threads, for libraries do the arithmetic."""
        threads = min(parallel.default_jobs(), MOST_THREADS)
        pool = joblib.Parallel(threads, backend="threading", batch_size=1, return_as="generator")
        parts = list(pool(joblib.delayed(function)(weights) for weights in self.chunks(resamples, label)))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def chunks(self, resamples: int, label: str) -> Iterator[np.ndarray]:
        """Weights of the cells, int32[cells × R], of so many resamples in all."""
        chunk = max(1, CHUNK // self.trials)
        together = max(1, CHUNK // (max(self.cells, 2_000) * chunk))  # chunks that are measured at a time
        with Progress(label, resamples, "resamples") as progress:
            for start in range(0, resamples, chunk * together):
                ends = range(start, min(start + chunk * together, resamples), chunk)
                weights = np.hstack([self.sample(min(chunk, resamples - end)) for end in ends])
                yield weights
                progress.advance(weights.shape[1])

    def sample(self, resamples: int) -> np.ndarray:
        weights = self._once(resamples)
        while (bad := np.flatnonzero(self._lacks_a_class(weights))).size:
            weights[:, bad] = self._once(bad.size)
        return weights

    def _once(self, resamples: int) -> np.ndarray:
        speakers = self._counts(resamples, self.speaker_count)
        configurations = np.vstack([self._counts(resamples, self.configuration_count), np.ones(resamples, WEIGHT)])
        weights: np.ndarray = speakers[self.speaker] * configurations[self.configuration]
        for name, count in self.by_trials.items():
            cells = self.of_class[name]
            weights[cells] *= self._counts(resamples, min(count, MOST_TRIALS))[self.group[cells]]
        return weights

    def _counts(self, resamples: int, levels: int) -> np.ndarray:
        """Counts of each of `levels` in a sample with replacement of that size, int32[levels × resamples]."""
        sample = self.rng.integers(levels, size=(resamples, levels)) + levels * np.arange(resamples)[:, None]
        counts = np.bincount(sample.ravel(), minlength=resamples * levels).reshape(resamples, levels)
        by_level: np.ndarray = counts.T.astype(WEIGHT, order="C")
        return by_level

    def _lacks_a_class(self, weights: np.ndarray) -> np.ndarray:
        largest = [weights[cells].max(axis=0, initial=0) for cells in self.of_class.values()]
        lacks: np.ndarray = np.minimum(*largest) == 0
        return lacks


class _Side:
    """One class of one system: its trials from the highest score down, as cells, and how many each vertex accepts."""

    def __init__(self, scores: np.ndarray, cell: np.ndarray, accepted: np.ndarray, edges: np.ndarray, cells: int):
        self.cells = cell[np.argsort(-scores)]
        self.accepted, self.at_edges = accepted, accepted[edges]
        block = np.searchsorted(self.at_edges, np.arange(scores.size), side="right") - 1
        counts = np.ones(scores.size, dtype=WEIGHT)
        self.blocks = csr_array((counts, (block, self.cells)), shape=(edges.size - 1, cells))

    def within(self, weights: np.ndarray, chosen: np.ndarray, first: int, last: int) -> np.ndarray:
        """Weights, of `chosen` resamples, that vertices `first` to `last` accept beyond the first, int64[V × R]."""
        accepted = self.accepted[first : last + 1] - self.accepted[first]
        cells = self.cells[self.accepted[first] : self.accepted[last]]
        sums: np.ndarray = _sums(weights[np.ix_(cells, chosen)])[accepted]
        return sums


class _Curve:
    """The ROC of one system, divided into blocks between some of its vertices."""

    def __init__(self, scores: np.ndarray, genuine: np.ndarray, sampler: _Sampler):
        self.genuine, self.sampler = genuine, sampler
        false, true = roc.roc(scores[genuine], scores[~genuine])
        ranks = [np.searchsorted(accepted, _ranks(int(accepted[-1]))) for accepted in (false, true)]
        self.edges = np.unique(np.concatenate([[0, false.size - 1], *ranks]))
        self.false, self.true = (
            _Side(scores[genuine == c], sampler.cell[genuine == c], accepted, self.edges, sampler.cells)
            for c, accepted in ((False, false), (True, true))
        )


class Resampled:
    """The ROC of one system on R resamples."""

    def __init__(self, curve: _Curve, weights: np.ndarray):
        self.curve, self.weights = curve, weights
        self.blocks = tuple(side.blocks @ weights for side in (curve.false, curve.true))  # int32[B × R], spoof first
        self.false, self.true = map(_sums, self.blocks)  # accepted at the B + 1 thresholds between blocks

    @property
    def false_alarms(self) -> np.ndarray:
        """Rates at each threshold, float64[B + 1 × R]; in large sets not at every score."""
        rates: np.ndarray = self.false / self.false[-1]
        return rates

    @property
    def misses(self) -> np.ndarray:
        """Rates at each threshold, float64[B + 1 × R]."""
        rates: np.ndarray = (self.true[-1] - self.true) / self.true[-1]
        return rates

    def eers(self) -> np.ndarray:
        """The EER by the linear ROC, float64[R].

        As `afn.metrics.eer.linear_roc_eer`, with a trial of weight 2 as two trials; sums are exact, in integers.
        """
        all_false, all_true = self.false[-1], self.true[-1]
        columns = np.arange(all_true.size)

        def side(false: np.ndarray, true: np.ndarray, column: np.ndarray | slice = slice(None)) -> np.ndarray:
            """P_fa + P_tp - 1 times both totals: rises along the ROC."""
            rise: np.ndarray = (
                false * all_true[column] + true * all_false[column] - all_false[column] * all_true[column]
            )
            return rise

        # The block in which the ROC crosses P_fa = 1 - P_tp, by bisection, and the vertices on either side
        block, above = np.zeros_like(columns), np.full_like(columns, self.false.shape[0] - 1)
        while (above - block > 1).any():
            middle = (block + above) // 2
            rises = side(self.false[middle, columns], self.true[middle, columns]) >= 0
            block, above = np.where(rises, block, middle), np.where(rises, middle, above)
        ends = np.stack([[rates[block, columns], rates[block + 1, columns]] for rates in (self.false, self.true)])
        edges = self.curve.edges
        for number in np.unique(block[edges[block + 1] - edges[block] > 1]):
            chosen = np.flatnonzero(block == number)
            inner = self.weights, chosen, edges[number], edges[number + 1]
            false = self.false[number, chosen] + self.curve.false.within(*inner)
            true = self.true[number, chosen] + self.curve.true.within(*inner)
            after = np.argmax(side(false, true, chosen) >= 0, axis=0)
            those = np.arange(chosen.size)
            ends[:, :, chosen] = [[rates[after - 1, those], rates[after, those]] for rates in (false, true)]
        (start, end), _ = ends
        low, high = side(ends[0, 0], ends[1, 0]), side(ends[0, 1], ends[1, 1])
        eers: np.ndarray = (start - low / (high - low) * (end - start)) / all_false
        return eers

    def means(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The means of `values`, float[N], over the genuine and over the spoof trials of each resample, float64[R]."""
        sampler, genuine = self.curve.sampler, self.curve.genuine
        sums = (np.bincount(sampler.cell[c], values[c], sampler.cells) @ self.weights for c in (genuine, ~genuine))
        of_genuine, of_spoof = sums
        return of_genuine / self.true[-1], of_spoof / self.false[-1]


def _ranks(size: int) -> np.ndarray:
    """Numbers of trials of a class, of `size`, at whose thresholds rates are computed."""
    few = np.arange(DENSE)
    steps = DENSE * STEP ** np.arange(max(0.0, np.log(size / DENSE) / np.log(STEP)))
    ranks = np.concatenate([few, steps.astype(np.int64)])
    both_ends: np.ndarray = np.concatenate([ranks, size - ranks]).clip(0, size)
    return both_ends


def _sums(weights: np.ndarray) -> np.ndarray:
    """Sums of the first 0, 1, … rows, int64[rows + 1 × R]."""
    sums = np.zeros((weights.shape[0] + 1, weights.shape[1]), dtype=np.int64)
    sums[1:] = weights  # before adding: casts within cumsum are slow
    return np.cumsum(sums, axis=0, out=sums)


def _levels(names: np.ndarray) -> tuple[int, np.ndarray]:
    """How many different names there are, and the number of each entry's."""
    found, place = np.unique(names, return_inverse=True)
    return found.size, place
