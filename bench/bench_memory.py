"""Peak memory of extraction, of scoring, and of scoring another corpus: 20,000 utterances beside 200.

All of them stream: only the lists grow with the corpus, by about 1 kB per utterance. One recording of 0.3 s is listed
as often as needed, and a small Light CNN scores it, from archives or, as another corpus, with features computed on the
way. Each stage runs in its own process, whose peak the system reports.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from afn.common.paths import ROOT
from afn.corpora import datadir
from afn.corpora.datadir import Utterance
from afn.features import audio
from measuring import Row

UTTERANCES, FEW = 20_000, 200
GOAL = 0.9  # of the ratio: only a line of a list per utterance grows with the corpus
RATE = 16000
STAGES = ("prepare", "extract", "train", "score")
OTHER = "score --eval-corpus"
MEASURED = {
    "extract": "extraction, peak memory",
    "score": "scoring, peak memory",
    OTHER: "scoring another corpus without archives, peak memory",
}
SYSTEM = ["--system", "lcnn", *(word for setting in (
    "model.frames=122", "train.epochs=1", "features.backend=native") for word in ("--set", setting))]  # fmt: skip
# The peak of this process; extraction does not use others.
RUN = """
import importlib, sys
import measuring
from afn.common import errors
stage = importlib.import_module(sys.argv.pop(1))
errors.run(stage.main)
print("peak", measuring.peak())
"""


def measure() -> list[Row]:
    """A row for each of MEASURED: the peak of many utterances beside that of few, in MB."""
    many, few = peaks(UTTERANCES), peaks(FEW)
    return [
        Row(f"{what}, {UTTERANCES} utterances", "MB", many[stage], few[stage], f"{FEW} utterances", goal=GOAL)
        for stage, what in MEASURED.items()
    ]


def peaks(count: int) -> dict[str, float]:
    """The peak memory in MB of every stage on a corpus whose evaluation set has `count` utterances."""
    with tempfile.TemporaryDirectory() as folder:
        corpus = write(Path(folder), {"train": 4, "dev": 4, "eval": count})
        found = {stage: peak(stage, corpus) for stage in STAGES}
        other = corpus.with_name("other.yaml")
        other.write_text(corpus.read_text().replace("name: noise", "name: other"))
        peak("prepare", other)
        return found | {OTHER: peak("score", corpus, "--eval-corpus", other)}


def write(folder: Path, sizes: dict[str, int]) -> Path:
    """A corpus that lists one recording many times, half of them as genuine; returns its YAML."""
    samples = np.random.default_rng(0).normal(0, 1000, round(0.3 * RATE)).astype(np.int16)
    audio.write(folder / "noise.wav", samples, RATE)
    lines = ["kind: datadir", "name: noise"]
    for subset, size in sizes.items():
        wav, labels = str(folder / "noise.wav"), ("genuine", "spoof")
        listed = [Utterance(f"{subset}_{number:06d}", wav, "speaker", labels[number % 2]) for number in range(size)]
        datadir.write(folder / subset, listed)
        lines.append(f"{subset}: {folder / subset}")
    (folder / "noise.yaml").write_text("\n".join(lines) + "\n")
    return folder / "noise.yaml"


def peak(stage: str, corpus: Path, *more: object) -> float:
    """The peak memory in MB of a stage on a corpus, whose output goes beside its YAML."""
    arguments = ["--corpus", corpus, "--data", corpus.parent / "data", "--exp", corpus.parent / "exp"]
    arguments += [] if stage == "prepare" else SYSTEM
    arguments += ["--nj", 1] if stage in ("prepare", "extract", "score") else []
    command = [sys.executable, "-c", RUN, stage, *arguments, *more]
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT / "bench"), *filter(None, [os.environ.get("PYTHONPATH")])])
    # One thread: inputs this small are not divided.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    done = subprocess.run(
        [str(word) for word in command], stdout=subprocess.PIPE, env=environment, text=True, check=True
    )
    return float(done.stdout.split()[-1]) / 1e6
