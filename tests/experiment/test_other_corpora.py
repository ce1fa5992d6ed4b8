"""Trained systems on other corpora (--eval-corpus): the scores of stage 2, and what stage 3 makes of them."""

import json

import numpy as np
import pytest

from afn.experiment import other_corpora
from afn.features import nuisance
from afn.metrics import score_files
from made_up_recordings import make
from stages import Pipeline

SETTINGS = {
    "lfcc_gmm": ("model.components=2", "train.iterations=2"),
    "lcnn": ("model.frames=122", "train.epochs=1", "features.backend=native"),
}


@pytest.fixture(scope="module", params=SETTINGS)
def run(request, tmp_path_factory):
    """A system that is trained and scored on one corpus, and scored on another that holds the same recordings."""
    folder, system = tmp_path_factory.mktemp("other"), request.param
    corpus = make(folder / "corpus", {"train": 4, "dev": 4, "eval": 6})
    words = [word for setting in SETTINGS[system] for word in ("--set", setting)]
    other = corpus.with_name("again.yaml")
    other.write_text(corpus.read_text().replace("name: noise", "name: again"))
    Pipeline(folder, other).run((-2,))
    pipeline = Pipeline(folder, corpus, "--system", system, *words, "--seeds", "1-2", "--eval-corpus", str(other))
    pipeline.run((-2, -1, 0, 2))
    return pipeline


def test_the_same_recordings_as_another_corpus_have_the_same_scores(run):
    system = run.options[1]
    own, other = run.exp / "noise" / system, run.exp / "noise" / "on_again" / system
    for folder in ("scores", "seed1/scores", "seed2/scores"):
        for subset in ("dev", "eval"):
            assert (other / folder / f"{subset}.txt").read_bytes() == (own / folder / f"{subset}.txt").read_bytes()
    assert len((other / "scores" / "train.txt").read_text().splitlines()) == 4
    assert not (other / "parts").exists()


def test_an_interrupted_run_goes_on_and_finished_work_is_kept(run, monkeypatch, capsys):
    out = run.exp / "noise" / "on_again" / run.options[1]
    before = {path: path.read_bytes() for path in out.rglob("*.txt")}
    monkeypatch.setattr(other_corpora, "PART", 2)
    written = score_files.write

    def killed(path, scores):
        written(path, scores)
        if "eval-2" in path.name:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(score_files, "write", killed)
        run.run((2,), "--force")
    times = {path: path.stat().st_mtime_ns for path in out.glob("parts/*/*.txt")}
    assert times
    with monkeypatch.context() as patch:
        kept = []
        patch.setattr(score_files, "write", lambda path, scores: (kept.append(path), written(path, scores)))
        run.run((2,))
    assert not times.keys() & set(kept)
    assert {path: path.read_bytes() for path in out.rglob("*.txt")} == before
    run.run((2,))
    assert "on_again" in capsys.readouterr().out.splitlines()[-1]


def test_a_corpus_that_is_not_prepared_or_named_twice_is_one_line(run, tmp_path):
    unknown = tmp_path / "unknown.yaml"
    unknown.write_text(run.corpus.read_text().replace("name: noise", "name: unknown"))
    assert "Run stage -2" in run.refused((2,), "--eval-corpus", str(unknown))
    assert "is there twice" in run.refused((2,), "--eval-corpus", str(run.corpus))


def test_results_on_other_corpora_take_threshold_and_calibration_from_the_own_dev_set(run):
    run.run((3,))
    results = json.loads((run.exp / "noise" / "results.json").read_text())
    (own,), rows = results["systems"], {of["subset"]: of for of in results["other_corpora"]}
    assert list(rows) == ["train", "dev", "eval"]
    for subset in ("dev", "eval"):  # the same recordings
        assert rows[subset]["averaged"] == own[subset]["averaged"]
        assert rows[subset]["seeds"] == own[subset]["per_seed"]
        assert rows[subset]["cllr"] == own["calibration"]["cost"][subset]
    # On the same recordings as dev, the threshold of dev gives the two error rates whose mean is the official EER.
    official = own["dev"]["averaged"]["official"]
    assert (rows["dev"]["genuine_refused"] + rows["dev"]["replays_accepted"]) / 2 == pytest.approx(official)
    for page in ("RESULTS.md", "report.html"):
        assert "again, eval" in (run.exp / "noise" / page).read_text()


def test_scores_of_models_or_recordings_that_have_changed_are_left_out(run):
    with run.restored():
        table = run.data / "again" / "dev" / "utt2hash"
        utt, sha256, rest = table.read_text().split(" ", 2)
        table.write_text(f"{utt} {sha256[::-1]} {rest}")
        run.run((3,))
        results = json.loads((run.exp / "noise" / "results.json").read_text())
        assert "other_corpora" not in results
        text = (run.exp / "noise" / "RESULTS.md").read_text()
        assert "left out" in text and "--eval-corpus again" in text


@pytest.mark.slow
def test_equalised_recordings_of_eval_are_scored_with_every_system_when_asked_for(run, capsys):
    def results():
        return json.loads((run.exp / "noise" / "results.json").read_text())

    with run.restored():
        run.run((3,))
        assert "equalised" not in results()["audit"]
        run.run((3,), "--audit")
        (tested,), (own,) = results()["audit"]["equalised"], results()["systems"]
        assert (tested["title"], tested["subset"]) == (own["title"], "eval")
        assert {of["corpus"] for of in results()["other_corpora"]} == {"again"}
        utts, values = nuisance.read(run.data / "noise_equalised" / "eval" / nuisance.FILE)
        level = values[:, list(nuisance.NUISANCES).index("level")]
        assert level == pytest.approx(np.full(6, nuisance.EQUALISED), abs=0.05)
        scores = run.exp / "noise" / "on_noise_equalised" / own["name"] / "scores" / "eval.txt"
        assert list(score_files.read(scores)) == utts
        for page in ("RESULTS.md", "report.html"):
            assert "eval, equalised" in (run.exp / "noise" / page).read_text()
        capsys.readouterr()
        run.run((3,), "--audit")
        assert "on_noise_equalised" in (said := capsys.readouterr().out) and "is up to date" in said
        table = run.data / "noise" / "eval" / "utt2hash"
        utt, sha256, rest = table.read_text().split(" ", 2)
        table.write_text(f"{utt} {sha256[::-1]} {rest}")
        run.run((3,))
        assert "equalised" not in results()["audit"]
        assert "eval has changed since; run stage 3 with --audit" in (run.exp / "noise" / "RESULTS.md").read_text()
