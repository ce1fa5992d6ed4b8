"""Random streams by name, and samples from them."""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """The random stream of `seed` and `names`: independent of the streams of other names and of what ran before."""
    text = "\0".join(str(name) for name in (seed, *names))
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()))


def between(rng: np.random.Generator, ends: tuple[float, float]) -> float:
    """A uniform sample from a range, ends included."""
    return float(rng.uniform(*ends))


def deal(rng: np.random.Generator, items: Sequence[T], count: int) -> list[T]:
    """`count` items in random order, each as often as every other (once more at most)."""
    rounds = [rng.permutation(len(items)) for _ in range(-(-count // len(items)))]
    dealt = np.concatenate([*rounds, np.zeros(0, int)])[:count]
    return [items[k] for k in rng.permutation(dealt)]
