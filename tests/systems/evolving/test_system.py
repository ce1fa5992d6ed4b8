"""The Evolving RNN row: evolution, interruption, scores, refusals."""

import csv
import dataclasses
import json

import numpy as np
import pytest

import evolving_genomes
from afn.common import config, files
from afn.common.errors import UserError
from afn.common.paths import ROOT
from afn.metrics.eer import linear_roc_eer
from afn.systems import registry
from afn.systems.evolving.evolution import BEST, LAST
from afn.systems.evolving.settings import Evolving
from afn.systems.evolving.system import NEAT
from afn.systems.protocol import METRICS
from afn.systems.subset import Subset

SMALL = (
    "train.population=16",
    "train.generations=7",
    "train.batch=8",
    "train.crop=0.01",
    "train.validate_every=3",
    "train.validated=4",
)
SEED = 3  # with it the grand champion is not one of the first generation


def settings(*assignments):
    content = config.override(config.read(ROOT / "conf" / "systems" / "ernn.yaml"), [*SMALL, *assignments])
    return config.build(Evolving, content, "ernn")


def subset(name, count):
    """White noise for genuine, slightly smoothed noise for spoof: a short memory tells them apart, if not well."""
    random = np.random.default_rng(len(name))
    labels = {f"{name}{i:02}": ("genuine", "spoof")[i % 2] for i in range(count)}
    features = {}
    for i, (utt, label) in enumerate(labels.items()):
        noise = random.normal(size=200 + 5 * i)
        noise = noise if label == "genuine" else np.convolve(noise, [1, 0.2], mode="same")
        features[utt] = noise.astype(np.float32)[:, None]
    return Subset(name, labels, features)


TRAIN, DEV = subset("train", 20), subset("dev", 40)


def fit(directory, *assignments, seed=SEED):
    system = registry.build(settings(*assignments), seed)
    system.fit(TRAIN, DEV, directory)
    return system


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    directory = tmp_path_factory.mktemp("whole")
    fit(directory)
    return directory


def rows(directory):
    with (directory / METRICS).open() as file:
        return list(csv.DictReader(file))


def outcome(directory):
    """What evolution left, less how long it took."""
    state = json.loads((directory / LAST).read_text())
    for row in state["position"]["history"]:
        row.pop("seconds")
    return (directory / BEST).read_bytes(), state


def test_every_generation_leaves_a_row_and_every_third_a_dev_eer(whole):
    found = rows(whole)
    assert [int(row["generation"]) for row in found] == list(range(1, 8))
    assert [bool(row["dev_eer"]) for row in found] == [True, False, True, False, False, True, True]
    champions = [float(row["champion_eer"]) for row in found]
    assert champions == sorted(champions, reverse=True)
    assert champions[-1] == min(float(row["dev_eer"]) for row in found if row["dev_eer"])
    assert 50 > champions[0] > champions[-1] > 0
    for row in found:
        assert 0 <= float(row["mean_fitness"]) <= float(row["best_fitness"]) <= 1
        assert int(row["species"]) >= 1


def test_the_grand_champion_is_loaded_and_scores_as_it_was_selected(whole):
    system = registry.build(settings(), SEED)
    assert system.weights(whole) == whole / BEST
    system.load(whole)
    scores = system.score(DEV)
    assert list(scores) == DEV.utterances
    assert all(0 <= score <= 1 for score in scores.values())
    of_class = {name: [scores[u] for u, label in DEV.labels.items() if label == name] for name in ("genuine", "spoof")}
    eer = 100 * linear_roc_eer(of_class["genuine"], of_class["spoof"])
    assert eer == pytest.approx(json.loads((whole / BEST).read_text())["dev_eer"])
    utt = DEV.utterances[3]
    outputs = system.trace(DEV.features[utt])
    passed = outputs[:, 0] > 0.5
    assert scores[utt] == pytest.approx(outputs[passed, 1].mean() if passed.any() else 0.5)
    assert [row["generation"] for row in system.history] == list(range(1, 8))
    assert system.history[1]["dev_eer"] is None


def test_the_seed_decides_everything(whole, tmp_path):
    fit(tmp_path / "again")
    assert outcome(tmp_path / "again") == outcome(whole)
    fit(tmp_path / "other", seed=2)
    assert outcome(tmp_path / "other")[1] != outcome(whole)[1]


class Killed(BaseException):
    pass


@pytest.mark.parametrize("instant", (1, 4, 9, 15))
def test_a_killed_run_ends_with_the_champion_of_an_uninterrupted_one(whole, tmp_path, monkeypatch, instant):
    write, written = files.whole, 0

    def killing(path, *mode):
        nonlocal written
        written += 1
        if written == instant:
            raise Killed
        return write(path, *mode)

    monkeypatch.setattr(files, "whole", killing)
    with pytest.raises(Killed):
        fit(tmp_path)
    monkeypatch.setattr(files, "whole", write)
    if (tmp_path / LAST).is_file():
        assert json.loads((tmp_path / LAST).read_text())["population"]["generation"] < 7
    fit(tmp_path)
    assert outcome(tmp_path) == outcome(whole)
    assert [row["dev_eer"] for row in rows(tmp_path)] == [row["dev_eer"] for row in rows(whole)]


@pytest.mark.parametrize(
    ("text", "words"), [(None, "stage 0"), ("{", "--force"), ("[]", "--force"), ('{"genome": {"key": 1}}', "--force")]
)
def test_a_damaged_champion_is_refused_in_one_line(tmp_path, text, words):
    if text is not None:
        (tmp_path / NEAT).write_bytes(evolving_genomes.CONF.read_bytes())
        (tmp_path / BEST).write_text(text)
    with pytest.raises(UserError, match=f"({BEST}|{NEAT}): .*{words}"):
        registry.build(settings(), SEED).load(tmp_path)


def test_subsets_without_both_classes_or_enough_utterances_are_refused(tmp_path):
    system = registry.build(settings("train.batch=22"), 1)
    with pytest.raises(UserError, match="train.batch: 22 takes half of each class, but train has 10 of one"):
        system.fit(TRAIN, DEV, tmp_path)
    one = dataclasses.replace(DEV, labels=dict.fromkeys(DEV.labels, "spoof"))
    with pytest.raises(UserError, match="dev: no (genuine|spoof) utterance. Training needs both classes"):
        registry.build(settings(), SEED).fit(TRAIN, one, tmp_path)


def test_another_configuration_of_neat_is_another_identity_wherever_it_is(tmp_path):
    def identity(name):
        of = settings(f"neat={tmp_path / name}")
        return registry.system_class(of).identity(of)

    text = evolving_genomes.CONF.read_text()
    with pytest.raises(UserError, match=r"one\.conf: no such file"):
        identity("one.conf")
    for name in ("one.conf", "same.conf"):
        (tmp_path / name).write_text(text)
    (tmp_path / "other.conf").write_text(text + "# another file\n")
    assert identity("one.conf") == identity("same.conf") != identity("other.conf")
