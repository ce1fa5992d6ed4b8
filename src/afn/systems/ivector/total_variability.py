"""M steps of the total-variability model: loadings and means, covariances, minimum divergence.

All tensors are float64. K components, D dimensions, R factors, U utterances.

Source: Kenny, Boulianne and Dumouchel, IEEE TSAP 13 (2005), proposition 3; minimum divergence: Kenny, Joint factor
analysis of speaker and session variability, CRIM-06/08-13 (2005); Kaldi's ivector/ivector-extractor.cc.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

LEAST_COUNT = 100.0  # frames; components with fewer are not updated (Kaldi: gaussian_min_count)
COVARIANCE_FLOOR = 0.1  # fraction of the background model's covariance (Kaldi: variance_floor_factor, of the average)


@dataclass
class Moments:
    """Posterior moments of w, summed over the utterances; w1 is (w, 1).

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
        """From batches of utterances.

        Args:
            batches: counts [B × K], first-order statistics [B × K × D], and posterior means [B × R] and covariances
                [B × R × R] of w.
        """
        outer: Any = 0.0  # Tensors from the first batch on
        cross: Any = 0.0
        prior: Any = 0.0
        for counts, first, means, covariances in batches:
            extended = torch.cat([means, means.new_ones(len(means), 1)], dim=1)
            second = extended[:, :, None] * extended[:, None, :]
            second[:, :-1, :-1] += covariances
            outer = outer + (counts.T @ second.flatten(1)).unflatten(1, second.shape[1:])
            cross = cross + (first.flatten(1).T @ extended).unflatten(0, first.shape[1:])
            prior = prior + second.sum(0)
        return cls(outer, cross, prior)

    @property
    def counts(self) -> Tensor:
        """Frames of every component, [K]."""
        return self.outer[:, -1, -1]

    @property
    def first_order(self) -> Tensor:
        """Posterior-weighted sums of the frames, [K × D]."""
        return self.cross[:, :, -1]


def loadings_and_means(moments: Moments, loadings: Tensor, means: Tensor, with_means: bool) -> tuple[Tensor, Tensor]:
    """The T, and m if `with_means`, that maximise the expected log-likelihood.

    Components with fewer than LEAST_COUNT frames keep `loadings` [K × D × R] and `means` [K × D].
    """
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


def covariances(moments: Moments, second: Tensor, loadings: Tensor, means: Tensor, old: Tensor, ubm: Tensor) -> Tensor:
    """The Sigma that maximises the expected log-likelihood given T and m.

    In no direction is the variance below COVARIANCE_FLOOR times that of the background model. Kaldi floors at a
    fraction of the current average covariance instead. A fixed floor keeps the likelihood from falling.

    Args:
        moments: of the training utterances.
        second: their second-order statistics, [K × D × D] or [K × D].
        loadings: T, [K × D × R].
        means: m, [K × D].
        old: the covariances so far, in the shape of `second`: those of components with fewer than LEAST_COUNT frames.
        ubm: the covariances of the background model, in the shape of `second`.
    """
    rich = moments.counts >= LEAST_COUNT
    counts, outer, cross = moments.counts[rich], moments.outer[rich], moments.cross[rich]
    both = torch.cat([loadings, means[:, :, None]], dim=2)[rich]
    new = old.clone()
    if second.ndim == 2:
        explained = ((both @ outer - 2 * cross) * both).sum(2)
        new[rich] = torch.maximum((second[rich] + explained) / counts[:, None], COVARIANCE_FLOOR * ubm[rich])
    else:
        shared = both @ cross.mT
        estimate = (second[rich] - shared - shared.mT + both @ outer @ both.mT) / counts[:, None, None]
        new[rich] = _floored(estimate, COVARIANCE_FLOOR * ubm[rich])
    return new


def minimum_divergence(moments: Moments, loadings: Tensor, means: Tensor, with_means: bool) -> tuple[Tensor, Tensor]:
    """T and m in coordinates where the posteriors of w, averaged over the training utterances, are standard normal.

    Without `with_means` m is kept, and only the second moment of w becomes that of a standard normal.
    """
    prior = moments.prior / moments.prior[-1, -1]
    mean, second = prior[:-1, -1], prior[:-1, :-1]
    if with_means:
        means = means + loadings @ mean
        second = second - torch.outer(mean, mean)
    return loadings @ torch.linalg.cholesky(second), means


def residual(moments: Moments, second: Tensor, means: Tensor) -> Tensor:
    """Second moments about the means m, summed over all frames, in the shape of `second`."""
    if second.ndim == 2:
        return second - 2 * means * moments.first_order + moments.counts[:, None] * means.square()
    shared = means[:, :, None] * moments.first_order[:, None, :]
    around = moments.counts[:, None, None] * means[:, :, None] * means[:, None, :]
    return second - shared - shared.mT + around


def _floored(matrices: Tensor, floor: Tensor) -> Tensor:
    """`matrices` [K × D × D] with their eigenvalues relative to `floor` raised to at least 1."""
    factor = torch.linalg.cholesky(floor)
    inner = torch.linalg.solve_triangular(factor, matrices, upper=False)
    inner = torch.linalg.solve_triangular(factor, inner.mT, upper=False)
    values, vectors = torch.linalg.eigh((inner + inner.mT) / 2)
    back = factor @ vectors
    return (back * values.clamp(min=1)[:, None, :]) @ back.mT
