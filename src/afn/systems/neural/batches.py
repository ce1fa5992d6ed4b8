"""Spectrograms of any length as batches of one width, in an order that the seed alone decides."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from afn.systems.neural.loading import check_width, repeated
from afn.systems.subset import GENUINE, Subset


def tile(features: np.ndarray, frames: int | None, bins: int) -> np.ndarray:
    """float[T × bins] to float[bins × frames]: the utterance repeated until it is long enough (Lai et al., sec. 3.1).

    A longer utterance (ASVspoof 2017 has none above 1091 frames) is cut to its first `frames`; None: as long as it is.
    Raises UserError for features of another width.
    """
    check_width(features, bins)
    return repeated(features, frames).T if frames else features.T


def tile_on(device: torch.device, features: Sequence[np.ndarray], frames: int, bins: int) -> Tensor:
    """Matrices float32[T × bins] as one batch of `tile`, Tensor[B × 1 × bins × frames], tiled on `device`.

    Only their true lengths are copied there: a host would take longer to repeat them than a GPU to score them.
    """
    for matrix in features:
        check_width(matrix, bins)
    lengths = torch.tensor([len(matrix) for matrix in features])
    starts = lengths.cumsum(0) - lengths
    joined = torch.from_numpy(np.concatenate(features)).to(device)
    return _gathered(joined, starts.to(device), lengths.to(device), torch.arange(frames, device=device))


def _gathered(features: Tensor, starts: Tensor, lengths: Tensor, steps: Tensor) -> Tensor:
    """The utterances of Tensor[N × D] that begin at `starts`, tiled to `steps`: Tensor[B × 1 × D × frames]."""
    places = starts[:, None] + steps % lengths[:, None]
    return features[places].transpose(1, 2).contiguous()[:, None]


class Tiled:
    """A subset whose batches are read and tiled on demand.

    Args:
        subset: utterances, features and labels.
        frames, bins: the size that every utterance is tiled to; frames None: whole utterances, one in a batch.
    """

    def __init__(self, subset: Subset, frames: int | None, bins: int):
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

    def resident(self, device: torch.device, most: float) -> "Resident | None":
        """The same subset with its features on `device`; None if they take more than `most` bytes."""
        matrices, size = [], 0
        for utt in self.utterances:
            matrix = self.features[utt]
            check_width(matrix, self.bins)
            size += matrix.nbytes
            if size > most:
                return None
            matrices.append(torch.tensor(matrix, device=device))  # a copy: archives give read-only arrays
        return Resident(self, matrices)


class Resident:
    """A subset whose features stay on a device at true length and are tiled there; batches equal those of `Tiled`.

    A batch costs one gather on the device, and nothing is copied from the host.
    """

    def __init__(self, tiled: Tiled, matrices: Sequence[Tensor]):
        assert tiled.frames is not None
        device = matrices[0].device
        lengths = torch.tensor([len(matrix) for matrix in matrices])
        self.subset, self.utterances, self.frames = tiled.subset, tiled.utterances, tiled.frames
        self.features = torch.cat(list(matrices))  # [N × D], one utterance after the other
        self.starts, self.lengths = (lengths.cumsum(0) - lengths).to(device), lengths.to(device)
        self.steps = torch.arange(tiled.frames, device=device)
        self.targets = tiled.targets.to(device)

    def __len__(self) -> int:
        return len(self.targets)

    def batch(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """The utterances at `indices`: float32 Tensor[B × 1 × D × frames], and their targets Tensor[B], 1 = genuine."""
        chosen = torch.tensor(list(indices), device=self.features.device)
        return _gathered(self.features, self.starts[chosen], self.lengths[chosen], self.steps), self.targets[chosen]


def shuffled(
    count: int,
    batch_size: int,
    seed: int,
    epoch: int,
    classes: Sequence[Sequence[int]] = (),
    strata: Sequence[Sequence[int]] = (),
) -> list[list[int]]:
    """The batches of one training epoch: every index once, in an order that `seed` and `epoch` decide.

    The last batch may be smaller. A single left-over utterance joins the batch before it: batch norm needs two.
    `classes`, lists of indices, are balanced: those of a smaller one occur again, its n-th time with n · `count` added.
    `strata`, lists of all indices, are each spread evenly: every batch has the same shares of them.
    """
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(count).tolist()
    for members in classes:
        missing = max(map(len, classes)) - len(members)
        turns = [count * turn + random.permutation(members) for turn in range(1, missing // len(members) + 2)]
        order += np.concatenate(turns)[:missing].tolist()
    if classes:
        random.shuffle(order)
    if strata:
        spread = []
        for stratum in map(set, strata):
            own = [index for index in order if index % count in stratum]
            spread += [((rank + 0.5) / len(own), index) for rank, index in enumerate(own)]
        order = [index for _, index in sorted(spread)]
    batches = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    if len(batches) > 1 and len(batches[-1]) == 1:
        last = batches.pop()
        batches[-1] += last
    return batches
