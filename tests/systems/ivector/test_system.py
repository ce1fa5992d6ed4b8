"""The i-vector rows with our own programs: they tell classes apart, go on after an interruption, and name mistakes."""

import numpy as np
import pytest
import torch

from afn.common.errors import UserError
from afn.systems import checkpoints, em
from afn.systems.ivector.system import BACK_END, IVectorSystem, speaker_means
from afn.systems.protocol import METRICS
from afn.systems.subset import Subset
from planted import margin, row, subset

ROWS = [
    ("ivector_cosine", []),
    ("ivector_gaussian", []),
    ("ivector_cosine_whitened", ["features.first=c0", "features.deltas=0"]),
]


@pytest.fixture(scope="module")
def corpus():
    return subset("train", 1), subset("dev", 2)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory):
    """The first row, trained, and its directory, which no test may change."""
    directory = tmp_path_factory.mktemp("trained")
    return fitted(row(), corpus, directory), directory


def fitted(settings, corpus, directory, seed=1):
    system = IVectorSystem(settings, seed)
    system.fit(*corpus, directory)
    return system


@pytest.mark.parametrize(("name", "changes"), ROWS)
def test_planted_classes_are_told_apart_and_loading_changes_nothing(corpus, tmp_path, name, changes):
    settings = row(*changes, name=name)
    system = fitted(settings, corpus, tmp_path)
    assert margin(system, corpus[1]) > 0.95
    assert system.weights(tmp_path) == tmp_path / BACK_END
    loaded = IVectorSystem(settings, 1)
    loaded.load(tmp_path)
    assert loaded.score(corpus[1]) == system.score(corpus[1])


def test_a_score_does_not_depend_on_its_neighbours(corpus, trained):
    system = trained[0]
    together = system.score(corpus[1])
    utt = corpus[1].utterances[-1]
    alone = system.score(Subset("dev", {utt: "spoof"}, {utt: corpus[1].features[utt]}))
    assert alone[utt] == pytest.approx(together[utt], abs=1e-9)


def test_every_part_leaves_its_iterations(trained):
    lines = (trained[1] / METRICS).read_text().splitlines()
    assert lines[0] == "part,iteration,log_likelihood"
    parts = [line.split(",")[0] for line in lines[1:]]
    assert {part: parts.count(part) for part in parts} == {"ubm": 3, "ubm_full": 2, "extractor": 3}


@pytest.mark.parametrize("saves", [2, 4, 6, 9])
def test_an_interrupted_training_ends_as_an_uninterrupted_one(corpus, trained, tmp_path, monkeypatch, saves):
    monkeypatch.setattr(em, "SECONDS_BETWEEN_SAVES", -1.0)  # every iteration
    save, done = checkpoints.save, []

    def interrupted(path, state):
        save(path, state)
        done.append(path)
        if len(done) == saves:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fitted(row(), corpus, tmp_path)
    monkeypatch.setattr(checkpoints, "save", save)
    assert not (tmp_path / BACK_END).exists()
    fitted(row(), corpus, tmp_path)
    for name in (BACK_END, METRICS):
        assert (tmp_path / name).read_bytes() == (trained[1] / name).read_bytes()


def test_the_seed_draws_the_extractor(corpus, trained, tmp_path):
    other = fitted(row(), corpus, tmp_path, seed=2)
    assert (tmp_path / "ubm_full.pt").read_bytes() == (trained[1] / "ubm_full.pt").read_bytes()
    assert not torch.equal(other.extractor.loadings, trained[0].extractor.loadings)


def test_train_and_dev_are_pooled_where_the_row_says_so(corpus, trained, tmp_path):
    train, dev = corpus
    pooled = fitted(row("trained_on=train+dev"), corpus, tmp_path / "pooled")
    both = Subset("both", train.labels | dev.labels, train.features | dev.features, train.speakers | dev.speakers)
    by_hand = fitted(row(), (both, dev), tmp_path / "by_hand")
    assert pooled.score(dev) == by_hand.score(dev)
    assert trained[0].score(dev) != pooled.score(dev)


def test_per_speaker_the_back_end_learns_from_means_of_speakers(corpus, tmp_path):
    train = corpus[0]
    settings = row("back_end.per_speaker=true", "back_end.unit_length=false")
    system = fitted(settings, corpus, tmp_path)
    vectors = dict(zip(train.utterances, system.extract(train), strict=True))
    means = []
    for speaker in sorted(set(train.speakers.values())):
        own = [u for u in train.utterances if train.speakers[u] == speaker and train.labels[u] == "genuine"]
        means.append(np.mean([vectors[u] for u in own], axis=0))
    expected = np.mean(means, axis=0)
    np.testing.assert_allclose(system.back_end.genuine, expected / np.linalg.norm(expected), atol=1e-9)
    means, genuine = speaker_means(
        np.array([[1.0], [2.0], [4.0], [8.0]]), np.array([False, True, False, False]), ["b", "a", "b", "a"]
    )
    assert means.tolist() == [[8.0], [2.0], [2.5]] and genuine.tolist() == [False, True, False]


def test_training_data_that_do_not_suffice_are_refused(corpus, tmp_path):
    train, dev = corpus
    with pytest.raises(UserError, match=r"ubm: .*1506.*4000"):
        fitted(row("ubm.components=4000"), corpus, tmp_path)
    with pytest.raises(UserError, match=r"back_end: the Gaussian back-end: 24 i-vectors span \d+ of their 30"):
        fitted(row("back_end.scoring=gaussian", "extractor.dimension=30"), corpus, tmp_path / "other")
    spoof = {utt: label for utt, label in train.labels.items() if label == "spoof"}
    with pytest.raises(UserError, match="train: no genuine utterance"):
        fitted(row(), (Subset("train", spoof, {utt: train.features[utt] for utt in spoof}), dev), tmp_path)
