"""Back-ends of i-vectors: centring, whitening, WCCN, length normalisation; cosine and Gaussian classifiers.

All arrays are float64. Higher scores are more genuine.

Sources: Lai et al., ICASSP 2019 (length-normalised class means, cosine and Gaussian scores); Chettri et al.,
arXiv 2010.07913 (whitening and WCCN before the cosine); Hatch, Kajarekar and Stolcke, Interspeech 2006 (WCCN);
Garcia-Romero and Espy-Wilson, Interspeech 2011 (length normalisation); Martinez et al., Interspeech 2011 (Gaussian).
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

GUARD = 1e-10  # added to the standard deviations that whitening divides by (Chettri et al.)


def length_normalised(vectors: ArrayLike) -> np.ndarray:
    """Vectors [U × R] divided by their Euclidean lengths, float64[U × R]; ValueError for a vector of length 0."""
    vectors = _checked(vectors)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not lengths.all():
        raise ValueError(f"i-vector {int(np.argmin(lengths))} has length 0 and no direction")
    return vectors / lengths


@dataclass(frozen=True)
class Projection:
    """z = A' (w - m), optionally divided by its length.

    Attributes:
        mean: m, float64[R].
        matrix: A, float64[R × R].
        unit_length: whether z is divided by its length.
    """

    mean: np.ndarray
    matrix: np.ndarray
    unit_length: bool

    @classmethod
    def fit(cls, vectors: ArrayLike, genuine: ArrayLike, centre: bool, whiten: bool, wccn: bool, unit: bool) -> Self:
        """Estimate the projection.

        Args:
            vectors: training i-vectors, [U × R].
            genuine: whether each is genuine, bool[U].
            centre: subtract their mean.
            whiten: multiply by V diag(1 / (sqrt(s) + 1e-10)), where V diag(s) V' is their covariance; needs `centre`.
            wccn: then multiply by the lower Cholesky factor of the inverse mean of the two class covariances.
            unit: finally divide by the length.

        Raises:
            ValueError: for a class without vectors, NaN, whitening without centring, or too few different vectors for a
                matrix of full rank.
        """
        vectors = _checked(vectors)
        classes = _classes(vectors, genuine)
        if whiten and not centre:
            raise ValueError("whitening needs centred i-vectors. Set centre: true.")
        mean = vectors.mean(axis=0) if centre else np.zeros(vectors.shape[1])
        matrix = np.eye(vectors.shape[1])
        if whiten:
            covariance = _full_rank(_covariance(vectors), len(vectors), "whitening")
            directions, variances, _ = np.linalg.svd(covariance)
            matrix = directions / (np.sqrt(variances) + GUARD)
        if wccn:
            within = np.mean([_covariance((members - mean) @ matrix) for members in classes], axis=0)
            matrix = matrix @ np.linalg.cholesky(np.linalg.inv(_full_rank(within, len(vectors), "WCCN")))
        return cls(mean, matrix, unit)

    def __call__(self, vectors: ArrayLike) -> np.ndarray:
        """Projected i-vectors, float64[U × R], of i-vectors [U × R]."""
        projected = (_checked(vectors) - self.mean) @ self.matrix
        return length_normalised(projected) if self.unit_length else projected


@dataclass(frozen=True)
class CosineBackend:
    """score = cos(z, genuine) - cos(z, spoof), between -2 and 2, with the class means, float64[R]."""

    genuine: np.ndarray
    spoof: np.ndarray

    @classmethod
    def fit(cls, vectors: ArrayLike, genuine: ArrayLike) -> Self:
        """From projected training i-vectors [U × R] and bool[U], whether each is genuine. The means get length 1."""
        vectors = _checked(vectors)
        means = np.array([members.mean(axis=0) for members in _classes(vectors, genuine)])
        return cls(*length_normalised(means))

    def score(self, vectors: ArrayLike) -> np.ndarray:
        """float64[U] of projected i-vectors [U × R]."""
        return length_normalised(vectors) @ (self.genuine - self.spoof)


@dataclass(frozen=True)
class GaussianBackend:
    """Two Gaussians with one covariance S: score = (g - s)' S^-1 (z - (g + s) / 2), the log-likelihood ratio in nats.

    Attributes:
        genuine, spoof: the class means g and s, float64[R].
        direction: S^-1 (g - s), float64[R].
    """

    genuine: np.ndarray
    spoof: np.ndarray
    direction: np.ndarray

    @classmethod
    def fit(cls, vectors: ArrayLike, genuine: ArrayLike) -> Self:
        """From projected training i-vectors [U × R] and bool[U], whether each is genuine.

        S is the covariance of all vectors about the means of their classes (divisor U). ValueError for too few vectors.
        """
        vectors = _checked(vectors)
        classes = _classes(vectors, genuine)
        means = [members.mean(axis=0) for members in classes]
        around = np.concatenate([members - mean for members, mean in zip(classes, means, strict=True)])
        shared = _full_rank(around.T @ around / len(around), len(around), "the Gaussian back-end")
        return cls(means[0], means[1], np.linalg.solve(shared, means[0] - means[1]))

    def score(self, vectors: ArrayLike) -> np.ndarray:
        """float64[U] of projected i-vectors [U × R]."""
        return (_checked(vectors) - (self.genuine + self.spoof) / 2) @ self.direction


def _checked(vectors: ArrayLike) -> np.ndarray:
    vectors = np.asarray(vectors, dtype=np.float64)
    if vectors.ndim != 2:
        raise ValueError(f"i-vectors of shape {vectors.shape}. Give U × R.")
    if not np.isfinite(vectors).all():
        raise ValueError(f"i-vector {int(np.argmin(np.isfinite(vectors).all(axis=1)))} has a value that is not finite")
    return vectors


def _classes(vectors: np.ndarray, genuine: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """The genuine vectors and the spoofed ones."""
    genuine = np.asarray(genuine)
    if genuine.shape != (len(vectors),) or genuine.dtype != bool:
        raise ValueError(f"{len(vectors)} i-vectors and labels {genuine.dtype}{list(genuine.shape)}. Give bool[U].")
    for name, members in (("genuine", genuine), ("spoof", ~genuine)):
        if not members.any():
            raise ValueError(f"no {name} i-vectors. A back-end needs both classes.")
    return vectors[genuine], vectors[~genuine]


def _covariance(vectors: np.ndarray) -> np.ndarray:
    """[R × R], with divisor U - 1 as in Matlab's cov."""
    around = vectors - vectors.mean(axis=0)
    return around.T @ around / max(len(vectors) - 1, 1)


def _full_rank(covariance: np.ndarray, count: int, what: str) -> np.ndarray:
    rank = np.linalg.matrix_rank(covariance, hermitian=True)
    if rank < len(covariance):
        raise ValueError(
            f"{what}: {count} i-vectors span {rank} of their {len(covariance)} dimensions. "
            "Give more utterances or a smaller extractor.dimension."
        )
    return covariance
