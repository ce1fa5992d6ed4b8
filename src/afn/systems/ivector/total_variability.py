"""The maximisation steps of the total-variability model: loadings and means, covariances, minimum divergence.

Everything is float64. K components, D dimensions, R factors, U utterances.

Source: Kenny, Boulianne and Dumouchel, IEEE TSAP 13 (2005), proposition 3; minimum divergence: Kenny, Joint factor
analysis of speaker and session variability, CRIM-06/08-13 (2005); Kaldi's ivector/ivector-extractor.cc.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

LEAST_COUNT = 100.0  # frames; Kaldi leaves components with fewer as they are (gaussian_min_count)
COVARIANCE_FLOOR = 0.1  # Kaldi's variance_floor_factor, there a share of the average covariance


@dataclass
class Moments:
    """Sums over the utterances of what the posteriors of w expect; w1 is (w, 1).

    Attributes:
        outer: sum N_uc E[w1 w1'], [K × (R + 1) × (R + 1)].
        cross: sum F_uc E[w1]', [K × D × (R + 1)].
        prior: sum E[w1 w1'], [(R + 1) × (R + 1)].
    """

    outer: Tensor
    cross: Tensor
    prior: Tensor

    @classmethod
    def gathered(cls, batches: Iterable[tuple[Tensor, Tensor, Tensor, Tensor]]) -> "Moments":
        """From batches of counts [B × K], firsts [B × K × D], means [B × R] and covariances [B × R × R] of w."""
        outer = cross = prior = 0.0
        for counts, firsts, means, covariances in batches:
            extended = torch.cat([means, means.new_ones(len(means), 1)], dim=1)
            second = extended[:, :, None] * extended[:, None, :]
            second[:, :-1, :-1] += covariances
            outer = outer + (counts.T @ second.flatten(1)).unflatten(1, second.shape[1:])
            cross = cross + (firsts.flatten(1).T @ extended).unflatten(0, firsts.shape[1:])
            prior = prior + second.sum(0)
        return cls(outer, cross, prior)

    @property
    def counts(self) -> Tensor:
        return self.outer[:, -1, -1]

    @property
    def firsts(self) -> Tensor:
        return self.cross[:, :, -1]


def loadings_and_means(moments: Moments, loadings: Tensor, means: Tensor, with_means: bool) -> tuple[Tensor, Tensor]:
    """The T (and m) of greatest expected likelihood; components with fewer frames than LEAST_COUNT keep theirs."""
    loadings, means = loadings.clone(), means.clone()
    rich = moments.counts >= LEAST_COUNT
    outer, cross = moments.outer[rich], moments.cross[rich]
    if with_means:
        both = torch.linalg.solve(outer, cross.mT).mT
        loadings[rich], means[rich] = both[:, :, :-1], both[:, :, -1]
    else:
        cross = cross[:, :, :-1] - means[rich][:, :, None] * outer[:, -1:, :-1]
        loadings[rich] = torch.linalg.solve(outer[:, :-1, :-1], cross.mT).mT
    return loadings, means


def covariances(moments: Moments, seconds: Tensor, loadings: Tensor, means: Tensor, old: Tensor, ubm: Tensor) -> Tensor:
    """The Sigma of greatest expected likelihood given T and m, in the shape of `seconds`, [K × D × D] or [K × D].

    Components with fewer frames than LEAST_COUNT keep the `old` one. No direction falls below COVARIANCE_FLOOR of what
    the covariance `ubm` of the background model has there: a fixed floor, so that the likelihood cannot fall either.
    """
    rich = moments.counts >= LEAST_COUNT
    counts, outer, cross = moments.counts[rich], moments.outer[rich], moments.cross[rich]
    both = torch.cat([loadings, means[:, :, None]], dim=2)[rich]
    new = old.clone()
    if seconds.ndim == 2:
        explained = ((both @ outer - 2 * cross) * both).sum(2)
        new[rich] = torch.maximum((seconds[rich] + explained) / counts[:, None], COVARIANCE_FLOOR * ubm[rich])
    else:
        shared = both @ cross.mT
        estimate = (seconds[rich] - shared - shared.mT + both @ outer @ both.mT) / counts[:, None, None]
        new[rich] = _floored(estimate, COVARIANCE_FLOOR * ubm[rich])
    return new


def minimum_divergence(moments: Moments, loadings: Tensor, means: Tensor, with_means: bool) -> tuple[Tensor, Tensor]:
    """T (and m) in the coordinates in which the w of the training data are standard normal on average.

    Without means only their second moment can be made that of a standard normal.
    """
    prior = moments.prior / moments.prior[-1, -1]
    mean, second = prior[:-1, -1], prior[:-1, :-1]
    if with_means:
        means = means + loadings @ mean
        second = second - torch.outer(mean, mean)
    return loadings @ torch.linalg.cholesky(second), means


def residual(moments: Moments, seconds: Tensor, means: Tensor) -> Tensor:
    """The second moments about the means m, summed over all frames, in the shape of `seconds`."""
    if seconds.ndim == 2:
        return seconds - 2 * means * moments.firsts + moments.counts[:, None] * means.square()
    shared = means[:, :, None] * moments.firsts[:, None, :]
    around = moments.counts[:, None, None] * means[:, :, None] * means[:, None, :]
    return seconds - shared - shared.mT + around


def _floored(matrices: Tensor, floor: Tensor) -> Tensor:
    """The nearest [… × D × D] that exceed `floor`: eigenvalues in its units are raised to 1."""
    factor = torch.linalg.cholesky(floor)
    inner = torch.linalg.solve_triangular(factor, matrices, upper=False)
    inner = torch.linalg.solve_triangular(factor, inner.mT, upper=False)
    values, vectors = torch.linalg.eigh((inner + inner.mT) / 2)
    back = factor @ vectors
    return (back * values.clamp(min=1)[:, None, :]) @ back.mT
