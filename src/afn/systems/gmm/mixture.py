"""The base of diagonal and full Gaussian mixtures: likelihoods, expectation-maximisation, splitting.

Both are exponential families: log w_k + log N_k(x) = phi(x) · eta_k, with phi(x) = (1, x, products of x). The
likelihoods of a chunk of frames are one matrix product phi eta', the sums for re-estimation are a second one, and
nothing of the size frames × components outlives its chunk. Frames are standardised by the mean and deviation of the
mixture as a whole (after one iteration those of the frames themselves), so that float32 is enough for expanded squares.

Source: Dempster, Laird and Rubin, J. Roy. Stat. Soc. B 39 (1977); Bishop, Pattern Recognition and Machine Learning
(2006), sec. 9.2. Splitting: the HTK Book, sec. 10.6.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from afn.systems.gmm.frames import Frames, Scratch, chunks, device_of, too_few

LOG_2PI = math.log(2 * math.pi)
SPLIT = 0.2  # deviations by which the two halves of a split component move apart (the HTK Book, sec. 10.6)
LEAST = -60.0  # log posteriors stop here (1e-26): smaller ones become denormal numbers, which slow products down
CHUNK_BYTES = {"cpu": 8 << 20, "cuda": 512 << 20}  # a CPU's should stay in its caches


class Mixture(ABC):
    """A Gaussian mixture of K components in D dimensions; parameters are float64 and in the units of the frames.

    Attributes:
        weights: float64[K], their sum is 1.
        means: float64[K × D].
        covariance: the variances, float64[K × D], or covariances, float64[K × D × D].
        trace: mean log-likelihood (nats per frame) of the parameters at the start of each iteration of `fit`.
        converged: whether `fit` saw the gain fall below its tolerance.
        resplit: how many empty components the last iteration re-placed by splitting others.
    """

    def __init__(self, weights: ArrayLike, means: ArrayLike, covariance: ArrayLike):
        self.trace: list[float] = []
        self.converged, self.resplit = False, 0
        self._set(*(torch.as_tensor(values, dtype=torch.float64).cpu() for values in (weights, means, covariance)))

    @property
    def components(self) -> int:
        return len(self.weights)

    @property
    def dimension(self) -> int:
        return self.means.shape[1]

    def log_likelihood(self, frames: Frames) -> Tensor:
        """log p(x) of every frame in nats, Tensor[T], on the device of the frames; errors as in `frames.chunks`."""
        scratch, parts = Scratch(), []
        for chunk in self._chunks(frames):
            peak, evidence = _exponentiated(self.joint_log_likelihood(chunk, scratch))
            parts.append((peak + evidence.log()).squeeze(1))
        return torch.cat(parts) if parts else torch.empty(0)

    def joint_log_likelihood(self, frames: Tensor, scratch: Scratch | None = None) -> Tensor:
        """log w_k + log N_k(x) in nats, Tensor[T × K], of Tensor[T × D] as a whole: for chunks of frames.

        With a `scratch` the result is stored there and is valid until the next call.
        """
        if scratch is None:
            return torch.mm(*self._factors(frames, Scratch()))
        phi, eta = self._factors(frames, scratch)
        return torch.mm(phi, eta, out=scratch.matrix("joint", len(frames), self.components, phi))

    def fit(
        self,
        frames: Frames,
        iterations: int = 100,
        tolerance: float = 1e-4,
        variance_floor: float = 1e-3,
        min_count: float = 2.0,
        after: Callable[[Self], None] | None = None,
    ) -> Self:
        """Expectation-maximisation from the current parameters; continues where a restored mixture stopped.

        Args:
            frames: [T × D], or matrices, read once per iteration. Computed on their device and in their
                precision (diagonal: float32 or float64; full: float64), with sums in float64.
            iterations: at most, counted from the first call: nothing happens if `trace` is that long.
            tolerance: stop when the mean log-likelihood (nats per frame) gains less; not tested after a re-split. 0:
                never stop early, though rounding may lower it a little at the end.
            variance_floor: fraction of the variance of all frames that is the least variance of a component.
            min_count: frames (sum of posteriors) below which a component counts as empty; it is then placed beside
                the heaviest one. Two: a variance needs them.
            after: called with the mixture after every iteration: to report `trace[-1]`, or to save `state_dict()`.

        Raises:
            ValueError: for fewer frames than components (with both numbers), another dimension, or values that are
                not finite.
        """
        while len(self.trace) < iterations and not self.converged:
            total, count, sums = self._expect(frames)
            if count < self.components:
                raise ValueError(too_few(count, self.components))
            if not math.isfinite(total):
                raise ValueError(f"frames: their log-likelihood is {total}; their values are too large")
            self.trace.append(total / count)
            judged = tolerance > 0 and len(self.trace) > 1 and not self.resplit
            self._maximise(sums, variance_floor, min_count)
            self.converged = judged and self.trace[-1] - self.trace[-2] < tolerance
            if after:
                after(self)
        return self

    def split(self, count: int) -> Self:
        """This mixture with `count` components more: each time the heaviest is split into two halves."""
        present = (self.weights, self.means, self.covariance)
        weights, means, covariance = (
            torch.cat([values, values.new_zeros(count, *values.shape[1:])]) for values in present
        )
        added = range(self.components, self.components + count)
        return type(self)(*_refilled(weights, means, covariance, added, self._deviations))

    def state_dict(self) -> dict[str, Any]:
        """The whole state: after `from_state_dict`, `fit` continues as if never interrupted."""
        parameters = {"weights": self.weights, "means": self.means, "spread": self.covariance}
        return parameters | {"trace": list(self.trace), "converged": self.converged, "resplit": self.resplit}

    @classmethod
    def from_state_dict(cls, state: dict[str, Any]) -> Self:
        mixture = cls(state["weights"], state["means"], state["spread"])
        mixture.trace = list(state["trace"])
        mixture.converged, mixture.resplit = state["converged"], state["resplit"]
        return mixture

    @abstractmethod
    def _blank(self, rows: int, like: Tensor, scratch: Scratch) -> Tensor:
        """Memory for phi, Tensor[T × P]: a one, the dimensions, their products; laid out as `_products` needs."""

    @abstractmethod
    def _products(self, x: Tensor, out: Tensor) -> None:
        """Write the products that phi ends with, of Tensor[T × D]."""

    @abstractmethod
    def _natural(self, means: Tensor, covariance: Tensor) -> Tensor:
        """eta without the logarithm of the weights, float64[K × P]."""

    @abstractmethod
    def _rescaled(self, covariance: Tensor, scale: Tensor) -> Tensor:
        """`covariance` of dimensions that are multiplied by `scale`, float64[D]."""

    @abstractmethod
    def _estimate(self, counts: Tensor, sums: Tensor, floor: float) -> tuple[Tensor, Tensor]:
        """Means and covariance from `counts`, float64[K], and the posterior-weighted sums of phi, float64[K × P]."""

    @staticmethod
    @abstractmethod
    def _deviations(covariance: Tensor) -> Tensor:
        """Standard deviations, float64[… × D]."""

    def _set(self, weights: Tensor, means: Tensor, covariance: Tensor) -> None:
        _check(weights, means, self._deviations(covariance))
        self.weights, self.means, self.covariance = weights, means, covariance
        variance = self._deviations(covariance).square()
        self._centre = weights @ means
        self._scale = (weights @ (variance + (means - self._centre).square())).sqrt()
        self._tables: dict[tuple[torch.device, torch.dtype], tuple[Tensor, Tensor, Tensor]] = {}

    def _factors(self, x: Tensor, scratch: Scratch) -> tuple[Tensor, Tensor]:
        """phi of the standardised frames, Tensor[T × P], and eta', Tensor[P × K]: their product is the joint one."""
        x = x.to(self._precision(x.dtype))
        key = (x.device, x.dtype)
        if key not in self._tables:
            scale = 1 / self._scale
            eta = self._natural((self.means - self._centre) * scale, self._rescaled(self.covariance, scale))
            eta[:, 0] += self.weights.log() + scale.log().sum()  # the Jacobian: likelihoods stay in original units
            self._tables[key] = (self._centre.to(x), scale.to(x), eta.to(x))
        centre, scale, eta = self._tables[key]
        phi = self._blank(len(x), x, scratch)
        phi[:, 0] = 1
        standard = phi[:, 1 : 1 + self.dimension]
        torch.sub(x, centre, out=standard).mul_(scale)
        self._products(standard, phi[:, 1 + self.dimension :])
        return phi, eta.T

    def _expect(self, frames: Frames) -> tuple[float, int, Tensor]:
        """Total log-likelihood, number of frames, and posterior-weighted sums of phi, float64[K × P]."""
        total, count, scratch = 0.0, 0, Scratch()
        sums: Any = 0.0  # a Tensor from the first chunk on
        for chunk in self._chunks(frames):
            phi, eta = self._factors(chunk, scratch)
            posteriors = torch.mm(phi, eta, out=scratch.matrix("joint", len(phi), self.components, phi))
            peak, evidence = _exponentiated(posteriors)
            phi /= evidence  # dividing the narrower of the two factors
            weighted = scratch.matrix("sums", eta.shape[1], eta.shape[0], phi)
            sums = sums + torch.mm(posteriors.T, phi, out=weighted).double()
            total += (peak + evidence.log()).double().sum().item()
            count += len(chunk)
        return total, count, sums.cpu() if count else torch.zeros(0)

    def _maximise(self, sums: Tensor, variance_floor: float, min_count: float) -> None:
        counts = sums[:, 0]
        # With few frames half the average count, so that not every component is empty.
        full = counts >= min(min_count, counts.sum().item() / (2 * self.components))
        means, covariance = self._estimate(counts.clamp(min=1e-10), sums, variance_floor)
        weights = counts * full / (counts * full).sum()
        empty = (~full).nonzero().flatten().tolist()
        means, covariance = means * self._scale + self._centre, self._rescaled(covariance, self._scale)
        self._set(*_refilled(weights, means, covariance, empty, self._deviations))
        self.resplit = len(empty)

    def _chunks(self, frames: Frames) -> Iterator[Tensor]:
        """Chunks in which phi, the posteriors and their temporaries stay within CHUNK_BYTES."""
        budget = CHUNK_BYTES.get(device_of(frames), CHUNK_BYTES["cpu"]) // 4
        rows = max(64, budget // (2 * (self._width() + self.components)))
        for chunk in chunks(frames, rows):
            if chunk.shape[1] != self.dimension:
                raise ValueError(f"frames of {chunk.shape[1]} dimensions; this mixture has {self.dimension}")
            yield chunk

    def _width(self) -> int:
        """P, in numbers of 4 bytes."""
        return 1 + 2 * self.dimension

    @staticmethod
    def _precision(dtype: torch.dtype) -> torch.dtype:
        """The type to compute in for frames of type `dtype`."""
        return dtype


def _exponentiated(joint: Tensor) -> tuple[Tensor, Tensor]:
    """Turn a joint log-likelihood [T × K] in place into posteriors times the second result.

    Returns the maximum of each row and the sum of the new row, [T × 1]: log p(x) = peak + log(sum).
    """
    peak = joint.amax(dim=1, keepdim=True)
    joint.sub_(peak).clamp_(min=LEAST).exp_()
    return peak, joint.sum(dim=1, keepdim=True)


def _refilled(
    weights: Tensor, means: Tensor, covariance: Tensor, empty: Iterable[int], deviations: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Put half of the then heaviest component into each `empty` one and move the halves apart; works in place."""
    for index in empty:
        heaviest = int(weights.argmax())
        weights[heaviest] /= 2
        step = SPLIT * deviations(covariance[heaviest])
        weights[index], means[index], covariance[index] = (
            weights[heaviest],
            means[heaviest] + step,
            covariance[heaviest],
        )
        means[heaviest] -= step
    return weights, means, covariance


def _check(weights: Tensor, means: Tensor, deviations: Tensor) -> None:
    if weights.ndim != 1 or means.ndim != 2 or deviations.shape != means.shape or len(weights) != len(means):
        raise ValueError(
            f"weights {tuple(weights.shape)}, means {tuple(means.shape)} and variances {tuple(deviations.shape)} "
            "do not fit together. A mixture takes K, K × D and K × D (full covariances: K × D × D)"
        )
    if not (weights >= 0).all() or abs(weights.sum().item() - 1) > 1e-3:
        raise ValueError(f"weights: their sum is {weights.sum().item():g} and the least {weights.min().item():g}")
    if not torch.isfinite(means).all() or not (deviations > 0).all() or not torch.isfinite(deviations).all():
        raise ValueError("means must be finite, variances finite and above 0")
