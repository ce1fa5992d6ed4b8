"""What the analysis makes of systems that have learnt dev."""

import numpy as np
import pytest

from afn.corpora.datadir import Utterance
from afn.metrics import analysis, results
from afn.metrics.analysis import System
from afn.metrics.fusion import Settings
from afn.metrics.trials import Trials


def trials(subset, count=40):
    listed = [Utterance(f"{subset}{i}", "", f"s{i % 5}", ("genuine", "spoof")[i % 2]) for i in range(count)]
    return Trials.of(sorted(listed, key=lambda u: u.utt))


TRIALS = {subset: trials(subset) for subset in ("dev", "eval")}


def system(name, distance, trained_on="train"):
    rng = np.random.default_rng(len(name))
    scores = {subset: rng.normal(distance * of.genuine, 1) for subset, of in TRIALS.items()}
    return System(name, name.upper(), scores, {}, trained_on)


def analyse(*systems):
    fusions = {"pair": ("pair", Settings("pair", ["a", "pooled"])), "every": ("every", Settings("every", "all"))}
    return analysis.analyse(TRIALS, systems, fusions, resamples=20)


def test_a_system_that_learnt_dev_teaches_no_fusion_and_no_calibration_and_is_not_chosen():
    found = analyse(system("a", 1.0), system("bb", 2.0), system("pooled", 9.0, "train+dev"))
    assert set(found.calibrated) == {"A", "BB"}
    pair, every = found.fusions
    assert pair.ratios is None
    assert pair.reason == "a fusion learns from dev, which pooled already knows"
    assert list(every.members) == ["a", "bb"]
    assert found.best == "BB"
    assert found.interval("eval", "POOLED") is not None  # its eval figures are as good as any


def test_a_system_trained_on_train_alone_takes_part():
    found = analyse(system("a", 1.0), system("bb", 2.0), system("pooled", 9.0))
    assert set(found.calibrated) == {"A", "BB", "POOLED"}
    assert found.fusions[0].ratios is not None
    assert found.best == "POOLED"


@pytest.mark.parametrize(("trained_on", "knows"), [("train", False), ("train+dev", True), ("dev", True)])
def test_what_a_system_knows(trained_on, knows):
    assert results.knows_dev(trained_on) is knows
