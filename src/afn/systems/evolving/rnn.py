"""Small recurrent networks over a raw waveform, one sample per step, compiled from flat arrays.

Source: Valenti et al., Odyssey 2018: one input (the sample), two outputs, *gate* and *score*; the score of an utterance
is the mean of the score output over the samples at which the gate is open. A step is the one of neat-python's
RecurrentNetwork: every node reads the values of the previous step, so that all nodes of a step are independent.

The arithmetic is double precision in neat-python's order, with the same C library, so that a network whose recurrence
amplifies rounding errors gives the same values in both.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from afn.common import parallel

ACTIVATIONS = ("sigmoid", "tanh", "relu", "sin")  # neat-python's names; the index of each is its code in a Network
SIGMOID, TANH, RELU, SIN = range(len(ACTIVATIONS))
OPEN = 0.5  # the gate is open above this; also the score of an utterance if it never opens
LANES = 64  # utterances that one call of the kernel takes together


@dataclass(frozen=True, eq=False)
class Network:
    """A recurrent network of n nodes and m connections.

    Nodes have the numbers 1…n in the order of the arrays. 0 is the input, n + 1 a value that is always 0. Node k
    computes activation(bias + response × sum of weight × value of source) over the connections first[k-1]…first[k]-1.
    """

    bias: np.ndarray  # float64[n]
    response: np.ndarray  # float64[n]
    activation: np.ndarray  # int64[n], index in ACTIVATIONS
    first: np.ndarray  # int64[n + 1]
    source: np.ndarray  # int64[m]
    weight: np.ndarray  # float64[m]
    gate: int  # the node whose value is this output
    score: int

    @property
    def arrays(self) -> tuple[Any, ...]:
        """The arguments of the kernel."""
        return self.bias, self.response, self.activation, self.first, self.source, self.weight, self.gate, self.score


@dataclass(frozen=True, eq=False)
class Block:
    """Utterances as columns, the shorter ones padded with zeros."""

    places: np.ndarray  # int64[L], their indices in the original list
    samples: np.ndarray  # float32[T × L]
    lengths: np.ndarray  # int64[L]


def blocks(utterances: Sequence[np.ndarray], lanes: int = LANES) -> list[Block]:
    """Waveforms float[N] of any lengths as blocks of up to `lanes` utterances of similar length."""
    lengths = np.array([len(samples) for samples in utterances], dtype=np.int64)
    order = np.argsort(lengths, kind="stable")
    made = []
    for places in np.array_split(order, -(-len(order) // lanes)) if len(order) else ():
        samples = np.zeros((int(lengths[places].max()), len(places)), dtype=np.float32)
        for lane, place in enumerate(places):
            samples[: lengths[place], lane] = utterances[place]
        made.append(Block(places, samples, lengths[places]))
    return made


def scores(networks: Sequence[Network], blocks: Sequence[Block], threads: int | None = None) -> np.ndarray:
    """The scores of all utterances by all networks, float64[networks × utterances], 0…1.

    They do not depend on the number of threads (default: the cores that this process may use).
    """
    found = np.empty((len(networks), sum(len(block.places) for block in blocks)))

    def run(pair: tuple[int, int]) -> None:
        row, column = pair
        block = blocks[column]
        scored = np.empty(len(block.places))
        _score(block.samples, block.lengths, *networks[row].arrays, scored)
        found[row, block.places] = scored

    _all(run, ((row, column) for column in range(len(blocks)) for row in range(len(networks))), threads)
    return found


def trace(network: Network, samples: np.ndarray) -> np.ndarray:
    """Gate and score output after every sample of a waveform float[N]: float64[N × 2]."""
    outputs = np.empty((len(samples), 2))
    _trace(np.asarray(samples, dtype=np.float32), *network.arrays, outputs)
    return outputs


def _all(function: Callable[[Any], None], items: Iterable[Any], threads: int | None) -> None:
    """Call `function` with every item, on threads."""
    if threads is None:
        threads = parallel.default_jobs()
    if threads == 1:
        for item in items:
            function(item)
        return
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(function, items):
            pass


def _compiled(function: Callable) -> Callable:
    """`function` as machine code that releases the GIL, cached on disk if numba finds a folder for it."""
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # numba found no folder for its cache
        return numba.njit(nogil=True)(function)


@_compiled
def _step(old, new, bias, response, activation, first, source, weight):
    """One step: `new` float64[n + 2 × L] from the values `old` of the previous step, whose row 0 is the input."""
    lanes = old.shape[1]
    for k in range(len(bias)):
        row = new[k + 1]
        row[:] = 0.0
        for j in range(first[k], first[k + 1]):
            value, w = old[source[j]], weight[j]
            for lane in range(lanes):
                row[lane] += value[lane] * w
        b, r, kind = bias[k], response[k], activation[k]
        if kind == RELU:
            for lane in range(lanes):
                z = b + r * row[lane]
                row[lane] = z if z > 0.0 else 0.0
            continue
        slope = 2.5 if kind == TANH else 5.0
        for lane in range(lanes):
            z = slope * (b + r * row[lane])
            z = z if z < 60.0 else 60.0  # as in neat-python; NaN becomes 60
            row[lane] = z if z > -60.0 else -60.0
        if kind == SIGMOID:
            for lane in range(lanes):
                row[lane] = 1.0 / (1.0 + math.exp(-row[lane]))
        elif kind == TANH:
            for lane in range(lanes):
                row[lane] = math.tanh(row[lane])
        else:
            for lane in range(lanes):
                row[lane] = math.sin(row[lane])


@_compiled
def _score(samples, lengths, bias, response, activation, first, source, weight, gate, score, scored):
    steps, lanes = samples.shape
    old, new = np.zeros((len(bias) + 2, lanes)), np.zeros((len(bias) + 2, lanes))
    total, passed = np.zeros(lanes), np.zeros(lanes, dtype=np.int64)
    for t in range(steps):
        old[0] = samples[t]
        _step(old, new, bias, response, activation, first, source, weight)
        old, new = new, old
        for lane in range(lanes):
            if t < lengths[lane] and old[gate, lane] > OPEN:
                total[lane] += old[score, lane]
                passed[lane] += 1
    for lane in range(lanes):
        scored[lane] = total[lane] / passed[lane] if passed[lane] else OPEN


@_compiled
def _trace(samples, bias, response, activation, first, source, weight, gate, score, outputs):
    old, new = np.zeros((len(bias) + 2, 1)), np.zeros((len(bias) + 2, 1))
    for t in range(len(samples)):
        old[0, 0] = samples[t]
        _step(old, new, bias, response, activation, first, source, weight)
        old, new = new, old
        outputs[t, 0], outputs[t, 1] = old[gate, 0], old[score, 0]
