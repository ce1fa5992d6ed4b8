"""Tuning: the walk through a system's grids, on dev alone."""

import csv
import json
import sys

import pytest

import made_up_recordings
from afn.common import config, labels
from afn.common.errors import UserError
from afn.common.paths import ROOT
from afn.experiment import tune
from afn.metrics import score_files
from afn.metrics.eer import linear_roc_eer
from afn.systems import registry
from stages import Pipeline

SYSTEM = """extends: {conf}/systems/lfcc_gmm.yaml
features: {{cmvn: false}}
model: {{components: 2}}
train: {{iterations: 3}}
"""


@pytest.fixture
def walk(tmp_path, monkeypatch, capsys):
    """A function that tunes a system on a made-up corpus; returns the lines that it printed."""
    corpus = made_up_recordings.make(tmp_path, {"train": 6, "dev": 6})
    Pipeline(tmp_path, corpus).run((-2,))
    (tmp_path / "row.yaml").write_text(SYSTEM.format(conf=ROOT / "conf"))
    (tmp_path / "conf" / "tuning").mkdir(parents=True)
    monkeypatch.setattr(tune, "CONF", tmp_path / "conf")

    def call(grids, *arguments):
        (tmp_path / "conf" / "tuning" / "row.yaml").write_text(f"grids: {grids}\n")
        folders = ["--data", tmp_path / "data", "--exp", tmp_path / "exp", "--nj", "1"]
        arguments = ["--corpus", corpus, "--system", tmp_path / "row.yaml", *folders, *arguments]
        monkeypatch.setattr(sys, "argv", ["tune.py", *map(str, arguments)])
        capsys.readouterr()
        tune.main()
        return [line for line in capsys.readouterr().out.splitlines() if line.startswith("tune:")]

    call.corpus, call.folder = corpus, tmp_path
    call.directory = tmp_path / "exp" / "noise" / "row" / "tuning"
    call.data = tmp_path / "data" / "noise"
    return call


def points(directory):
    with (directory / "results.csv").open() as file:
        return [(row["settings"], float(row["dev_eer"])) for row in csv.DictReader(file)]


def test_a_walk_keeps_the_best_of_every_grid_and_writes_a_yaml_that_runs(walk):
    lines = walk("{model.components: [2, 3, 1], features.deltas: [0, 1]}", "--set", "features.deltas=0")
    eers = {tuple(json.loads(point).values()): eer for point, eer in points(walk.directory)}
    assert list(eers)[:3] == [(2, 0), (3, 0), (1, 0)]  # the row's own first; then the others, in the grid's order
    components = min((2, 3, 1), key=lambda value: eers[value, 0])  # of equals the first
    assert len(eers) == 4 and (components, 1) in eers
    deltas = min((0, 1), key=lambda value: eers[components, value])
    shown = ", ".join(f"{value}: {eers[value, 0]:.2f} %" for value in (2, 3, 1))
    assert lines[0] == f"tune: model.components: {components} ({shown})"
    found = config.read(walk.directory / "row_tuned.yaml")
    assert (found["model"]["components"], found["features"]["deltas"]) == (components, deltas)
    assert (found["features"]["name"] == "lfcc_cmvn") == (deltas == 0)  # other features, another folder
    # The YAML gives the dev EER of the walk.
    pipeline = Pipeline(walk.folder, walk.corpus, "--system", str(walk.directory / "row_tuned.yaml"))
    pipeline.run((-1, 0, 2))
    scores = pipeline.exp / "noise" / "row_tuned" / "scores" / "dev.txt"
    utt2label = walk.data / "dev" / "utt2label"
    genuine, spoof = score_files.join(score_files.read(scores), labels.read(utt2label), scores, utt2label)
    assert 100 * linear_roc_eer(genuine, spoof) == pytest.approx(eers[components, deltas], abs=1e-6)


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


def test_an_interrupted_walk_resumes(walk, monkeypatch):
    tried, whole = [], tune.training.train

    def stop(stage):
        tried.append(stage.system.model.components)
        if len(tried) == 2:
            raise KeyboardInterrupt
        return whole(stage)

    monkeypatch.setattr(tune.training, "train", stop)
    with pytest.raises(KeyboardInterrupt):
        walk("{model.components: [2, 3]}")
    walk("{model.components: [2, 3]}")
    assert tried == [2, 3, 3]


@pytest.mark.parametrize(
    ("grids", "message"),
    [
        ("{model.componentz: [1]}", "grids.model.componentz: row.yaml has no such value"),
        ("{model.components: []}", r"grids.model.components: \[\] must be a list of 1 or more"),
        ("{model.components: [many]}", "model.components: 'many' must be a whole number"),
    ],
)
def test_grids_that_do_not_fit_are_refused(walk, grids, message):
    with pytest.raises(UserError, match=message):
        walk(grids)


def test_every_grid_of_the_repository_is_of_values_that_its_system_has():
    for path in sorted((ROOT / "conf" / "tuning").glob("*.yaml")):
        settings = config.read(ROOT / "conf" / "systems" / path.name)
        for name, values in config.load(tune.Tuning, path).grids.items():
            for value in values:
                changed = config.override(settings, [f"{name}={str(value).lower()}"])
                config.build(registry.settings_type(), changed, str(path))
