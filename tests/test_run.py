"""The real pipeline through run.sh, on a corpus and a network small enough for a minute."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest
import soundfile

from afn.common.paths import ROOT
from afn.metrics import score_files

# A few utterances, the shortest input the networks take, one feature map.
CORPUS = [
    "corpus.train.genuine=2",
    "corpus.train.spoof=2",
    "corpus.dev.genuine=1",
    "corpus.dev.spoof=1",
    "corpus.eval.genuine=2",
    "corpus.eval.spoof=3",
]
SYSTEM = ["model.channels=1", "model.frames=904", "train.epochs=2"]
PNG = b"\x89PNG\r\n\x1a\n"


def run_sh(python, folder, *arguments, settings=(*CORPUS, *SYSTEM)):
    """run.sh with data/ and exp/ in `folder`."""
    command = [str(ROOT / "run.sh"), "--data", str(folder / "data"), "--exp", str(folder / "exp"), *arguments]
    for setting in settings:
        command += ["--set", setting]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHON": str(python)},
        check=False,
    )


@pytest.fixture(scope="module")
def run(warm):
    return partial(run_sh, warm)


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def refused(done, *words):
    """Assert that a run ended with code 2 and one clear line (and run.sh's own, which names the stage)."""
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    lines = done.stderr.splitlines()
    assert [line for line in lines if "error:" in line] == lines[:1], done.stderr
    for word in words:
        assert word in lines[0]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """All stages, two seeds."""
    folder = tmp_path_factory.mktemp("run")
    done = run_sh(sys.executable, folder, "--seeds", "1-2")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done


@pytest.mark.slow
def test_every_stage_leaves_its_outputs(finished):
    folder, done = finished
    for stage in ("-2", "-1", "0", "1", "2", "3"):
        assert f"== stage {stage}:" in done.stdout
    data, exp = folder / "data" / "simulated", folder / "exp" / "simulated"
    for subset, count in (("train", 4), ("dev", 2), ("eval", 5)):
        for table in ("wav.scp", "utt2spk", "utt2label", "utt2cond", "spectrogram/feats.scp"):
            assert len((data / subset / table).read_text().splitlines()) == count
    for seed in (1, 2):
        experiment = exp / "afn" / f"seed{seed}"
        for name in ("config.yaml", "env.json", "train.log", "metrics.csv", "best.pt", "last.pt", "scores/dev.txt"):
            assert (experiment / name).is_file()
        assert len((experiment / "metrics.csv").read_text().splitlines()) == 3
    assert json.loads((exp / "afn" / "seed1" / "env.json").read_text())[-1]["packages"]["torch"].startswith("2.")


def test_averaged_scores_are_the_mean_of_the_seeds_sigmoids(finished):
    exp = finished[0] / "exp" / "simulated" / "afn"
    runs = [score_files.read(exp / f"seed{seed}" / "scores" / "eval.txt") for seed in (1, 2)]
    averaged = score_files.read(exp / "scores" / "eval.txt")
    assert len(averaged) == 5
    for utt, value in averaged.items():
        assert value == pytest.approx(np.mean([1 / (1 + np.exp(-run[utt])) for run in runs]), rel=1e-12)
    assert runs[0] != runs[1]


def test_results_hold_every_definition_and_no_paper_figures_for_simulated_speech(finished):
    exp = finished[0] / "exp" / "simulated"
    results = json.loads((exp / "results.json").read_text())
    assert results["systems"][0]["seeds"] == [1, 2]
    page = (exp / "RESULTS.md").read_text()
    assert "say nothing about ASVspoof" in page
    assert "8.99" not in page + json.dumps(results)
    assert (exp / "det.png").read_bytes().startswith(PNG)
    for definition in ("linear_roc", "convex_hull", "official"):
        assert 0 <= results["systems"][0]["eval"]["averaged"][definition] <= 100


def test_heatmaps_are_drawn_for_both_classes_and_their_means(finished):
    pictures = sorted((finished[0] / "exp" / "simulated" / "afn" / "attention").glob("*.png"))
    assert len(pictures) == 2 + 3 + 1  # every utterance, and the class means
    assert pictures[-1].name == "class_means.png"
    assert all(path.read_bytes().startswith(PNG) and path.stat().st_size > 20_000 for path in pictures)


@pytest.mark.slow
def test_finished_work_is_not_done_again(run, finished):
    folder, _ = finished
    before = contents(folder)
    done = run(folder, "--seeds", "1-2")
    assert done.returncode == 0
    assert done.stdout.count("up to date") == 1 + 3 + 1 + 2  # corpus, features, heatmaps, scores
    assert done.stdout.count("is trained") == 2
    assert contents(folder) == before


def test_named_utterances_are_drawn(run, finished):
    folder, _ = finished
    done = run(folder, "--utterances", "D_1000001 T_1000002", "1")
    assert done.returncode == 0, done.stderr
    for utt in ("D_1000001", "T_1000002"):
        assert (folder / "exp" / "simulated" / "afn" / "attention" / f"{utt}.png").is_file()
    refused(run(folder, "--utterances", "D_1000001 X_1", "1"), "X_1")


def test_other_settings_do_not_overwrite_a_training(run, finished):
    folder, _ = finished
    before = contents(folder / "exp")
    done = run(folder, "0", settings=[*CORPUS, *SYSTEM, "train.learning_rate=0.1"])
    refused(done, "train.learning_rate: 0.001, now 0.1", "--force")
    assert contents(folder / "exp") == before


@pytest.mark.slow
def test_an_interrupted_run_ends_as_an_uninterrupted_one(run, finished, tmp_path):
    folder, _ = finished
    shutil.copytree(folder / "data", tmp_path / "data")
    command = [str(ROOT / "run.sh"), "--data", str(tmp_path / "data"), "--exp", str(tmp_path / "exp"), "0"]
    for setting in (*CORPUS, *SYSTEM):
        command += ["--set", setting]
    process = subprocess.Popen(
        command,
        env={**os.environ, "PYTHON": sys.executable},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    seed = tmp_path / "exp" / "simulated" / "afn" / "seed1"
    deadline = time.monotonic() + 120
    while not (seed / "last.pt").exists() and time.monotonic() < deadline:  # the first epoch is done
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert (seed / "last.pt").exists()
    assert not (seed / "trained").exists()
    refused(run(tmp_path, "2"), "training is not finished")
    done = run(tmp_path, "0")
    assert done.returncode == 0, done.stderr
    assert "resuming from" in done.stdout
    assert run(tmp_path, "2").returncode == 0
    whole = folder / "exp" / "simulated" / "afn" / "seed1"
    for name in ("best.pt", "scores/dev.txt", "scores/eval.txt"):
        assert (seed / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["0"], ["no complete features", "stage -1"]),
        (["-1"], ["not prepared", "stage -2"]),
        (["2"], ["not prepared", "stage -2"]),
        (["3"], ["no scores", "stage 2"]),
        (["--system", "afm", "-1"], ["afm.yaml: no such file", "did you mean afn?"]),
        (["--corpus", "none", "-2"], ["none.yaml: no such file", "simulated.yaml"]),
        (["--set", "train.epoch=3", "0"], ["unknown key train.epoch", "did you mean epochs"]),
        (["--seeds", "one", "0"], ["--seeds one"]),
        (["--nj", "0", "-2"], ["'0' must be a whole number above 0", "--help"]),
        (["--wrong"], ["--wrong", "--help"]),
        (["3", "0"], ["stage 3 comes after stage 0"]),
        (["--nj"], ["--nj needs a value"]),
    ],
)
def test_mistakes_are_one_clear_line(run, tmp_path, arguments, words):
    done = bare(*arguments) if arguments == ["--nj"] else run(tmp_path, *arguments, settings=[])
    refused(done, *words)
    assert not (tmp_path / "exp").exists()


def bare(*arguments):
    return subprocess.run([str(ROOT / "run.sh"), *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "script", ["run.sh", *(f"utils/{path.name}" for path in (ROOT / "utils").glob("*.sh")), ".ci/run"]
)
def test_shell_scripts_are_clean(script):
    subprocess.run(["bash", "-n", ROOT / script], check=True)
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed")
    subprocess.run(["shellcheck", "-x", "-P", ROOT, ROOT / script], check=True)


def test_a_stage_that_fails_stops_the_run_with_its_code_and_name(run, tmp_path):
    done = run(tmp_path, "-1", "3")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "run.sh: stage -1 (extract.py) failed with exit code 2"
    assert "== stage 0" not in done.stdout


def test_among_several_rows_one_that_fails_is_reported_last_and_the_others_go_on(run, finished):
    folder, _ = finished
    done = run(folder, "--system", "sigmoid_softmax_f", "--seeds", "1-2", "2", "3")
    assert done.returncode == 1
    assert "afn_softmax_f/seed1: not trained. Run stage 0 first" in done.stderr
    assert done.stderr.splitlines()[-1] == "run.sh: error: these systems failed, see above: afn_softmax_f"
    assert "== stage 3" in done.stdout
    assert "AF(Sigmoid)-DRN(ReLU)  train" in done.stdout


@pytest.mark.slow
def test_the_members_of_a_fusion_run_together_and_are_fused(run, finished, tmp_path):
    shutil.copytree(finished[0] / "data", tmp_path / "data")
    settings = [*CORPUS, "model.components=2", "train.iterations=3"]
    done = run(tmp_path, "--system", "mdf", "--utterances", "E_1000001", "--nj", "1", settings=settings)
    assert done.returncode == 0, done.stdout + done.stderr
    exp = tmp_path / "exp" / "simulated"
    for name in ("mcf_cc", "mse_cc", "lfcc_gmm"):
        assert len(score_files.read(exp / name / "scores" / "eval.txt")) == 5
        pictures = (exp / name / "attention").glob("*.png")
        assert {path.stem for path in pictures} == {"E_1000001", "class_means"}
        assert (exp / name / "seed1" / "metrics.csv").read_text().startswith("part,iteration,log_likelihood\n")
    assert set(json.loads((exp / "fusion" / "mdf" / "fusion.json").read_text())["members"]) == {
        "mcf_cc", "mse_cc", "lfcc_gmm",
    }  # fmt: skip
    assert len(score_files.read(exp / "fusion" / "mdf" / "scores" / "eval.txt")) == 5


@pytest.mark.slow
def test_i_vectors_pass_every_stage(run, finished, tmp_path):
    shutil.copytree(finished[0] / "data", tmp_path / "data")
    small = ["features.bins_per_octave=12", "ubm.components=4", "extractor.dimension=2"]
    done = run(tmp_path, "--system", "ivector_gaussian", "--nj", "1", settings=[*CORPUS, *small])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "i-vectors, Gaussian" in (tmp_path / "exp" / "simulated" / "RESULTS.md").read_text()
    assert len(score_files.read(tmp_path / "exp" / "simulated" / "ivector_gaussian" / "scores" / "eval.txt")) == 5


def test_real_recordings_pass_every_stage(run, real_data, tmp_path):
    settings = [f"corpus.root={real_data / 'asvspoof2017'}", "corpus.allow_missing=true", *SYSTEM, "train.epochs=1"]
    done = run(tmp_path, "--corpus", "asvspoof2017", settings=settings)
    assert done.returncode == 0, done.stdout + done.stderr
    exp = tmp_path / "exp" / "asvspoof2017"
    scored = score_files.read(exp / "afn" / "scores" / "dev.txt")
    assert len(scored) == 12
    assert all(0 < score < 1 for score in scored.values())
    assert len(list((exp / "afn" / "attention").glob("D_*.png"))) == 4 + 3  # there are no more replayed
    assert "Only a part of the corpus" in (exp / "RESULTS.md").read_text()


@pytest.mark.slow
def test_real_speech_through_measured_responses_trains(run, real_data, tmp_path):
    settings = [
        f"corpus.speech={real_data / 'speech'}",
        f"corpus.impulse_responses={real_data / 'impulse_responses'}",
        "corpus.train.speakers=41",
        "corpus.dev.speakers=16",
        "corpus.eval.speakers=16",  # 73 in all
        "corpus.train.genuine=41",
        "corpus.train.spoof=5",
        "corpus.dev.genuine=16",
        "corpus.dev.spoof=4",
        "corpus.eval.genuine=16",
        "corpus.eval.spoof=4",
        "train.epochs=1",
        "model.frames=122",
    ]
    done = run(tmp_path, "--system", "lcnn", "-2", "0", settings=settings)
    assert done.returncode == 0, done.stdout + done.stderr
    speakers = {line.split()[1] for path in tmp_path.glob("data/*/*/utt2spk") for line in path.read_text().splitlines()}
    assert len(speakers) == 73
    wav = next((tmp_path / "data").rglob("E_1000001.wav"))
    samples, rate = soundfile.read(wav)
    assert rate == 16000 and 0.01 < np.abs(samples).max() < 1
