"""The compiled networks: equal to neat-python's, whatever stands beside them in a block."""

import neat
import numpy as np
import pytest

from afn.systems.evolving import genomes, rnn
from afn.systems.evolving.rnn import ACTIVATIONS
from evolving_genomes import configuration, grown


@pytest.fixture(scope="module")
def config():
    return configuration()


@pytest.fixture(scope="module")
def grown_genomes(config):
    return grown(config, 12)


def waves(*lengths):
    return [np.random.default_rng(n).normal(size=n).astype(np.float32) for n in lengths]


def theirs(genome, config, samples):
    """Gate and score after every sample, by neat-python."""
    network = neat.nn.RecurrentNetwork.create(genome, config)
    return np.array([network.activate([float(sample)]) for sample in samples])


def score(outputs):
    passed = outputs[:, 0] > 0.5
    return outputs[passed, 1].mean() if passed.any() else 0.5


def test_outputs_are_those_of_neat_python(config, grown_genomes):
    (samples,) = waves(700)
    kinds, recurrent = set(), 0
    for genome in grown_genomes:
        network = genomes.network(genome, config)
        np.testing.assert_allclose(rnn.trace(network, samples), theirs(genome, config, samples), rtol=0, atol=1e-6)
        kinds |= {ACTIVATIONS[code] for code in network.activation}
        recurrent += len(network.bias) > 2
    assert kinds == set(ACTIVATIONS)
    assert recurrent >= 6  # networks with hidden nodes: the test would be easy without


def test_scores_are_the_mean_score_where_the_gate_is_open(config, grown_genomes):
    utterances = waves(90, 300, 1, 200, 250)
    networks = [genomes.network(genome, config) for genome in grown_genomes]
    expected = [[score(theirs(genome, config, samples)) for samples in utterances] for genome in grown_genomes]
    for lanes in (1, 2, 32):
        found = rnn.scores(networks, rnn.blocks(utterances, lanes))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    assert np.unique(expected).size > 30


def test_scores_are_the_same_for_any_number_of_threads(config, grown_genomes):
    networks = [genomes.network(genome, config) for genome in grown_genomes]
    blocks = rnn.blocks(waves(*range(100, 140)), 7)
    alone = rnn.scores(networks, blocks, threads=1)
    assert alone.shape == (12, 40)
    for threads in (2, 5, None):
        assert rnn.scores(networks, blocks, threads).tobytes() == alone.tobytes()


def test_values_beyond_all_bounds_are_those_of_neat_python(config):
    """A ReLU that feeds itself runs to infinity, and two of them to NaN."""
    genome = grown(config, 1, mutations=0)[0]
    genes = config.genome_config
    for key, activation in ((2, "relu"), (3, "relu"), (4, "tanh")):
        genome.nodes[key] = genome.create_node(genes, key)
        genome.nodes[key].activation, genome.nodes[key].bias = activation, 1.0
    genome.connections = {}
    links = [(-1, 2, 1.0), (2, 2, 9.0), (2, 3, 9.0), (3, 3, 9.0), (2, 4, 1.0), (3, 4, -1.0), (4, 0, 1.0), (3, 1, 1.0)]
    links += [(2, 1, -1.0)]
    for number, (source, target, weight) in enumerate(links, 100):
        genome.add_connection(genes, source, target, weight, True, innovation=number)
    (samples,) = waves(600)
    expected = theirs(genome, config, samples)
    np.testing.assert_array_equal(rnn.trace(genomes.network(genome, config), samples), expected)
    assert np.isfinite(expected).all()
