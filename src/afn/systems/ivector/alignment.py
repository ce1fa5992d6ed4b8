"""Which Gaussian of a background model each frame belongs to, and what an i-vector needs of that: sums per utterance.

Source: Kaldi's sre08 recipe (gmm-gselect, fgmm-global-gselect-to-post, ivector/ivector-extractor.cc).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from afn.systems.gmm.frames import Matrix, Scratch, chunks
from afn.systems.gmm.models import DiagonalGMM, FullGMM, upper_products

FRAMES_AT_ONCE = 512  # so that their products stay in a CPU's caches


@dataclass(frozen=True)
class Statistics:
    """Uncentred Baum-Welch statistics of U utterances, float64.

    Attributes:
        counts: [U × K], the sums of posteriors in frames.
        firsts: [U × K × D], the posterior-weighted sums of frames.
        seconds: [K × D × D] (a full background model) or [K × D] (a diagonal one): the posterior-weighted sums of their
            (outer) squares over all utterances, which training needs; None for extraction.
    """

    counts: Tensor
    firsts: Tensor
    seconds: Tensor | None = None


class Alignment:
    """The posteriors of the components of a background model, thinned as Kaldi thins them.

    Args:
        ubm: the background model.
        selected: keep for every frame the components most likely by the diagonals of the covariances; None: all.
            Kaldi's recipe: 20.
        least_posterior: drop smaller posteriors and renormalise; 0: none. Kaldi's recipe: 0.025.
    """

    def __init__(self, ubm: DiagonalGMM | FullGMM, selected: int | None = 20, least_posterior: float = 0.025):
        self.ubm = ubm
        self.selected = selected if selected and selected < ubm.components else None
        self.least_posterior = least_posterior
        self._selector = ubm.diagonal() if isinstance(ubm, FullGMM) and self.selected else ubm

    def posteriors(self, frames: Tensor, scratch: Scratch | None = None) -> Tensor:
        """Tensor[T × K] of Tensor[T × D]; every row's sum is 1. `scratch`: memory for calls in a row."""
        joint = self.ubm.joint_log_likelihood(frames, scratch)
        if self.selected:
            coarse = joint if self._selector is self.ubm else self._selector.joint_log_likelihood(frames)
            # The components below the last of the selected ones.
            least = coarse.kthvalue(self.ubm.components - self.selected + 1, dim=1, keepdim=True).values
            joint = joint.masked_fill(coarse < least, -torch.inf)
        posteriors = joint.softmax(dim=1)
        if self.least_posterior > 0:
            # The greatest posterior stays, however small.
            least = posteriors.amax(dim=1, keepdim=True).clamp(max=self.least_posterior)
            posteriors = posteriors.masked_fill(posteriors < least, 0)
            posteriors /= posteriors.sum(dim=1, keepdim=True)
        return posteriors

    def statistics(self, utterances: Sequence[Matrix], seconds: bool = False) -> Statistics:
        """The statistics of `utterances`, each [T × D] with at least one frame; with `seconds` for training.

        Computed in float64 on the device of the utterances. Raises ValueError for an empty utterance (with its place in
        the list), a wrong dimension, and values that are not finite.
        """
        if isinstance(utterances, Matrix):
            raise ValueError("utterances: a single matrix; give a list of them, one for each utterance")
        lengths = [len(utterance) for utterance in utterances]
        if 0 in lengths:
            raise ValueError(f"utterance {lengths.index(0)} of {len(lengths)} has no frames")
        counts = torch.zeros(len(lengths), self.ubm.components, dtype=torch.float64)
        firsts = torch.zeros(len(lengths), self.ubm.components, self.ubm.dimension, dtype=torch.float64)
        total, scratch = 0.0, Scratch()
        utterance = done = 0  # done: frames of this utterance
        for chunk in chunks(utterances, FRAMES_AT_ONCE):
            if chunk.shape[1] != self.ubm.dimension:
                raise ValueError(f"frames of {chunk.shape[1]} dimensions; this model has {self.ubm.dimension}")
            chunk = chunk.double()
            posteriors = self.posteriors(chunk, scratch)
            if counts.device != chunk.device:
                counts, firsts = counts.to(chunk.device), firsts.to(chunk.device)
            total = total + self._seconds(posteriors, chunk) if seconds else None
            start = 0
            while start < len(chunk):
                stop = min(start + lengths[utterance] - done, len(chunk))
                counts[utterance] += posteriors[start:stop].sum(0)
                firsts[utterance].addmm_(posteriors[start:stop].T, chunk[start:stop])
                done += stop - start
                if done == lengths[utterance]:
                    utterance, done = utterance + 1, 0
                start = stop
        return Statistics(counts, firsts, total)

    def _seconds(self, posteriors: Tensor, frames: Tensor) -> Tensor:
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
