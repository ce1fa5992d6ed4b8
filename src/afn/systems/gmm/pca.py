"""Principal components of feature frames, with deltas appended: from a spectrum to what a mixture can model.

Source: Alam, Bhattacharya, Kenny, Odyssey 2018: PCA on the log spectrum after normalisation.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from afn.features.deltas import with_deltas
from afn.systems.gmm.frames import Frames, covariance
from afn.systems.gmm.settings import Reduction


@dataclass(frozen=True)
class PrincipalComponents:
    """Maps x to V' (x - m) and appends deltas: float[T × D] to float32[T × components (deltas + 1)].

    Attributes:
        mean: m, float64[D].
        directions: V, float64[D × components]: orthonormal, of falling variance; the largest entry of each is positive.
        deltas, delta_window: as in `features.deltas.with_deltas`.
    """

    mean: np.ndarray
    directions: np.ndarray
    deltas: int
    delta_window: int

    @classmethod
    def fit(cls, frames: Frames, settings: Reduction) -> Self:
        """Fit on all training frames in one pass.

        Raises ValueError, with both numbers, for fewer dimensions or frames than components, and as `frames.moments`.
        """
        count, mean, covariances = covariance(frames)
        if min(count - 1, len(mean)) < settings.components:
            raise ValueError(
                f"reduction.components: {settings.components} are more than {count} frames of {len(mean)} dimensions "
                "have. Use fewer components."
            )
        return cls(mean.numpy(), _leading(covariances, settings.components), settings.deltas, settings.delta_window)

    def __call__(self, features: np.ndarray) -> np.ndarray:
        projected = (features - self.mean) @ self.directions
        return with_deltas(projected, self.deltas, self.delta_window).astype(np.float32)

    def state_dict(self) -> dict[str, Any]:
        return {
            "mean": torch.from_numpy(self.mean),
            "directions": torch.from_numpy(self.directions),
            "deltas": self.deltas,
            "delta_window": self.delta_window,
        }

    @classmethod
    def from_state_dict(cls, state: dict[str, Any]) -> Self:
        mean, directions = (state[name].cpu().numpy() for name in ("mean", "directions"))
        return cls(mean, directions, state["deltas"], state["delta_window"])


def _leading(covariance: Tensor, count: int) -> np.ndarray:
    """The eigenvectors of the greatest eigenvalues, float64[D × count], with signs that no library version changes."""
    vectors = torch.linalg.eigh(covariance).eigenvectors.flip(1)[:, :count].numpy()
    largest = np.abs(vectors).argmax(axis=0)
    return vectors * np.sign(vectors[largest, np.arange(count)])
