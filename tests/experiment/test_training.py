"""Seeds of a network in turns: each ends as if trained alone, logs apart; one that fails leaves the others alone."""

import sys

import pytest

from afn.common import errors
from afn.experiment import training
from trained_corpus import SETTINGS, folders, trained

SEEDS = (1, 2)


@pytest.fixture
def run(tmp_path, golden, tmp_path_factory, monkeypatch):
    """Trains seeds 1 and 2 of the trained corpus, in turns, into a folder of its own; returns where they lie."""
    corpus = trained(tmp_path_factory.getbasetemp(), golden)
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    common = ["--corpus", corpus / "mine.yaml", *folders(corpus), "--exp", tmp_path / "exp", "--system", "lcnn"]

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["train.py", *map(str, common), *settings, "--seeds", "1-2", *arguments])
        training.main()

    run.alone, run.here = (folder / "exp" / "mine" / "lcnn" for folder in (corpus, tmp_path))
    return run


def test_seeds_in_turns_end_as_if_trained_alone(run, capsys):
    run("--jobs", "2")
    said = capsys.readouterr().out
    for seed in SEEDS:
        for name in ("best.pt", "config.yaml"):
            ours, alone = (folder / f"seed{seed}" / name for folder in (run.here, run.alone))
            assert ours.read_bytes() == alone.read_bytes(), name
        log = (run.here / f"seed{seed}" / "train.log").read_text()
        assert "best dev EER" in log and f"seed {3 - seed}" not in log
        assert f"train.seed{seed}: epoch 1: train loss" in said and f"train.seed{seed}: best dev EER" in said
    assert said.index("train.seed2: ") < said.index("train.seed1: epoch 1")  # in turns indeed
    run("--jobs", "2")
    assert capsys.readouterr().out.count("is trained; --force trains it anew") == 2


def test_a_seed_that_fails_leaves_the_others_alone(run, capsys):
    (run.here / "seed1").mkdir(parents=True)
    (run.here / "seed1" / "config.yaml").write_text("other: settings\n")
    with pytest.raises(errors.UserError, match="seeds 1 failed, see above; the same command goes on"):
        run("--jobs", "2")
    assert "train: seed 1: " in capsys.readouterr().err
    assert (run.here / "seed2" / "best.pt").read_bytes() == (run.alone / "seed2" / "best.pt").read_bytes()
    with pytest.raises(errors.UserError, match="trained with other settings"):  # one after the other: at once
        run()
