"""Gaussian mixtures: diagonal covariances for CQCC-GMM and similar rows, full ones for the universal background model.

Sources: the official ASVspoof 2017 baseline (VLFeat's vl_gmm: random frames as means, global variance, equal weights)
for the diagonal one; Kaldi's fgmm-global-* (sre08 recipe) for the full one, which starts from a diagonal one.
"""

from collections.abc import Callable
from typing import Self

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from afn.systems.gmm.frames import Frames, Scratch, distinct, moments, too_few
from afn.systems.gmm.mixture import LOG_2PI, Mixture


class DiagonalGMM(Mixture):
    """A mixture of Gaussians with diagonal covariances.

    Args:
        weights: [K], sum 1.
        means: [K × D].
        variances: [K × D].

    Raises:
        ValueError: for shapes that do not fit, weights whose sum is not 1, variances that are not above 0.
    """

    def __init__(self, weights: ArrayLike, means: ArrayLike, variances: ArrayLike):
        super().__init__(weights, means, variances)

    @property
    def variances(self) -> Tensor:
        return self.covariance

    @classmethod
    def sampled(cls, frames: Frames, components: int, seed: int) -> Self:
        """The baseline's start: `components` different random frames as means, global variance, equal weights.

        Raises ValueError for fewer (different) frames than components, for a dimension that never varies, and as
        `frames.chunks`.
        """
        count, _, variance = _moments(frames)
        means = distinct(frames, components, count, seed)
        weights = torch.full((components,), 1 / components, dtype=torch.float64)
        return cls(weights, means, variance.repeat(components, 1))

    @classmethod
    def grown(
        cls,
        frames: Frames,
        components: int,
        iterations: int,
        variance_floor: float = 1e-3,
        after: Callable[[Self], None] | None = None,
    ) -> Self:
        """A deterministic start by binary splitting: one Gaussian, doubled until there are `components`.

        `iterations` of EM follow each doubling but the last. `after` and errors: as in `fit`. Source: the HTK
        Book, sec. 10.6; the background models of Chettri et al. (2020) are grown like this.
        """
        count, mean, variance = _moments(frames)
        if count < components:
            raise ValueError(too_few(count, components))
        mixture = cls(torch.ones(1), mean[None], variance[None])
        while mixture.components < components:
            if mixture.components > 1:
                mixture.fit(frames, iterations, 0.0, variance_floor, after=after)
            mixture = mixture.split(min(mixture.components, components - mixture.components))
        return mixture

    def shares(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """The contributions of dimensions to the log-likelihood of frames, Tensor[T × D], in nats.

        Returns:
            log p(x) of every frame, Tensor[T], and its mean by dimension, Tensor[D + 1]: the posterior mean of
            log N_kd(x_d) for every dimension d, last that of log w_k plus the entropy of the posterior. Their sum is
            the mean of the first (Bishop, Pattern Recognition and Machine Learning (2006), sec. 9.4).
        """
        joint = self.joint_log_likelihood(frames)
        evidence = joint.logsumexp(1)
        posteriors = (joint - evidence[:, None]).exp()
        means, variances = self.means.to(frames), self.variances.to(frames)
        counts = posteriors.sum(0)
        first, second = posteriors.T @ frames, posteriors.T @ frames.square()
        squares = second - 2 * means * first + counts[:, None] * means.square()
        constant = counts[:, None] * (variances.log() + LOG_2PI)
        dimensions = -0.5 * (squares / variances + constant).sum(0) / len(frames)
        rest = evidence.mean() - dimensions.sum()
        return evidence, torch.cat([dimensions, rest[None]])

    def _blank(self, rows: int, like: Tensor, scratch: Scratch) -> Tensor:
        return scratch.matrix("phi", rows, self._width(), like)

    def _products(self, x: Tensor, out: Tensor) -> None:
        torch.square(x, out=out)

    def _natural(self, means: Tensor, covariance: Tensor) -> Tensor:
        constant = -0.5 * (means.square() / covariance + covariance.log() + LOG_2PI).sum(1, keepdim=True)
        return torch.cat([constant, means / covariance, -0.5 / covariance], dim=1)

    def _estimate(self, counts: Tensor, sums: Tensor, floor: float) -> tuple[Tensor, Tensor]:
        first, second = sums[:, 1:].chunk(2, dim=1)
        means = first / counts[:, None]
        variances = second / counts[:, None] - means.square()
        return means, torch.maximum(variances, floor * _overall_variance(counts, first, second))

    def _rescaled(self, covariance: Tensor, scale: Tensor) -> Tensor:
        return covariance * scale.square()

    @staticmethod
    def _deviations(covariance: Tensor) -> Tensor:
        return covariance.sqrt()


class FullGMM(Mixture):
    """A mixture of Gaussians with full covariances; it computes in float64.

    Args:
        weights: [K], sum 1.
        means: [K × D].
        covariances: [K × D × D], symmetric, positive definite.

    Raises:
        ValueError: for shapes that do not fit, weights whose sum is not 1, covariances that are not positive definite.
    """

    def __init__(self, weights: ArrayLike, means: ArrayLike, covariances: ArrayLike):
        super().__init__(weights, means, covariances)

    @property
    def covariances(self) -> Tensor:
        return self.covariance

    @classmethod
    def from_diagonal(cls, mixture: DiagonalGMM) -> Self:
        """The same density with full covariance matrices (Kaldi's gmm-global-to-fgmm)."""
        return cls(mixture.weights, mixture.means, torch.diag_embed(mixture.variances))

    @classmethod
    def from_precisions(cls, weights: ArrayLike, linear: ArrayLike, precisions: ArrayLike) -> Self:
        """From Kaldi's parameters: `linear` = precision · mean, [K × D], and `precisions`, [K × D × D]."""
        precisions = torch.as_tensor(precisions, dtype=torch.float64)
        covariances = torch.linalg.inv((precisions + precisions.mT) / 2)
        means = (covariances @ torch.as_tensor(linear, dtype=torch.float64)[:, :, None]).squeeze(2)
        return cls(weights, means, covariances)

    def diagonal(self) -> DiagonalGMM:
        """The mixture with the diagonals of the covariances: Kaldi selects Gaussians with it (fgmm-global-to-gmm)."""
        return DiagonalGMM(self.weights, self.means, torch.diagonal(self.covariances, dim1=1, dim2=2))

    def _blank(self, rows: int, like: Tensor, scratch: Scratch) -> Tensor:
        return scratch.matrix("phi", self._width() // 2, rows, like).T

    def _products(self, x: Tensor, out: Tensor) -> None:
        upper_products(x.T, out.T)

    def _natural(self, means: Tensor, covariance: Tensor) -> Tensor:
        factor, failed = torch.linalg.cholesky_ex(covariance)
        if failed.any():
            raise ValueError(f"the covariance of component {int(failed.nonzero()[0])} is not positive definite")
        precisions = torch.cholesky_inverse(factor)
        linear = (precisions @ means[:, :, None]).squeeze(2)
        determinant = 2 * torch.diagonal(factor, dim1=1, dim2=2).log().sum(1)
        constant = -0.5 * ((linear * means).sum(1) + determinant + self.dimension * LOG_2PI)
        rows, columns = self._pairs()
        # Every pair off the diagonal represents two equal entries of the precision matrix.
        pairs = precisions[:, rows, columns] * torch.where(rows == columns, -0.5, -1.0)
        return torch.cat([constant[:, None], linear, pairs], dim=1)

    def _estimate(self, counts: Tensor, sums: Tensor, floor: float) -> tuple[Tensor, Tensor]:
        """The floor holds in every direction: eigenvalues, in units of the deviations of all frames, are raised to it.

        That is the most likely covariance under this constraint, and bounds the condition number by 1 / floor times the
        greatest eigenvalue.
        """
        rows, columns = self._pairs()
        first = sums[:, 1 : 1 + self.dimension]
        second = sums.new_empty(len(counts), self.dimension, self.dimension)
        second[:, rows, columns] = second[:, columns, rows] = sums[:, 1 + self.dimension :]
        means = first / counts[:, None]
        covariances = second / counts[:, None, None] - means[:, :, None] * means[:, None, :]
        unit = _overall_variance(counts, first, torch.diagonal(second, dim1=1, dim2=2)).sqrt()
        values, vectors = torch.linalg.eigh(covariances / torch.outer(unit, unit))
        floored = (vectors * values.clamp(min=floor)[:, None, :]) @ vectors.mT * torch.outer(unit, unit)
        return means, torch.where((values < floor).any(1)[:, None, None], (floored + floored.mT) / 2, covariances)

    def _rescaled(self, covariance: Tensor, scale: Tensor) -> Tensor:
        return covariance * torch.outer(scale, scale)

    @staticmethod
    def _deviations(covariance: Tensor) -> Tensor:
        return torch.diagonal(covariance, dim1=-2, dim2=-1).sqrt()

    def _pairs(self) -> Tensor:
        return torch.triu_indices(self.dimension, self.dimension)

    def _width(self) -> int:
        return 2 * (1 + self.dimension + self.dimension * (self.dimension + 1) // 2)  # float64

    @staticmethod
    def _precision(dtype: torch.dtype) -> torch.dtype:
        return torch.float64


def mean_log_likelihood_ratio(frames: Frames, genuine: Mixture, spoof: Mixture) -> float:
    """The mean over the frames of log p(x | genuine) - log p(x | spoof), in nats; higher = more genuine.

    Source: the official ASVspoof 2017 baseline. Raises ValueError where there are no frames, and as `frames.chunks`.
    """
    ratios = genuine.log_likelihood(frames).double() - spoof.log_likelihood(frames).double()
    if not len(ratios):
        raise ValueError("frames: there are none to score")
    return ratios.mean().item()


def upper_products(x: Tensor, out: Tensor) -> None:
    """Write x_i x_j for i ≤ j, row after row, into `out`, Tensor[D (D + 1) / 2 × T], from `x`, Tensor[D × T].

    Frames are columns: every product is then of whole rows in memory, five times faster than with indices.
    """
    start = 0
    for i in range(len(x)):
        torch.mul(x[i:], x[i], out=out[start : start + len(x) - i])
        start += len(x) - i


def _moments(frames: Frames) -> tuple[int, Tensor, Tensor]:
    count, mean, variance = moments(frames)
    constant = (variance <= 0).nonzero().flatten().tolist()
    if constant:
        raise ValueError(f"frames: dimension {constant[0]} never varies. A Gaussian needs a variance above 0.")
    return count, mean, variance


def _overall_variance(counts: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """float64[D]: the variance of all frames, from the sums and sums of squares of each component."""
    total = counts.sum()
    return second.sum(0) / total - (first.sum(0) / total).square()
