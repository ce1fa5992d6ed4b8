"""Time and memory of the attentive filtering network, beside a plain transcription of its layers.

    python bench/bench_network.py
    python bench/bench_network.py --variants         training steps with and without the settings of the C library,
                                                     in bfloat16 (where the CPU has it) and in float32

Each side is a process, since the settings of the C library are among the differences. The sides run alternately. The
reference (reference_model.py) uses contiguous tensors and the defaults of PyTorch and the system, in batches of four;
a second row has it score one utterance at a time. Peaks of memory are those of processes that only train. On a machine
with a GPU both sides run there as well.
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

import measuring
from afn.common import allocator
from afn.systems import device as devices
from afn.systems.neural.attentive_filtering import AttentiveFilteringNetwork
from afn.systems.neural.batches import Tiled
from afn.systems.neural.inference import for_scoring
from afn.systems.neural.settings import Training
from afn.systems.neural.training import Trainer, scoring_batch
from afn.systems.subset import Subset
from measuring import Row, show, side_by_side
from reference_model import BATCH, Reference

FRAMES = 1091
CPU, GPU = "CPU", "GPU"
PLAIN = "plain PyTorch"
REFERENCE, SINGLE, OURS = "reference", "reference, single", "ours"
FLOAT32 = "ours, float32"  # where `precision: auto` is bfloat16
DEFAULT_MALLOC = "ours, default malloc"  # without afn.common.allocator


def measure(repeats: int = 3, threads: int | None = None) -> list[Row]:
    """Training steps, scores and peaks of memory, on the CPU and on a GPU if there is one."""
    threads = threads or os.cpu_count()
    rows = _measured(CPU, repeats, threads) + variants(repeats, threads)
    return rows + (_measured(GPU, 3 * repeats, 1) if torch.cuda.is_available() else [])


def variants(repeats: int, threads: int) -> list[Row]:
    """A training step and its peak beside the same with the default allocator, and in float32: do they still pay?"""
    steps, peaks = rounds("train", (OURS, DEFAULT_MALLOC, FLOAT32), CPU, threads, repeats)
    arithmetic = devices.resolved("auto", torch.device("cpu"))
    name = f"AFN: training, a step of {BATCH} ({CPU}, {threads} threads, {arithmetic})"
    goals = {FLOAT32: 1.7} if arithmetic == "bfloat16" else {}
    return [
        row
        for side in (DEFAULT_MALLOC, FLOAT32)
        for row in (
            Row(name, "s", steps[OURS], steps[side], side, goal=goals.get(side)),
            Row("AFN: its peak memory", "GB", peaks[OURS], peaks[side], side),
        )
    ]


def _measured(where: str, repeats: int, threads: int) -> list[Row]:
    steps, peaks = rounds("train", (REFERENCE, OURS), where, threads, repeats)
    scores, _ = rounds("score", (REFERENCE, SINGLE, OURS), where, threads, 3 * repeats)
    name = f"{where}, {threads} threads" if where == CPU else where
    goals = (2.2, 4) if where == CPU else (None, None)
    return [
        Row(f"AFN: training, a step of {BATCH} ({name})", "s", steps[OURS], steps[REFERENCE], PLAIN, goal=goals[0]),
        Row(f"AFN: scoring, an utterance ({name})", "s", scores[OURS], scores[REFERENCE], PLAIN, goal=goals[1]),
        Row(f"AFN: the same, {PLAIN} single ({name})", "s", scores[OURS], scores[SINGLE], PLAIN),
        Row(f"AFN: peak memory of training ({name})", "GB", peaks[OURS], peaks[REFERENCE], PLAIN),
    ]


def rounds(
    work: str, sides: tuple[str, ...], where: str, threads: int, repeats: int
) -> tuple[dict[str, float], dict[str, float]]:
    """The median seconds and the peak GB of each side, each a process."""
    workers = {side: Worker(side, work, where, threads) for side in sides}
    try:
        seconds = side_by_side({side: worker.run for side, worker in workers.items()}, repeats)
        return seconds, {side: worker.ask("peak") for side, worker in workers.items()}
    finally:
        for worker in workers.values():
            worker.end()


class Worker:
    """A process that does one kind of work for one side, one round per request."""

    def __init__(self, side: str, work: str, where: str, threads: int):
        command = [sys.executable, str(Path(__file__).resolve()), "--worker", side, work, "--threads", str(threads)]
        environment = os.environ | ({"CUDA_VISIBLE_DEVICES": ""} if where == CPU else {})
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def ask(self, what: str) -> float:
        """Send a line, return the number of the answer."""
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def run(self) -> float:
        return self.ask("run")

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def work(side: str, kind: str, threads: int) -> None:
    """Answer the lines of stdin: `run` with the seconds of a round, `peak` with the peak memory in GB."""
    torch.manual_seed(1)
    if side == DEFAULT_MALLOC:
        allocator.keep_freed = lambda: None
    run: Callable[[], object] | None = None
    for line in sys.stdin:
        if run is None:  # at the first request, so that no process waits with memory that it does not need
            run, count = MAKERS[kind](side)
            torch.set_num_threads(threads)
        if line.strip() == "peak":
            print(peak(), flush=True)
            continue
        started = time.perf_counter()
        run()
        print((time.perf_counter() - started) / count, flush=True)


def peak() -> float:
    """The peak memory of this process in GB: that of the GPU if there is one, else that of the machine."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e9
    return measuring.peak() / 1e9


def training(side: str) -> tuple[Callable[[], object], int]:
    """A training step, which counts once."""
    if side == REFERENCE:
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
    rng = np.random.default_rng(1)
    labels = {f"u{i}": ("genuine", "spoof")[i % 2] for i in range(BATCH)}
    features = {utt: rng.standard_normal((FRAMES, 257), dtype=np.float32) for utt in labels}
    tiled = Tiled(Subset("bench", labels, features), FRAMES, 257)
    recipe = Training(
        epochs=1,
        patience=1,
        batch_size=BATCH,
        learning_rate=1e-3,
        amsgrad=True,
        lr_factor=0.5,
        lr_patience=1,
        precision="float32" if side == FLOAT32 else "auto",
        checkpoint_minutes=60.0,
    )
    trainer = Trainer(AttentiveFilteringNetwork(), tiled, tiled, recipe, 1, Path(tempfile.gettempdir()))
    trainer.model.train()
    return lambda: trainer.step(*trainer.train.batch(range(BATCH))), 1


def scoring(side: str) -> tuple[Callable[[], object], int]:
    """Scores of a batch, and its size."""
    if side != OURS:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        model, batch = Reference().to(device).eval(), BATCH if side == REFERENCE else 1
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
    parser.add_argument("--repeats", type=int, default=3, help="the median of so many rounds (default 3)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="(default: all cores)")
    parser.add_argument("--variants", action="store_true", help="only ours, beside float32 and the default allocator")
    parser.add_argument("--worker", nargs=2, metavar=("SIDE", "WORK"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work(*arguments.worker, arguments.threads)
    else:
        show((variants if arguments.variants else measure)(arguments.repeats, arguments.threads))


if __name__ == "__main__":
    main()
