import numpy as np
import pytest

from afn.common.errors import UserError
from afn.metrics import calibration


def test_by_hand():
    # Odds of 3 are believed with probability 3/4: -log2(3/4) a trial; for the spoof trial they are wrong: -log2(1/4)
    wanted = (-np.log2(0.75) + 2.0) / 2
    assert calibration.cllr([np.log(3)], [np.log(3)]) == pytest.approx(wanted, abs=1e-15)
    assert calibration.cllr([0.0, 0.0, 0.0], [0.0]) == pytest.approx(1.0, abs=1e-15)
    assert calibration.cllr([800.0], [-800.0]) == 0.0
    assert calibration.cllr([-800.0], [800.0]) == pytest.approx(800 / np.log(2))


def test_minimum_by_hand():
    # From the lowest score up: spoof; then genuine over spoof falls, and they pool to one half; then genuine.
    genuine, spoof = calibration.optimal_llrs([1.0, 3.0], [2.0, 0.0])
    assert genuine.tolist() == [0.0, np.inf]
    assert spoof.tolist() == [0.0, -np.inf]
    assert calibration.min_cllr([1.0, 3.0], [2.0, 0.0]) == pytest.approx(0.5)
    genuine, spoof = calibration.optimal_llrs([1.0, 1.0, 1.0], [1.0, 1.0, 0.0])
    assert [*genuine, *spoof] == pytest.approx([np.log(3 / 2)] * 5 + [-np.inf])
    assert calibration.min_cllr([7.0, 7.0, 7.0], [7.0]) == pytest.approx(1.0, abs=1e-15)


@pytest.mark.parametrize("seed", range(5))
def test_no_rising_map_does_better_than_the_minimum(seed):
    rng = np.random.default_rng(seed)
    genuine, spoof = rng.normal(1, 1, 50).round(seed % 3), rng.normal(0, 1, 80).round(seed % 3)
    least = calibration.min_cllr(genuine, spoof)
    for slope in (0.3, 1.0, 2.0):
        for offset in (-1.0, -0.5, 0.0):
            assert calibration.cllr(slope * genuine + offset, slope * spoof + offset) > least
            assert calibration.min_cllr(slope * genuine + offset, slope * spoof + offset) == pytest.approx(least)


def test_ratios_that_are_true_are_calibrated():
    """Normal classes of unit variance at ±1 have the log-likelihood ratio 2x."""
    rng = np.random.default_rng(0)
    genuine, spoof = rng.normal(1, 1, 20000), rng.normal(-1, 1, 4000)
    scores, labels = np.concatenate([genuine, spoof]), np.arange(24000) < 20000
    # as of an uncalibrated system: another scale, and nine of ten trials genuine
    llrs = calibration.train(7 * scores + 30, labels, "made up").llrs(7 * scores[:, None] + 30)
    assert llrs == pytest.approx(2 * scores, abs=0.3)
    cost = calibration.cllr(llrs[labels], llrs[~labels])
    assert cost == pytest.approx(calibration.cllr(2 * genuine, 2 * spoof), abs=1e-3)
    assert cost - calibration.min_cllr(genuine, spoof) < 0.005


def test_the_targets_are_platts():
    """At the optimum the mean posterior of all trials, weighted by class, equals their mean target (Platt 1999)."""
    rng = np.random.default_rng(1)
    genuine = np.arange(30) < 10
    scores = rng.normal(genuine, 1)
    posterior = 1 / (1 + np.exp(-calibration.train(scores, genuine, "made up").llrs(scores[:, None])))
    target = np.where(genuine, 11 / 12, 1 / 22)
    residual = (target - posterior) / np.where(genuine, 10, 20)
    assert [residual.sum(), residual @ scores] == pytest.approx([0, 0], abs=1e-7)


def test_refuses_what_is_no_ratio():
    with pytest.raises(UserError, match="no spoof scores"):
        calibration.cllr([1.0], [])
    with pytest.raises(UserError, match="genuine score is nan"):
        calibration.min_cllr([np.nan], [1.0])
