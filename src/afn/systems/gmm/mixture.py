"""What diagonal and full Gaussian mixtures share: likelihoods, expectation-maximisation, splitting.

Both are exponential families: log w_k + log N_k(x) = phi(x) · eta_k, with phi(x) = (1, x, products of x). The
likelihoods of a chunk of frames are one matrix product phi eta', the sums that re-estimation needs a second one, and
nothing of the size frames × components outlives its chunk. Frames are standardised by the mean and deviation of the
mixture as a whole (after one iteration those of the frames themselves), so that expanded squares are safe in float32.

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

from afn.systems.gmm.frames import Frames, Scratch, chunks, too_few

LOG_2PI = math.log(2 * math.pi)
SPLIT = 0.2  # deviations by which the two halves of a split component move apart (the HTK Book, sec. 10.6)
LEAST = -60.0  # log posteriors stop here (1e-26): smaller ones become denormal numbers, with which products crawl
CHUNK_BYTES = {"cpu": 8 << 20, "cuda": 512 << 20}  # a CPU's should stay in its caches


class Mixture(ABC):
    """A Gaussian mixture of K components in D dimensions; parameters are float64 and in the units of the frames.

    Attributes:
        weights: float64[K], their sum is 1.
        means: float64[K × D].
        spread: the variances, float64[K × D], or covariances, float64[K × D × D].
        trace: mean log-likelihood (nats a frame) of the parameters with which each iteration of `fit` began.
        converged: whether `fit` saw the gain fall below its tolerance.
        resplit: how many components the last iteration found empty and split anew.
    """

    def __init__(self, weights: ArrayLike, means: ArrayLike, spread: ArrayLike):
        self.trace: list[float] = []
        self.converged, self.resplit = False, 0
        self._set(*(torch.as_tensor(values, dtype=torch.float64).cpu() for values in (weights, means, spread)))

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

        With a `scratch` the result stands in it and lasts until the next call.
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
        """Expectation-maximisation from the present parameters; a mixture that was stopped and restored goes on.

        Args:
            frames: [T × D], or matrices to walk through once an iteration. Computed on their device and in their
                precision (diagonal: float32 or float64; full: float64), with sums in float64.
            iterations: the end, counted from the first call: nothing happens where `trace` is that long.
            tolerance: stop when the mean log-likelihood (nats a frame) gains less; not judged after a re-split. 0:
                never, though rounding makes it lose a little at the end.
            variance_floor: share of the variance of all frames below which no component's variance falls.
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
        """This mixture with `count` components more: the heaviest, one after the other, is cut into two halves."""
        present = (self.weights, self.means, self.spread)
        grown = [torch.cat([values, values.new_zeros(count, *values.shape[1:])]) for values in present]
        added = range(self.components, self.components + count)
        return type(self)(*_refilled(*grown, added, self._deviations))

    def state_dict(self) -> dict[str, Any]:
        """All that `from_state_dict` needs, so that `fit` goes on as if it had never stopped."""
        parameters = {"weights": self.weights, "means": self.means, "spread": self.spread}
        return parameters | {"trace": list(self.trace), "converged": self.converged, "resplit": self.resplit}

    @classmethod
    def from_state_dict(cls, state: dict[str, Any]) -> Self:
        mixture = cls(state["weights"], state["means"], state["spread"])
        mixture.trace = list(state["trace"])
        mixture.converged, mixture.resplit = state["converged"], state["resplit"]
        return mixture

    @abstractmethod
    def _blank(self, rows: int, like: Tensor, scratch: Scratch) -> Tensor:
        """Memory for phi, Tensor[T × P]: a one, the dimensions, their products; laid out as `_products` likes it."""

    @abstractmethod
    def _products(self, x: Tensor, out: Tensor) -> None:
        """Write the products that phi ends with, of Tensor[T × D]."""

    @abstractmethod
    def _natural(self, means: Tensor, spread: Tensor) -> Tensor:
        """eta without the logarithm of the weights, float64[K × P]."""

    @abstractmethod
    def _rescaled(self, spread: Tensor, scale: Tensor) -> Tensor:
        """`spread` of dimensions that are multiplied by `scale`, float64[D]."""

    @abstractmethod
    def _estimate(self, counts: Tensor, sums: Tensor, floor: float) -> tuple[Tensor, Tensor]:
        """Means and spread from `counts`, float64[K], and the posterior-weighted sums of phi, float64[K × P]."""

    @staticmethod
    @abstractmethod
    def _deviations(spread: Tensor) -> Tensor:
        """Standard deviations, float64[… × D]."""

    def _set(self, weights: Tensor, means: Tensor, spread: Tensor) -> None:
        _check(weights, means, self._deviations(spread))
        self.weights, self.means, self.spread = weights, means, spread
        variance = self._deviations(spread).square()
        self._centre = weights @ means
        self._scale = (weights @ (variance + (means - self._centre).square())).sqrt()
        self._tables: dict[tuple[torch.device, torch.dtype], tuple[Tensor, Tensor, Tensor]] = {}

    def _factors(self, x: Tensor, scratch: Scratch) -> tuple[Tensor, Tensor]:
        """phi of the standardised frames, Tensor[T × P], and eta', Tensor[P × K]: their product is the joint one."""
        x = x.to(self._precision(x.dtype))
        key = (x.device, x.dtype)
        if key not in self._tables:
            scale = 1 / self._scale
            eta = self._natural((self.means - self._centre) * scale, self._rescaled(self.spread, scale))
            eta[:, 0] += self.weights.log() + scale.log().sum()  # the Jacobian: likelihoods stay in original units
            self._tables[key] = tuple(values.to(x) for values in (self._centre, scale, eta))
        centre, scale, eta = self._tables[key]
        phi = self._blank(len(x), x, scratch)
        phi[:, 0] = 1
        standard = phi[:, 1 : 1 + self.dimension]
        torch.sub(x, centre, out=standard).mul_(scale)
        self._products(standard, phi[:, 1 + self.dimension :])
        return phi, eta.T

    def _expect(self, frames: Frames) -> tuple[float, int, Tensor]:
        """Total log-likelihood, number of frames, and posterior-weighted sums of phi, float64[K × P]."""
        total, count, sums, scratch = 0.0, 0, 0.0, Scratch()
        for chunk in self._chunks(frames):
            phi, eta = self._factors(chunk, scratch)
            posteriors = torch.mm(phi, eta, out=scratch.matrix("joint", len(phi), self.components, phi))
            peak, evidence = _exponentiated(posteriors)
            phi /= evidence  # dividing the narrower of the two factors
            sums = sums + torch.mm(posteriors.T, phi, out=scratch.matrix("sums", *eta.T.shape, phi)).double()
            total += (peak + evidence.log()).double().sum().item()
            count += len(chunk)
        return total, count, sums.cpu() if count else torch.zeros(0)

    def _maximise(self, sums: Tensor, variance_floor: float, min_count: float) -> None:
        counts = sums[:, 0]
        # Where frames are few, half the average: not every component can be empty.
        full = counts >= min(min_count, counts.sum().item() / (2 * self.components))
        means, spread = self._estimate(counts.clamp(min=1e-10), sums, variance_floor)
        weights = counts * full / (counts * full).sum()
        empty = (~full).nonzero().flatten().tolist()
        means, spread = means * self._scale + self._centre, self._rescaled(spread, self._scale)
        self._set(*_refilled(weights, means, spread, empty, self._deviations))
        self.resplit = len(empty)

    def _chunks(self, frames: Frames) -> Iterator[Tensor]:
        """Chunks in which phi, the posteriors and their temporaries stay within CHUNK_BYTES."""
        device = frames.device.type if isinstance(frames, Tensor) else "cpu"
        budget = CHUNK_BYTES.get(device, CHUNK_BYTES["cpu"]) // 4
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
    """Turn a joint log-likelihood [T × K] in place into posteriors times what is returned last.

    Returns the greatest of each row and the sum of what the row has become, [T × 1]: log p(x) = peak + log(sum).
    """
    peak = joint.amax(dim=1, keepdim=True)
    joint.sub_(peak).clamp_(min=LEAST).exp_()
    return peak, joint.sum(dim=1, keepdim=True)


def _refilled(
    weights: Tensor, means: Tensor, spread: Tensor, empty: Iterable[int], deviations: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Put half of the then heaviest component into each `empty` one and move the halves apart; works in place."""
    for index in empty:
        heaviest = int(weights.argmax())
        weights[heaviest] /= 2
        step = SPLIT * deviations(spread[heaviest])
        weights[index], means[index], spread[index] = weights[heaviest], means[heaviest] + step, spread[heaviest]
        means[heaviest] -= step
    return weights, means, spread


def _check(weights: Tensor, means: Tensor, deviations: Tensor) -> None:
    if weights.ndim != 1 or means.ndim != 2 or deviations.shape != means.shape or len(weights) != len(means):
        raise ValueError(
            f"weights {tuple(weights.shape)}, means {tuple(means.shape)} and variances {tuple(deviations.shape)} "
            "do not fit together; a mixture takes K, K × D and K × D (full covariances: K × D × D)"
        )
    if not (weights >= 0).all() or abs(weights.sum().item() - 1) > 1e-3:
        raise ValueError(f"weights: their sum is {weights.sum().item():g} and the least {weights.min().item():g}")
    if not torch.isfinite(means).all() or not (deviations > 0).all() or not torch.isfinite(deviations).all():
        raise ValueError("means must be finite, variances finite and above 0")
