"""The training recipe on a small network: selection, schedule, resumption, refusals."""

import csv
import math

import numpy as np
import pytest
import torch
from torch import nn

from afn.augment import Augmentation
from afn.common import config, files
from afn.common.errors import UserError
from afn.common.paths import ROOT
from afn.systems import checkpoints
from afn.systems.neural import training
from afn.systems.neural.batches import Tiled, shuffled, tile
from afn.systems.neural.settings import Neural
from afn.systems.neural.training import BEST, LAST, Trainer
from afn.systems.protocol import METRICS
from afn.systems.subset import Subset, in_order

CPU = torch.device("cpu")
PAPERS = config.load(Neural, ROOT / "conf" / "systems" / "afn.yaml").train
RECIPE = PAPERS.replace(epochs=4, learning_rate=0.01, precision="float32", checkpoint_minutes=60.0)
VARIED = RECIPE.replace(
    weight_decay=0.1,
    one_cycle=0.3,
    averaging=0.9,
    balanced=True,
    crop=(10, 10),
    augment=Augmentation(time_masks={"count": (1, 1), "width": (1, 3)}),
)


class Small(nn.Module):
    """A convolution, batch norm, dropout and a linear layer: every kind of state that a checkpoint holds."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Dropout(0.2), nn.Flatten())
        self.head = nn.Linear(3 * 3 * 8, 1)

    def forward(self, x):
        return self.head(self.body(x)).squeeze(1)


def subset(name, count, seed, shift=0.5):
    random = np.random.default_rng(seed)
    labels = {f"{name}{i:03}": ("genuine", "spoof")[i % 2] for i in range(count)}
    features = {
        utt: random.normal(shift * (label == "genuine"), 1, (random.integers(4, 14), 5)).astype(np.float32)
        for utt, label in labels.items()
    }
    return Tiled(Subset(name, labels, features), 10, 5)


def trainer(directory, recipe=RECIPE, seed=1, train_count=22):
    torch.manual_seed(seed)
    return Trainer(Small(), subset("t", train_count, 1), subset("d", 20, 2), recipe, seed, directory)


def weights(directory, name=LAST):
    return checkpoints.load(directory / name, CPU)["model"]


def same(first, second):
    return all(torch.equal(first[key], second[key]) for key in first)


def rows(directory):
    with (directory / METRICS).open() as file:
        return list(csv.DictReader(file))


class Killed(BaseException):
    pass


@pytest.mark.parametrize(
    ("recipe", "instant"), [*((RECIPE, instant) for instant in (0, 1, 6, 13, 22)), (VARIED, 6), (VARIED, 13)]
)
def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(tmp_path, monkeypatch, recipe, instant):
    trainer(tmp_path / "whole", recipe).run()
    interrupted = trainer(tmp_path / "cut", recipe.replace(checkpoint_minutes=0.0))  # after every batch
    step, done = interrupted.step, []

    def dying(*batch):
        if len(done) == instant:
            raise Killed
        done.append(1)
        return step(*batch)

    monkeypatch.setattr(interrupted, "step", dying)
    with pytest.raises(Killed):
        interrupted.run()
    trainer(tmp_path / "cut", recipe).run()
    for name in (LAST, BEST):
        assert same(weights(tmp_path / "whole", name), weights(tmp_path / "cut", name))
    timing = ("seconds", "utterances_per_second")
    assert [{k: v for k, v in row.items() if k not in timing} for row in rows(tmp_path / "whole")] == [
        {k: v for k, v in row.items() if k not in timing} for row in rows(tmp_path / "cut")
    ]


@pytest.mark.parametrize("file", [BEST, LAST, METRICS])
def test_a_run_killed_at_a_file_of_the_last_epoch_ends_as_an_uninterrupted_one(file, tmp_path, monkeypatch):
    trainer(tmp_path / "whole").run()
    whole, run = files.whole, trainer(tmp_path / "cut")

    def killing(path, mode="w"):
        if path.name == file and (file == BEST or run.position.epoch > RECIPE.epochs):
            raise Killed
        return whole(path, mode)

    monkeypatch.setattr(files, "whole", killing)
    with pytest.raises(Killed):
        run.run()
    monkeypatch.undo()
    trainer(tmp_path / "cut").run()
    for name in (LAST, BEST):
        assert same(weights(tmp_path / "whole", name), weights(tmp_path / "cut", name))
    assert len(rows(tmp_path / "cut")) == RECIPE.epochs


def test_the_same_seed_gives_the_same_weights_and_another_does_not(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        trainer(tmp_path / name, seed=seed).run()
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert not same(weights(tmp_path / "a"), weights(tmp_path / "c"))


def test_the_metrics_hold_a_row_an_epoch_and_the_loss_falls(tmp_path):
    trainer(tmp_path, RECIPE.replace(epochs=12, patience=12)).run()
    table = rows(tmp_path)
    assert [int(row["epoch"]) for row in table] == list(range(1, 13))
    losses = [float(row["train_loss"]) for row in table]
    assert losses[-1] < 0.8 * losses[0]
    assert 0 <= float(table[-1]["dev_eer"]) <= 100


def selecting(tmp_path, monkeypatch, dev_scores, recipe):
    """A run whose dev scores are given: epoch -> (scores of genuine, of spoof)."""
    run = trainer(tmp_path, recipe)
    genuine = run.dev.targets.numpy() == 1

    def given(*_):
        values = np.where(genuine, *dev_scores[run.position.epoch - 1])
        return list(zip(run.dev.utterances, values.tolist(), strict=True))

    monkeypatch.setattr(training, "scores", given)
    run.run()
    return run


def test_the_lowest_dev_eer_is_kept_and_a_tie_is_no_improvement(tmp_path, monkeypatch):
    separated, inverted = (1.0, -1.0), (-1.0, 1.0)
    run = selecting(tmp_path, monkeypatch, [inverted, separated, separated, inverted], RECIPE)
    assert (run.position.best_epoch, run.position.best_eer) == (2, 0.0)
    assert checkpoints.load(tmp_path / BEST, CPU)["epoch"] == 2


def test_training_stops_after_patience_epochs_without_a_better_eer(tmp_path, monkeypatch):
    recipe = RECIPE.replace(epochs=30, patience=5)
    run = selecting(tmp_path, monkeypatch, [(1.0, -1.0)] * 30, recipe)
    assert len(run.position.history) == 6


def test_the_learning_rate_halves_when_the_dev_loss_has_not_improved_for_more_than_one_epoch(tmp_path, monkeypatch):
    recipe = RECIPE.replace(epochs=6, patience=9)
    better, worse = (2.0, -2.0), (1.0, -1.0)
    selecting(tmp_path, monkeypatch, [better, worse, worse, worse, worse, worse], recipe)
    rates = [float(row["learning_rate"]) for row in rows(tmp_path)]
    assert rates == [0.01, 0.01, 0.01, 0.005, 0.005, 0.0025]


def test_one_cycle_rises_falls_to_nothing_and_keeps_the_last_weights(tmp_path, monkeypatch):
    recipe = RECIPE.replace(epochs=6, patience=1, one_cycle=0.5)
    better, worse = (2.0, -2.0), (1.0, -1.0)
    run = selecting(tmp_path, monkeypatch, [better, *5 * [worse]], recipe)
    rates = [float(row["learning_rate"]) for row in rows(tmp_path)]
    assert max(rates) == pytest.approx(0.01, rel=0.01) and rates[0] < rates[1] < rates[2] > rates[3] > rates[4]
    assert rates[5] < 1e-5
    assert run.position.best_epoch == checkpoints.load(tmp_path / BEST, CPU)["epoch"] == 6


def test_averaged_weights_are_those_of_dev_and_scores_and_do_not_steer_training(tmp_path):
    for name, averaging in (("plain", None), ("averaged", 0.9)):
        trainer(tmp_path / name, RECIPE.replace(one_cycle=0.5, averaging=averaging)).run()
    assert same(weights(tmp_path / "plain"), weights(tmp_path / "averaged"))
    last, best = (weights(tmp_path / "averaged", name) for name in (LAST, BEST))
    assert not torch.equal(last["head.weight"], best["head.weight"])
    torch.testing.assert_close(last["head.weight"], best["head.weight"], rtol=0.5, atol=0.05)


def test_the_average_of_a_short_training_is_the_mean_of_its_steps(tmp_path, monkeypatch):
    run, passed = trainer(tmp_path, RECIPE.replace(one_cycle=0.5, averaging=0.999)), []
    step = Trainer.step

    def observed(self, inputs, targets):
        loss = step(self, inputs, targets)
        passed.append(self.model.head.weight.detach().clone())
        return loss

    monkeypatch.setattr(Trainer, "step", observed)
    run.run()
    torch.testing.assert_close(run.result.head.weight, torch.stack(passed).mean(0))


def test_averaged_weights_have_their_own_statistics_of_batch_norm(tmp_path):
    run = trainer(tmp_path, RECIPE.replace(epochs=1, one_cycle=0.5, averaging=0.9))
    run.run()
    convolution, norm = run.result.body[:2]
    batches = [run.train.batch(indices)[0] for indices in shuffled(22, run.recipe.batch_size, 1, 1)]
    means = [convolution(inputs.float()).mean((0, 2, 3)) for inputs in batches]
    torch.testing.assert_close(norm.running_mean, torch.stack(means).mean(0), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(norm.running_mean, run.model.body[1].running_mean, atol=1e-3)


def test_the_dev_loss_is_the_binary_cross_entropy(tmp_path, monkeypatch):
    selecting(tmp_path, monkeypatch, [(3.0, 1.0)], RECIPE.replace(epochs=1))
    expected = (math.log1p(math.exp(-3)) + math.log1p(math.exp(1))) / 2
    assert float(rows(tmp_path)[0]["dev_loss"]) == pytest.approx(expected)


def test_bfloat16_arithmetic_trains_to_a_similar_loss(tmp_path):
    for precision in ("float32", "bfloat16"):
        trainer(tmp_path / precision, RECIPE.replace(precision=precision)).run()
    first, second = (float(rows(tmp_path / p)[-1]["train_loss"]) for p in ("float32", "bfloat16"))
    assert first != second
    assert second == pytest.approx(first, rel=0.05)
    assert weights(tmp_path / "bfloat16")["head.weight"].dtype == torch.float32


def test_compiled_training_saves_the_weights_of_the_network_itself(tmp_path, monkeypatch):
    compiled = []

    class Compiled(nn.Module):
        def __init__(self, network):
            super().__init__()
            self._orig_mod = network  # as PyTorch calls it

        def forward(self, x):
            compiled.append(len(x))
            return self._orig_mod(x)

    monkeypatch.setattr(torch, "compile", Compiled)
    trainer(tmp_path / "compiled", RECIPE.replace(compile=True)).run()
    trainer(tmp_path / "plain").run()
    assert sum(compiled) == 4 * 22  # every training utterance, and none of dev
    for name in (LAST, BEST):
        assert weights(tmp_path / "compiled", name).keys() == Small().state_dict().keys()
        assert same(weights(tmp_path / "compiled", name), weights(tmp_path / "plain", name))


def test_a_loss_that_is_not_finite_stops_with_advice(tmp_path):
    with pytest.raises(UserError, match=r"the loss became nan.*learning_rate"):
        run = trainer(tmp_path)
        run.train.features["t003"][:] = np.nan
        run.run()


def test_batches_hold_every_index_once_in_an_order_of_seed_and_epoch():
    for count in (4, 5, 6, 9, 160):
        batches = shuffled(count, 4, seed=1, epoch=1)
        assert sorted(i for batch in batches for i in batch) == list(range(count))
        assert min(map(len, batches)) > 1  # batch norm has no variance of one value
    assert shuffled(40, 4, 1, 1) == shuffled(40, 4, 1, 1)
    assert shuffled(40, 4, 1, 1) != shuffled(40, 4, 1, 2) != shuffled(40, 4, 2, 2)
    assert [list(r) for r in in_order(5, 2)] == [[0, 1], [2, 3], [4]]


def test_tiling_repeats_the_whole_utterance_and_cuts_the_last_repeat():
    features = np.arange(6.0).reshape(3, 2)
    np.testing.assert_array_equal(tile(features, 7, 2)[0], [0, 2, 4, 0, 2, 4, 0])
    np.testing.assert_array_equal(tile(features, 2, 2), features[:2].T)


def test_training_from_a_device_is_that_from_disk(tmp_path):
    trainer(tmp_path / "disk").run()
    resident = trainer(tmp_path / "device")
    resident.train = resident.train.resident(CPU, math.inf)
    resident.dev = resident.dev.resident(CPU, math.inf)
    resident.run()
    assert same(weights(tmp_path / "device"), weights(tmp_path / "disk"))
    assert (tmp_path / "device" / BEST).read_bytes() == (tmp_path / "disk" / BEST).read_bytes()  # the dev EER, too
