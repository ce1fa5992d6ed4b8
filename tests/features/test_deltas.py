"""Slopes by regression, and Kaldi's variant against its own numbers."""

import numpy as np
import pytest

from afn.features.deltas import kaldi_deltas, regression, with_deltas


def test_a_straight_line_has_its_slope_inside():
    frames = np.arange(12.0)[:, None] * [2.0, -0.5] + [1.0, 7.0]
    slopes = regression(frames, 3)
    np.testing.assert_allclose(slopes[3:-3], np.tile([2.0, -0.5], (6, 1)), atol=1e-14)


def test_edge_frames_are_repeated():
    impulse = np.zeros((5, 1))
    impulse[0] = 1.0  # and so are the three frames before it
    # At t: sum of i (x[t + i] - x[t - i]) / 28 with x = 1 for t <= 0
    np.testing.assert_allclose(regression(impulse, 3)[:, 0] * 28, [-6, -6, -5, -3, 0], atol=1e-14)


def test_the_second_order_is_the_slope_of_the_slope():
    frames = np.random.default_rng(1).normal(size=(20, 3))
    stacked = with_deltas(frames, 2, 3)
    assert stacked.shape == (20, 9)
    np.testing.assert_array_equal(stacked[:, :3], frames)
    np.testing.assert_array_equal(stacked[:, 6:], regression(stacked[:, 3:6], 3))


@pytest.mark.parametrize("utt", ["g03_short030", "g07_tiny250"])
def test_agrees_with_kaldis_add_deltas(golden, utt):
    with np.load(golden / "deltas_kaldi.npz") as tables:
        statics, expected = tables[f"mfcc/{utt}"], tables[f"mfcc_d2/{utt}"]
    np.testing.assert_allclose(kaldi_deltas(statics, order=2, window=3), expected, rtol=0, atol=5e-6)
    # The other convention differs at the ends, so that the two cannot be confused unnoticed.
    assert np.abs(with_deltas(statics, 2, 3) - expected).max() > 1e-3
