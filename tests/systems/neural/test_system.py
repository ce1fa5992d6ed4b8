"""Neural systems: every row trains, is loaded and scores; the Gaussian back-end."""

import numpy as np
import pytest
import scipy.stats
import torch
from torch import nn

from afn.common import config, files
from afn.common.errors import UserError
from afn.common.paths import ROOT
from afn.experiment import rows
from afn.systems import checkpoints, registry
from afn.systems.neural.batches import Tiled
from afn.systems.neural.embedding_gaussians import EmbeddingGaussians
from afn.systems.neural.settings import VARIATIONS, Neural, Training
from afn.systems.neural.system import NeuralSystem
from afn.systems.neural.training import BEST
from afn.systems.subset import Subset

NEURAL = rows.rows("all-neural")

SMALL = ("train.epochs=1", "train.batch_size=4", "model.frames=40")


def settings(name, *assignments):
    return config.load(Neural, ROOT / "conf" / "systems" / f"{name}.yaml", assignments)


def subset(name, count, bins):
    random = np.random.default_rng(len(name))
    labels = {f"{name}{i}": ("genuine", "spoof")[i % 2] for i in range(count)}
    features = {
        utt: random.normal(label == "genuine", 1, (40 + 10 * i, bins)).astype(np.float32)
        for i, (utt, label) in enumerate(labels.items())
    }
    return Subset(name, labels, features)


@pytest.mark.parametrize("alone", ["train", "dev"])
def test_one_class_is_not_trained_on(tmp_path, alone):
    both = subset("both", 4, 257)
    single = Subset(alone, dict.fromkeys(both.labels, "spoof"), both.features)
    train, dev = (single if name == alone else both for name in ("train", "dev"))
    with pytest.raises(UserError, match=f"{alone}: no genuine utterance. Training needs both classes"):
        registry.build(settings("lcnn", "model.frames=122"), 1).fit(train, dev, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", NEURAL)
def test_a_row_differs_from_the_afn_only_where_it_says(name):
    with (ROOT / "conf" / "systems" / f"{name}.yaml").open() as file:
        text = file.read()
    assert name == "afn" or "extends:" in text
    system = settings(name)
    if name != "lcnn_stc" and not name.startswith("statpool"):  # rows of the paper
        assert system.features == settings("afn").features
        rate = 0.0005 if name == "drn_elu" else 0.001
        assert system.train == settings("afn").train.replace(learning_rate=rate)


def test_what_a_recipe_may_add_is_no_part_of_the_identity_of_rows_without_it():
    assert not set(VARIATIONS) & set(NeuralSystem.identity(settings("afn"))["train"])
    noise = "{probability: 1.0, snr: [10, 20], tilt: [0, 1]}"
    added = settings("afn", "train.averaging=0.9", f"train.augment.noise={noise}")
    recorded = NeuralSystem.identity(added)["train"]
    again = Training(**config.plain(added.train) | recorded)
    assert (again.averaging, again.augment) == (0.9, added.train.augment)


def test_random_crops_are_for_networks_of_any_length():
    for name, assignment in (("statpool", "train.crop=null"), ("afn", "train.crop=[9, 9]")):
        with pytest.raises(UserError, match=r"train\.crop: networks of any length need it"):
            settings(name, assignment)


def test_statistics_pooling_trains_is_loaded_and_scores_utterances_of_any_length(tmp_path):
    system = settings("statpool", "train.epochs=2", "train.batch_size=4", "model.widths=[4]", "model.strides=[[4, 2]]")
    train, dev = subset("t", 6, 257), subset("d", 4, 257)
    registry.build(system, 1).fit(train, dev, tmp_path)
    loaded = registry.build(system, 2)
    loaded.load(tmp_path)
    scores = loaded.score(dev)
    louder = Subset("d", dev.labels, {utt: matrix + 3 for utt, matrix in dev.features.items()})
    assert loaded.score(louder) == pytest.approx(scores, abs=1e-3)
    assert len(set(scores.values())) == len(dev.utterances)


TINY = ("train.epochs=1", "train.batch_size=4", "model.widths=[4]", "model.strides=[[4, 2]]")


def test_training_begins_with_the_weights_that_start_names_and_records_their_content(tmp_path):
    train, dev, name = subset("t", 6, 257), subset("d", 4, 257), "head.1.weight"
    registry.build(settings("statpool", *TINY), 1).fit(train, dev, tmp_path / "first")
    still = settings("statpool", *TINY, "train.learning_rate=1e-9", f"train.start={tmp_path / 'first'}")
    registry.build(still, 2).fit(train, dev, tmp_path / "second")
    first, second = (
        checkpoints.load(tmp_path / part / BEST, torch.device("cpu"))["model"][name] for part in ("first", "second")
    )
    torch.testing.assert_close(second, first, rtol=0, atol=1e-6)
    assert not torch.allclose(first, NeuralSystem(still, 2).model.state_dict()[name], atol=1e-3)
    content = files.sha256(tmp_path / "first" / BEST)
    assert NeuralSystem.identity(still)["files"] == {"start": content}


def test_the_shipped_weights_fit_the_row_that_begins_with_them(tmp_path):
    system = settings("statpool_finetuned", "train.epochs=1", "train.augment=null")
    registry.build(system, 1).fit(subset("t", 6, 257), subset("d", 4, 257), tmp_path)
    assert (tmp_path / BEST).is_file()


def test_a_start_that_is_missing_or_of_another_model_is_refused(tmp_path):
    system = settings("statpool", *TINY, f"train.start={tmp_path / 'none'}")
    with pytest.raises(UserError, match=r"train\.start: .*none/best\.pt: no such file\. Set it to detector"):
        NeuralSystem.identity(system)
    other = settings("statpool", *TINY, "train.start=detector")
    with pytest.raises(UserError, match=r"not weights of this network .* Set train\.start to a training of the same"):
        registry.build(other, 1).fit(subset("t", 6, 257), subset("d", 4, 257), tmp_path)


@pytest.mark.parametrize("back_end", ["softmax", "gaussian"])
def test_the_original_light_cnn_trains_is_loaded_and_scores(tmp_path, back_end):
    system = settings("lcnn_stc", *SMALL, f"model.back_end={back_end}")
    train, dev = subset("t", 6, 864), subset("d", 4, 864)
    registry.build(system, 1).fit(train, dev, tmp_path)
    scored = []
    for seed in (1, 2):  # the weights come from the folder, not from the seed
        again = registry.build(system, seed)
        again.load(tmp_path)
        assert again.weights(tmp_path).is_file()
        scored.append(again.score(dev))
    assert scored[0] == scored[1]
    assert list(scored[0]) == dev.utterances
    assert all(np.isfinite(score) for score in scored[0].values())


class Identity(nn.Module):
    """A network whose embedding is its input's first frame."""

    def embed(self, x):
        return x[:, 0, :, 0]


def test_gaussians_give_the_log_likelihood_ratio_of_their_classes():
    random = np.random.default_rng(0)
    labels = {f"u{i:03}": ("genuine", "spoof")[i % 2] for i in range(400)}
    mixing = random.normal(size=(3, 3))
    features = {
        utt: (random.normal(size=(1, 3)) @ mixing + 2 * (label == "genuine")).astype(np.float32)
        for utt, label in labels.items()
    }
    tiled = Tiled(Subset("train", labels, features), 1, 3)
    scorer = EmbeddingGaussians.fitted(Identity(), tiled, torch.device("cpu"))
    x = torch.from_numpy(random.normal(size=(5, 1, 3, 1)))
    expected = np.zeros(5)
    for label, sign in (("genuine", 1), ("spoof", -1)):
        points = np.concatenate([features[utt] for utt in labels if labels[utt] == label]).astype(np.float64)
        covariance = np.cov(points.T, bias=True)
        covariance += 0.01 * covariance.diagonal().mean() * np.eye(3)
        expected += sign * scipy.stats.multivariate_normal(points.mean(0), covariance).logpdf(x[:, 0, :, 0].numpy())
    np.testing.assert_allclose(scorer(x).numpy(), expected, rtol=1e-6)
    again = EmbeddingGaussians(Identity(), 3)
    again.load_state_dict(scorer.state_dict())
    np.testing.assert_array_equal(again(x).numpy(), scorer(x).numpy())
