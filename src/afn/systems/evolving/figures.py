"""Figures of an evolved network: its nodes and connections, its outputs along a waveform, the course of evolution."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from afn.common.figures import CLASS_COLOURS, Axes, FancyArrowPatch, Line2D, png_file
from afn.common.progress import Progress
from afn.systems.evolving.genomes import Genome
from afn.systems.evolving.rnn import ACTIVATIONS, Network
from afn.systems.protocol import Chosen

POSITIVE, NEGATIVE, NEUTRAL = "#0072b2", "#d55e00", "#999999"
WINDOW = 0.01  # s, over which gate and score are averaged
RADIUS = 0.16  # of a node, in columns
LABELLED = 40  # connections; the weights of more would cover each other


class Evolved(Protocol):
    """What the figures need of an evolved network."""

    settings: Any
    seed: int
    genome: Genome
    network: Network
    history: list[dict[str, Any]]

    def trace(self, features: np.ndarray) -> np.ndarray: ...


def draw(system: Evolved, chosen: Chosen, out: Path) -> None:
    """Write stage 1 of an evolved network into `out`: `network.png`, `evolution.png`, and a figure per utterance."""
    heading = f"{system.settings.title}, seed {system.seed}"
    nodes, connections = system.genome.size()
    draw_network(
        out / "network.png",
        graph_of(system.network),
        f"{heading}: the grand champion\n{len(system.network.bias)} of its {nodes} nodes and "
        f"{len(system.network.weight)} of its {connections} connections reach an output",
    )
    if history := system.history:
        draw_evolution(
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
            draw_utterance(out / f"{utt}.png", features.ravel(), outputs, rate, above)
            progress.advance()


@dataclass(frozen=True)
class Graph:
    """A network as it is drawn: the input comes first among the nodes, the outputs come last."""

    nodes: Sequence[str]  # the text in each
    edges: Sequence[tuple[int, int, float]]  # (source, target, weight), by places in `nodes`
    outputs: int  # how many of the last nodes are outputs

    @property
    def columns(self) -> np.ndarray:
        """int[nodes]: 0 for the input, the fewest connections from it for hidden nodes, the outputs one further."""
        hidden = range(1, len(self.nodes) - self.outputs)
        column = {0: 0}
        while reached := {
            target: 1 + min(column[s] for s, t, _ in self.edges if t == target and s in column)
            for source, target, _ in self.edges
            if source in column and target in hidden and target not in column
        }:
            column |= reached
        last = 1 + max((column.get(node, 1) for node in hidden), default=0)
        return np.array([column.get(node, 1 if node in hidden else last) for node in range(len(self.nodes))])


def graph_of(network: Network) -> Graph:
    """The network as it is drawn; an output without connections has the value 0."""
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
        if source <= count  # a larger number is the value that is always 0
    ]
    return Graph(texts, edges, len(outputs))


def _text(network: Network, node: int) -> str:
    return f"{ACTIVATIONS[network.activation[node - 1]]}\n{network.bias[node - 1]:+.2f}"


def draw_network(path: Path, graph: Graph, title: str) -> None:
    """Nodes from the input on the left to the outputs on the right; connections by sign, strength and direction.

    Those that lead back, or from a node to itself, are dashed: they are the memory. `title` is shown above.
    """
    columns = graph.columns
    places = np.zeros((len(columns), 2))
    for column in np.unique(columns):
        (of_column,) = np.nonzero(columns == column)
        # Outputs stand further apart, so that connections over a column run around most of its nodes.
        distance = 1.6 if column == columns.max() else 0.8
        places[of_column, 0] = column
        places[of_column, 1] = distance * ((len(of_column) - 1) / 2 - np.arange(len(of_column)))
    low, high = places[:, 1].min() - 0.6, places[:, 1].max() + 0.8
    with png_file(path, 2.2 * (columns.max() + 1), 1 + 2 * (high - low), "constrained") as figure:
        panel = figure.subplots()
        strongest = max((abs(weight) for _, _, weight in graph.edges), default=1.0) or 1.0
        pairs = {(source, target) for source, target, _ in graph.edges}
        for source, target, weight in graph.edges:
            back = columns[source] >= columns[target]
            bend = 0.35 if back or (target, source) in pairs or columns[target] - columns[source] > 1 else 0.0
            if places[source, 1] + places[target, 1] > 0:
                bend = -bend  # outwards
            _arrow(panel, places[source], places[target], weight, abs(weight) / strongest, back, bend)
            if len(graph.edges) <= LABELLED:
                _label(panel, places[source], places[target], weight, bend)
        for (x, y), text in zip(places, graph.nodes, strict=True):
            box = {"boxstyle": "circle,pad=0.35", "facecolor": "white", "edgecolor": "black"}
            panel.text(x, y, text, ha="center", va="center", fontsize=8, bbox=box, zorder=3)
        panel.set(xlim=(-0.5, columns.max() + 0.5), ylim=(low, high), aspect="equal")
        panel.set_axis_off()
        handles = [
            Line2D([], [], color=POSITIVE, label="weight above 0"),
            Line2D([], [], color=NEGATIVE, label="below 0"),
            Line2D([], [], color=NEUTRAL, linestyle="--", label="recurrent"),
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
        figure.suptitle(title, fontsize=10)


def _arrow(
    panel: Axes, start: np.ndarray, end: np.ndarray, weight: float, strength: float, back: bool, bend: float
) -> None:
    style: dict[str, Any] = {
        "arrowstyle": "-|>", "mutation_scale": 11, "linewidth": 0.6 + 2.4 * strength, "zorder": 2,
        "color": POSITIVE if weight > 0 else NEGATIVE, "linestyle": (0, (4, 2)) if back else "-",
    }  # fmt: skip
    if np.array_equal(start, end):  # a loop above the node
        left, right = start + (-0.7 * RADIUS, RADIUS), start + (0.7 * RADIUS, RADIUS)
        panel.add_patch(FancyArrowPatch(left, right, connectionstyle="arc3,rad=-1.6", **style))  # type: ignore[arg-type]  # takes arrays
    else:
        panel.add_patch(
            FancyArrowPatch(start, end, connectionstyle=f"arc3,rad={bend}", shrinkA=26, shrinkB=26, **style)  # type: ignore[arg-type]
        )


def _label(panel: Axes, start: np.ndarray, end: np.ndarray, weight: float, bend: float) -> None:
    """The weight in the middle of its connection."""
    along = end - start
    place = (start + end) / 2 + 0.5 * bend * np.array([along[1], -along[0]])
    if not along.any():
        place = start + (0, 2.6 * RADIUS)
    frame = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.8}
    panel.text(place[0], place[1], f"{weight:+.2f}", fontsize=7, ha="center", va="center", bbox=frame, zorder=4)


def draw_utterance(path: Path, samples: np.ndarray, outputs: np.ndarray, rate: int, title: str) -> None:
    """One utterance as three panels over time.

    Args:
        path: the PNG to write.
        samples: float[N], the whitened waveform.
        outputs: float[N × 2], gate and score output after every sample.
        rate: samples a second.
        title: shown above.
    """
    width = max(1, round(WINDOW * rate))
    begins = np.arange(0, len(samples), width)
    seconds = (begins + width / 2) / rate
    gate, score = outputs.T
    passed = gate > 0.5
    counts = np.minimum(width, len(samples) - begins)
    share = np.add.reduceat(passed, begins, dtype=float) / counts
    sums = np.add.reduceat(np.where(passed, score, 0.0), begins)
    with png_file(path, 9, 6.5, "constrained") as figure:
        wave, gated, scored = figure.subplots(3, 1, sharex=True)
        lowest, highest = np.minimum.reduceat(samples, begins), np.maximum.reduceat(samples, begins)
        wave.fill_between(seconds, lowest, highest, color="black", linewidth=0)
        wave.set(xlim=(0, len(samples) / rate), ylabel="whitened waveform")
        gated.fill_between(seconds, 0, 100 * share, color=NEUTRAL, alpha=0.5, linewidth=0, label="open")
        gate_mean = 100 * np.add.reduceat(gate, begins) / counts
        gated.plot(seconds, gate_mean, color="black", linewidth=0.8, label="gate output")
        gated.set(ylim=(-2, 125), yticks=(0, 25, 50, 75, 100), ylabel="gate: % of 10 ms")
        gated.legend(frameon=False, ncols=2, fontsize=8, loc="upper right")
        opened = share > 0
        scored.scatter(
            seconds[opened], sums[opened] / (share * counts)[opened], s=6 * share[opened],
            color=CLASS_COLOURS["genuine"], label="mean of the samples that passed in 10 ms",
        )  # fmt: skip
        whole = float(score[passed].mean()) if passed.any() else 0.5
        scored.axhline(whole, color="black", linestyle="--", linewidth=0.8, label=f"the utterance's: {whole:.4f}")
        scored.margins(y=0.3)
        scored.set(ylabel="score output", xlabel="time (s)")
        scored.legend(frameon=False, ncols=2, fontsize=8, loc="upper right")
        figure.suptitle(title)


def draw_evolution(
    path: Path, best: Sequence[float], mean: Sequence[float], tried: Sequence[tuple[int, float]], title: str
) -> None:
    """How evolution went, over generations from 1.

    Args:
        path: the PNG to write.
        best, mean: the highest and the mean fitness of every generation, 0…1.
        tried: generation and lowest dev EER in percent, where the fittest were tried on dev.
        title: shown above.
    """
    with png_file(path, 9, 3.4, "constrained") as figure:
        fitness, errors = figure.subplots(1, 2)
        generations = np.arange(1, len(best) + 1)
        fitness.plot(generations, best, color=CLASS_COLOURS["genuine"], label="fittest")
        fitness.plot(generations, mean, color=NEUTRAL, label="mean")
        fitness.set(xlabel="generation", ylabel="fitness on the mini-batch")
        numbers, eers = np.array(tried, dtype=float).reshape(-1, 2).T
        errors.plot(numbers, eers, color=CLASS_COLOURS["spoof"], marker=".", linewidth=0.8, label="best of those tried")
        errors.step(numbers, np.minimum.accumulate(eers), where="post", color="black", label="grand champion")
        errors.set(xlabel="generation", ylabel="dev EER (%)", ylim=(0, None))
        for panel in (fitness, errors):
            panel.legend(frameon=False, fontsize=8)
            panel.grid(alpha=0.3)
        figure.suptitle(title)
