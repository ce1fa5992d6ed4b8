"""What is drawn from the seed: random streams by name, values from ranges."""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")
Range = tuple[float, float]


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """The random stream that `seed` and `names` stand for, independent of every other name's and of what ran before."""
    text = "\0".join(str(name) for name in (seed, *names))
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()))


def between(rng: np.random.Generator, ends: Range) -> float:
    """A value drawn uniformly from a range, ends included."""
    return float(rng.uniform(*ends))


def deal(rng: np.random.Generator, items: Sequence[T], count: int) -> list[T]:
    """`count` items in random order, each as often as every other (once more at most)."""
    rounds = [rng.permutation(len(items)) for _ in range(-(-count // len(items)))]
    dealt = np.concatenate(rounds)[:count]
    return [items[k] for k in rng.permutation(dealt)]


def check_range(name: str, ends: Range, lowest: float = -np.inf, highest: float = np.inf) -> None:
    """Raise ValueError unless lowest <= ends[0] <= ends[1] <= highest."""
    if ends[0] > ends[1]:
        raise ValueError(f"{name}: {list(ends)} runs downwards; put the smaller value first")
    check_ends(name, ends, lowest, highest)


def check_ends(name: str, ends: Sequence[float], lowest: float = -np.inf, highest: float = np.inf) -> None:
    """Raise ValueError unless every value lies between `lowest` and `highest`."""
    if not all(lowest <= end <= highest for end in ends):
        raise ValueError(f"{name}: {list(ends)} must lie between {lowest:g} and {highest:g}")


def check_least(name: str, value: int, least: int) -> None:
    """Raise ValueError unless value >= least."""
    if value < least:
        raise ValueError(f"{name}: {value} must be at least {least}")
