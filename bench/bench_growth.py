"""How cost grows with the data, and what whole corpora cost.

    python bench/bench_growth.py            the tables
    python bench/bench_growth.py --save     also into bench/results/growth.json and docs/costs.md

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
from pathlib import Path
from typing import Any

import numpy as np
import torch

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
from afn.systems.neural.inference import for_scoring
from afn.systems.subset import in_order
from bench_network import FRAMES, noise_set, papers_trainer
from bench_spectrogram import extract, noise
from measuring import Row, side_by_side

SAVED, PAGE = ROOT / "bench" / "results" / "growth.json", ROOT / "docs" / "costs.md"
BEGIN, END = "<!-- tables of bench/bench_growth.py -->\n", "<!-- end of the tables -->\n"
SIZES = (1, 2, 4)  # times the data
LEAST = {"features": 400, "training": 4, "scoring": 4, "stage 3": 13_306}  # utterances
RECORDINGS = 100  # different ones, of 3.5 s
MEAN_FRAMES = 282  # of an utterance of ASVspoof 2017 Version 2.0
GOALS = {13_306: 60.0, 134_730: 300.0}  # scores -> seconds that stage 3 may take
RESAMPLES, FEW = 10_000, 1_000  # of the bootstrap; for growth
CORES, EPOCHS = 2, 30


CORPORA = {  # utterances of train, dev and eval; a corpus without train is only scored
    "ASVspoof 2017 V2": (3_014, 1_710, 13_306),
    "ASVspoof 2019 PA": (54_000, 29_700, 134_730),
    "ASVspoof 2021 PA": (0, 0, 943_110),
}


def measured() -> dict[str, Any]:
    """Seconds of each part at each size, of stage 3 at the sizes of `GOALS`, and bytes of features, for JSON."""
    device = devices.choose()
    torch.set_num_threads(1)  # threads that wait would count
    seconds: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        most = {what: least * SIZES[-1] for what, least in LEAST.items()}
        work = {
            "features": features(Path(name), most["features"]),
            "training": learning(most["training"]),
            "scoring": scoring(most["scoring"], device),
            "stage 3": lambda count: stage_three(count, FEW),
        }
        for what, run in work.items():
            sides = {
                str(LEAST[what] * size): (lambda run=run, count=LEAST[what] * size: timed(run, count, device))
                for size in SIZES
            }
            seconds[what] = side_by_side(sides, 1)
        size = sum(path.stat().st_size for path in Path(name, "out").glob("*.ark")) / most["features"]
    goals = {str(count): timed(lambda n: stage_three(n, RESAMPLES), count, device) for count in GOALS}
    return {"environment": environment.describe(), "seconds": seconds, "stage_3": goals, "feature_bytes": size}


def timed(run: Callable[[int], None], count: int, device: torch.device) -> float:
    """Seconds of the processor, or of the clock where a GPU works."""
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    started = clock()
    run(count)
    return clock() - started


def measure() -> list[Row]:
    """The exponents of growth, and stage 3 beside its goals; `tables` has the seconds at each size."""
    content = measured()
    return [
        *(Row(f"{what}: exponent of growth", "", exponent(list(s.values()))) for what, s in content["seconds"].items()),
        *(
            Row(f"stage 3: {count} scores, {RESAMPLES} resamples", "core s", taken, goal=GOALS[int(count)])
            for count, taken in content["stage_3"].items()
        ),
    ]


def exponent(seconds: list[float]) -> float:
    """The power of the size with which seconds grow, from the first size to the last."""
    return math.log(seconds[-1] / seconds[0]) / math.log(SIZES[-1] / SIZES[0])


def costs(content: dict[str, Any], train: int, dev: int, test: int) -> dict[str, float]:
    """Hours on `CORES` cores of every part of a reproduction with one seed, and GB on disk.

    An utterance costs what a further one takes: fixed costs, such as the start of the first batch, do not count.
    """
    hours = {}
    for what, seconds in content["seconds"].items():
        counts, taken = list(map(int, seconds)), list(seconds.values())
        hours[what] = (taken[-1] - taken[0]) / (counts[-1] - counts[0]) / (CORES * 3600)
    epoch = train * hours["training"] + dev * hours["scoring"]
    return {
        "features": (train + dev + test) * hours["features"],
        "an epoch": epoch,
        f"{EPOCHS} epochs": EPOCHS * epoch,
        "scoring": (dev + test) * hours["scoring"],
        "disk": (train + dev + test) * content["feature_bytes"] / 1e9 if train else 0.0,
    }


def tables(content: dict[str, Any]) -> str:
    """The tables of docs/costs.md: growth, stage 3, and what whole corpora cost."""
    lines = ["| core seconds | 1 × | 2 × | 4 × | exponent |", "|---|--:|--:|--:|--:|"]
    names = {"stage 3": f"stage 3, {FEW:,} resamples"}
    for what, seconds in content["seconds"].items():
        cells = [f"{names.get(what, what)}: {int(next(iter(seconds))):,} utterances"]
        cells += [f"{taken:.3g}" for taken in seconds.values()] + [f"{exponent(list(seconds.values())):.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", f"| stage 3, {RESAMPLES:,} resamples | core seconds | goal |", "|---|--:|--:|"]
    lines += [f"| {int(n):,} scores | {taken:.0f} | {GOALS[int(n)]:.0f} |" for n, taken in content["stage_3"].items()]
    computed = {title: costs(content, *counts) for title, counts in CORPORA.items()}
    parts = next(iter(computed.values()))
    lines += ["", f"| {CORES} cores, computed | {' | '.join(parts)} |", "|---|--:|--:|--:|--:|--:|"]
    for title, found in computed.items():
        cells = [f"{v:.0f} GB" if what == "disk" else f"{v:.3g} h" for what, v in found.items()]
        lines.append(f"| {title} | {' | '.join('–' if float(c.split()[0]) == 0 else c for c in cells)} |")
    return "\n".join(lines) + "\n"


def features(folder: Path, most: int) -> Callable[[int], None]:
    """Extraction of a number of recordings, on one core, into an archive."""
    different = noise(folder, RECORDINGS)
    recordings = [(f"u{place:06}", different[place % RECORDINGS][1]) for place in range(most)]
    return lambda count: extract(recordings[:count], folder / "out", 1.0, 1)


def learning(most: int) -> Callable[[int], None]:
    """The steps of an epoch of a number of utterances, in the paper's batches of 4."""
    trainer = papers_trainer(noise_set(most, MEAN_FRAMES))

    def run(count: int) -> None:
        for places in in_order(count, trainer.recipe.batch_size):
            trainer.step(*trainer.train.batch(places))  # waits for the loss

    return run


def scoring(most: int, device: torch.device) -> Callable[[int], None]:
    """Scores of a number of utterances, by the graph of stage 2."""
    subset = noise_set(most, MEAN_FRAMES)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--save", action="store_true", help=f"also write {SAVED.name} and the tables of {PAGE.name}")
    options = parser.parse_args()
    content = measured()
    print(tables(content))
    if options.save:
        files.write_text(SAVED, json.dumps(content, indent=2) + "\n")
        before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
        files.write_text(PAGE, before + BEGIN + tables(content) + END + rest.split(END)[1])


if __name__ == "__main__":
    main()
