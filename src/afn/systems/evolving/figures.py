"""An evolved network: its nodes and connections, its outputs along waveforms, and how it came about."""

from pathlib import Path

import numpy as np

from afn.common.progress import Progress
from afn.systems.evolving import network_plot
from afn.systems.evolving.network_plot import Graph
from afn.systems.evolving.rnn import ACTIVATIONS, Network
from afn.systems.evolving.system import EvolvingSystem
from afn.systems.protocol import Chosen


def draw(system: EvolvingSystem, chosen: Chosen, out: Path) -> None:
    """Write `network.png`, `evolution.png`, and one figure an utterance of `chosen`."""
    heading = f"{system.settings.title}, seed {system.seed}"
    nodes, connections = system.genome.size()
    network_plot.draw_network(
        out / "network.png",
        graph(system.network),
        f"{heading}: the grand champion\n{len(system.network.bias)} of its {nodes} nodes and "
        f"{len(system.network.weight)} of its {connections} connections reach an output",
    )
    if history := system.history:
        network_plot.draw_evolution(
            out / "evolution.png",
            [row["best_fitness"] for row in history],
            [row["mean_fitness"] for row in history],
            [(row["generation"], row["dev_eer"]) for row in history if row["dev_eer"] is not None],
            heading,
        )
    with Progress("network", len(chosen.utterances)) as progress:
        for utt in chosen.utterances:
            features = chosen.features[utt]
            outputs = system.trace(features)
            passed = outputs[:, 0] > 0.5
            above = f"{utt} · {chosen.labels[utt]} · gate open for {100 * passed.mean():.0f} % · {heading}"
            rate = system.settings.features.sample_rate
            network_plot.draw_utterance(out / f"{utt}.png", features.ravel(), outputs, rate, above)
            progress.advance()


def graph(network: Network) -> Graph:
    """The network as it is drawn; an output that nothing leads to stands alone, at the value 0."""
    count = len(network.bias)
    outputs = [network.gate, network.score]
    hidden = [node for node in range(1, count + 1) if node not in outputs]
    place = {node: number for number, node in enumerate([0, *hidden])}
    texts = ["sample", *(_text(network, node) for node in hidden)]
    for name, node in zip(("gate", "score"), outputs, strict=True):
        place[node] = len(texts)
        texts.append(f"{name}\n{_text(network, node)}" if node <= count else f"{name}\n0")
    targets = np.repeat(np.arange(1, count + 1), np.diff(network.first))
    links = zip(network.source.tolist(), targets.tolist(), network.weight.tolist(), strict=True)
    edges = [
        (place[source], place[target], weight)
        for source, target, weight in links
        if source <= count  # beyond stands the value that stays 0
    ]
    return Graph(texts, edges, len(outputs))


def _text(network: Network, node: int) -> str:
    return f"{ACTIVATIONS[network.activation[node - 1]]}\n{network.bias[node - 1]:+.2f}"
