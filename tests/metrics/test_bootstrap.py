"""The bootstrap: its figures against those of trials that are really repeated, its coverage against a known one."""

import numpy as np
import pytest

from afn.corpora.datadir import Utterance
from afn.metrics import bootstrap, calibration, eer, roc
from afn.metrics.trials import Trials


def listed(genuine, speakers, conditions):
    """Trials: label, speaker and codes of each."""
    return Trials.of(
        Utterance(f"u{i}", "", str(s), "genuine" if g else "spoof", c)
        for i, (g, s, c) in enumerate(zip(genuine, speakers, conditions, strict=True))
    )


def counts(trials, resamples, seed=3):
    """How often each trial counts, int64[N × resamples]."""
    seen = []

    def note(resampled):
        seen.append(resampled.weights[resampled.curve.sampler.cell])
        return np.zeros(seen[-1].shape[1])

    bootstrap.figures(trials, np.arange(len(trials.utts)) / 7, {"": note}, resamples, seed)
    return np.hstack(seen)


@pytest.mark.parametrize("decimals", [0, 1, 9])
@pytest.mark.parametrize("shape", [(6, 5, 8, 2), (4, 3, 1000, 300), (1, 1, 30, 20)], ids=["small", "blocks", "trials"])
def test_a_trial_that_counts_twice_is_two_trials(crossed, noisy, shape, decimals):
    trials = crossed(*shape)
    scores = noisy(trials, 1, 1.0).round(decimals)
    genuine = trials.genuine
    computed = {
        "eer": lambda r: r.eers(),
        "accept all": lambda r: r.misses[-1] + r.false_alarms[0],
        "least": lambda r: (r.misses + r.false_alarms).min(axis=0),
        "genuine": lambda r: r.means(scores)[0],
        "spoof": lambda r: r.means(scores)[1],
        "min_cllr": lambda r: calibration.min_cllrs(*(block[::-1] for block in r.blocks[::-1])),
    }
    found, _ = bootstrap.figures(trials, scores, computed, 12, seed=3)
    assert (found["eer"] == bootstrap.bootstrap(trials, {"a": scores}, 12, seed=3).resampled["a"]).all()
    for i, weights in enumerate(counts(trials, 12).T):
        both = [np.repeat(scores[c], weights[c]) for c in (genuine, ~genuine)]
        assert found["eer"][i] == pytest.approx(eer.linear_roc_eer(*both), abs=1e-12)
        assert (found["genuine"][i], found["spoof"][i]) == pytest.approx([v.mean() for v in both], abs=1e-12)
        false_alarms, misses = roc.rates(*both)
        assert found["least"][i] == pytest.approx((false_alarms + misses).min(), abs=5e-3)  # at every 2 % in large sets
        assert found["min_cllr"][i] == pytest.approx(calibration.min_cllr(*both), abs=5e-3)
        assert found["accept all"][i] == 0.0


def test_a_replay_counts_as_often_as_its_speaker_times_its_configuration(crossed):
    trials = crossed(5, 4, genuine=3, spoof=2)
    weights = counts(trials, 200).T
    own = weights[:, trials.genuine].reshape(200, 5, 3)
    assert (own == own[..., :1]).all()  # all genuine trials of a speaker
    assert (own[..., 0].sum(axis=1) == 5).all()  # as many speakers as there are
    counted = weights[:, ~trials.genuine].reshape(200, 5, 4, 2)
    assert (counted[..., 0] == counted[..., 1]).all()
    assert (counted[..., 0].sum(axis=(1, 2)) == 5 * 4).all()
    assert own.std() > 0.5 and counted.std() > 0.5  # and they are sampled, not counted
    of_configuration = counted[..., 0].sum(axis=1) // 5
    assert (counted[..., 0] == own[..., :1] * of_configuration[:, None, :]).all()


def test_genuine_speech_counts_with_its_configuration_where_all_of_it_has_one():
    """Digits that both classes say: a digit counts alike in both; the language, which is the speaker's, does not."""
    genuine, speakers, digits = (v.ravel() for v in np.meshgrid([True, False], range(6), range(4), indexing="ij"))
    codes = [{"language": "pt" if s < 3 else "en", "digit": str(d)} for s, d in zip(speakers, digits, strict=True)]
    trials = listed(genuine, speakers, codes)
    assert set(trials.configurations) == {"0", "1", "2", "3"}
    weights = counts(trials, 100).reshape(2, 6, 4, 100)
    assert (weights[0] == weights[1]).all()
    codes[0] = {"language": "-", "digit": "-"}
    trials = listed(genuine, speakers, codes)
    assert set(trials.configurations[genuine]) == {"-"}


def test_the_values_for_a_seed_stay_what_they_were(crossed):
    """As the project computed them before blocks of trials were counted together."""
    trials = crossed(6, 5, genuine=20, spoof=10)
    scores = np.random.default_rng(1).normal(size=len(trials.utts)) + trials.genuine
    found = bootstrap.bootstrap(trials, {"a": scores}, 700, seed=2).resampled["a"]
    assert found[:4].tolist() == [0.29333333333333333, 0.24, 0.2633333333333333, 0.25]
    assert found.mean() == pytest.approx(0.27131190476190475, abs=1e-15)
    other = bootstrap.bootstrap(trials, {"a": scores}, 700, seed=1).resampled["a"]
    assert (other != found).any()


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


@pytest.mark.parametrize(
    "effects",
    [{"speaker": 0.7, "configuration": 0.7}, pytest.param({"configuration": 0.7}, marks=pytest.mark.slow)],
    ids=len,
)
def test_covers_what_other_speakers_and_configurations_would_change(crossed, noisy, effects):
    """Of 60 corpora, about 57 intervals hold the EER of all; intervals over trials alone hold far fewer."""
    trials = crossed(20, 20, genuine=20, spoof=1)
    many = (noisy(trials, 1000 + seed, **effects) for seed in range(300))
    truth = np.mean([eer.linear_roc_eer(scores[trials.genuine], scores[~trials.genuine]) for scores in many])
    lonely = listed(trials.genuine, trials.utts, [{}] * len(trials.utts))  # as if each had a different speaker
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


def test_many_trials_of_one_speaker_are_resampled_in_groups():
    """The deviation of a mean of n independent values is theirs over the square root of n."""
    genuine = np.arange(24_000) < 12_000
    trials = listed(genuine, ["s"] * genuine.size, [{}] * genuine.size)
    scores = np.random.default_rng(0).normal(size=genuine.size)
    found, remark = bootstrap.figures(trials, scores, {"mean": lambda r: r.means(scores)[0]}, 400)
    assert found["mean"].std() == pytest.approx(1 / np.sqrt(12_000), rel=0.12)
    assert remark == "resampled: the 12000 genuine trials and the 12000 spoof trials"


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


@pytest.mark.parametrize(
    ("speakers", "configurations", "remark"),
    [
        (8, 8, "8 speakers and 8 replay configurations"),
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


def test_a_resample_without_a_class_is_sampled_again(noisy):
    trials = listed(np.arange(28) < 8, np.arange(28) // 4, [{}] * 28)  # two genuine speakers, five others
    found = bootstrap.bootstrap(trials, {"a": noisy(trials, 1)}, 500)
    assert np.isfinite(found.resampled["a"]).all() and found.resampled["a"].size == 500


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
