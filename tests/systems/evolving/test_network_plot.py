"""Figures of evolved networks: the places of nodes, and that what is drawn is there."""

import matplotlib.image
import numpy as np
import pytest

from afn.systems.evolving import network_plot
from afn.systems.evolving.network_plot import Graph

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
    network_plot.draw_network(tmp_path / "a.png", GRAPH, "a")
    picture = pixels(tmp_path / "a.png")
    assert coloured(picture, network_plot.POSITIVE) > 500 < coloured(picture, network_plot.NEGATIVE)
    all_positive = Graph(GRAPH.nodes, [(s, t, abs(w)) for s, t, w in GRAPH.edges], 2)
    network_plot.draw_network(tmp_path / "b.png", all_positive, "a")
    assert coloured(pixels(tmp_path / "b.png"), network_plot.NEGATIVE) < 300  # the key alone
    network_plot.draw_network(tmp_path / "c.png", GRAPH, "a")
    assert (tmp_path / "c.png").read_bytes() == (tmp_path / "a.png").read_bytes()


def test_a_network_without_connections_is_drawn(tmp_path):
    network_plot.draw_network(tmp_path / "a.png", Graph(["sample", "gate", "score"], [], 2), "none")
    assert pixels(tmp_path / "a.png").shape[0] > 100


@pytest.mark.parametrize("gate", [0.0, 1.0])
def test_an_utterance_is_drawn_whether_the_gate_opens_or_not(tmp_path, gate):
    samples = np.random.default_rng(1).normal(size=1234)
    outputs = np.column_stack([np.full(1234, gate), np.linspace(0.2, 0.8, 1234)])
    network_plot.draw_utterance(tmp_path / "a.png", samples, outputs, 16000, "a")
    drawn = coloured(pixels(tmp_path / "a.png"), "#0072b2")
    assert drawn > 100 if gate else drawn < 100


def test_evolution_is_drawn(tmp_path):
    network_plot.draw_evolution(tmp_path / "a.png", [0.5, 0.6, 0.7], [0.4, 0.5, 0.5], [(1, 30.0), (3, 20.0)], "a")
    picture = pixels(tmp_path / "a.png")
    assert coloured(picture, "#0072b2") > 50 < coloured(picture, "#d55e00")
