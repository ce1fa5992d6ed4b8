"""The real pipeline through run.sh, on a corpus and a network small enough for a minute."""

import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from afn.common.paths import ROOT
from afn.metrics import score_files
from stages import Pipeline, overrides

pytestmark = pytest.mark.slow
# A few utterances, the shortest input the networks take, one feature map.
SIZES = {"train": (2, 2), "dev": (1, 1), "eval": (2, 3)}
CORPUS = [
    f"corpus.{subset}.{label}={count}"
    for subset, counts in SIZES.items()
    for label, count in zip(("genuine", "spoof"), counts, strict=True)
]
SYSTEM = ["model.channels=1", "model.frames=904", "train.epochs=2"]
SIMULATED = ROOT / "conf" / "corpora" / "simulated.yaml"
PNG = b"\x89PNG\r\n\x1a\n"


def run(folder, *arguments, settings=(*CORPUS, *SYSTEM)):
    """run.sh with data/ and exp/ in `folder`."""
    command = [ROOT / "run.sh", "--data", folder / "data", "--exp", folder / "exp", *arguments, *overrides(*settings)]
    environment = os.environ | {"PYTHON": sys.executable}
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment, check=False)


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """All stages, two seeds."""
    folder = tmp_path_factory.mktemp("run")
    done = run(folder, "--seeds", "1-2")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done


@pytest.fixture
def pipeline(finished, tmp_path):
    """`pipeline(system, settings)`: stages within this process on a copy of the finished corpus."""
    shutil.copytree(finished[0] / "data", tmp_path / "data")

    def on(system, settings):
        return Pipeline(tmp_path, SIMULATED, "--system", system, *overrides(*settings))

    return on


def test_every_stage_leaves_its_outputs(finished):
    folder, done = finished
    for stage in ("-2", "-1", "0", "1", "2", "3"):
        assert f"== stage {stage}:" in done.stdout
    data, exp = folder / "data" / "simulated", folder / "exp" / "simulated"
    for subset, counts in SIZES.items():
        for table in ("wav.scp", "utt2spk", "utt2label", "utt2cond", "spectrogram/feats.scp"):
            lines = (data / subset / table).read_text().splitlines()
            assert len([line for line in lines if not line.startswith("#")]) == sum(counts), table
    for seed in (1, 2):
        experiment = exp / "afn" / f"seed{seed}"
        for name in ("config.yaml", "env.json", "train.log", "metrics.csv", "best.pt", "last.pt", "scores/dev.txt"):
            assert (experiment / name).is_file()
        assert len((experiment / "metrics.csv").read_text().splitlines()) == 3
    assert json.loads((exp / "afn" / "seed1" / "env.json").read_text())[-1]["packages"]["torch"].startswith("2.")
    pictures = sorted((exp / "afn" / "attention").glob("*.png"))
    assert len(pictures) == 2 + 3 + 1 and pictures[-1].name == "class_means.png"
    assert all(path.read_bytes().startswith(PNG) and path.stat().st_size > 20_000 for path in pictures)
    assert len(score_files.read(exp / "afn" / "scores" / "eval.txt")) == 5
    row = json.loads((exp / "results.json").read_text())["systems"][0]
    assert row["seeds"] == [1, 2] and row["eval"]["averaged"].keys() >= {"linear_roc", "convex_hull", "official"}
    assert "say nothing about ASVspoof" in (exp / "RESULTS.md").read_text()
    assert (exp / "det.png").read_bytes().startswith(PNG)


def test_finished_work_is_not_done_again(finished):
    folder, _ = finished
    before = contents(folder)
    again = Pipeline(folder, SIMULATED, "--system", "afn", "--seeds", "1-2", *overrides(*CORPUS, *SYSTEM))
    said = again.ended(-2, *overrides(*CORPUS)).out + "".join(again.ended(number).out for number in (-1, 0, 1, 2))
    assert said.count("up to date") == 1 + 3 + 1 + 2  # corpus, features, heatmaps, scores
    assert said.count("is trained") == 2
    assert contents(folder) == before


def test_a_mistake_is_one_line_and_ends_the_run(finished):
    folder, _ = finished
    before = contents(folder / "exp")
    done = run(folder, "0", "3", settings=[*CORPUS, *SYSTEM, "train.learning_rate=0.1"])
    assert done.returncode == 2, done.stdout + done.stderr
    line, *_, last = done.stderr.splitlines()
    assert "error:" in line and re.search(r"train\.learning_rate: [\d.]+, now 0\.1", line) and "--force" in line
    assert last == "run.sh: stage 0 (train.py) failed with exit code 2"
    assert "== stage 1" not in done.stdout
    assert contents(folder / "exp") == before


def test_the_members_of_a_fusion_are_fused(pipeline):
    settings = [*CORPUS, "model.components=2", "train.iterations=3"]
    for name in ("mcf_cc", "mse_cc", "lfcc_gmm"):
        member = pipeline(name, settings)
        member.run((-1, 0, 2))
        member.run((1,), "--utterances", "E_1000001")
        pictures = (member.exp / "simulated" / name / "attention").glob("*.png")
        assert {path.stem for path in pictures} == {"E_1000001", "class_means"}
        metrics = member.exp / "simulated" / name / "seed1" / "metrics.csv"
        assert metrics.read_text().startswith("part,iteration,log_likelihood\n")
    member.ended(1, "--utterances", "E_1000001", "X_1").refused("X_1")
    member.run((3,))
    fused = member.exp / "simulated" / "fusion" / "mdf"
    assert set(json.loads((fused / "fusion.json").read_text())["members"]) == {"mcf_cc", "mse_cc", "lfcc_gmm"}
    assert len(score_files.read(fused / "scores" / "eval.txt")) == 5


def test_i_vectors_pass_every_stage(pipeline):
    small = ["features.bins_per_octave=12", "ubm.components=4", "extractor.dimension=2"]
    system = pipeline("ivector_gaussian", [*CORPUS, *small])
    system.run((-1, 0, 1, 2, 3))
    assert "i-vectors, Gaussian" in (system.exp / "simulated" / "RESULTS.md").read_text()
    assert len(score_files.read(system.exp / "simulated" / "ivector_gaussian" / "scores" / "eval.txt")) == 5


def test_real_recordings_pass_every_stage(real_data, tmp_path):
    settings = [f"corpus.root={real_data / 'asvspoof2017'}", "corpus.allow_missing=true", *SYSTEM, "train.epochs=1"]
    done = run(tmp_path, "--corpus", "asvspoof2017", settings=settings)
    assert done.returncode == 0, done.stdout + done.stderr
    exp = tmp_path / "exp" / "asvspoof2017"
    scored = score_files.read(exp / "afn" / "scores" / "dev.txt")
    assert len(scored) == 12 and all(0 < score < 1 for score in scored.values())
    assert len(list((exp / "afn" / "attention").glob("D_*.png"))) == 4 + 3  # there are no more replayed
    assert "Only a part of the corpus" in (exp / "RESULTS.md").read_text()


def test_real_speech_through_measured_responses_trains(real_data, tmp_path):
    speakers = {"train": (41, 5), "dev": (16, 4), "eval": (16, 4)}  # 73 in all
    settings = [f"corpus.{name}={real_data / name}" for name in ("speech", "impulse_responses")]
    for subset, (genuine, spoof) in speakers.items():
        settings += [f"corpus.{subset}.speakers={genuine}", f"corpus.{subset}.genuine={genuine}"]
        settings += [f"corpus.{subset}.spoof={spoof}"]
    done = run(tmp_path, "--system", "lcnn", "-2", "0", settings=[*settings, "train.epochs=1", "model.frames=122"])
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for path in tmp_path.glob("data/*/*/utt2spk") for line in path.read_text().splitlines()]
    assert len({line.split()[1] for line in lines}) == 73
    samples, rate = soundfile.read(next((tmp_path / "data").rglob("E_1000001.wav")))
    assert rate == 16000 and 0.01 < np.abs(samples).max() < 1
