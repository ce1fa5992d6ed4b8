"""How cost grows with the data, and what whole corpora cost.

    python bench/bench_growth.py            the table
    python bench/bench_growth.py --save     also bench/results/growth.json and the tables of docs/costs.md

Features, training and scoring of the attentive filtering network, and stage 3, on one, two and four times as much. On a
CPU the seconds are those of one core, which other load changes little; on a GPU those by the clock. An exponent of 1
is growth in proportion. Costs of corpora are computed from the seconds that a further utterance takes, not measured.
"""

import argparse
import json
import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from afn.common import files
from afn.common.paths import ROOT
from afn.experiment import environment
from afn.metrics import analysis
from afn.metrics.analysis import ScoredSystem
from afn.metrics.fusion import FusionSettings
from afn.metrics.trials import Trials, joined
from afn.systems import device as devices
from afn.systems.neural import training
from afn.systems.neural.attentive_filtering import AttentiveFilteringNetwork
from afn.systems.neural.batches import Tiled
from afn.systems.neural.inference import for_scoring
from afn.systems.neural.settings import Training
from afn.systems.subset import Subset, in_order
from bench_spectrogram import extract, noise
from measuring import Row, show, side_by_side

SAVED, PAGE = ROOT / "bench" / "results" / "growth.json", ROOT / "docs" / "costs.md"
BEGIN, END = "<!-- tables of bench/bench_growth.py -->\n", "<!-- end of the tables -->\n"
SIZES = (1, 2, 4)  # times the data
# Utterances at the least of them
LEAST = {"features": 400, "training": 4, "scoring": 4, "stage 3": 13_306}
RECORDINGS = 100  # different ones, of 3.5 s
FRAMES, BINS = 1091, 257
MEAN_FRAMES = 282  # of an utterance of ASVspoof 2017 Version 2.0
GOALS = {13_306: 60.0, 134_730: 300.0}  # scores -> seconds that stage 3 may take
RESAMPLES, FEW = 10_000, 1_000  # of the bootstrap; for growth
CORES, EPOCHS, HOUR = 2, 30, 3600


@dataclass(frozen=True)
class Corpus:
    """The numbers of utterances of a corpus; one without a training set is only scored."""

    title: str
    train: int
    dev: int
    test: int


CORPORA = (
    Corpus("ASVspoof 2017 V2", 3_014, 1_710, 13_306),
    Corpus("ASVspoof 2019 PA", 54_000, 29_700, 134_730),
    Corpus("ASVspoof 2021 PA", 0, 0, 943_110),
)


@dataclass(frozen=True)
class Cost:
    """Core seconds that an utterance takes: features, an epoch of training, scoring; and its features' bytes."""

    features: float
    training: float
    scoring: float
    size: float

    def of(self, corpus: Corpus) -> dict[str, float]:
        """Hours on `CORES` cores of every part of a reproduction with one seed, and GB on disk."""
        scored, hour = corpus.dev + corpus.test, CORES * HOUR
        epoch = (corpus.train * self.training + corpus.dev * self.scoring) / hour
        return {
            "features": (corpus.train + scored) * self.features / hour,
            "an epoch": epoch,
            f"{EPOCHS} epochs": EPOCHS * epoch,
            "scoring": scored * self.scoring / hour,
            "disk": (corpus.train + scored) * self.size / 1e9 if corpus.train else 0.0,
        }


def measured(repeats: int) -> dict[str, Any]:
    """Seconds of each part at each size, of stage 3 at the sizes of `GOALS`, and bytes of features, for JSON."""
    device = devices.choose()
    torch.set_num_threads(1)  # threads that wait would count
    seconds: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        most = {what: least * SIZES[-1] for what, least in LEAST.items()}
        work = {
            "features": features(Path(name), most["features"]),
            "training": learning(most["training"], device),
            "scoring": scoring(most["scoring"], device),
            "stage 3": lambda count: stage_three(count, FEW),
        }
        for what, run in work.items():
            sides = {
                str(LEAST[what] * size): (lambda run=run, count=LEAST[what] * size: timed(run, count, device))
                for size in SIZES
            }
            seconds[what] = side_by_side(sides, repeats)
        size = sum(path.stat().st_size for path in Path(name, "out").glob("*.ark")) / most["features"]
    goals = {str(count): timed(lambda n: stage_three(n, RESAMPLES), count, device) for count in GOALS}
    return {
        "environment": environment.describe(),
        "seconds": seconds,
        "stage_3": goals,
        "feature_bytes": size,
    }


def timed(run: Callable[[int], None], count: int, device: torch.device) -> float:
    """Seconds of the processor, or of the clock where a GPU works."""
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    started = clock()
    run(count)
    return clock() - started


def measure(repeats: int = 1, content: dict[str, Any] | None = None) -> list[Row]:
    """Seconds of each size beside proportional growth, stage 3 beside its goals, and the hours of whole corpora."""
    content = content or measured(repeats)
    rows = []
    for what, seconds in content["seconds"].items():
        before = None
        for count, taken in seconds.items():
            beside = "in proportion" if before else ""
            rows.append(Row(f"{what}: {count} utterances", "core s", taken, before and 2 * before, beside))
            before = taken
        rows.append(Row(f"{what}: exponent of growth", "", exponent(list(seconds.values()))))
    for count, taken in content["stage_3"].items():
        rows.append(Row(f"stage 3: {count} scores, {RESAMPLES} resamples", "core s", taken, goal=GOALS[int(count)]))
    arithmetic, traffic = forward_pass()
    rows.append(Row("AFN: a forward pass of an utterance, arithmetic", "GMAC", arithmetic / 1e9))
    rows.append(Row("AFN: the same, memory traffic in bfloat16", "GB", 2 * traffic / 1e9))
    cost = cost_of(content)
    return rows + [
        Row(f"{corpus.title}, computed: {what}", "GB" if what == "disk" else "h", value)
        for corpus in CORPORA
        for what, value in cost.of(corpus).items()
    ]


def exponent(seconds: list[float]) -> float:
    """The power of the size with which seconds grow, from the first size to the last."""
    return math.log(seconds[-1] / seconds[0]) / math.log(SIZES[-1] / SIZES[0])


def cost_of(content: dict[str, Any]) -> Cost:
    """What a further utterance takes: without fixed costs, such as the start of the first batch."""
    slopes = {}
    for what, seconds in content["seconds"].items():
        counts, taken = list(map(int, seconds)), list(seconds.values())
        slopes[what] = (taken[-1] - taken[0]) / (counts[-1] - counts[0])
    return Cost(slopes["features"], slopes["training"], slopes["scoring"], content["feature_bytes"])


def tables(content: dict[str, Any]) -> str:
    """The tables of docs/costs.md."""
    lines = ["| core seconds | 1 × | 2 × | 4 × | exponent |", "|---|--:|--:|--:|--:|"]
    names = {"stage 3": f"stage 3, {FEW:,} resamples"}
    for what, seconds in content["seconds"].items():
        cells = [f"{names.get(what, what)}: {int(next(iter(seconds))):,} utterances"]
        cells += [f"{taken:.3g}" for taken in seconds.values()] + [f"{exponent(list(seconds.values())):.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", f"| stage 3, {RESAMPLES:,} resamples | core seconds | goal |", "|---|--:|--:|"]
    lines += [f"| {int(n):,} scores | {taken:.0f} | {GOALS[int(n)]:.0f} |" for n, taken in content["stage_3"].items()]
    return "\n".join(lines) + "\n\n" + corpora(cost_of(content))


def corpora(cost: Cost) -> str:
    """The table of what whole corpora cost."""
    lines = [f"| {CORES} cores, computed | {' | '.join(cost.of(CORPORA[0]))} |", "|---|--:|--:|--:|--:|--:|"]
    for corpus in CORPORA:
        cells = [f"{v:.0f} GB" if what == "disk" else f"{v:.3g} h" for what, v in cost.of(corpus).items()]
        lines.append(f"| {corpus.title} | {' | '.join('–' if float(c.split()[0]) == 0 else c for c in cells)} |")
    return "\n".join(lines) + "\n"


def save(content: dict[str, Any]) -> None:
    """Write the JSON and the tables of the page."""
    files.write_text(SAVED, json.dumps(content, indent=2) + "\n")
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    files.write_text(PAGE, before + BEGIN + tables(content) + END + rest.split(END)[1])


def features(folder: Path, most: int) -> Callable[[int], None]:
    """Extraction of a number of recordings, on one core, into an archive."""
    different = noise(folder, RECORDINGS)
    recordings = [(f"u{place:06}", different[place % RECORDINGS][1]) for place in range(most)]
    return lambda count: extract(recordings[:count], folder / "out", 1.0, 1)


def learning(most: int, device: torch.device) -> Callable[[int], None]:
    """The steps of an epoch of a number of utterances, in the paper's batches of 4."""
    subset = made_up(most)
    recipe = Training(
        epochs=1,
        patience=1,
        batch_size=4,
        learning_rate=1e-3,
        amsgrad=True,
        lr_factor=0.5,
        lr_patience=1,
        precision="auto",
        checkpoint_minutes=60.0,
    )
    trainer = training.Trainer(AttentiveFilteringNetwork(), subset, subset, recipe, 1, Path(tempfile.gettempdir()))
    trainer.model.train()

    def run(count: int) -> None:
        for places in in_order(count, recipe.batch_size):
            trainer.step(*trainer.train.batch(places))  # waits for the loss

    return run


def forward_pass() -> tuple[int, int]:
    """What the network does for an utterance in training: multiplications with additions, and values moved.

    Each convolution, batch norm, activation and pooling reads its input and writes its output; a batch norm reads the
    input a second time, for its statistics. Nothing is fused.
    """
    counts, batch = {"arithmetic": 0, "traffic": 0}, 2  # of one, batch norms of vectors have no variance

    def count(layer: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        if output.ndim < 4:
            return
        counts["traffic"] += inputs[0].numel() * (2 if isinstance(layer, nn.BatchNorm2d) else 1) + output.numel()
        if isinstance(layer, nn.Conv2d):
            counts["arithmetic"] += output.numel() * layer.weight[0].numel()

    model = AttentiveFilteringNetwork().train()
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.BatchNorm2d | nn.ReLU | nn.MaxPool2d):
            layer.register_forward_hook(count)
    with torch.no_grad():
        model(torch.randn(batch, 1, BINS, FRAMES))
    return counts["arithmetic"] // batch, counts["traffic"] // batch


def scoring(most: int, device: torch.device) -> Callable[[int], None]:
    """Scores of a number of utterances, by the graph of stage 2."""
    subset = made_up(most)
    model = for_scoring(devices.placed(AttentiveFilteringNetwork(), device))

    def run(count: int) -> None:
        batches = (
            ([subset.utterances[place] for place in places], subset.batch(places)[0])
            for places in in_order(count, training.scoring_batch(device, FRAMES))
        )
        for _ in training.scores(model, batches, device, "growth", count):
            pass

    return run


def stage_three(count: int, resamples: int) -> None:
    """Figures of two systems with three seeds each and of their fusion, on dev and on eval of `count` trials.

    48 speakers and up to 39,366 replay configurations, as in ASVspoof 2021 PA.
    """
    rng = np.random.default_rng(1)
    trials = {}
    for subset, size in (("dev", count // 4), ("eval", count)):
        genuine, speakers = np.arange(size) % 8 == 0, rng.integers(48, size=size).astype(str)
        levels = {"room": 9, "microphone": 3, "distance": 6, "attacker": 9, "recorder": 3, "device": 3, "far": 3}
        conditions = {name: rng.integers(codes, size=size).astype(str) for name, codes in levels.items()}
        for name in ("attacker", "recorder", "device", "far"):
            conditions[name][genuine] = "-"
        configurations = joined(genuine, speakers, conditions)
        trials[subset] = Trials(tuple(map(str, range(size))), genuine, speakers, conditions, configurations)
    systems = []
    for name in ("a", "b"):
        found = {s: {n: rng.normal(1.5 * of.genuine, 1) for n in (1, 2, 3)} for s, of in trials.items()}
        averaged = {subset: np.mean(list(seeds.values()), axis=0) for subset, seeds in found.items()}
        systems.append(ScoredSystem(name, name, averaged, found))
    fusions = {"all": ("all", FusionSettings(title="all", members="all"))}
    analysis.analyse(trials, systems, fusions, resamples=resamples)


def made_up(count: int) -> Tiled:
    """Noise in place of spectrograms, of the corpus' mean length."""
    random = np.random.default_rng(1)
    labels = {f"u{place:06}": ("genuine", "spoof")[place % 2] for place in range(count)}
    matrices = {utt: random.standard_normal((MEAN_FRAMES, BINS), dtype=np.float32) for utt in labels}
    return Tiled(Subset("growth", labels, matrices), FRAMES, BINS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1, help="of which the median is taken (default 1)")
    parser.add_argument("--save", action="store_true", help=f"also write {SAVED.name} and the tables of {PAGE.name}")
    options = parser.parse_args()
    content = measured(options.repeats)
    show(measure(content=content))
    if options.save:
        save(content)


if __name__ == "__main__":
    main()
