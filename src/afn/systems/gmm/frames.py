"""Feature frames for the generative models: one matrix or many, read in chunks, never stacked as a whole."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

Matrix = np.ndarray | Tensor
Frames = Matrix | Iterable[Matrix]

SAMPLED_PER_WANTED = 4  # frames that `distinct` looks at for each it returns, as digital silence repeats


class Scratch:
    """Memory that chunks reuse one after the other: allocating it for each would cost more than the arithmetic."""

    def __init__(self) -> None:
        self._held: dict[str, Tensor] = {}

    def matrix(self, name: str, rows: int, columns: int, like: Tensor) -> Tensor:
        """Tensor[rows × columns], contiguous, of the type and on the device of `like`; overwrites the last `name`."""
        held = self._held.get(name)
        if held is None or held.numel() < rows * columns or (held.dtype, held.device) != (like.dtype, like.device):
            held = self._held[name] = like.new_empty(rows * columns)
        return held[: rows * columns].view(rows, columns)


def chunks(frames: Frames, rows: int) -> Iterator[Tensor]:
    """Every frame once and in order, as Tensor[≤ rows × D]: short matrices are joined, long ones are cut.

    Args:
        frames: [T × D], or an iterable of such matrices that can be read more than once. float64 stays float64,
            every other type becomes float32; tensors stay on their device.
        rows: the largest number of frames in a chunk.

    Raises:
        ValueError: for an iterator (it would be empty at the second pass), a shape other than T × D, and NaN or
            infinite values, with the number of the frame.
    """
    waiting: list[Tensor] = []
    held = position = 0
    for piece in _pieces(frames, rows):
        if waiting and (piece.shape[1] != waiting[0].shape[1] or held + len(piece) > rows):
            yield _joined(waiting, position)
            position += held
            waiting, held = [], 0
        waiting.append(piece)
        held += len(piece)
    if waiting:
        yield _joined(waiting, position)


def device_of(frames: Frames) -> str:
    """The kind of device that frames are computed on, "cpu" or "cuda": that of the first matrix."""
    first = frames if isinstance(frames, Matrix | Iterator) else next(iter(frames), None)
    return first.device.type if isinstance(first, Tensor) else "cpu"


def moments(frames: Frames, rows: int = 8192) -> tuple[int, Tensor, Tensor]:
    """The number of frames, their mean and their variance (divisor T), both float64[D]; errors as in `chunks`.

    Raises ValueError where there are no frames.
    """
    count, mean, covariance = _second_moments(frames, rows, lambda x: x.square().sum(0), torch.square)
    return count, mean, covariance.clamp(min=0)


def covariance(frames: Frames, rows: int = 8192) -> tuple[int, Tensor, Tensor]:
    """The number of frames, their mean and their covariance (divisor T), float64[D × D]; errors as in `moments`."""
    return _second_moments(frames, rows, lambda x: x.T @ x, lambda mean: torch.outer(mean, mean))


def _second_moments(
    frames: Frames, rows: int, summed: Callable[[Tensor], Tensor], squared: Callable[[Tensor], Tensor]
) -> tuple[int, Tensor, Tensor]:
    """The number of frames, their mean, and the mean of their products less that of their mean, in one pass.

    `summed` adds up the products of Tensor[T × D] over its frames, `squared` gives those of one vector.
    """
    count, origin = 0, None
    first: Any = 0.0  # Tensors from the first chunk on
    second: Any = 0.0
    for chunk in chunks(frames, rows):
        chunk = chunk.double()
        origin = chunk.mean(0) if origin is None else origin  # near the mean, so that the difference below is safe
        chunk = chunk - origin
        count += len(chunk)
        first, second = first + chunk.sum(0), second + summed(chunk)
    if origin is None:
        raise ValueError("frames: there are none")
    return count, (origin + first / count).cpu(), (second / count - squared(first / count)).cpu()


def distinct(frames: Frames, wanted: int, count: int, seed: int) -> Tensor:
    """`wanted` different frames of `count`, float64[wanted × D], sampled at random by `seed`.

    Equal frames would start equal components, which EM cannot separate. Where frames repeat (digital silence), the
    next sampled one is taken.

    Raises:
        ValueError: for fewer frames than wanted, or fewer different ones among those sampled, with both numbers.
    """
    if count < wanted:
        raise ValueError(too_few(count, wanted))
    sampled = np.random.default_rng(seed).permutation(count)[: SAMPLED_PER_WANTED * wanted]
    order = np.argsort(sampled)
    rows = _rows(frames, sampled[order])[np.argsort(order)]
    _, first = np.unique(rows, axis=0, return_index=True)
    if len(first) < wanted:
        raise ValueError(
            f"frames: {len(first)} different ones among {len(sampled)} are fewer than the {wanted} components. "
            "Use fewer components."
        )
    return torch.from_numpy(rows[np.sort(first)[:wanted]])


def too_few(count: int, components: int) -> str:
    return f"frames: {count} are fewer than the {components} components. Use more frames or fewer components."


def _pieces(frames: Frames, rows: int) -> Iterator[Tensor]:
    """Tensors[≤ rows × D], at least one frame each."""
    if isinstance(frames, Iterator):
        raise ValueError("frames: an iterator ends after one pass; give a list, or a class whose __iter__ starts again")
    for matrix in [frames] if isinstance(frames, Matrix) else frames:
        if matrix.ndim != 2 or not matrix.shape[1]:
            raise ValueError(f"frames of shape {tuple(matrix.shape)}; this model takes T × D")
        for start in range(0, len(matrix), rows):
            piece = matrix[start : start + rows]
            if not isinstance(piece, Tensor):
                # Archives give read-only arrays, which a tensor must not share.
                piece = torch.from_numpy(piece if piece.flags.writeable else piece.copy())
            yield piece if piece.dtype == torch.float64 else piece.float()


def _joined(pieces: list[Tensor], position: int) -> Tensor:
    chunk = pieces[0] if len(pieces) == 1 else torch.cat(pieces)
    if not torch.isfinite(chunk.sum()):  # much cheaper than testing every value; a sum may also overflow
        wrong = (~torch.isfinite(chunk)).nonzero().tolist()
        if wrong:
            row, column = wrong[0]
            value = chunk[row, column].item()
            raise ValueError(f"frames: the value of frame {position + row}, dimension {column} is {value}")
    return chunk


def _rows(frames: Frames, indices: np.ndarray, rows: int = 8192) -> np.ndarray:
    """float64: the frames with these ascending `indices`."""
    found, position = [], 0
    for chunk in chunks(frames, rows):
        here = indices[(indices >= position) & (indices < position + len(chunk))] - position
        found.append(chunk[torch.from_numpy(here).to(chunk.device)].double().cpu().numpy())
        position += len(chunk)
    return np.concatenate(found)
