"""Aligns frames with the Gaussians of a background model and sums the Baum-Welch statistics of each utterance.

Source: Kaldi's sre08 recipe (gmm-gselect, fgmm-global-gselect-to-post, ivector/ivector-extractor.cc).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from afn.systems.gmm.frames import Matrix, Scratch, chunks, device_of
from afn.systems.gmm.models import DiagonalGMM, FullGMM, upper_products

FRAMES_AT_ONCE = {"cpu": 512, "cuda": 16384}  # their products fit into a CPU's caches; a GPU has a few GB to spare


@dataclass(frozen=True)
class Statistics:
    """Uncentred Baum-Welch statistics of U utterances, float64.

    Attributes:
        counts: [U × K], the sums of posteriors in frames.
        first_order: [U × K × D], posterior-weighted sums of the frames.
        second_order: posterior-weighted sums of x x' over all utterances, [K × D × D], or of x², [K × D], if the
            background model is diagonal. Only training needs them; else None.
    """

    counts: Tensor
    first_order: Tensor
    second_order: Tensor | None = None


class Alignment:
    """Posteriors of the components of a background model, pruned as Kaldi does it.

    Args:
        ubm: the background model.
        selected: components kept for each frame, the most likely ones under the diagonals of the covariances; None:
            all. Kaldi's recipe: 20.
        min_posterior: smaller posteriors are set to 0 and the rest renormalised; 0: keep all. Kaldi's recipe: 0.025.
    """

    def __init__(self, ubm: DiagonalGMM | FullGMM, selected: int | None = 20, min_posterior: float = 0.025):
        self.ubm = ubm
        self.selected = selected if selected and selected < ubm.components else None
        self.min_posterior = min_posterior
        self._selector = ubm.diagonal() if isinstance(ubm, FullGMM) and self.selected else ubm

    def posteriors(self, frames: Tensor, scratch: Scratch | None = None) -> Tensor:
        """Posteriors, Tensor[T × K], of frames, Tensor[T × D]; rows sum to 1. `scratch` is memory for reuse."""
        joint = self.ubm.joint_log_likelihood(frames, scratch)
        if self.selected:
            coarse = joint if self._selector is self.ubm else self._selector.joint_log_likelihood(frames)
            least = coarse.kthvalue(self.ubm.components - self.selected + 1, dim=1, keepdim=True).values
            joint = joint.masked_fill(coarse < least, -torch.inf)
        posteriors = joint.softmax(dim=1)
        if self.min_posterior > 0:
            # The largest posterior is kept even if it is below the threshold.
            least = posteriors.amax(dim=1, keepdim=True).clamp(max=self.min_posterior)
            posteriors = posteriors.masked_fill(posteriors < least, 0)
            posteriors /= posteriors.sum(dim=1, keepdim=True)
        return posteriors

    def statistics(self, utterances: Sequence[Matrix], second_order: bool = False) -> Statistics:
        """The statistics of `utterances`, [T × D] each, computed in float64 on their device.

        Args:
            utterances: matrices of at least one frame.
            second_order: also sum the second-order statistics, which training needs.

        Raises:
            ValueError: for an empty utterance (with its place in the list), another dimension, values not finite.
        """
        if isinstance(utterances, Matrix):
            raise ValueError("utterances: a single matrix. Give a list with one matrix per utterance.")
        lengths = [len(utterance) for utterance in utterances]
        if 0 in lengths:
            raise ValueError(f"utterance {lengths.index(0)} of {len(lengths)} has no frames")
        counts = torch.zeros(len(lengths), self.ubm.components, dtype=torch.float64)
        first = torch.zeros(len(lengths), self.ubm.components, self.ubm.dimension, dtype=torch.float64)
        total: Any = 0.0  # a Tensor or None from the first chunk on
        scratch = Scratch()
        utterance = done = 0  # done: summed frames of this utterance
        for chunk in chunks(utterances, FRAMES_AT_ONCE.get(device_of(utterances), FRAMES_AT_ONCE["cpu"])):
            if chunk.shape[1] != self.ubm.dimension:
                raise ValueError(f"frames of {chunk.shape[1]} dimensions; this model has {self.ubm.dimension}")
            chunk = chunk.double()
            posteriors = self.posteriors(chunk, scratch)
            if counts.device != chunk.device:
                counts, first = counts.to(chunk.device), first.to(chunk.device)
            total = total + self._second_order(posteriors, chunk) if second_order else None
            start = 0
            while start < len(chunk):
                stop = min(start + lengths[utterance] - done, len(chunk))
                counts[utterance] += posteriors[start:stop].sum(0)
                first[utterance].addmm_(posteriors[start:stop].T, chunk[start:stop])
                done += stop - start
                if done == lengths[utterance]:
                    utterance, done = utterance + 1, 0
                start = stop
        return Statistics(counts, first, total)

    def _second_order(self, posteriors: Tensor, frames: Tensor) -> Tensor:
        if isinstance(self.ubm, DiagonalGMM):
            return posteriors.T @ frames.square()
        size = self.ubm.dimension
        rows, columns = torch.triu_indices(size, size, device=frames.device)
        products = frames.new_empty(len(rows), len(frames))
        upper_products(frames.T.contiguous(), products)
        upper = (products @ posteriors).T
        whole = upper.new_empty(len(upper), size, size)
        whole[:, rows, columns] = whole[:, columns, rows] = upper
        return whole
