"""The bootstrap: its weighted EER against the plain one, its spread and coverage against known ones."""

import time
from types import SimpleNamespace

import numpy as np
import pytest

from afn.common.errors import UserError
from afn.metrics import bootstrap, eer
from afn.metrics.trials import Trials


def repeated(scores, genuine, weights):
    """The EER of trials that really stand there as often as their weight says."""
    return eer.linear_roc_eer(
        np.repeat(scores[genuine], weights[genuine]), np.repeat(scores[~genuine], weights[~genuine])
    )


@pytest.mark.parametrize("decimals", [0, 1, 9])
@pytest.mark.parametrize("seed", range(4))
def test_a_trial_of_weight_two_is_two_trials(seed, decimals):
    rng = np.random.default_rng(seed)
    genuine = rng.random(60) < 0.3
    scores = (rng.normal(size=60) + 1.2 * genuine).round(decimals)
    weights = rng.poisson(1.0, (50, 60))
    weights[:, [np.argmax(genuine), np.argmin(genuine)]] += 1  # both classes are there
    found = bootstrap._Curve(scores, genuine).eers(weights)
    assert found == pytest.approx([repeated(scores, genuine, row) for row in weights], abs=1e-12)


def test_weights_of_one_give_the_plain_eer():
    for seed, distance in enumerate([0.0, 1.0, 3.0, 50.0, -50.0]):
        rng = np.random.default_rng(seed)
        genuine = np.arange(500) < 70
        scores = rng.normal(size=500) + distance * genuine
        curve = bootstrap._Curve(scores, genuine)
        assert curve.eers(np.ones((1, 500), dtype=np.int64)) == pytest.approx([curve.eer], abs=1e-12)
        assert curve.eer == eer.linear_roc_eer(scores[genuine], scores[~genuine])


def test_a_replay_counts_as_often_as_its_speaker_times_its_configuration(crossed):
    trials = crossed(5, 4, genuine=3, spoof=2)
    weights = bootstrap._Draw(trials, 3)(200)
    for speaker in np.unique(trials.speakers):
        of_speaker = trials.speakers == speaker
        drawn = weights[:, of_speaker & trials.genuine]
        assert (drawn == drawn[:, :1]).all()
    own = weights[:, trials.genuine][:, ::3]  # one of each speaker, int[200 × 5]
    assert (own.sum(axis=1) == 5).all()  # as many speakers as there are
    counted = weights[:, ~trials.genuine].reshape(200, 5, 4, 2)
    assert (counted[..., 0] == counted[..., 1]).all()
    assert (counted[..., 0].sum(axis=(1, 2)) == 5 * 4).all()
    assert own.std() > 0.5 and counted.std() > 0.5  # and they are drawn, not counted
    of_configuration = counted[..., 0].sum(axis=1) // 5
    assert (counted[..., 0] == own[:, :, None] * of_configuration[:, None, :]).all()


def test_the_same_seed_gives_the_same_interval(crossed, noisy):
    trials = crossed(6, 5, genuine=20, spoof=10)
    scores = noisy(trials, 0)
    first, again, other = (bootstrap.bootstrap(trials, {"a": scores}, 500, seed) for seed in (1, 1, 2))
    assert first.interval("a") == again.interval("a") != other.interval("a")
    assert (first.resampled["a"] == again.resampled["a"]).all()


def test_an_interval_is_made_of_quantiles(crossed, noisy):
    trials = crossed(8, 8, genuine=40, spoof=10)
    scores = noisy(trials, 0)
    found = bootstrap.bootstrap(trials, {"a": scores}, 999)
    assert len(found.resampled["a"]) == 999
    ninety_five, half = found.interval("a"), found.interval("a", 0.5)
    assert ninety_five.value == half.value == eer.linear_roc_eer(scores[trials.genuine], scores[~trials.genuine])
    assert ninety_five.low < half.low < ninety_five.value < half.high < ninety_five.high
    inside = (found.resampled["a"] >= ninety_five.low) & (found.resampled["a"] <= ninety_five.high)
    assert inside.mean() == pytest.approx(0.95, abs=0.01)
    assert found.remark == "resampled: 8 speakers and 8 replay configurations"


@pytest.mark.parametrize(
    "effects", [{"configuration": 0.7}, {"speaker": 0.7, "configuration": 0.7}], ids=["configurations", "both"]
)
def test_covers_what_a_new_draw_of_speakers_and_configurations_would_change(crossed, noisy, effects):
    """Of 60 corpora, about 57 intervals hold the EER of all; intervals over trials alone hold far fewer."""
    trials = crossed(20, 20, genuine=20, spoof=1)
    truth = np.mean([measured(trials, noisy(trials, 1000 + seed, **effects)) for seed in range(300)])
    lonely = Trials.of(alone(trials))
    ours, of_trials, spread, widths = 0, 0, [], []
    for seed in range(60):
        scores = noisy(trials, seed, **effects)
        found = bootstrap.bootstrap(trials, {"a": scores}, 300, seed)
        interval = found.interval("a")
        ours += interval.low <= truth <= interval.high
        spread.append(interval.value)
        widths.append(found.resampled["a"].std())
        narrow = bootstrap.bootstrap(lonely, {"a": scores}, 100, seed).interval("a")
        of_trials += narrow.low <= truth <= narrow.high
    assert ours >= 51  # the 0.5 % quantile of as many of 60 with 0.95 each is 53
    assert of_trials < ours - 5
    assert 0.7 < np.mean(widths) / np.std(spread) < 1.5


def measured(trials, scores):
    return eer.linear_roc_eer(scores[trials.genuine], scores[~trials.genuine])


def alone(trials):
    """The same trials as if each had a different speaker, and all the same configuration."""
    for utt, genuine in zip(trials.utts, trials.genuine, strict=True):
        label = "genuine" if genuine else "spoof"
        yield SimpleNamespace(utt=utt, speaker=utt, label=label, conditions={})


# Comparison


def test_systems_are_compared_on_the_same_resamples(crossed, noisy):
    trials = crossed(15, 10, genuine=10, spoof=2)
    worse = noisy(trials, 0, 1.5, speaker=0.8, configuration=0.8)
    better = worse + 0.4 * trials.genuine
    found = bootstrap.bootstrap(trials, {"worse": worse, "better": better, "same": 2 * worse + 1}, 1000)
    difference = found.difference("worse", "better")
    assert difference.value == found.eers["worse"] - found.eers["better"]
    assert 0 < difference.low < difference.value < difference.high
    assert difference.high - difference.low < 0.5 * (found.interval("worse").high - found.interval("worse").low)
    same = found.difference("worse", "same")
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)
    back = found.difference("better", "worse")
    assert (back.low, back.high) == pytest.approx((-difference.high, -difference.low))


# Corner cases


@pytest.mark.parametrize(
    ("speakers", "configurations", "remark"),
    [
        (6, 1, "6 speakers"),
        (1, 6, "6 replay configurations and the 10 genuine trials"),
        (1, 1, "the 10 genuine trials and the 10 spoof trials"),
    ],
)
def test_what_cannot_be_resampled_is_left_alone(crossed, noisy, speakers, configurations, remark):
    trials = crossed(speakers, configurations, genuine=10, spoof=10)
    found = bootstrap.bootstrap(trials, {"a": noisy(trials, 1, 1.0)}, 300)
    assert found.remark == f"resampled: {remark}"
    interval = found.interval("a")
    assert 0 <= interval.low < interval.high <= 1


def test_classes_of_different_speakers(noisy):
    """A resample without a genuine speaker is sampled again."""
    trials = Trials.of(
        SimpleNamespace(utt=f"{s}{i}", speaker=f"{s}", label="genuine" if s < 2 else "spoof", conditions={})
        for s in range(7)
        for i in range(4)
    )
    found = bootstrap.bootstrap(trials, {"a": noisy(trials, 1)}, 500)
    assert np.isfinite(found.resampled["a"]).all() and found.resampled["a"].size == 500


def test_classes_apart_have_an_interval_of_zero(crossed):
    trials = crossed(3, 3)
    found = bootstrap.bootstrap(trials, {"a": 9.0 * trials.genuine}, 50).interval("a")
    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)


def test_bad_scores_are_refused(crossed):
    trials = crossed(3, 3)
    with pytest.raises(UserError, match="score is nan"):
        bootstrap.bootstrap(trials, {"a": np.full(len(trials.utts), np.nan)}, 5)


def test_ten_thousand_resamples_of_the_official_eval_set_take_seconds(crossed, noisy):
    trials = crossed(17, 57, genuine=76, spoof=12)  # 1292 genuine, 11628 replays
    scores = noisy(trials, 0)
    started = time.perf_counter()
    bootstrap.bootstrap(trials, {"a": scores}, 2000)
    assert time.perf_counter() - started < 6  # a fifth of the 10,000, half a minute's worth; 0.3 s on an idle core


def test_published_scores(published):
    trials, scores = published["eval"]
    systems = {name: trials.vector(found, name) for name, found in scores.items()}
    found = bootstrap.bootstrap(trials, systems, 1000)
    assert found.remark == "resampled: 24 speakers and 57 replay configurations"
    interval = found.interval("gmm")
    assert interval.value == pytest.approx(0.1379, abs=5e-5)
    assert (interval.low, interval.high) == pytest.approx((0.088, 0.223), abs=0.015)
    difference = found.difference("gmm", "cnn1")
    assert difference.low < 0 < difference.high  # three points apart, and no proof
