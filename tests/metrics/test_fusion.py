"""Fusion on made-up scores, whose best weights are known, and on published ones against an independent computation."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from afn.common import config
from afn.common.errors import UserError
from afn.metrics import eer, fusion
from afn.metrics.fusion import FusionSettings

CONF = Path(__file__).parents[2] / "conf" / "fusion"


def scores_of(genuine, seed=0):
    """Two members with independent noise: unit normal classes at ±1, and classes of deviation 2 at 5 ± 1."""
    rng = np.random.default_rng(seed)
    sign = np.where(genuine, 1.0, -1.0)
    return np.column_stack([sign + rng.normal(size=sign.size), 5 + sign + 2 * rng.normal(size=sign.size)])


def test_the_regression_is_not_shrunk_and_its_normalisation_and_weights_are_kept_in_full():
    genuine = np.arange(300) < 100
    scores = scores_of(genuine)
    found = fusion.train(scores, genuine, ["a", "b"])
    kept = found.plain()
    normalised = (scores - scores.mean(axis=0)) / scores.std(axis=0)
    by_hand = kept["bias"] + normalised @ [member["weight"] for member in kept["members"].values()]
    assert found.llrs(scores) == pytest.approx(by_hand, abs=1e-12)
    assert [m["mean"] for m in kept["members"].values()] == pytest.approx(scores.mean(axis=0))
    assert f"{found.weights[0]:+.4f} a {found.weights[1]:+.4f} b {found.bias:+.4f}" in str(found)
    # Where the likelihood is at its maximum its gradient, class by class of equal weight, is 0.
    posterior = 1 / (1 + np.exp(-by_hand))
    residual = np.where(genuine, (1 - posterior) / 100, -posterior / 200)
    assert [*(residual @ normalised), residual.sum()] == pytest.approx([0, 0, 0], abs=1e-8)


def test_classes_apart_still_have_finite_weights():
    genuine = np.array([True, True, False, False])
    found = fusion.train(np.array([[4.0], [3.0], [1.0], [0.0]]), genuine, ["a"])
    llrs = found.llrs(np.array([[4.0], [3.0], [1.0], [0.0]]))
    assert np.isfinite(llrs).all() and llrs[1] > 5 and llrs[2] < -5


def test_members_with_the_same_scores_share_the_weight():
    genuine = np.arange(300) < 100
    scores = scores_of(genuine)[:, [0, 0, 1]]
    first, second, other = fusion.train(scores, genuine, ["a", "a2", "b"]).weights
    assert [first + second, other] == pytest.approx(fusion.train(scores[:, 1:], genuine, ["a", "b"]).weights, abs=1e-6)
    assert first == pytest.approx(second, abs=1e-6)


def test_log_odds_of_probabilities():
    genuine = np.arange(200) < 80
    odds = scores_of(genuine)[:, :1]
    found = fusion.train(1 / (1 + np.exp(-odds)), genuine, ["a"], logits=True)
    plain = fusion.train(odds, genuine, ["a"])
    assert found.llrs(1 / (1 + np.exp(-odds))) == pytest.approx(plain.llrs(odds), abs=1e-6)
    assert np.isfinite(found.llrs(np.array([[0.0], [1.0]]))).all()
    with pytest.raises(UserError, match=r"a: not a probability: score 1\.5\. Fuse it without"):
        found.llrs(np.array([[0.5], [1.5]]))


def test_what_cannot_be_trained_is_refused():
    with pytest.raises(UserError, match="no spoof utterance to train a fusion on"):
        fusion.train(np.array([[1.0], [2.0]]), np.array([True, True]), ["a"])
    with pytest.raises(UserError, match="b: every utterance has the score 3. Leave it out"):
        fusion.train(np.array([[1.0, 3.0], [2.0, 3.0]]), np.array([True, False]), ["a", "b"])


def test_no_speaker_and_no_configuration_is_on_both_sides(crossed, monkeypatch):
    """Every trial's score is its speaker and configuration, so that a training set tells whom it holds."""
    trials = crossed(5, 4, genuine=2, spoof=2)
    numbers = (
        np.unique(trials.speakers, return_inverse=True)[1] * 100
        + (np.unique(trials.configurations, return_inverse=True)[1])
    )
    judged = []

    class Spy:
        def __init__(self, scores, genuine):
            self.speakers = set(scores[:, 0] // 100)
            self.configurations = set(scores[~genuine, 0] % 100)

        def llrs(self, scores):
            assert not self.speakers & set(scores[:, 0] // 100)
            assert not self.configurations & (set(scores[:, 0] % 100) - {0.0})  # 0: genuine, none
            judged.append(len(scores))
            return scores[:, 0]

    monkeypatch.setattr(fusion, "train", lambda scores, genuine, members, logits, smoothed: Spy(scores, genuine))
    found = fusion.cross_validate(numbers[:, None].astype(float), trials, ["a"], groups=3)
    assert found.remark.startswith("cross-validated: 3 × 3 groups of speakers × replay configurations")
    assert len(judged) == 2 * 9
    assert sorted(found.spoof) == sorted(numbers[~trials.genuine])  # each replay once
    assert sorted(found.genuine) == sorted(np.repeat(numbers[trials.genuine], 3))  # once for each of three groups


def test_cross_validation_does_not_need_every_speaker_in_every_configuration(crossed, noisy):
    trials = crossed(4, 3, genuine=4)
    scores = noisy(trials, 1)
    first = ~trials.genuine & (trials.configurations == trials.configurations[~trials.genuine][0])
    trials.speakers[first] = "S01"
    found = fusion.cross_validate(1 / (1 + np.exp(-scores[:, None])), trials, ["a"], logits=True)
    assert found.spoof == pytest.approx(fusion.cross_validate(scores[:, None], trials, ["a"]).spoof, abs=1e-4)
    assert found.spoof.size == (~trials.genuine).sum()


def test_cross_validation_shows_what_training_on_the_test_hides(crossed, noisy):
    trials = crossed(6, 5, genuine=6, spoof=2)
    members = np.column_stack([noisy(trials, seed, 0.0) for seed in range(25)])  # that know nothing
    names = [str(i) for i in range(25)]
    llrs = fusion.train(members, trials.genuine, names).llrs(members)
    found = fusion.cross_validate(members, trials, names)
    assert eer.linear_roc_eer(llrs[trials.genuine], llrs[~trials.genuine]) < 0.3
    assert eer.linear_roc_eer(found.genuine, found.spoof) > 0.4
    again = fusion.cross_validate(members, trials, names)
    assert (again.genuine == found.genuine).all() and (again.spoof == found.spoof).all()


@pytest.mark.parametrize(
    ("speakers", "configurations", "reason"),
    [(1, 3, "not two speakers"), (3, 1, "not two replay configurations"), (3, 0, "not two replay configurations")],
)
def test_says_when_it_cannot_be_cross_validated(crossed, speakers, configurations, reason):
    trials = crossed(speakers, configurations)
    found = fusion.cross_validate(np.zeros((len(trials.utts), 1)), trials, ["a"])
    assert found.genuine.size == found.spoof.size == 0
    assert found.remark == f"cannot be cross-validated: there are {reason} to separate"


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_yaml_is_sound(path):
    settings = config.load(FusionSettings, path)
    systems = {row.stem for row in (CONF.parent / "systems").glob("*.yaml")}
    assert settings.members == "all" or systems.issuperset(settings.members)
    figures = {"everything": set(), "mdf": {"eval"}}  # the paper has no dev figure of the latter
    assert settings.paper.keys() == figures.get(path.stem, {"dev", "eval"})


def test_published_scores_fuse_as_an_independent_computation_says(published):
    (dev, dev_scores), (test, test_scores) = published["dev"], published["eval"]
    members = list(dev_scores)
    columns, others = (
        np.array([[scores[member][utt] for member in members] for utt in trials.utts])
        for trials, scores in ((dev, dev_scores), (test, test_scores))
    )
    found = fusion.train(columns, dev.genuine, members)
    llrs = found.llrs(others)
    scaler = StandardScaler().fit(columns)
    regression = LogisticRegression(C=np.inf, class_weight="balanced", tol=1e-10, max_iter=10000)
    regression.fit(scaler.transform(columns), dev.genuine)
    theirs = regression.decision_function(scaler.transform(others))
    assert llrs == pytest.approx(theirs, abs=1e-4)
    assert 100 * eer.convex_hull_eer(llrs[test.genuine], llrs[~test.genuine]) == pytest.approx(8.945, abs=0.005)
    crossed = fusion.cross_validate(columns, dev, members)
    assert (crossed.genuine.size, crossed.spoof.size) == (760 * 10, 950)
    trained_on = found.llrs(columns)
    assert eer.convex_hull_eer(crossed.genuine, crossed.spoof) > eer.convex_hull_eer(
        trained_on[dev.genuine], trained_on[~dev.genuine]
    )
