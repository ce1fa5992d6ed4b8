"""Calibration: scores as log-likelihood ratios, and their cost.

A log-likelihood ratio (natural logarithm, genuine : spoof) allows decisions with the Bayes threshold of any prior and
costs, without scores of the test set. Source: Brümmer and du Preez, "Application-independent evaluation of
speaker detection" (Computer Speech & Language 20, 2006).
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import isotonic_regression
from scipy.special import logit

from afn.metrics import fusion
from afn.metrics.fusion import Fusion
from afn.metrics.roc import checked


def train(scores: np.ndarray, genuine: np.ndarray, system: str, logits: bool = False) -> Fusion:
    """The affine map from a system's scores (with `logits`, from their log odds) to log-likelihood ratios.

    It is a fusion with a single member, trained on Platt's targets, so that its slope stays moderate where a few
    training trials (almost) separate the classes. Arguments and errors as in `afn.metrics.fusion.train`; `scores` is
    float[N]. Apply the map with `.llrs(scores[:, None])`.
    """
    return fusion.train(scores[:, None], genuine, [system], logits, smoothed=True)


def cllr(genuine: ArrayLike, spoof: ArrayLike) -> float:
    """The cost of log-likelihood ratios in bits a trial at equal priors: 0 is perfect, 1 is the cost of no information.

    Ratios with a cost above 1 mislead. Arguments are vectors of both classes. Raises UserError for an empty class, NaN
    and infinity. Source: Brümmer and du Preez (2006), the definition of C_llr.
    """
    return _cost(*checked(genuine=genuine, spoof=spoof))


def min_cllr(genuine: ArrayLike, spoof: ArrayLike) -> float:
    """The C_llr (0..1) after the best monotonic map from these scores to log-likelihood ratios.

    It measures discrimination alone; the difference to C_llr is due to calibration. Arguments and errors as in `cllr`;
    the scores may have any scale, higher = more genuine. Source: Brümmer and du Preez (2006): the map by pool adjacent
    violators.
    """
    return _cost(*optimal_llrs(genuine, spoof))


def optimal_llrs(genuine: ArrayLike, spoof: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """The log-likelihood ratios of `min_cllr` of both classes, in the order given; infinite where only one class is."""
    genuine, spoof = checked(genuine=genuine, spoof=spoof)
    values, place = np.unique(np.concatenate([genuine, spoof]), return_inverse=True)
    counts = np.bincount(place, minlength=values.size)
    of_genuine = np.bincount(place[: genuine.size], minlength=values.size)
    llrs = _pooled(of_genuine, counts)
    return llrs[place[: genuine.size]], llrs[place[genuine.size :]]


def min_cllrs(genuine: np.ndarray, spoof: np.ndarray) -> np.ndarray:
    """The minimum C_llr of each of R sets, float64[R].

    Arguments are the numbers of trials of both classes at V scores, in rising order: int64[V × R].
    """
    found = np.empty(genuine.shape[1])
    for index, (own, other) in enumerate(zip(genuine.T, spoof.T, strict=True)):
        there = own + other > 0
        own, other = own[there], other[there]
        llrs = _pooled(own, own + other)
        costs = (
            np.logaddexp(0.0, sign * llrs, where=n > 0, out=np.zeros(n.size)) for sign, n in ((-1, own), (1, other))
        )
        found[index] = sum(cost @ n / n.sum() for cost, n in zip(costs, (own, other), strict=True)) / (2 * np.log(2))
    return found


def _pooled(genuine: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The log-likelihood ratio of each score, in rising order, from the numbers of genuine trials and of all trials."""
    posterior = isotonic_regression(genuine / counts, weights=counts).x
    # Pools are means of counts: values that differ from 0 or 1 by rounding only are 0 or 1.
    nothing = 0.5 / counts.sum()
    posterior = np.where(posterior < nothing, 0.0, np.where(posterior > 1 - nothing, 1.0, posterior))
    llrs: np.ndarray = logit(posterior) - np.log(genuine.sum() / (counts.sum() - genuine.sum()))
    return llrs


def trial_costs(llrs: ArrayLike, genuine: bool) -> np.ndarray:
    """What the log-likelihood ratio of each trial of one class costs, in bits; C_llr is the mean of both classes'."""
    bits: np.ndarray = np.logaddexp(0.0, np.asarray(llrs) * (-1 if genuine else 1)) / np.log(2)
    return bits


def _cost(genuine: np.ndarray, spoof: np.ndarray) -> float:
    bits = np.logaddexp(0.0, -genuine).mean(), np.logaddexp(0.0, spoof).mean()
    return float(sum(bits) / (2 * np.log(2)))
