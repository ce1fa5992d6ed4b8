"""What stage 2 averages over seeds: outputs of networks, plain scores of other systems."""

from types import SimpleNamespace

import numpy as np
import pytest

from afn.common import config, record
from afn.common.errors import UserError
from afn.common.paths import ROOT
from afn.experiment import scoring
from afn.experiment.command_line import Stage
from afn.experiment.layout import Layout
from afn.metrics import score_files
from afn.systems import registry
from trained_corpus import record_training

RUNS = {1: {"a": -3.0, "b": 0.5}, 2: {"a": 1.0, "b": 800.0}}


@pytest.fixture
def averaged(tmp_path):
    """A function that averages RUNS as those of a system, and returns the averaged scores."""

    def call(name, runs=RUNS):
        layout = Layout(tmp_path / "data", tmp_path / "exp", "made_up")
        for seed, run in runs.items():
            folder = layout.seed(name, seed)
            settings = record_training(folder, name)
            score_files.write(folder / "scores" / "eval.txt", run)
            record.write(folder / "scores", {"identity": {}})
        stage = Stage(SimpleNamespace(name="made_up"), layout, None, name, settings, tuple(runs))
        scoring.average(stage, ["eval"])
        return score_files.read(layout.system(name) / "scores" / "eval.txt")

    return call


@pytest.mark.parametrize("name", ["drn", "lcnn"])
def test_networks_average_their_sigmoids(averaged, name):
    found = averaged(name)
    assert found["a"] == pytest.approx(np.mean([1 / (1 + np.exp(3.0)), 1 / (1 + np.exp(-1.0))]), rel=1e-12)
    assert found["b"] == pytest.approx((1 / (1 + np.exp(-0.5)) + 1) / 2, rel=1e-12)


@pytest.mark.parametrize("name", ["cqcc_gmm", "ivector_cosine", "ernn"])
def test_other_systems_average_their_scores(averaged, name):
    assert averaged(name) == {"a": pytest.approx(-1.0), "b": pytest.approx(400.25)}


def test_gaussians_on_embeddings_average_their_ratios():
    path = ROOT / "conf" / "systems" / "lcnn_stc.yaml"
    settings = config.load(registry.settings_type(), path, ["model.back_end=gaussian"])
    assert registry.build(settings, 1).averages == "scores"


def test_a_seed_without_an_utterance_is_named(averaged):
    with pytest.raises(UserError, match=r"scores: b is not scored by every seed\. Run stage 2 with --force"):
        averaged("cqcc_gmm", {1: RUNS[1], 2: {"a": 1.0}})
