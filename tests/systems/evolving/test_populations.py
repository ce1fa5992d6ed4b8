"""A population written down and read again evolves as the one that was not."""

import json
import random

import neat

from afn.systems.evolving import populations
from evolving_genomes import configuration


def fitness(genomes, config):
    """Prefers large weights and few nodes: something that selects."""
    for _, genome in genomes:
        genome.fitness = sum(c.weight for c in genome.connections.values()) - 0.1 * len(genome.nodes)


def generation(population, number):
    random.seed(number)
    population.run(fitness, 1)


def test_evolution_goes_on_as_if_never_interrupted():
    random.seed(0)
    whole = neat.Population(configuration(40))
    for number in range(12):
        generation(whole, number)
    random.seed(0)
    cut = neat.Population(configuration(40))
    for number in range(12):
        text = json.dumps(populations.plain(cut))
        cut = populations.from_plain(json.loads(text), configuration(40))
        assert json.dumps(populations.plain(cut)) == text
        generation(cut, number)
    expected = populations.plain(whole)
    assert populations.plain(cut) == expected
    assert expected["generation"] == 12
    assert len(expected["species"]) > 1
    assert max(len(genome["nodes"]) for genome in expected["genomes"]) > 3  # topologies have grown


def test_writing_a_population_down_does_not_change_it():
    random.seed(0)
    population = neat.Population(configuration(20))
    generation(population, 1)
    assert populations.plain(population) == populations.plain(population)
