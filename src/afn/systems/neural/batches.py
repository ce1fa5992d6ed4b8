"""Spectrograms of any length as batches of one width, in an order that the seed alone decides."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from afn.common.errors import UserError
from afn.systems.subset import GENUINE, Subset


def tile(features: np.ndarray, frames: int, bins: int) -> np.ndarray:
    """float[T × bins] to float[bins × frames]: the utterance repeated until it is long enough (Lai et al., sec. 3.1).

    A longer utterance (ASVspoof 2017 has none above 1091 frames) is cut to its first `frames`. Raises UserError for
    features of another width.
    """
    check_width(features, bins)
    return features[np.arange(frames) % len(features)].T


def check_width(features: np.ndarray, bins: int) -> None:
    """Raise UserError unless `features` have `bins` values a frame."""
    if features.shape[1] != bins:
        raise UserError(f"features of {features.shape[1]} values a frame; the network takes {bins}: mend features.conf")


class Tiled:
    """A subset whose batches are read and tiled when asked for.

    Args:
        subset: utterances, features and labels.
        frames, bins: the size that every utterance is tiled to.
    """

    def __init__(self, subset: Subset, frames: int, bins: int):
        self.subset, self.frames, self.bins = subset, frames, bins
        self.utterances = subset.utterances
        self.features = subset.features
        self.targets = torch.tensor([GENUINE[subset.labels[utt]] for utt in self.utterances])

    def __len__(self) -> int:
        return len(self.utterances)

    def batch(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """The utterances at `indices`: Tensor[B × 1 × D × frames], and their targets Tensor[B], 1 = genuine."""
        tiled = np.stack([tile(self.features[self.utterances[i]], self.frames, self.bins) for i in indices])
        return torch.from_numpy(tiled)[:, None], self.targets[list(indices)]

    def resident(self, device: torch.device, dtype: torch.dtype, most: float) -> "Resident | None":
        """The same subset on `device`, its features as `dtype`; None if they are of more than `most` bytes.

        They are read and kept there once, however many trainings of this process ask.
        """
        held, key = self.subset.held, (device, dtype)
        if key not in held:
            held[key] = self._held(device, dtype, most)
        return held[key] and Resident(self, held[key])

    def _held(self, device: torch.device, dtype: torch.dtype, most: float) -> "Held | None":
        matrices, size = [], 0
        for utt in self.utterances:
            matrix = self.features[utt]
            check_width(matrix, self.bins)
            size += matrix.size * dtype.itemsize
            if size > most:
                return None
            matrices.append(torch.from_numpy(matrix).to(device, dtype))
        lengths = torch.tensor([len(matrix) for matrix in matrices])
        held = Held(torch.cat(matrices), (lengths.cumsum(0) - lengths).to(device), lengths.to(device))
        if device.type == "cuda":
            torch.cuda.synchronize(device)  # other trainings use it on streams of their own
        return held


@dataclass(frozen=True)
class Held:
    """A subset's features on a device: frame after frame Tensor[N × D], where each utterance starts, and its length."""

    features: Tensor
    starts: Tensor
    lengths: Tensor


class Resident:
    """A subset that lies on a device at true length and is tiled there by index; batches are as those of `Tiled`.

    A batch then costs a gather on the device and nothing passes the bus.
    """

    def __init__(self, tiled: Tiled, held: Held):
        self.held, self.utterances = held, tiled.utterances
        self.steps = torch.arange(tiled.frames, device=held.features.device)
        self.targets = tiled.targets.to(held.features.device)

    def __len__(self) -> int:
        return len(self.targets)

    def batch(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """The utterances at `indices`: float32 Tensor[B × 1 × D × frames], and their targets Tensor[B], 1 = genuine."""
        held = self.held
        chosen = torch.tensor(list(indices), device=held.features.device)
        places = held.starts[chosen, None] + self.steps % held.lengths[chosen, None]
        return held.features[places].float().transpose(1, 2).contiguous()[:, None], self.targets[chosen]


def shuffled(count: int, batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """The batches of one training epoch: every index once, in an order that `seed` and `epoch` decide.

    The last batch may be smaller; a single left-over utterance joins the batch before it, for batch norm has no
    variance of one value.
    """
    order = np.random.default_rng([seed, epoch]).permutation(count).tolist()
    batches = [order[i : i + batch_size] for i in range(0, count, batch_size)]
    if len(batches) > 1 and len(batches[-1]) == 1:
        last = batches.pop()
        batches[-1] += last
    return batches


def in_order(count: int, batch_size: int) -> Iterator[range]:
    """Indices 0…count-1 in batches."""
    for start in range(0, count, batch_size):
        yield range(start, min(start + batch_size, count))
