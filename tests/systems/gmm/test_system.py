"""Two Gaussian mixtures as a system: training, resuming, scoring, and where a score comes from."""

import numpy as np
import pytest
import torch

from afn.common import config
from afn.common.errors import UserError
from afn.common.paths import ROOT
from afn.systems import checkpoints, em
from afn.systems.gmm.settings import GaussianMixtures, Reduction
from afn.systems.gmm.system import MixturePair
from afn.systems.subset import Subset

CONF = ROOT / "conf" / "systems"


def settings(**changes):
    assignments = ["model.components=4", "train.iterations=8", *(f"{k}={v}" for k, v in changes.items())]
    return config.load(GaussianMixtures, CONF / "cqcc_gmm.yaml", assignments)


def subset(name, seed, count=12, dims=6, apart=1.0):
    """Genuine frames lie around +apart/2 in the first dimension, spoofed ones around -apart/2."""
    rng = np.random.default_rng(seed)
    labels = {f"{name[0]}{i:02}": ("genuine", "spoof")[i % 2] for i in range(count)}
    features = {}
    for utt, label in labels.items():
        frames = rng.normal(0, 1, (rng.integers(60, 90), dims))
        frames[:, 0] += apart / 2 if label == "genuine" else -apart / 2
        features[utt] = frames.astype(np.float32)
    return Subset(name, labels, features, dict.fromkeys(labels, "s"))


TRAIN, DEV = subset("train", 1, 24), subset("dev", 2)


def fitted(directory, of, seed=1, train=TRAIN, dev=DEV):
    system = MixturePair(of, seed)
    system.fit(train, dev, directory)
    return system


def loaded(directory, of, seed=1):
    system = MixturePair(of, seed)
    system.load(directory)
    return system


def test_scores_are_mean_log_likelihood_ratios_and_tell_the_classes_apart(tmp_path):
    fitted(tmp_path, settings())
    system = loaded(tmp_path, settings())
    scores = system.score(DEV)
    assert list(scores) == DEV.utterances
    for utt in DEV.utterances[:2]:
        frames = torch.from_numpy(DEV.features[utt]).double()
        ratio = system.mixtures["genuine"].log_likelihood(frames) - system.mixtures["spoof"].log_likelihood(frames)
        assert scores[utt] == pytest.approx(ratio.mean().item(), abs=1e-5)
    genuine = [scores[utt] for utt, label in DEV.labels.items() if label == "genuine"]
    spoof = [scores[utt] for utt, label in DEV.labels.items() if label == "spoof"]
    assert min(genuine) > max(spoof)


def test_the_seed_decides_everything(tmp_path):
    one, again, other = (fitted(tmp_path / str(i), settings(), seed).score(DEV) for i, seed in enumerate((1, 1, 2)))
    assert one == again
    assert one != other
    same, differ = ((tmp_path / "0" / "mixtures.pt").read_bytes() == (tmp_path / i / "mixtures.pt").read_bytes()
                    for i in "12")  # fmt: skip
    assert same and not differ


@pytest.mark.parametrize("saves", [1, 5, 13])
def test_an_interrupted_training_ends_as_if_it_had_never_stopped(tmp_path, monkeypatch, saves):
    of = settings(**{"train.tolerance": 0.0})
    fitted(tmp_path / "whole", of)
    monkeypatch.setattr(em, "SECONDS_BETWEEN_SAVES", -1.0)  # every iteration
    save, done = checkpoints.save, []

    def interrupted(path, state):
        save(path, state)
        done.append(path)
        if len(done) == saves:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fitted(tmp_path / "cut", of)
    monkeypatch.setattr(checkpoints, "save", save)
    fitted(tmp_path / "cut", of)
    for name in ("mixtures.pt", "metrics.csv"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_metrics_hold_a_likelihood_that_never_falls(tmp_path):
    fitted(tmp_path, settings(**{"train.tolerance": 0.0}))
    rows = [line.split(",") for line in (tmp_path / "metrics.csv").read_text().splitlines()]
    assert rows[0] == ["part", "iteration", "log_likelihood"]
    for part in ("genuine", "spoof"):
        values = [float(value) for name, _, value in rows[1:] if name == part]
        assert len(values) == 8
        assert (np.diff(values) > -1e-6).all()
        assert values[-1] > values[0]


def test_training_on_train_and_dev_takes_both(tmp_path):
    pooled = settings(trained_on="train+dev")
    together = Subset("both", {**TRAIN.labels, **DEV.labels}, {**TRAIN.features, **DEV.features})
    expected = fitted(tmp_path / "together", settings(), train=together).score(DEV)
    assert fitted(tmp_path / "pooled", pooled).score(DEV) == expected
    assert fitted(tmp_path / "train", settings()).score(DEV) != expected


def test_an_explanation_adds_up_to_the_score(tmp_path):
    for name, of in (("plain", settings()), ("reduced", reduced(3, deltas=2))):
        fitted(tmp_path / name, of)
        system = loaded(tmp_path / name, of)
        utt = DEV.utterances[0]
        ratios, shares = system.explain(DEV.features[utt])
        assert ratios.shape == (len(DEV.features[utt]),)
        assert shares.shape == ({"plain": 6, "reduced": 9}[name] + 1,)
        assert ratios.mean() == pytest.approx(system.score(DEV)[utt], abs=1e-4)
        assert shares.sum() == pytest.approx(ratios.mean(), abs=1e-9)
    _, shares = loaded(tmp_path / "plain", settings()).explain(DEV.features[utt])
    assert np.abs(shares[:-1]).argmax() == 0  # the one dimension that tells the classes apart
    assert system.blocks == 3


def reduced(components, deltas=0):
    return settings().replace(reduction=Reduction(components=components, deltas=deltas, delta_window=3))


def test_training_data_that_do_not_suffice_are_refused_with_both_numbers(tmp_path):
    with pytest.raises(UserError, match=r"genuine: frames: (\d+) are fewer than the 4096 components"):
        fitted(tmp_path, settings(**{"model.components": 4096}))
    with pytest.raises(UserError, match=r"components: 7 are more than \d+ frames of 6 dimensions"):
        fitted(tmp_path, reduced(7))
    genuine = {utt: label for utt, label in TRAIN.labels.items() if label == "genuine"}
    with pytest.raises(UserError, match="no spoof utterance"):
        fitted(tmp_path, settings(), train=Subset("train", genuine, {utt: TRAIN.features[utt] for utt in genuine}))
    fitted(tmp_path, settings())
    odd = Subset("eval", {"e1": "spoof"}, {"e1": np.zeros((5, 4), np.float32)})
    with pytest.raises(UserError, match="e1: frames of 4 dimensions; this mixture has 6"):
        loaded(tmp_path, settings()).score(odd)
