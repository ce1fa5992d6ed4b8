"""Genomes for tests: the configuration of conf/neat.conf, and networks grown by chance."""

import functools
import operator
import random

from afn.common.paths import ROOT
from afn.systems.evolving import genomes

CONF = ROOT / "conf" / "neat.conf"


def configuration(population=20):
    """With plain sums: Python's own, from 3.12 on, carries the rounding errors along, which a network that amplifies
    them would show."""
    made = genomes.configuration(CONF, population)
    made.genome_config.add_aggregation("sum", lambda values: functools.reduce(operator.add, values, 0.0))
    return made


def grown(config, count, mutations=60, seed=1):
    """Genomes after many mutations: several hidden nodes, loops, disabled connections, dead ends."""
    random.seed(seed)
    found = []
    made = config.reproduction_type(config.reproduction_config, None, None)
    for genome in made.create_new(config.genome_type, config.genome_config, count).values():
        for _ in range(mutations):
            genome.mutate(config.genome_config)
        found.append(genome)
    return found
