"""Scores that several tests of metrics share."""

import json
from pathlib import Path

import numpy as np
import pytest

SETS = json.loads((Path(__file__).parents[1] / "golden" / "eer_official_and_hull.json").read_text())


@pytest.fixture(params=SETS)
def scored(request):
    """The name of a golden set, what the official programs found in it, and its genuine and spoof scores."""
    case = SETS[request.param]
    if "rng" in case:  # too many scores to store; the golden file says how they are sampled
        rng = np.random.default_rng(2)
        return request.param, case, (rng.normal(2.4, 1, 2548), rng.normal(0, 1.3, 22296))
    return request.param, case, (case["bona"], case["spoof"])
