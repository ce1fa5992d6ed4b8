"""Trainings in turns: who gets them, in what order, and what ends whom."""

import pytest

from errors import UserError
from systems import turns


def training(name, count, said, fails_at=None, error=UserError):
    try:
        for number in range(count):
            if number == fails_at:
                raise error(f"{name} at {number}")
            said.append(f"{name}{number}")
            yield
    finally:
        said.append(f"{name} ends")


def take(trainings, at_once):
    failed = {}
    turns.take(trainings, at_once, failed.__setitem__)
    return failed


def test_turns_go_round_and_a_new_training_begins_as_one_ends():
    said = []
    assert take(((name, training(name, count, said)) for name, count in (("a", 3), ("b", 1), ("c", 2))), 2) == {}
    assert said == ["a0", "b0", "a1", "b ends", "a2", "c0", "a ends", "c1", "c ends"]


def test_one_at_a_time_is_one_after_the_other():
    said = []
    take(((name, training(name, 2, said)) for name in "ab"), 1)
    assert said == ["a0", "a1", "a ends", "b0", "b1", "b ends"]


def test_a_mistake_ends_its_own_training_alone():
    said = []
    failed = take([("a", training("a", 3, said, fails_at=1)), ("b", training("b", 2, said))], 2)
    assert {name: str(error) for name, error in failed.items()} == {"a": "a at 1"}
    assert said == ["a0", "b0", "a ends", "b1", "b ends"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_anything_else_ends_all(error):
    said = []
    with pytest.raises(error):
        take([("a", training("a", 9, said)), ("b", training("b", 9, said, fails_at=1, error=error))], 2)
    assert said == ["a0", "b0", "a1", "b ends", "a ends"]
