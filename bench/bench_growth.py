"""How cost grows with the data, and the cost of a whole reproduction that follows.

    python bench/bench_growth.py

Features, training (one epoch) and scoring of the attentive filtering network on one, two and four times as many
utterances, beside twice the seconds of half as many: a ratio of 1 is growth in proportion, less is worse. The seconds
include fixed costs, such as the start of worker processes. The largest of each gives the time for ASVspoof 2017
Version 2.0 on this machine with eight seeds: computed, not run. The arithmetic and the memory traffic of a forward pass
are a lower bound for any machine.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from afn.common import parallel
from afn.systems import device as devices
from afn.systems.neural import training
from afn.systems.neural.attentive_filtering import AttentiveFilteringNetwork
from afn.systems.neural.batches import Tiled
from afn.systems.neural.inference import for_scoring
from afn.systems.neural.settings import Training
from afn.systems.subset import Subset, in_order
from bench_spectrogram import extract, noise
from measuring import Row, show, side_by_side

SIZES = (1, 2, 4)  # times the data
FEATURES, TRAINED, SCORED = 400, 4, 4  # utterances at the least of them
RECORDINGS = 100  # different ones
FRAMES, BINS = 1091, 257
MEAN_FRAMES = 282  # of an utterance of ASVspoof 2017 Version 2.0
TRAIN, DEV, EVAL = 3014, 1710, 13306  # its utterances
SEEDS, EPOCHS = 8, 30  # of the paper's averages; at most
HOUR = 3600


@dataclass(frozen=True)
class Cost:
    """Seconds an utterance: of features, of an epoch of training, of scoring."""

    features: float
    training: float
    scoring: float

    def stages(self) -> dict[str, float]:
        """Hours of every part of the reproduction with all seeds, none stopping before its last epoch."""
        epoch = TRAIN * self.training + DEV * self.scoring
        return {
            "features, once": (TRAIN + DEV + EVAL) * self.features / HOUR,
            f"training, {EPOCHS} epochs of {SEEDS} seeds": SEEDS * EPOCHS * epoch / HOUR,
            f"scoring, {SEEDS} seeds": SEEDS * (DEV + EVAL) * self.scoring / HOUR,
        }


def measure(repeats: int = 1) -> list[Row]:
    """Seconds of each size beside proportional growth, and the hours of the whole corpus."""
    device = devices.choose()
    where = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    rows, largest = [], {}
    with tempfile.TemporaryDirectory() as name:
        work = {
            "features": (FEATURES, features(Path(name), FEATURES * SIZES[-1])),
            "training": (TRAINED, learning(TRAINED * SIZES[-1], device)),
            "scoring": (SCORED, scoring(SCORED * SIZES[-1], device)),
        }
        for what, (least, run) in work.items():
            sides = {str(size): (lambda run=run, count=least * size: run(count)) for size in SIZES}
            seconds = side_by_side(sides, repeats)
            for size in SIZES:
                half = 2 * seconds[str(size // 2)] if size > 1 else None
                beside = "in proportion" if half else ""
                rows.append(Row(f"{what}: {least * size} utterances ({where})", "s", seconds[str(size)], half, beside))
            largest[what] = seconds[str(SIZES[-1])] / (least * SIZES[-1])
    arithmetic, traffic = forward_pass()
    rows.append(Row("AFN: a forward pass of an utterance, arithmetic", "GMAC", arithmetic / 1e9))
    rows.append(Row("AFN: the same, memory traffic in bfloat16", "GB", 2 * traffic / 1e9))
    hours = Cost(**largest).stages()
    rows += [Row(f"ASVspoof 2017 V2, computed: {what}", "h", value) for what, value in hours.items()]
    return [*rows, Row("ASVspoof 2017 V2, computed: in all", "h", sum(hours.values()))]


def features(folder: Path, most: int) -> Callable[[int], float]:
    """Extraction of a number of recordings, on all cores, into an archive."""
    different = noise(folder, RECORDINGS)
    recordings = [(f"u{place:06}", different[place % RECORDINGS][1]) for place in range(most)]

    def run(count: int) -> float:
        started = time.perf_counter()
        extract(recordings[:count], folder / "out", 1.0, parallel.default_jobs())
        return time.perf_counter() - started

    return run


def learning(most: int, device: torch.device) -> Callable[[int], float]:
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

    def run(count: int) -> float:
        started = time.perf_counter()
        for places in in_order(count, recipe.batch_size):
            trainer.step(*trainer.train.batch(places))  # waits for the loss
        return time.perf_counter() - started

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


def scoring(most: int, device: torch.device) -> Callable[[int], float]:
    """Scores of a number of utterances, by the graph of stage 2."""
    subset = made_up(most)
    model = for_scoring(devices.placed(AttentiveFilteringNetwork(), device))

    def run(count: int) -> float:
        started = time.perf_counter()
        batches = (
            ([subset.utterances[place] for place in places], subset.batch(places)[0])
            for places in in_order(count, training.scoring_batch(device))
        )
        for _ in training.scores(model, batches, device, "growth", count):
            pass
        return time.perf_counter() - started

    return run


def made_up(count: int) -> Tiled:
    """Noise in place of spectrograms, of the corpus' mean length."""
    random = np.random.default_rng(1)
    labels = {f"u{place:06}": ("genuine", "spoof")[place % 2] for place in range(count)}
    matrices = {utt: random.standard_normal((MEAN_FRAMES, BINS), dtype=np.float32) for utt in labels}
    return Tiled(Subset("growth", labels, matrices), FRAMES, BINS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1, help="of which the median is taken (default 1)")
    show(measure(parser.parse_args().repeats))


if __name__ == "__main__":
    main()
