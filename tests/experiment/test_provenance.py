"""One source of truth: a trained model is used as it was trained, or the stage stops and says what differs."""

import re
import shutil
from pathlib import Path

import pytest
import soundfile
import yaml

from afn.common import config
from afn.experiment import provenance
from made_up_recordings import make, wave
from stages import Pipeline

ROW = ["--system", "lfcc_gmm", "--set", "model.components=2", "--set", "train.iterations=3"]
ALL = (-2, -1, 0, 1, 2, 3)


def contents(folder, pattern):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.glob(pattern)) if path.is_file()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    pipeline = Pipeline(folder, make(folder), *ROW)
    pipeline.run(ALL)
    return pipeline


@pytest.fixture
def trained(finished, tmp_path):
    """A copy of a finished experiment with data/ and exp/ in another folder than the one that made them."""
    for name in ("data", "exp"):
        shutil.copytree(finished.folder / name, tmp_path / name)
    return Pipeline(tmp_path, finished.corpus, *ROW)


@pytest.fixture
def own(finished, tmp_path):
    """A pipeline that has not run, with a copy of the recordings and lists."""
    for name in ("wav", "lists"):
        shutil.copytree(finished.folder / name, tmp_path / name)
    for path in ("noise.yaml", *(f"lists/{subset}/wav.scp" for subset in ("train", "dev", "eval"))):
        content = (finished.folder / path).read_text()
        (tmp_path / path).write_text(content.replace(str(finished.folder), str(tmp_path)))
    return Pipeline(tmp_path, tmp_path / "noise.yaml", *ROW)


def seed(pipeline, number=1):
    return pipeline.exp / "noise" / "lfcc_gmm" / f"seed{number}"


def test_moved_folders_are_used_as_they_are(trained, capsys):
    before = contents(trained.folder, "**/*.pt") | contents(trained.folder, "exp/**/*.txt")
    capsys.readouterr()
    trained.run(ALL)
    said = capsys.readouterr().out
    assert "is trained" in said and "scores is up to date" in said and "attention is up to date" in said
    assert "extract: wrote" not in said and "score: wrote" not in said
    assert contents(trained.folder, "**/*.pt") | contents(trained.folder, "exp/**/*.txt") == before


@pytest.mark.parametrize("stages", [(0,), (1,), (2,)])
def test_other_settings_stop_every_stage_that_uses_a_trained_model(trained, stages):
    before = contents(trained.folder, "exp/**/*")
    message = trained.refused(stages, "--set", "train.iterations=5")
    assert "trained with other settings" in message and "train.iterations: 3, now 5" in message
    assert contents(trained.folder, "exp/**/*") == before


def test_features_of_other_settings_stop_training_heatmaps_and_scores(trained):
    trained.run((-1,), "--set", "features.filters=24")
    for stage in (0, 1, 2):
        assert re.search(r"with other settings.*\(filters: 2[04], now 2[04]\)", trained.refused((stage,)))
    assert "filters" in trained.refused((2,), "--set", "features.filters=24")


def test_what_changes_no_number_leaves_a_training_alone(trained, finished, tmp_path, capsys):
    row = tmp_path / "lfcc_gmm.yaml"
    row.write_text(
        f"extends: {Path(__file__).parents[2] / 'conf' / 'systems' / 'lfcc_gmm.yaml'}\n"
        "title: Another title\npaper: {dev: 1.0, eval: 2.0, note: new}\n"
    )
    pipeline = Pipeline(trained.folder, finished.corpus, "--system", str(row), *ROW[2:])
    capsys.readouterr()
    pipeline.run((-1, 0, 2))
    said = capsys.readouterr().out
    assert "is trained" in said and "scores is up to date" in said


def test_a_recording_added_to_eval_leaves_the_training_and_the_scores_of_dev_alone(own, capsys):
    own.run((-2, -1, 0, 2))
    soundfile.write(own.folder / "new.wav", wave(99), 16000)
    for name, value in (("wav.scp", own.folder / "new.wav"), ("utt2label", "spoof")):
        with (own.folder / "lists" / "eval" / name).open("a") as file:
            file.write(f"eval_new {value}\n")
    capsys.readouterr()
    own.run((-2, -1, 0, 2))
    said = capsys.readouterr().out
    assert "is trained" in said
    assert "eval.txt: 5 utterances" in said and "seed1/scores/dev.txt" not in said


def test_a_replaced_recording_of_train_is_noticed_and_named_in_words(own):
    own.run((-2, -1, 0))
    soundfile.write(own.folder / "wav" / "train_000.wav", wave(77), 16000)
    assert "train_000 changed since stage -2 read the recordings" in own.refused((-1,))
    message = own.refused((-2, -1, 0))
    assert "the features of train have changed" in message
    assert not any(len(word) > 40 and word.isalnum() for word in message.split())  # no hashes


def test_seeds_trained_differently_are_not_averaged_and_are_named(trained, capsys):
    trained.run((0, 2), "--seeds", "2", "--set", "train.iterations=4")
    capsys.readouterr()
    trained.run((2, 3), "--seeds", "1")
    said = capsys.readouterr().out
    assert "seed 2 is left out: it was trained with train.iterations: 3, there 4" in said
    record = yaml.safe_load((seed(trained).parent / "scores" / "config.yaml").read_text())
    assert list(record["identity"]["seeds"]) == ["1"]
    results = (trained.exp / "noise" / "RESULTS.md").read_text()
    assert "seed 2 is left out" in results
    assert "trained with other settings" in trained.refused((2,), "--seeds", "1-2")


def test_what_a_users_file_states_wins_over_the_corpus_and_changes_are_said_and_recorded(trained, finished, capsys):
    corpus = trained.folder / "noise.yaml"
    adapts = "systems: {gmm: {model: {components: 2}, train: {iterations: 3}}}\n"
    corpus.write_text(finished.corpus.read_text() + adapts)
    mine = trained.folder / "mine.yaml"
    conf = Path(__file__).parents[2] / "conf" / "systems" / "lfcc_gmm.yaml"
    mine.write_text(f"extends: {conf}\ntrain: {{iterations: 4}}\n")
    Pipeline(trained.folder, corpus, "--system", str(mine)).run((-1, 0))
    said = capsys.readouterr().out
    assert said.count("corpus noise changes model.components from 512 to 2") == 1
    assert "train.iterations" not in said
    record = yaml.safe_load((trained.exp / "noise" / "mine" / "seed1" / "config.yaml").read_text())
    assert record["identity"]["settings"]["train"]["iterations"] == 4
    assert record["identity"]["settings"]["model"]["components"] == 2
    assert record["presentation"]["adapted_by_corpus"] == {"model.components": "512 -> 2"}
    whole = trained.folder / "whole.yaml"
    whole.write_text(yaml.safe_dump({**config.read(conf), "model": {"components": 3}}))
    Pipeline(trained.folder, corpus, "--system", str(whole), "--set", "train.iterations=1").run((0,))
    record = yaml.safe_load((trained.exp / "noise" / "whole" / "seed1" / "config.yaml").read_text())
    assert record["identity"]["settings"]["model"]["components"] == 3
    assert record["identity"]["settings"]["train"]["iterations"] == 1


def test_forced_training_resumes_when_it_was_interrupted_and_starts_over_when_it_was_finished(trained, monkeypatch):
    model = seed(trained) / "mixtures.pt"
    old = model.stat().st_mtime_ns

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("afn.systems.gmm.system.checkpoints.save", interrupted)
        with pytest.raises(KeyboardInterrupt):
            trained.run((0,), "--force")
    assert not model.exists()
    begun = (seed(trained) / "config.yaml").stat().st_mtime_ns
    assert begun > old
    trained.run((0,), "--force")  # resumes: the folder is the one that was begun
    assert (seed(trained) / "config.yaml").stat().st_mtime_ns == begun
    trained.run((0,), "--force")  # finished: starts over
    assert (seed(trained) / "config.yaml").stat().st_mtime_ns > begun
    assert not list(trained.exp.glob(".forced/*"))


def test_the_arithmetic_is_recorded_and_a_training_does_not_resume_in_another(finished, tmp_path, monkeypatch):
    settings = ("model.frames=250", "train.epochs=1", "features.backend=native")
    words = [word for setting in settings for word in ("--set", setting)]
    pipeline = Pipeline(tmp_path, finished.corpus, "--system", "lcnn", *words)
    monkeypatch.setattr("afn.systems.device.resolved", lambda precision, *_: precision.replace("auto", "float32"))
    pipeline.run((-2, -1, 0))
    folder = pipeline.exp / "noise" / "lcnn" / "seed1"
    assert (
        yaml.safe_load((folder / "config.yaml").read_text())["identity"]["settings"]["train"]["precision"] == "float32"
    )
    assert provenance.read(folder).settings.train.precision == "float32"
    monkeypatch.setattr("afn.systems.device.resolved", lambda *_: "bfloat16")  # a machine that has it
    pipeline.run((0, 2))  # a finished training is used as it is
    assert "train.precision: float32, now bfloat16" in pipeline.refused((2,), "--set", "train.precision=bfloat16")
    (folder / "trained").unlink()
    assert "train.precision: float32, now bfloat16" in pipeline.refused((0,))


def test_every_run_that_worked_on_a_training_is_recorded(finished, tmp_path):
    shutil.copytree(finished.folder / "data", tmp_path / "data")
    pipeline = Pipeline(tmp_path, finished.corpus, *ROW)
    pipeline.run((0,))
    (seed(pipeline) / "trained").unlink()
    pipeline.run((0,))
    runs = yaml.safe_load((seed(pipeline) / "env.json").read_text())
    assert len(runs) == 2 and all(run["packages"]["torch"] for run in runs)
