"""Deltas by regression."""

import numpy as np

from afn.features.deltas import regression, with_deltas


def test_a_straight_line_has_its_slope_inside_and_edge_frames_are_repeated():
    frames = np.arange(12.0)[:, None] * [2.0, -0.5] + [1.0, 7.0]
    np.testing.assert_allclose(regression(frames, 3)[3:-3], np.tile([2.0, -0.5], (6, 1)), atol=1e-14)
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
