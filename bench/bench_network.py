"""How long the attentive filtering network takes to train and to score, beside a plain transcription of its layers.

    python bench/bench_network.py

Each side is a process of its own, for settings of the C library count among the differences; they take turns. The
reference (reference_model.py) runs on contiguous tensors with everything as PyTorch and the system have it, in batches
of four; a second row has it score one utterance at a time, which takes it less. Peaks of memory are those of processes
that train and do nothing else. On a machine with a GPU both sides run there as well.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

import measuring  # puts src on the path
from afn.systems import device as devices
from afn.systems.neural.attentive_filtering import AttentiveFilteringNetwork
from afn.systems.neural.batches import Tiled
from afn.systems.neural.inference import for_scoring
from afn.systems.neural.training import Trainer, scoring_batch
from afn.systems.neural.settings import Training
from afn.systems.subset import Subset
from measuring import Row, show, side_by_side
from reference_model import BATCH, Reference

FRAMES = 1091
SEEDS = 8
CPU, GPU = "CPU", "GPU"
PLAIN = "plain PyTorch"


def measure(repeats: int = 3, threads: int | None = None) -> list[Row]:
    """Training steps, scores and peaks of memory, on the CPU and on a GPU where there is one."""
    rows = _measured(CPU, repeats, threads or os.cpu_count())
    return rows + (_measured(GPU, 3 * repeats, 1) if torch.cuda.is_available() else [])


def _measured(where: str, repeats: int, threads: int) -> list[Row]:
    sides = ("reference", "ours", "keeping" if where == CPU else "seeds")
    trainers = {side: Worker(side, "train", where, threads) for side in sides}
    scorers = {side: Worker(side, "score", where, threads) for side in ("reference", "reference, single", "ours")}
    try:
        steps = side_by_side({side: worker.run for side, worker in trainers.items()}, repeats)
        scores = side_by_side({side: worker.run for side, worker in scorers.items()}, 3 * repeats)
        peaks = {side: worker.ask("peak") for side, worker in trainers.items()}
    finally:
        for worker in (*trainers.values(), *scorers.values()):
            worker.end()
    goals = (2.2, 4) if where == CPU else (4, 10)
    name = f"{where}, {threads} threads" if where == CPU else where
    if where == CPU:
        variant, what, goal = "keeping", "the same, train.recompute=false", None
    else:
        variant, what, goal = "seeds", f"the same, {SEEDS} seeds in turns, of one", 12
    return [
        Row(f"AFN: training, a step of {BATCH} ({name})", "s", steps["ours"], steps["reference"], PLAIN, goal=goals[0]),
        Row(f"AFN: {what} ({name})", "s", steps[variant], steps["reference"], PLAIN, goal=goal),
        Row(f"AFN: scoring, an utterance ({name})", "s", scores["ours"], scores["reference"], PLAIN, goal=goals[1]),
        Row(f"AFN: the same, {PLAIN} single ({name})", "s", scores["ours"], scores["reference, single"], PLAIN),
        Row(f"AFN: peak memory of training ({name})", "GB", peaks["ours"], peaks["reference"], PLAIN),
        Row(f"AFN: {what} ({name})", "GB", peaks[variant], peaks["reference"], PLAIN),
    ]


class Worker:
    """A process that does one kind of work for one side, a round whenever it is asked."""

    def __init__(self, side: str, work: str, where: str, threads: int):
        command = [sys.executable, str(Path(__file__).resolve()), "--worker", side, work, "--threads", str(threads)]
        environment = os.environ | ({"CUDA_VISIBLE_DEVICES": ""} if where == CPU else {})
        if side in ("ours", "keeping", "seeds"):
            environment["GLIBC_TUNABLES"] = "glibc.malloc.tcache_count=0:glibc.malloc.hugetlb=1"  # as run.sh has it
        else:
            environment.pop("GLIBC_TUNABLES", None)
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def ask(self, what: str) -> float:
        """Send a line, return the number that comes back."""
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def run(self) -> float:
        return self.ask("run")

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def work(side: str, kind: str, threads: int) -> None:
    """Answer the lines of stdin: `run` with the seconds of a round, `peak` with the GB that this process has needed."""
    torch.manual_seed(1)
    made: Callable[[], object] | None = None
    for line in sys.stdin:
        if made is None:  # when the first round is asked for, so that no process waits with memory it does not need
            made, share = MAKERS[kind](side)
            torch.set_num_threads(threads)
        if line.strip() == "peak":
            print(peak(), flush=True)
            continue
        begun = time.perf_counter()
        made()
        print((time.perf_counter() - begun) / share, flush=True)


def peak() -> float:
    """The most memory in GB this process has had: the device's on a GPU, else its own."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e9
    return measuring.peak() / 1e9


def training(side: str) -> tuple[Callable[[], object], int]:
    """A training step, of eight seeds in turns if the side is "seeds", and how many that is."""
    if side == "reference":
        device = "cuda" if torch.cuda.is_available() else "cpu"
        model = Reference().to(device).train()
        optimiser = torch.optim.Adam(model.parameters(), 1e-3, amsgrad=True)
        x, y = torch.randn(BATCH, 1, 257, FRAMES), torch.tensor([1.0, 0.0] * (BATCH // 2))

        def step() -> None:
            optimiser.zero_grad()
            loss = binary_cross_entropy_with_logits(model(x.to(device)), y.to(device))
            loss.backward()
            optimiser.step()
            loss.item()

        return step, 1
    trainers = [ours(seed, side) for seed in range(SEEDS if side == "seeds" else 1)]
    streams = [torch.cuda.Stream() if torch.cuda.is_available() else None for _ in trainers]
    batch = trainers[0].train.batch(range(BATCH))
    losses: list[torch.Tensor] = [None] * len(trainers)

    def turn() -> None:
        for number, (trainer, stream) in enumerate(zip(trainers, streams, strict=True)):
            with torch.cuda.stream(stream):
                losses[number] = trainer._launch(*batch, BATCH)
        for trainer, loss, stream in zip(trainers, losses, streams, strict=True):
            with torch.cuda.stream(stream):
                trainer._value(loss)

    return turn, len(trainers)


def ours(seed: int, side: str) -> Trainer:
    """A trainer whose next batch may come."""
    rng = np.random.default_rng(1)
    labels = {f"u{i}": ("genuine", "spoof")[i % 2] for i in range(BATCH)}
    features = {utt: rng.standard_normal((FRAMES, 257), dtype=np.float32) for utt in labels}
    tiled = Tiled(Subset("bench", labels, features), FRAMES, 257)
    recipe = Training(1, 1, BATCH, 1e-3, True, 0.5, 1, "auto", side != "keeping" and "auto", 60.0)
    trainer = Trainer(AttentiveFilteringNetwork(), tiled, tiled, recipe, seed, Path(tempfile.gettempdir()))
    trainer.graph.train()
    trainer._capture()
    return trainer


def scoring(side: str) -> tuple[Callable[[], object], int]:
    """Scores of a batch, and its size."""
    if side != "ours":
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        model, batch = Reference().to(device).eval(), BATCH if side == "reference" else 1
    else:
        device = devices.choose()
        model = for_scoring(devices.placed(AttentiveFilteringNetwork(), device))
        batch = scoring_batch(device)
    x = torch.randn(batch, 1, 257, FRAMES)

    def score() -> list[float]:
        with torch.inference_mode():
            return model(x.to(device)).tolist()

    return score, batch


MAKERS = {"train": training, "score": scoring}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="of which the median is taken (default 3)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="(default: all cores)")
    parser.add_argument("--worker", nargs=2, metavar=("SIDE", "WORK"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work(*arguments.worker, arguments.threads)
    else:
        show(measure(arguments.repeats, arguments.threads))


if __name__ == "__main__":
    main()
