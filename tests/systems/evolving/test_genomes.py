"""Genomes: what neat-python's configuration may say, flat networks, plain values."""

import json
import random

import neat
import numpy as np
import pytest

from afn.common.errors import UserError
from afn.systems.evolving import genomes, rnn
from evolving_genomes import CONF, configuration, grown


def test_the_configuration_is_neat_pythons_with_the_population_of_the_row():
    config = configuration(33)
    assert config.pop_size == 33 and config.no_fitness_termination
    assert config.reproduction_config.elitism == 5
    assert len(neat.Population(config, seed=1).population) == 33


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("weight_mutate_rate", "wait_mutate_rate"), "weight_mutate_rate"),
        (("num_inputs              = 1", "num_inputs = 2"), "num_inputs: 2 must be 1"),
        (("tanh relu", "gauss relu"), "'gauss' must be one of: sigmoid, tanh, relu, sin"),
        (("feed_forward            = False", "feed_forward = True"), "feed_forward: True must be False"),
        (("elitism                 = 5", "elitism = five"), "elitism"),
        (("[NEAT]", "NEAT"), "not a configuration"),
    ],
)
def test_mistakes_in_the_configuration_are_one_line(tmp_path, change, words):
    text = CONF.read_text()
    assert text.count(change[0])
    (tmp_path / "neat.conf").write_text(text.replace(*change))
    with pytest.raises(UserError, match=words) as raised:
        genomes.configuration(tmp_path / "neat.conf", 10)
    assert str(tmp_path / "neat.conf") in str(raised.value) and "\n" not in str(raised.value)


def linked(*links):
    """A genome with just these connections (source, target), of weight 1."""
    config = configuration()
    genome = grown(config, 1, mutations=0)[0]
    for key in {key for link in links for key in link if key > 1}:
        genome.nodes[key] = genome.create_node(config.genome_config, key)
    genome.connections = {}
    for number, link in enumerate(links):
        genome.add_connection(config.genome_config, *link, 1.0, True, innovation=number)
    return genomes.network(genome, config)


def test_nodes_that_reach_no_output_are_left_out():
    network = linked((-1, 2), (2, 0), (-1, 3), (3, 3), (3, 4), (-1, 1))
    assert len(network.bias) == 3
    assert network.first.tolist() == [0, 1, 2, 3]
    assert sorted(network.source.tolist()) == [0, 0, 1]


def test_what_nothing_leads_to_stays_zero():
    network = linked((2, 1))  # nothing leads to node 2 or to the gate
    assert len(network.bias) == 1
    outputs = rnn.trace(network, np.ones(3))
    assert not outputs[:, 0].any()
    assert 0 < outputs[0, 1] < 1  # sigmoid(5 × bias)
    assert len(linked().bias) == 0
    assert not rnn.trace(linked(), np.ones(3)).any()
    assert rnn.scores([linked()], rnn.blocks([np.ones(3)])) == 0.5


def test_plain_values_give_the_same_genome_back():
    config = configuration()
    for genome in grown(config, 5):
        genome.fitness = random.random()
        plain = json.loads(json.dumps(genomes.plain(genome)))
        again = genomes.from_plain(plain, config)
        assert genomes.plain(again) == plain
        assert again.key == genome.key and again.fitness == genome.fitness
        assert list(again.connections) == list(genome.connections) and list(again.nodes) == list(genome.nodes)
        assert again.distance(genome, config.genome_config) == 0
