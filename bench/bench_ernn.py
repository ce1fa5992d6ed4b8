"""One generation of evolving networks, and a sample of one network beside neat-python's own.

A generation is the fitness of a whole population: flat networks, blocks of utterances, scores, ease of classification.
The genomes have been mutated often enough to have hidden nodes and loops. neat-python's RecurrentNetwork would take
hours for it, so it runs some of the genomes over the first samples of one utterance.
"""

import random
import time

import neat
import numpy as np

from afn.common.paths import ROOT
from afn.systems.evolving import fitness, genomes, rnn
from measuring import Row, side_by_side

POPULATION, MUTATIONS = 150, 30  # genomes; mutations of each
UTTERANCES, LENGTH = 100, 32_000  # samples of each: 2 s
COMPARED, SAMPLES = 20, 8_000  # what neat-python runs


def measure(repeats: int = 3) -> list[Row]:
    """A generation by the clock, on all cores; and what a sample and network takes there and in neat-python."""
    config = genomes.configuration(ROOT / "conf" / "neat.conf", POPULATION)
    random.seed(1)
    evolved = list(neat.Population(config).population.values())
    for genome in evolved:
        for _ in range(MUTATIONS):
            genome.mutate(config.genome_config)
    waveforms = np.random.default_rng(1).standard_normal((UTTERANCES, LENGTH), dtype=np.float32)

    def generation() -> None:
        networks = [genomes.network(genome, config) for genome in evolved]
        fitness.fitness(rnn.scores(networks, rnn.blocks(list(waveforms))), np.arange(UTTERANCES) < UTTERANCES // 2)

    seconds = side_by_side({"ours": generation}, repeats)["ours"]
    pace = seconds / (POPULATION * UTTERANCES * LENGTH)
    plain = neats(evolved[:COMPARED], config, waveforms[0, :SAMPLES])
    return [
        Row("evolving RNN, a generation of 150 x 100 x 2 s", "s", seconds, goal=30),
        Row("evolving RNN, a sample and network", "ns", 1e9 * pace, 1e9 * plain, "neat-python", goal=200),
    ]


def neats(evolved: list[genomes.Genome], config: neat.Config, waveform: np.ndarray) -> float:
    """Seconds of the processor that neat-python takes, a sample and network."""
    networks = [neat.nn.RecurrentNetwork.create(genome, config) for genome in evolved]
    inputs = [[float(sample)] for sample in waveform]
    started = time.process_time()
    for network in networks:
        for sample in inputs:
            network.activate(sample)
    return (time.process_time() - started) / (len(networks) * len(inputs))
