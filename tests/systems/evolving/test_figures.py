"""Stage 1 of evolved networks."""

import json

import matplotlib.image
import numpy as np
import pytest

import evolving_genomes
from afn.common import config
from afn.common.paths import ROOT
from afn.systems import registry
from afn.systems.evolving import figures
from afn.systems.evolving.figures import Graph
from afn.systems.evolving.rnn import Network
from afn.systems.evolving.settings import Evolving
from afn.systems.protocol import Chosen


def node(key, activation="sigmoid", bias=0.0):
    fixed = {"response": 1.0, "aggregation": "sum", "time_constant": 1.0}
    return {"key": key, "bias": bias, "activation": activation} | fixed


def link(source, target, weight, enabled=True):
    return {"key": [source, target], "innovation": 10 * source + target, "weight": weight, "enabled": enabled}


GENOME = {
    "key": 1,
    "fitness": 0.5,
    "nodes": [node(0, bias=0.5), node(1), node(2, "tanh", -0.25), node(3, "relu")],
    "connections": [link(-1, 0, 1.0), link(-1, 2, 2.0), link(2, 2, -1.5), link(2, 1, 0.5), link(-1, 3, 1.0)],
}


def loaded(directory):
    settings = config.build(Evolving, config.read(ROOT / "conf" / "systems" / "ernn.yaml"), "ernn")
    (directory / "neat.conf").write_bytes(evolving_genomes.CONF.read_bytes())
    (directory / "best.json").write_text(json.dumps({"generation": 1, "dev_eer": 20.0, "genome": GENOME}))
    system = registry.build(settings, 1)
    system.load(directory)
    return system


def test_the_network_is_drawn_as_it_computes(tmp_path):
    graph = figures.graph_of(loaded(tmp_path).network)
    assert graph.nodes == ["sample", "tanh\n-0.25", "gate\nsigmoid\n+0.50", "score\nsigmoid\n+0.00"]
    assert sorted(graph.edges) == [(0, 1, 2.0), (0, 2, 1.0), (1, 1, -1.5), (1, 3, 0.5)]  # the ReLU leads nowhere
    assert graph.outputs == 2


def test_outputs_without_connections_stand_alone():
    empty = np.zeros(0)
    graph = figures.graph_of(Network(empty, empty, empty.astype(int), np.zeros(1, int), empty.astype(int), empty, 1, 1))
    assert graph.nodes == ["sample", "gate\n0", "score\n0"]
    assert graph.edges == []


def test_pictures_of_the_network_its_evolution_and_each_utterance(tmp_path):
    system = loaded(tmp_path)
    samples = np.random.default_rng(1).normal(size=(3000, 1)).astype(np.float32)
    labels = {"E_1": "genuine", "E_2": "spoof", "E_3": "spoof"}
    chosen = Chosen(["E_1", "E_2"], ["E_3"], labels, dict.fromkeys(labels, samples))
    assert system.draw(chosen, tmp_path / "first")
    names = {"network.png", "E_1.png", "E_2.png"}
    assert {path.name for path in (tmp_path / "first").iterdir()} == names
    (tmp_path / "metrics.csv").write_text(
        "generation,best_fitness,mean_fitness,dev_eer\n1,0.6,0.5,30\n2,0.7,0.5,\n3,0.8,0.5,20\n"
    )
    loaded(tmp_path).draw(chosen, tmp_path / "second")
    assert {path.name for path in (tmp_path / "second").iterdir()} == names | {"evolution.png"}
    for name in names:
        assert (tmp_path / "second" / name).read_bytes() == (tmp_path / "first" / name).read_bytes()


# sample -> a -> b -> score, and back; c is fed by nothing that the sample reaches; the gate by nothing at all
GRAPH = Graph(
    ["sample", "a", "b", "c", "gate", "score"],
    [(0, 1, 1.0), (1, 2, -2.0), (2, 5, 0.5), (2, 1, 1.5), (2, 2, -0.3), (3, 5, 0.2), (0, 5, 3.0)],
    outputs=2,
)


def test_nodes_stand_as_far_from_the_input_as_their_shortest_way():
    assert GRAPH.columns.tolist() == [0, 1, 2, 1, 3, 3]
    assert Graph(["sample", "gate", "score"], [(0, 1, 1.0), (2, 2, 1.0)], 2).columns.tolist() == [0, 1, 1]
    shorter = Graph(GRAPH.nodes, [*GRAPH.edges, (0, 2, 1.0)], 2)
    assert shorter.columns.tolist() == [0, 1, 1, 1, 2, 2]


def pixels(path):
    return matplotlib.image.imread(path)


def coloured(picture, colour):
    """The number of pixels of about that colour."""
    wanted = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return int((np.abs(picture[..., :3] - wanted).max(axis=-1) < 0.06).sum())


def test_weights_are_told_by_colour_and_width(tmp_path):
    figures.draw_network(tmp_path / "a.png", GRAPH, "a")
    picture = pixels(tmp_path / "a.png")
    assert coloured(picture, figures.POSITIVE) > 500 < coloured(picture, figures.NEGATIVE)
    all_positive = Graph(GRAPH.nodes, [(s, t, abs(w)) for s, t, w in GRAPH.edges], 2)
    figures.draw_network(tmp_path / "b.png", all_positive, "a")
    assert coloured(pixels(tmp_path / "b.png"), figures.NEGATIVE) < 300  # the key alone
    figures.draw_network(tmp_path / "c.png", GRAPH, "a")
    assert (tmp_path / "c.png").read_bytes() == (tmp_path / "a.png").read_bytes()


def test_a_network_without_connections_is_drawn(tmp_path):
    figures.draw_network(tmp_path / "a.png", Graph(["sample", "gate", "score"], [], 2), "none")
    assert pixels(tmp_path / "a.png").shape[0] > 100


@pytest.mark.parametrize("gate", [0.0, 1.0])
def test_an_utterance_is_drawn_whether_the_gate_opens_or_not(tmp_path, gate):
    samples = np.random.default_rng(1).normal(size=1234)
    outputs = np.column_stack([np.full(1234, gate), np.linspace(0.2, 0.8, 1234)])
    figures.draw_utterance(tmp_path / "a.png", samples, outputs, 16000, "a")
    drawn = coloured(pixels(tmp_path / "a.png"), "#0072b2")
    assert drawn > 100 if gate else drawn < 100


def test_evolution_is_drawn(tmp_path):
    figures.draw_evolution(tmp_path / "a.png", [0.5, 0.6, 0.7], [0.4, 0.5, 0.5], [(1, 30.0), (3, 20.0)], "a")
    picture = pixels(tmp_path / "a.png")
    assert coloured(picture, "#0072b2") > 50 < coloured(picture, "#d55e00")
