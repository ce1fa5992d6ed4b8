"""The three definitions of the EER against golden numbers of the programs that define them, and by hand."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from afn.common.errors import UserError
from afn.metrics import eer

LINEAR = json.loads((Path(__file__).parents[1] / "golden" / "eer_linear_roc.json").read_text())


@pytest.mark.parametrize("name", [name for name, case in LINEAR.items() if "exact_polygon" in case])
def test_linear_roc_is_that_of_the_original_repository(name):
    case = LINEAR[name]
    labels, scores = np.array(case["y"]), np.array(case["scores"])
    found = eer.linear_roc_eer(scores[labels == 1], scores[labels == 0])
    assert found == pytest.approx(float(Fraction(case["exact_polygon"])), abs=1e-12)
    assert 100 * found == pytest.approx(case["eer_percent"], abs=1e-6)


def test_official_eer_threshold_and_convex_hull_are_those_of_the_evaluation_scripts_and_bosaris(scored):
    _, case, both = scored
    assert eer.official_eer(*both) == case["eer2021"] == case["eer2019"]
    assert eer.official_threshold(*both) == case["thr2021"] == case["thr2019"]
    assert eer.convex_hull_eer(*both) == pytest.approx(case["bosaris_rocch_eer"], abs=1e-12)


def test_by_hand():
    genuine, spoof = [3.0, 2.0], [1.0, 2.5]  # ROC in (spoof, genuine) accepted: 0,0  0,1  1,1  1,2  2,2
    assert eer.linear_roc_eer(genuine, spoof) == 0.5  # crosses 1 - x on the level piece, at its end (1/2, 1/2)
    assert eer.convex_hull_eer(genuine, spoof) == 0.25  # on the edge from (0, 1/2) to (1/2, 1)
    assert eer.official_eer(genuine, spoof) == 0.5
    assert eer.official_threshold(genuine, spoof) == 2.0
    assert eer.official_threshold([2.0, 3.0], [0.0, 1.0]) == 1.0  # scores above it are genuine
    assert eer.linear_roc_eer([0.5, 0.5], [0.5]) == eer.convex_hull_eer([0.5, 0.5], [0.5]) == 0.5


@pytest.mark.parametrize("definition", eer.DEFINITIONS, ids=lambda definition: definition.name)
def test_a_missing_class_and_scores_that_are_not_finite_are_refused(definition):
    assert definition.compute([2.0, 3.0], [0.0, 1.0]) == 0.0
    for genuine, spoof, message in (
        ([1.0, 2.0], [], "no spoof scores"),
        ([], [1.0, 2.0], "no genuine scores"),
        ([1.0], [0.0, np.nan], "a spoof score is nan"),
        ([1.0], [0.0, -np.inf], "a spoof score is -inf"),
    ):
        with pytest.raises(UserError, match=message):
            definition.compute(genuine, spoof)
