"""Systems that were trained on dev, and calibration where dev is easy."""

import numpy as np
import pytest

from afn.corpora.datadir import Utterance
from afn.metrics import analysis, calibration, fusion
from afn.metrics.analysis import ScoredSystem
from afn.metrics.fusion import FusionSettings
from afn.metrics.trials import Trials


def trials(subset, count=40):
    listed = [Utterance(f"{subset}{i}", "", f"s{i % 5}", ("genuine", "spoof")[i % 2]) for i in range(count)]
    return Trials.of(sorted(listed, key=lambda u: u.utt))


TRIALS = {subset: trials(subset) for subset in ("dev", "eval")}


def system(name, distance, trained_on="train"):
    rng = np.random.default_rng(len(name))
    scores = {subset: rng.normal(distance * of.genuine, 1) for subset, of in TRIALS.items()}
    return ScoredSystem(name, name.upper(), scores, {}, trained_on)


def analyse(*systems):
    fusions = {
        "pair": ("pair", FusionSettings(title="pair", members=["a", "pooled"])),
        "every": ("every", FusionSettings(title="every", members="all")),
    }
    return analysis.analyse(TRIALS, systems, fusions, resamples=20)


def test_a_system_trained_on_dev_is_in_no_fusion_and_no_calibration_and_is_not_chosen():
    found = analyse(system("a", 1.0), system("bb", 2.0), system("pooled", 9.0, "train+dev"))
    assert set(found.calibrated) == {"A", "BB"}
    pair, every = found.fusions
    assert pair.ratios is None
    assert pair.reason == "trained on dev, as a fusion is: pooled"
    assert list(every.members) == ["a", "bb"]
    assert found.best == "BB"
    assert found.interval("eval", "POOLED") is not None  # its eval figures are as good as any


def test_a_system_trained_on_train_alone_takes_part():
    found = analyse(system("a", 1.0), system("bb", 2.0), system("pooled", 9.0))
    assert set(found.calibrated) == {"A", "BB", "POOLED"}
    assert found.fusions[0].ratios is not None
    assert found.best == "POOLED"


def over_confident(probabilities=True):
    """A network whose classes hardly overlap on dev, and overlap on eval: its averaged sigmoids, or its logits."""
    rng = np.random.default_rng(0)
    logits = {
        subset: rng.normal(np.where(of.genuine, 1.5, -1.5), spread)
        for (subset, of), spread in zip(TRIALS.items(), (0.9, 1.5), strict=True)
    }
    scores = {subset: 1 / (1 + np.exp(-v)) for subset, v in logits.items()} if probabilities else logits
    return ScoredSystem("net", "NET", scores, probabilities=probabilities)


def test_averaged_sigmoids_are_calibrated_by_their_log_odds():
    ratios = analysis.calibrate(TRIALS, over_confident())
    assert ratios.model.plain()["logits"] is True
    plain = analysis.calibrate(TRIALS, over_confident(probabilities=False))
    assert plain.model.plain()["logits"] is False
    for subset in TRIALS:
        assert ratios.llrs[subset] == pytest.approx(plain.llrs[subset], abs=1e-5)


def test_calibration_does_not_overstate_what_an_easy_dev_shows():
    """As in the default run, where the regression without Platt's targets costs more than 1 bit on eval."""
    system, genuine = over_confident(), TRIALS["eval"].genuine
    plain = fusion.train(system.averaged["dev"][:, None], TRIALS["dev"].genuine, ["net"], logits=True)
    llrs = plain.llrs(system.averaged["eval"][:, None])
    assert calibration.cllr(llrs[genuine], llrs[~genuine]) > 1
    assert analysis.calibrate(TRIALS, system).costs["eval"].cllr < 0.7


@pytest.mark.parametrize(("trained_on", "knows"), [("train", False), ("train+dev", True), ("dev", True)])
def test_systems_trained_on_dev(trained_on, knows):
    assert analysis.knows_dev(trained_on) is knows
