"""The real pipeline through run.sh, on a corpus and a network small enough for a minute."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from afn.common.paths import ROOT
from afn.metrics import score_files
from stages import Pipeline

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


def words(settings):
    return [word for setting in settings for word in ("--set", setting)]


def command(folder, *arguments, settings=(*CORPUS, *SYSTEM)):
    """run.sh with data/ and exp/ in `folder`."""
    folders = ["--data", str(folder / "data"), "--exp", str(folder / "exp")]
    return [str(ROOT / "run.sh"), *folders, *arguments, *words(settings)]


ENVIRONMENT = {**os.environ, "PYTHON": sys.executable}


def run(folder, *arguments, **settings):
    asked = command(folder, *arguments, **settings)
    return subprocess.run(asked, capture_output=True, text=True, env=ENVIRONMENT, check=False)


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def refused(done, *words):
    """Assert that a run ended with code 2 and one clear line (and run.sh's own, which names the stage)."""
    assert done.returncode == 2, done.stdout + done.stderr
    lines = done.stderr.splitlines()
    assert [line for line in lines if "error:" in line] == lines[:1] and "Traceback" not in done.stderr, done.stderr
    for word in words:
        assert word in lines[0]


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
        return Pipeline(tmp_path, SIMULATED, "--system", system, *words(settings))

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


def test_averaged_scores_are_the_mean_of_the_seeds_sigmoids(finished):
    exp = finished[0] / "exp" / "simulated" / "afn"
    runs = [score_files.read(exp / f"seed{seed}" / "scores" / "eval.txt") for seed in (1, 2)]
    averaged = score_files.read(exp / "scores" / "eval.txt")
    assert len(averaged) == 5 and runs[0] != runs[1]
    for utt, value in averaged.items():
        assert value == pytest.approx(np.mean([1 / (1 + np.exp(-run[utt])) for run in runs]), rel=1e-12)


def test_results_hold_every_definition_and_no_paper_figures_for_simulated_speech(finished):
    exp = finished[0] / "exp" / "simulated"
    results, page = json.loads((exp / "results.json").read_text()), (exp / "RESULTS.md").read_text()
    assert results["systems"][0]["seeds"] == [1, 2]
    assert "say nothing about ASVspoof" in page
    assert "8.99" not in page + json.dumps(results)
    assert (exp / "det.png").read_bytes().startswith(PNG)
    for definition in ("linear_roc", "convex_hull", "official"):
        assert 0 <= results["systems"][0]["eval"]["averaged"][definition] <= 100


def test_finished_work_is_not_done_again(finished):
    folder, _ = finished
    before = contents(folder)
    again = Pipeline(folder, SIMULATED, "--system", "afn", "--seeds", "1-2", *words([*CORPUS, *SYSTEM]))
    said = again.ended(-2, *words(CORPUS)).out + "".join(again.ended(number).out for number in (-1, 0, 1, 2))
    assert said.count("up to date") == 1 + 3 + 1 + 2  # corpus, features, heatmaps, scores
    assert said.count("is trained") == 2
    assert contents(folder) == before


def test_named_utterances_are_drawn(pipeline, finished):
    shutil.copytree(finished[0] / "exp", pipeline("afn", ()).exp)
    drawing = pipeline("afn", [*CORPUS, *SYSTEM])
    assert drawing.ended(1, "--utterances", "D_1000001", "T_1000002").code == 0
    for utt in ("D_1000001", "T_1000002"):
        assert (drawing.exp / "simulated" / "afn" / "attention" / f"{utt}.png").is_file()
    drawing.ended(1, "--utterances", "D_1000001", "X_1").refused("X_1")


def test_a_mistake_is_one_line_and_ends_the_run(finished):
    folder, _ = finished
    before = contents(folder / "exp")
    done = run(folder, "0", "3", settings=[*CORPUS, *SYSTEM, "train.learning_rate=0.1"])
    refused(done, "train.learning_rate: 0.001, now 0.1", "--force")
    assert done.stderr.splitlines()[-1] == "run.sh: stage 0 (train.py) failed with exit code 2"
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
