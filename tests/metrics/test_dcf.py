"""Costs against golden numbers of the evaluation package of ASVspoof 5, and by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from afn.common.errors import UserError
from afn.metrics import calibration, dcf, eer, roc, tdcf

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "asvspoof5.json").read_text())


@pytest.mark.parametrize("name", GOLDEN["countermeasure"])
def test_countermeasures_cost_what_the_package_says(name):
    case, asv = GOLDEN["countermeasure"][name], GOLDEN["costs"]["tDCF"]
    both = case["bonafide"], case["spoof"]
    verifier = tdcf.Verifier(0.0, asv["asv_Pfa_nontarget"], asv["asv_Pmiss"], asv["asv_Pfa_spoof"])
    assert dcf.ASVSPOOF5.threshold == pytest.approx(case["actDCF_threshold"], abs=1e-12)
    found = [dcf.min_dcf(*both), dcf.act_dcf(*both), calibration.cllr(*both), tdcf.minimum(*both, verifier).minimum]
    assert found == pytest.approx([case[k] for k in ("minDCF", "actDCF", "Cllr_bits", "min_tDCF")], abs=1e-12)
    measured = eer.measure(np.array(case["bonafide"]), np.array(case["spoof"]))
    assert measured.eers["official"] == pytest.approx(case["eer"], abs=1e-12)
    assert measured.min_dcf == dcf.min_dcf(*both)
    for definition in eer.DEFINITIONS:
        assert measured.eers[definition.name] == definition.compute(*both)


@pytest.mark.parametrize("name", GOLDEN["sasv"])
def test_verifiers_cost_what_the_package_says(name):
    case = GOLDEN["sasv"][name]
    found, resampled = dcf.min_a_dcf(case["target"], case["nontarget"], case["spoof"])
    assert found == pytest.approx(case["min_a_dcf"], abs=1e-12) and resampled.size == 0
    with pytest.raises(UserError, match="no nontarget scores"):
        dcf.min_a_dcf(case["target"], [], case["spoof"])


def test_by_hand():
    costs = dcf.DetectionCosts(spoof=0.5, miss=1.0, false_alarm=3.0)  # .5 · misses + 1.5 · false alarms, over .5
    assert dcf.min_dcf([1.0, 3.0, 4.0], [2.0, 0.0], costs) == pytest.approx(1 / 3)  # accept above 2
    assert costs.threshold == pytest.approx(np.log(3))
    assert dcf.act_dcf([costs.threshold, 0.0], [costs.threshold, 0.0], costs) == pytest.approx(0.5 + 1.5)


def test_error_rates_of_a_threshold_from_other_scores():
    """As for another corpus: the scores at the threshold are rejected, those of dev's own EER included."""
    genuine, spoof = np.array([1.0, 2.0, 2.0, 3.0]), np.array([2.0, 4.0])
    assert roc.rates_at(genuine, spoof, 2.0) == (0.5, 0.75)
    assert roc.rates_at(genuine, spoof[:0], 2.0) == (None, 0.75)
    dev = np.random.default_rng(0).normal(1, 1, 500), np.random.default_rng(1).normal(0, 1, 500)
    accepted, rejected = roc.rates_at(*dev, eer.official_threshold(*dev))
    assert (accepted + rejected) / 2 == pytest.approx(eer.official_eer(*dev), abs=1e-12)
