"""Which trained experiment the options name."""

import os
from types import SimpleNamespace

import pytest

from afn.common import config, record
from afn.common.errors import UserError
from afn.common.paths import ROOT
from afn.experiment import command_line, finished


@pytest.fixture
def exp(tmp_path):
    """A folder of experiments; `exp(corpus, system, seed, age)` adds a finished training, `age` seconds old."""

    def add(corpus, system, seed, age):
        directory = tmp_path / "exp" / corpus / system / f"seed{seed}"
        content = {"system": system, "seed": seed, "settings": config.read(ROOT / "conf" / "systems" / "lcnn.yaml")}
        record.write(directory, content)
        (directory / command_line.TRAINED).touch()
        os.utime(directory / command_line.TRAINED, (1e9 - age, 1e9 - age))

    return add


def find(tmp_path, **given):
    options = {"system": "afn", "corpus": None, "experiment": None, "seed": None, **given}
    return finished.find(SimpleNamespace(data=tmp_path / "data", exp=tmp_path / "exp", **options))


def test_the_newest_training_of_the_default_system_is_taken(tmp_path, exp):
    exp("old", "afn", 1, 300)
    exp("new", "afn", 2, 100)
    exp("new", "afn", 10, 200)
    exp("newest", "drn", 1, 0)  # another system
    found = find(tmp_path)
    assert (found.layout.corpus, found.name, found.seeds) == ("new", "afn", [2, 10])
    assert found.seed(10) == tmp_path / "exp" / "new" / "afn" / "seed10"


def test_options_choose_another(tmp_path, exp):
    exp("old", "afn", 1, 300)
    exp("new", "afn", 2, 100)
    exp("new", "drn", 3, 100)
    exp("new", "drn", 4, 100)
    folder = tmp_path / "exp" / "new" / "drn"
    for given, wanted in (
        ({"corpus": "old"}, ("old", "afn", [1])),
        ({"system": "drn"}, ("new", "drn", [3, 4])),
        ({"system": "conf/systems/drn.yaml", "seed": 4}, ("new", "drn", [4])),
        ({"experiment": folder}, ("new", "drn", [3, 4])),
        ({"experiment": folder / "seed3"}, ("new", "drn", [3])),
    ):
        found = find(tmp_path, **given)
        assert (found.layout.corpus, found.name, found.seeds) == wanted


def test_an_unfinished_training_does_not_count(tmp_path, exp):
    exp("mine", "afn", 1, 0)
    exp("mine", "afn", 2, 0)
    (tmp_path / "exp" / "mine" / "afn" / "seed1" / command_line.TRAINED).unlink()
    assert find(tmp_path).seeds == [2]


def test_what_there_is_not_is_named_with_what_there_is(tmp_path, exp):
    with pytest.raises(UserError, match=r"no finished training of afn; run \./run\.sh first"):
        find(tmp_path)
    exp("mine", "drn", 1, 0)
    with pytest.raises(UserError, match=r"no finished training of afn on yours; choose .* among mine/drn"):
        find(tmp_path, corpus="yours")
    with pytest.raises(UserError, match="--seed 2: .*mine/drn has seeds 1"):
        find(tmp_path, system="drn", seed=2)
    with pytest.raises(UserError, match="has no scores of dev to set a threshold by; run stage 2 first"):
        find(tmp_path, system="drn").scored()


def test_the_settings_are_those_of_the_training_not_of_the_yaml_now(tmp_path, exp):
    exp("mine", "afn", 1, 0)  # with the settings of another row
    assert find(tmp_path).title == "LCNN"
    path = tmp_path / "exp" / "mine" / "afn" / "seed1" / record.NAME
    path.write_text(path.read_text().replace("frames: 1091", "frames: 300"))
    assert find(tmp_path).settings[1].model.frames == 300
    path.write_text("system: afn\n")
    with pytest.raises(UserError, match=r"seed1/config\.yaml: settings"):
        find(tmp_path)


def test_seeds_that_differ_in_their_features_do_not_score_together(tmp_path, exp):
    exp("mine", "afn", 1, 0)
    exp("mine", "afn", 2, 0)
    path = tmp_path / "exp" / "mine" / "afn" / "seed2" / record.NAME
    path.write_text(path.read_text().replace("cmn_window: 300", "cmn_window: 100"))
    with pytest.raises(UserError, match="seeds 1 and 2 differ in their features; choose one with --seed"):
        find(tmp_path).features()
