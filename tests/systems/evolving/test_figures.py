"""Stage 1 of evolved networks."""

import json

import numpy as np

import evolving_genomes
from afn.common import config
from afn.common.paths import ROOT
from afn.systems import registry
from afn.systems.evolving import figures
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
