"""i-vectors: the total-variability model, its training by EM, and extraction, in float64 and batched over utterances.

Model: frames of an utterance that belong to component c are Gaussian with mean m_c + T_c w and covariance Sigma_c. Each
utterance has one w with a standard normal prior. The i-vector is the posterior mean of w.

Sources: Dehak et al., IEEE TASLP 19 (2011); Kenny, Boulianne and Dumouchel, IEEE TSAP 13 (2005), propositions 1 to 3;
Kaldi's ivector/ivector-extractor.cc.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from afn.systems.gmm.frames import Matrix
from afn.systems.gmm.mixture import LOG_2PI
from afn.systems.gmm.models import DiagonalGMM, FullGMM
from afn.systems.ivector import total_variability as steps
from afn.systems.ivector.alignment import Alignment, Statistics

BATCH_BYTES = 64 << 20  # memory for the posterior precisions of a batch of utterances
INITIAL = 0.1  # of a component's standard deviations: that of the initial loadings (ours; Kaldi: 1 in feature units)


class IVectorExtractor:
    """Extracts i-vectors of R dimensions, on a given background model of K components in D dimensions.

    Args:
        ubm: the background model that aligns the frames.
        loadings: T, [K × D × R].
        means: m, [K × D]; None: the background model's.
        covariances: Sigma, [K × D × D], or [K × D] for a diagonal background model; None: the background model's.
        selected, min_posterior: as in `Alignment`.

    Attributes:
        trace: log-likelihood of the training data (nats per frame) before each iteration of `fit`.

    Raises:
        ValueError: for shapes that do not match, or covariances that are not positive definite.
    """

    def __init__(
        self,
        ubm: DiagonalGMM | FullGMM,
        loadings: ArrayLike,
        means: ArrayLike | None = None,
        covariances: ArrayLike | None = None,
        selected: int | None = 20,
        min_posterior: float = 0.025,
    ):
        self.ubm = ubm
        self.alignment = Alignment(ubm, selected, min_posterior)
        self.trace: list[float] = []
        self._set(
            torch.as_tensor(loadings, dtype=torch.float64),
            torch.as_tensor(ubm.means if means is None else means, dtype=torch.float64),
            torch.as_tensor(ubm.covariance if covariances is None else covariances, dtype=torch.float64),
        )

    @classmethod
    def sampled(
        cls,
        ubm: DiagonalGMM | FullGMM,
        dimension: int,
        seed: int,
        selected: int | None = 20,
        min_posterior: float = 0.025,
    ) -> Self:
        """The start of training: normal random loadings of `dimension` R, scaled by INITIAL; `seed` determines them."""
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(*ubm.means.shape, dimension, generator=generator, dtype=torch.float64)
        variances = ubm.covariance if isinstance(ubm, DiagonalGMM) else ubm.diagonal().variances
        return cls(ubm, INITIAL * variances.sqrt()[:, :, None] * noise, None, None, selected, min_posterior)

    @classmethod
    def from_kaldi(
        cls,
        ubm: FullGMM,
        projections: ArrayLike,
        precisions: ArrayLike,
        prior_offset: float,
        selected: int | None = 20,
        min_posterior: float = 0.025,
    ) -> Self:
        """From Kaldi's extractor: M [K × D × R], SigmaInv [K × D × D] and the prior offset.

        Kaldi has no m. The prior mean of its w is (offset, 0, …), so m is the offset times the first column of M.
        ivector-extract subtracts the offset from w, which gives our w.
        """
        projections = torch.as_tensor(projections, dtype=torch.float64)
        covariances = torch.linalg.inv(torch.as_tensor(precisions, dtype=torch.float64))
        means = prior_offset * projections[:, :, 0]
        return cls(ubm, projections, means, (covariances + covariances.mT) / 2, selected, min_posterior)

    @property
    def dimension(self) -> int:
        """R, the size of an i-vector."""
        return self.loadings.shape[2]

    def to(self, device: torch.device | str) -> Self:
        """Move the parameters to `device`, in place. Alignment runs on the device of the utterances."""
        self._set(*(values.to(device) for values in (self.loadings, self.means, self.covariances)))
        return self

    def extract(self, utterances: Sequence[Matrix]) -> Tensor:
        """The i-vectors, float64[U × R], of utterances [T × D]. Errors: as in `Alignment.statistics`."""
        return self.posterior_means(self.alignment.statistics(utterances))

    def posterior_means(self, statistics: Statistics) -> Tensor:
        """The i-vectors of U utterances, E[w | statistics], float64[U × R]."""
        batches = [means for _, _, means, _, _ in self._posteriors(statistics)]
        return torch.cat(batches) if batches else self.loadings.new_empty(0, self.dimension)

    def fit(
        self,
        statistics: Statistics,
        iterations: int,
        update_means: bool = True,
        update_covariances: bool = True,
        minimum_divergence: bool = True,
        after: Callable[[Self], None] | None = None,
    ) -> Self:
        """Train by expectation-maximisation. The likelihood does not fall from one iteration to the next.

        Args:
            statistics: of the training utterances: `alignment.statistics(utterances, second_order=True)`. The alignment
                is not repeated.
            iterations: in total, including those of earlier calls (the length of `trace`).
            update_means: re-estimate m together with T. Otherwise m stays the background model's.
            update_covariances: re-estimate Sigma.
            minimum_divergence: transform T and m after each iteration so that w is standard normal on average.
            after: called with the extractor after every iteration.

        Raises:
            ValueError: for statistics without second_order, or of another kind of background model.
        """
        if statistics.second_order is None or statistics.second_order.shape != self.covariances.shape:
            raise ValueError("statistics without the second-order sums of the covariances. Use second_order=True.")
        while len(self.trace) < iterations:
            self._iterate(statistics, update_means, update_covariances, minimum_divergence)
            if after:
                after(self)
        return self

    def state_dict(self) -> dict[str, Any]:
        """Everything that `from_state_dict` needs, including the background model."""
        return {
            "ubm": self.ubm.state_dict(),
            "loadings": self.loadings,
            "means": self.means,
            "covariances": self.covariances,
            "selected": self.alignment.selected,
            "least_posterior": self.alignment.min_posterior,  # its former name: older files are read
            "trace": list(self.trace),
        }

    @classmethod
    def from_state_dict(cls, state: dict[str, Any]) -> Self:
        """The extractor that `state_dict` described."""
        kind = DiagonalGMM if state["ubm"]["spread"].ndim == 2 else FullGMM
        arrays = [state[name] for name in ("loadings", "means", "covariances", "selected", "least_posterior")]
        extractor = cls(kind.from_state_dict(state["ubm"]), *arrays)
        extractor.trace = list(state["trace"])
        return extractor

    def _set(self, loadings: Tensor, means: Tensor, covariances: Tensor) -> None:
        size, shape = self.ubm.means.shape, self.ubm.covariance.shape
        if loadings.ndim != 3 or loadings.shape[:2] != size or means.shape != size or covariances.shape != shape:
            raise ValueError(
                f"loadings {tuple(loadings.shape)}, means {tuple(means.shape)} and covariances "
                f"{tuple(covariances.shape)} do not fit a background model of {size[0]} × {size[1]}"
            )
        self.loadings, self.means, self.covariances = loadings, means, covariances
        if covariances.ndim == 2:
            self._log_determinants = covariances.log().sum(1)
            self._precisions = 1 / covariances
            self._weighted = self._precisions[:, :, None] * loadings
        else:
            factor, failed = torch.linalg.cholesky_ex(covariances)
            if failed.any():
                raise ValueError(f"the covariance of component {int(failed.nonzero()[0])} is not positive definite")
            self._log_determinants = 2 * torch.diagonal(factor, dim1=1, dim2=2).log().sum(1)
            self._precisions = torch.cholesky_inverse(factor)
            self._weighted = self._precisions @ loadings
        self._quadratic = loadings.mT @ self._weighted  # T' Sigma^-1 T, [K × R × R]
        self._offset = (means[:, None, :] @ self._weighted).squeeze(1)  # m' Sigma^-1 T, [K × R]

    def _posteriors(self, statistics: Statistics) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor, Tensor]]:
        """Yield the posteriors N(L^-1 b, L^-1) of w in batches of B utterances (Kenny et al. 2005, proposition 1).

        L = I + sum_c N_c T_c' Sigma_c^-1 T_c and b = sum_c T_c' Sigma_c^-1 (F_c - N_c m_c).

        Yields:
            N [B × K], F [B × K × D], L^-1 b [B × R], b [B × R] and the Cholesky factor of L [B × R × R].
        """
        size, device = self.dimension, self.loadings.device
        identity = torch.eye(size, dtype=torch.float64, device=device)
        step = max(1, BATCH_BYTES // (8 * size * size))
        for start in range(0, len(statistics.counts), step):
            counts = statistics.counts[start : start + step].to(device)
            first = statistics.first_order[start : start + step].to(device)
            precision = (counts @ self._quadratic.flatten(1)).unflatten(1, (size, size)) + identity
            linear = first.flatten(1) @ self._weighted.flatten(0, 1) - counts @ self._offset
            factor = torch.linalg.cholesky(precision)
            yield counts, first, torch.cholesky_solve(linear[:, :, None], factor).squeeze(2), linear, factor

    def _iterate(self, statistics: Statistics, with_means: bool, with_covariances: bool, divergence: bool) -> None:
        gain: Any = 0.0  # a Tensor from the first batch on

        def batches() -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
            nonlocal gain
            for counts, first, means, linear, factor in self._posteriors(statistics):
                gain += 0.5 * (means * linear).sum() - torch.diagonal(factor, dim1=1, dim2=2).log().sum()
                yield counts, first, means, torch.cholesky_inverse(factor)

        moments = steps.Moments.gathered(batches())
        assert statistics.second_order is not None
        second = statistics.second_order.to(self.loadings.device)
        # log p of all frames given their alignment, with w integrated out (Kenny et al. 2005, proposition 2).
        squares = (self._precisions * steps.residual(moments, second, self.means)).sum()
        constant = moments.counts @ (self._log_determinants + self.ubm.dimension * LOG_2PI)
        self.trace.append(((gain - 0.5 * (squares + constant)) / moments.counts.sum()).item())

        loadings, means = steps.loadings_and_means(moments, self.loadings, self.means, with_means)
        covariances = self.covariances
        if with_covariances:
            floor = self.ubm.covariance.to(covariances.device)
            covariances = steps.covariances(moments, second, loadings, means, covariances, floor)
        if divergence:
            loadings, means = steps.minimum_divergence(moments, loadings, means, with_means)
        self._set(loadings, means, covariances)
