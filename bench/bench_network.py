"""Time and memory of the attentive filtering network on the CPU, beside a plain transcription of its layers.

Each side is a process, since the settings of the C library are among the differences. The sides run alternately. The
reference (reference_model.py) uses contiguous tensors and the defaults of PyTorch and the system, in batches of four;
another row has it score one utterance at a time. Peaks of memory are those of processes that only train. gpu.py
measures GPUs.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

import measuring
from afn.common import allocator, config
from afn.common.paths import ROOT
from afn.systems import device as devices
from afn.systems.neural.attentive_filtering import AttentiveFilteringNetwork
from afn.systems.neural.batches import Tiled
from afn.systems.neural.inference import for_scoring
from afn.systems.neural.settings import Neural
from afn.systems.neural.training import Trainer, scoring_batch
from afn.systems.subset import Subset
from measuring import Row, side_by_side
from reference_model import BATCH, Reference

FRAMES, BINS = 1091, 257
CPU = torch.device("cpu")
OURS, REFERENCE, SINGLE = "ours", "plain PyTorch", "plain PyTorch, single"
FLOAT32 = "ours, float32"  # where `precision: auto` is bfloat16
DEFAULT_MALLOC = "ours, default malloc"  # without afn.common.allocator


def measure(repeats: int = 3) -> list[Row]:
    """A training step and its peak memory, beside plain PyTorch and ours without one optimisation; a score."""
    arithmetic, cores = devices.resolved("auto", CPU), f"CPU, {os.cpu_count()} threads"
    goals = {REFERENCE: 2.2} | ({FLOAT32: 1.7} if arithmetic == "bfloat16" else {})
    rows = []
    for others in ((REFERENCE,), (DEFAULT_MALLOC, FLOAT32)):  # few at once: each may take 5 GB
        steps, peaks = rounds("train", (OURS, *others), repeats)
        for side in others:
            name = f"AFN: training, a step of {BATCH} ({cores}, {arithmetic})"
            rows.append(Row(name, "s", steps[OURS], steps[side], side, goal=goals.get(side)))
            rows.append(Row("AFN: its peak memory", "GB", peaks[OURS], peaks[side], side))
    scores, _ = rounds("score", (REFERENCE, SINGLE, OURS), 3 * repeats)
    for side, goal in ((REFERENCE, 4), (SINGLE, None)):
        rows.append(Row(f"AFN: scoring, an utterance ({cores})", "s", scores[OURS], scores[side], side, goal=goal))
    return rows


def rounds(work: str, sides: tuple[str, ...], repeats: int) -> tuple[dict[str, float], dict[str, float]]:
    """The median seconds and the peak GB of each side, each a process."""
    workers = {
        side: subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve()), side, work],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
        )
        for side in sides
    }
    try:
        seconds = side_by_side({side: partial(ask, worker, "run") for side, worker in workers.items()}, repeats)
        return seconds, {side: ask(worker, "peak") for side, worker in workers.items()}
    finally:
        for worker in workers.values():
            worker.kill()
            worker.wait()


def ask(worker: subprocess.Popen, what: str) -> float:
    """Send a line to a worker, return the number of its answer."""
    worker.stdin.write(f"{what}\n")
    worker.stdin.flush()
    return float(worker.stdout.readline())


def main(side: str, kind: str) -> None:
    """Answer the lines of stdin: `run` with the seconds of a round, `peak` with the peak memory in GB."""
    torch.manual_seed(1)
    if side == DEFAULT_MALLOC:
        allocator.keep_freed = lambda: None
    run: Callable[[], object] | None = None
    for line in sys.stdin:
        if run is None:  # at the first request, so that no process waits with memory that it does not need
            run, count = {"train": training, "score": scoring}[kind](side)
            torch.set_num_threads(os.cpu_count())
        if line.strip() == "peak":
            print(measuring.peak() / 1e9, flush=True)
            continue
        started = time.perf_counter()
        run()
        print((time.perf_counter() - started) / count, flush=True)


def training(side: str) -> tuple[Callable[[], object], int]:
    """A training step, which counts once."""
    if side != REFERENCE:
        trainer = papers_trainer(noise_set(BATCH, FRAMES), "float32" if side == FLOAT32 else "auto")
        return lambda: trainer.step(*trainer.train.batch(range(BATCH))), 1
    model = Reference().train()
    optimiser = torch.optim.Adam(model.parameters(), 1e-3, amsgrad=True)
    x, y = torch.randn(BATCH, 1, BINS, FRAMES), torch.tensor([1.0, 0.0] * (BATCH // 2))

    def step() -> None:
        optimiser.zero_grad()
        loss = binary_cross_entropy_with_logits(model(x), y)
        loss.backward()
        optimiser.step()
        loss.item()

    return step, 1


def scoring(side: str) -> tuple[Callable[[], object], int]:
    """Scores of a batch, and its size."""
    if side == OURS:
        model = for_scoring(devices.placed(AttentiveFilteringNetwork(), devices.choose()))
        batch = scoring_batch(CPU, FRAMES)
    else:
        model = Reference().eval()
        batch = BATCH if side == REFERENCE else 1
    x = torch.randn(batch, 1, BINS, FRAMES)

    def score() -> list[float]:
        with torch.inference_mode():
            return model(x).tolist()

    return score, batch


def noise_set(count: int, frames: int) -> Tiled:
    """A subset of noise in place of spectrograms, utterances of `frames`."""
    random = np.random.default_rng(1)
    labels = {f"u{place:06}": ("genuine", "spoof")[place % 2] for place in range(count)}
    features = {utt: random.standard_normal((frames, BINS), dtype=np.float32) for utt in labels}
    return Tiled(Subset("noise", labels, features), FRAMES, BINS)


def papers_trainer(subset: Tiled, precision: str = "auto") -> Trainer:
    """A trainer of the paper's network by the recipe of afn.yaml."""
    recipe = config.load(Neural, ROOT / "conf" / "systems" / "afn.yaml").train.replace(precision=precision)
    trainer = Trainer(AttentiveFilteringNetwork(), subset, subset, recipe, 1, Path(tempfile.gettempdir()))
    trainer.model.train()
    return trainer


if __name__ == "__main__":
    main(*sys.argv[1:])
