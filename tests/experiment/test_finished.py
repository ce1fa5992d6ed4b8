"""Which trained experiment the options name."""

import os
import re
from types import SimpleNamespace

import pytest

from afn.common import record
from afn.common.errors import UserError
from afn.experiment import finished
from afn.experiment.layout import TRAINED
from trained_corpus import record_training


@pytest.fixture
def exp(tmp_path):
    """`exp(corpus, system, seed, age)` adds a finished training of an LCNN, `age` seconds old."""

    def add(corpus, system, seed, age=0, *settings):
        directory = tmp_path / "exp" / corpus / system / f"seed{seed}"
        record_training(directory, "lcnn", *settings)
        os.utime(directory / TRAINED, (1e9 - age, 1e9 - age))

    return add


def find(tmp_path, **given):
    options = {"system": "afn", "corpus": None, "experiment": None, "seed": None, **given}
    return finished.find(SimpleNamespace(data=tmp_path / "data", exp=tmp_path / "exp", **options))


def test_the_newest_training_of_the_default_system_is_taken_and_options_choose_another(tmp_path, exp):
    exp("old", "afn", 1, 300)
    exp("new", "afn", 2, 100)
    exp("new", "afn", 10, 200)
    exp("newest", "drn", 3)
    exp("newest", "drn", 4)
    folder = tmp_path / "exp" / "newest" / "drn"
    for given, wanted in (
        ({}, ("new", "afn", [2, 10])),
        ({"corpus": "old"}, ("old", "afn", [1])),
        ({"system": "drn"}, ("newest", "drn", [3, 4])),
        ({"system": "conf/systems/drn.yaml", "seed": 4}, ("newest", "drn", [4])),
        ({"experiment": folder}, ("newest", "drn", [3, 4])),
        ({"experiment": folder / "seed3"}, ("newest", "drn", [3])),
    ):
        found = find(tmp_path, **given)
        assert (found.layout.corpus, found.name, found.seeds) == wanted
        assert [of.directory.name for of in found.trained.values()] == [f"seed{seed}" for seed in found.seeds]


def test_a_missing_experiment_is_named_with_those_that_exist(tmp_path, exp):
    with pytest.raises(UserError, match=r"no finished training of afn\. Run \./run\.sh first"):
        find(tmp_path)
    exp("mine", "drn", 1)
    with pytest.raises(UserError, match=r"no finished training of afn on yours\. Choose .* among mine/drn"):
        find(tmp_path, corpus="yours")
    with pytest.raises(UserError, match="--seed 2: .*mine/drn has seeds 1"):
        find(tmp_path, system="drn", seed=2)
    with pytest.raises(UserError, match=r"has no scores of dev to set a threshold\. Run stage 2"):
        find(tmp_path, system="drn").scored()


@pytest.mark.parametrize(
    ("below", "message"),
    [
        ("mine", r"exp/mine: no finished training\. Name one of the systems in it: afn, drn\.$"),
        (".", r"exp: no finished training\. Name exp/<corpus>/<system>, or a seed<k> in it\.$"),
        ("mine/afn/seed1/best.pt", r"best\.pt: no finished training\. Name exp/<corpus>/<system>, or a seed<k> in it"),
        ("mine/afn/seed7", r"--seed 7: .*exp/mine/afn has seeds 1\.$"),
        ("nowhere", r"nowhere: no finished training\. Name exp/<corpus>/<system>"),
    ],
)
def test_an_experiment_at_a_wrong_level_says_what_to_name(tmp_path, exp, below, message):
    exp("mine", "drn", 1)
    exp("mine", "afn", 1)
    (tmp_path / "exp" / "mine" / "afn" / "seed1" / "best.pt").touch()
    with pytest.raises(UserError, match=message):
        find(tmp_path, experiment=tmp_path / "exp" / below)


def test_the_settings_are_those_of_the_training_not_of_the_yaml_now(tmp_path, exp):
    exp("mine", "afn", 1, 0, "model.frames=300")  # with the settings of another row
    found = find(tmp_path)
    assert found.title == "LCNN" and found.first.settings.model.frames == 300
    path = tmp_path / "exp" / "mine" / "afn" / "seed1" / record.NAME
    path.write_text(re.sub("kind: neural\n", "", path.read_text(), count=1))
    with pytest.raises(UserError, match=r"seed1/config\.yaml: "):
        find(tmp_path)


def test_seeds_that_were_trained_differently_do_not_score_together(tmp_path, exp):
    exp("mine", "afn", 1)
    exp("mine", "afn", 2, 0, "features.cmn_window=100")
    exp("mine", "afn", 3)
    found = find(tmp_path)
    assert found.seeds == [1, 3]
    (sentence,) = found.left_out
    assert sentence.startswith("seed 2 is left out: ") and "cmn_window: 300, there 100" in sentence
    assert find(tmp_path, seed=2).seeds == [2]
