"""How long one generation of evolving networks takes, beside neat-python's own networks on the same genomes.

    python bench/bench_ernn.py
    python bench/bench_ernn.py --mutations 100 --threads 1

A generation is the fitness of a whole population: flat networks, blocks of utterances, scores, ease of classification.
The genomes have been mutated often enough to have hidden nodes and loops.

neat-python's RecurrentNetwork would take hours for it. It runs some of the genomes over the first samples of one
utterance, ours runs them over those of all. The greatest difference of any output is printed beside the times. Times on
one thread are CPU times, which other load hardly changes.
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import neat
import numpy as np

from afn.common.paths import ROOT
from afn.systems.evolving import fitness, genomes, rnn
from measuring import Row

RATE = 16000  # Hz


@dataclass(frozen=True)
class Figures:
    """Of one generation and of the comparison; times a sample and network in s."""

    generation: float  # s by the clock
    processor: float  # s
    size: str  # of the genomes
    pace: float  # of the generation, by the clock
    plain: float  # neat-python's
    alone: float  # ours on one thread
    difference: float  # the greatest, of any output


def measure() -> list[Row]:
    """The rows of `./run.sh bench`."""
    of = figures(parser().parse_args([]))
    return [
        Row("evolving RNN, a generation of 150 x 100 x 2 s", "s", of.generation, goal=30),
        Row("evolving RNN, a sample and network", "ns", 1e9 * of.pace, 1e9 * of.plain, "neat-python", goal=200),
    ]


def main() -> None:
    arguments = parser().parse_args()
    if min(arguments.population, arguments.utterances, arguments.repeats, arguments.compared, arguments.samples) < 1:
        parser().error("counts must be at least 1")
    of = figures(arguments)
    print(
        f"{arguments.population} genomes (on average {of.size}) x {arguments.utterances} utterances x "
        f"{arguments.seconds:g} s: {of.generation:.1f} s a generation, {of.processor:.1f} s of the processor\n"
        f"{arguments.compared} of them, a sample and network: neat-python {1e9 * of.plain:.0f} ns, ours on one thread "
        f"{1e9 * of.alone:.1f} ns ({of.plain / of.alone:.0f} times as fast), the generation {1e9 * of.pace:.1f} ns "
        f"({of.plain / of.pace:.0f} times); outputs differ by at most {of.difference:.1e}"
    )


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--population", type=int, default=150, help="genomes (default 150)")
    found.add_argument("--utterances", type=int, default=100, help="(default 100)")
    found.add_argument("--seconds", type=float, default=2.0, help="of each utterance (default 2)")
    found.add_argument("--mutations", type=int, default=30, help="of each genome before (default 30)")
    found.add_argument("--threads", type=int, help="(default: as many as there are cores)")
    found.add_argument("--repeats", type=int, default=3, help="generations of which the median is taken (default 3)")
    found.add_argument("--compared", type=int, default=20, help="genomes that neat-python runs too (default 20)")
    found.add_argument("--samples", type=int, default=8000, help="that it runs them over (default 8000)")
    found.add_argument("--seed", type=int, default=1, help="of genomes and utterances (default 1)")
    return found


def figures(arguments: argparse.Namespace) -> Figures:
    """Time generations, then neat-python beside ours."""
    config, evolved = population(arguments)
    noise = np.random.default_rng(arguments.seed)
    samples = round(arguments.seconds * RATE)
    waveforms = [noise.standard_normal(samples, dtype=np.float32) for _ in range(arguments.utterances)]
    generation(evolved, config, [waveform[:100] for waveform in waveforms], arguments.threads)  # compiles
    durations = [timed(generation, evolved, config, waveforms, arguments.threads) for _ in range(arguments.repeats)]
    seconds, processor = (statistics.median(values) for values in zip(*durations, strict=True))
    pace = seconds / (arguments.population * arguments.utterances * samples)
    compared = compare(evolved[: arguments.compared], config, waveforms, arguments.samples)
    return Figures(seconds, processor, sizes(evolved, config), pace, *compared)


def population(arguments: argparse.Namespace) -> tuple[neat.Config, list[genomes.Genome]]:
    """Genomes of conf/neat.conf after many mutations."""
    config = genomes.configuration(ROOT / "conf" / "neat.conf", arguments.population)
    random.seed(arguments.seed)
    evolved = list(neat.Population(config).population.values())
    for genome in evolved:
        for _ in range(arguments.mutations):
            genome.mutate(config.genome_config)
    return config, evolved


def sizes(evolved: list[genomes.Genome], config: neat.Config) -> str:
    networks = [genomes.network(genome, config) for genome in evolved]
    nodes = np.mean([len(network.bias) for network in networks])
    return f"{nodes:.1f} nodes and {np.mean([len(network.weight) for network in networks]):.1f} connections"


def generation(evolved: list, config: neat.Config, waveforms: list[np.ndarray], threads: int | None) -> np.ndarray:
    """The fitness of every genome; the first half of the utterances counts as genuine."""
    networks = [genomes.network(genome, config) for genome in evolved]
    scores = rnn.scores(networks, rnn.blocks(waveforms), threads)
    return fitness.fitness(scores, np.arange(len(waveforms)) < len(waveforms) // 2)


def compare(
    evolved: list, config: neat.Config, waveforms: list[np.ndarray], samples: int
) -> tuple[float, float, float]:
    """Run neat-python over the beginning of one utterance, ours on one thread over those of all.

    Returns the seconds of the processor of either, a sample and network, and the greatest difference of any output.
    """
    begins = [waveform[:samples] for waveform in waveforms]
    plain, differences = 0.0, []
    for genome in evolved:
        network = neat.nn.RecurrentNetwork.create(genome, config)
        inputs = [[float(sample)] for sample in begins[0]]
        started = time.process_time()
        theirs = [network.activate(sample) for sample in inputs]
        plain += time.process_time() - started
        ours = rnn.trace(genomes.network(genome, config), begins[0])
        differences.append(np.abs(ours - np.array(theirs)).max())
    networks = [genomes.network(genome, config) for genome in evolved]
    _, compiled = timed(rnn.scores, networks, rnn.blocks(begins), 1)
    steps = len(evolved) * len(begins[0])
    return plain / steps, compiled / (steps * len(begins)), max(differences)


def timed(function: Callable[..., object], *arguments: object) -> tuple[float, float]:
    """Seconds that passed, and seconds of the processor over all threads."""
    started = time.perf_counter(), time.process_time()
    function(*arguments)
    return time.perf_counter() - started[0], time.process_time() - started[1]


if __name__ == "__main__":
    main()
