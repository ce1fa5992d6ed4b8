"""Tuning: the walk through a system's grids, on dev alone."""

import csv
import sys

import numpy as np
import pytest
import soundfile

from afn.common import config
from afn.common.errors import UserError
from afn.corpora import datadir
from afn.corpora.datadir import Utterance
from afn.experiment import tune

SYSTEM = """extends: {conf}/systems/lfcc_gmm.yaml
features: {{cmvn: false}}
model: {{components: 2}}
train: {{iterations: 3}}
"""


@pytest.fixture
def walk(tmp_path, monkeypatch, capsys):
    """A function that tunes a system on a made-up corpus (spoof is noise in a narrower band); its printed lines."""
    rng = np.random.default_rng(5)
    for subset in ("train", "dev"):
        listed = []
        for i in range(6):
            wave = rng.normal(0, 1500, 6000)
            label = ("genuine", "spoof")[i % 2]
            if label == "spoof":
                wave = np.convolve(wave, np.ones(2) / 2, mode="same")
            path = tmp_path / "wavs" / f"{subset}{i}.wav"
            path.parent.mkdir(exist_ok=True)
            soundfile.write(path, wave.astype(np.int16), 16000)
            listed.append(Utterance(f"{subset}{i}", str(path), f"s{i % 3}", label))
        datadir.write(tmp_path / "data" / "made_up" / subset, listed)
    (tmp_path / "data" / "made_up" / "config.yaml").write_text("kind: made up\n")
    (tmp_path / "made_up.yaml").write_text("kind: datadir\nname: made_up\ntrain: nowhere\n")
    (tmp_path / "row.yaml").write_text(SYSTEM.format(conf=tune.ROOT / "conf"))
    (tmp_path / "conf" / "tuning").mkdir(parents=True)
    monkeypatch.setattr(tune, "CONF", tmp_path / "conf")

    def call(grids, *arguments):
        (tmp_path / "conf" / "tuning" / "row.yaml").write_text(f"grids: {grids}\n")
        folders = ["--data", tmp_path / "data", "--exp", tmp_path / "exp", "--nj", "1"]
        arguments = ["--corpus", tmp_path / "made_up.yaml", "--system", tmp_path / "row.yaml", *folders, *arguments]
        monkeypatch.setattr(sys, "argv", ["tune.py", *map(str, arguments)])
        tune.main()
        return [line for line in capsys.readouterr().out.splitlines() if line.startswith("tune:")]

    call.directory = tmp_path / "exp" / "made_up" / "row" / "tuning"
    call.data = tmp_path / "data" / "made_up"
    return call


def points(directory):
    with (directory / "results.csv").open() as file:
        return [(row["settings"], float(row["dev_eer"])) for row in csv.DictReader(file)]


def test_a_walk_keeps_the_best_of_every_grid_and_writes_a_yaml_that_runs(walk, monkeypatch):
    eers = {(2, 0): 20.0, (4, 0): 10.0, (8, 0): 10.0, (4, 1): 10.0, (4, 2): 5.0}

    def pretend(self, values):
        return eers[values["model.components"], values["features.deltas"]]

    monkeypatch.setattr(tune.Walk, "_try_out", pretend)
    lines = walk("{model.components: [4, 2, 8], features.deltas: [0, 1, 2]}", "--set", "features.deltas=0")
    assert lines[0] == "tune: model.components: 4 (2: 20.00 %, 4: 10.00 %, 8: 10.00 %)"
    assert lines[1] == "tune: features.deltas: 2 (0: 10.00 %, 1: 10.00 %, 2: 5.00 %)"
    assert len(points(walk.directory)) == 5
    found = config.read(walk.directory / "row_tuned.yaml")
    assert (found["model"]["components"], found["features"]["deltas"], found["kind"]) == (4, 2, "gmm")
    assert found["features"]["name"] != "lfcc_cmvn"  # else it would take the features of other settings for its own


def test_points_are_trained_and_scored_on_dev_once(walk):
    lines = walk("{features.filters: [20, 24], model.components: [2, 3]}")
    assert lines[-1].startswith("tune: wrote ")
    assert [point for point, _ in points(walk.directory)] == [
        '{"features.filters": 20, "model.components": 2}',
        '{"features.filters": 24, "model.components": 2}',
        points(walk.directory)[2][0],
    ]
    assert all(0 <= eer <= 100 for _, eer in points(walk.directory))
    left = sorted(path.name for path in walk.directory.iterdir())
    assert left == ["config.yaml", "results.csv", "row_tuned.yaml"]
    features = {path.name for path in (walk.data / "train").iterdir() if path.is_dir()}
    assert features == {"lfcc_cmvn"}  # those of other points are taken away
    before = (walk.directory / "results.csv").stat().st_mtime_ns
    assert walk("{features.filters: [20, 24], model.components: [2, 3]}") == lines
    assert (walk.directory / "results.csv").stat().st_mtime_ns == before


def test_an_interrupted_walk_goes_on(walk, monkeypatch):
    tried, whole = [], tune.Walk._try_out

    def stop(self, values):
        tried.append(tune.key_of(values))
        if len(tried) == 2:
            raise KeyboardInterrupt
        return whole(self, values)

    monkeypatch.setattr(tune.Walk, "_try_out", stop)
    with pytest.raises(KeyboardInterrupt):
        walk("{model.components: [2, 3]}")
    walk("{model.components: [2, 3]}")
    assert tried == [tried[0], tried[1], tried[1]]


@pytest.mark.parametrize(
    ("grids", "message"),
    [
        ("{model.componentz: [1]}", "grids.model.componentz: row.yaml has no such value"),
        ("{model.components: []}", "grids.model.components: give one value at least"),
        ("{model.components: [many]}", "model.components: 'many' must be a whole number"),
    ],
)
def test_grids_that_do_not_fit_are_refused(walk, grids, message):
    with pytest.raises(UserError, match=message):
        walk(grids)


def test_every_grid_of_the_repository_is_of_values_that_its_system_has():
    for path in sorted((tune.ROOT / "conf" / "tuning").glob("*.yaml")):
        settings = config.read(tune.ROOT / "conf" / "systems" / path.name)
        for name, values in config.load(tune.Tuning, path).grids.items():
            for value in values:
                changed = config.override(settings, [f"{name}={str(value).lower()}"])
                config.build(tune.System, changed, str(path))
