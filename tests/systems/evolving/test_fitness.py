"""Fitness, by hand."""

import numpy as np
import pytest

from afn.systems.evolving.fitness import ease, eer_fitness, fitness

GENUINE = np.array([True, True, False, False])
SCORES = np.array(
    [
        [0.9, 0.4, 0.5, 0.1],  # one spoof above one genuine
        [0.8, 0.7, 0.3, 0.2],  # no fault
        [0.2, 0.6, 0.6, 0.1],  # one spoof above one genuine and level with the other
    ]
)
EASE = [[1, 1 / 2, 1 / 2, 1], [1, 1, 1, 1], [1 / 2, 1 / 2, 0, 1]]


def test_ease_counts_the_other_class_on_the_wrong_side():
    np.testing.assert_allclose(ease(SCORES, GENUINE), EASE)


def test_hard_utterances_count_more():
    # The mean ease of the utterances is 5/6, 2/3, 1/2 and 1, so they weigh 1/6, 1/3, 1/2 and 0, which sum to 1.
    np.testing.assert_allclose(fitness(SCORES, GENUINE), [1 / 6 + 1 / 6 + 1 / 4, 1, 1 / 12 + 1 / 6])


def test_a_network_that_says_the_same_of_all_finds_none_easy():
    constant = np.full((1, 4), 0.5)
    assert not ease(constant, GENUINE).any()
    np.testing.assert_allclose(fitness(np.vstack([SCORES, constant]), GENUINE)[-1], 0)


def test_classes_may_differ_in_size():
    scores = np.array([[0.6, 0.1, 0.2, 0.7, 0.3]])
    genuine = np.array([True, False, False, False, False])
    np.testing.assert_allclose(ease(scores, genuine), [[3 / 4, 1, 1, 0, 1]])


def test_the_control_is_one_less_the_eer():
    assert eer_fitness(SCORES[1:2], GENUINE) == [1.0]
    assert eer_fitness(SCORES[0:1], GENUINE) == [0.5]
    assert eer_fitness(np.full((1, 4), 0.5), GENUINE)[0] == pytest.approx(0.5)
