"""The minimum t-DCF against golden numbers of the official scripts, and by hand."""

import json
from pathlib import Path

import pytest

from afn.common.errors import UserError
from afn.metrics import tdcf

TDCF = json.loads((Path(__file__).parents[1] / "golden" / "tdcf.json").read_text())


@pytest.mark.parametrize("name", TDCF["asv"])
def test_the_verifier_is_that_of_the_scripts(name):
    asv = TDCF["asv"][name]
    found = tdcf.verifier(asv["tar"], asv["non"], asv["spoof"])
    assert found == tdcf.Verifier(asv["thr"], asv["Pfa"], asv["Pmiss"], asv["Pfa_spoof"])


@pytest.mark.parametrize("asv", TDCF["asv"])
def test_both_definitions_are_those_of_the_scripts(scored, asv):
    name, _, both = scored
    given, expected = TDCF["asv"][asv], TDCF["sets"][name]
    verifier = tdcf.verifier(given["tar"], given["non"], given["spoof"])
    new, old = (tdcf.minimum(*both, verifier, year) for year in (2021, 2019))
    assert new.minimum == pytest.approx(expected[f"min_tDCF_2021_{asv}"], abs=1e-12)
    assert new.threshold == expected[f"thr_min_tDCF_2021_{asv}"]
    assert old.minimum == pytest.approx(expected[f"min_tDCF_2019_{asv}"], abs=1e-12)
    assert old.minimum == pytest.approx(expected[f"min_tDCF_legacy_{asv}"], abs=1e-12)
    assert old.threshold == expected[f"thr_min_tDCF_2019_{asv}"]
    assert (new.c0, new.c1, new.c2) == pytest.approx(given["C012"], abs=1e-15)


def test_by_hand():
    asv = tdcf.Verifier(0.0, false_alarm=0.1, miss=0.2, false_alarm_spoof=0.5)
    costs = tdcf.TandemCosts(0.5, 0.3, 0.2, miss=1, false_alarm=2, false_alarm_spoof=4, miss_countermeasure=3)
    # c0 = .5·1·.2 + .3·2·.1 = .16; c1 = .5·1 - .16 = .34; c2 = .2·4·.5 = .4
    # Scores above 2: misses 1/2, false alarms 0: .16 + .17 = .33; above 1: 0 and 1/2: .16 + .2 = .36
    found = tdcf.minimum([3.0, 2.0], [2.0, 1.0], asv, 2021, costs)
    assert (found.minimum, found.threshold) == (pytest.approx(0.33 / (0.16 + 0.34)), 2.0)
    # 2019: c1 = .5·3 - .16 = 1.34, normalised by c2: above 1 it is .2 / .4
    found = tdcf.minimum([3.0, 2.0], [2.0, 1.0], asv, 2019, costs)
    assert (found.minimum, found.threshold, found.c0) == (pytest.approx(0.5), 1.0, 0.0)


def test_a_verifier_that_knows_no_speaker_is_refused():
    costs = tdcf.TandemCosts(0.1, 0.85, 0.05)
    with pytest.raises(UserError, match=r"not defined for this verifier \(P_miss 0.5"):
        tdcf.minimum([1.0], [0.0], tdcf.Verifier(0.0, 0.5, 0.5, 0.5), 2021, costs)
