"""Range checks: messages begin with the name of the value."""

from types import SimpleNamespace

import pytest

from afn.common import checks

SETTINGS = SimpleNamespace(
    count=3, none=None, rate=0.5, pair=(1.0, 5.0), down=(5.0, 1.0), by_code={"P1": 0.2, "P2": 9.0}
)


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda: checks.at_least(SETTINGS, count=4), "count: 3 must be at least 4"),
        (lambda: checks.share(SETTINGS, "rate", "count"), "count: 3 must lie between 0 and 1"),
        (lambda: checks.within(SETTINGS, 0, 0.4, "rate"), "rate: 0.5 must lie between 0 and 0.4"),
        (lambda: checks.within(SETTINGS, 0, 4, "pair"), r"pair: \[1.0, 5.0\] must lie between 0 and 4"),
        (lambda: checks.within(SETTINGS, 0, 1, "by_code"), r"by_code: \[0.2, 9.0\] must lie between 0 and 1"),
        (lambda: checks.ranges(SETTINGS, 0, 9, "pair", "down"), r"down: \[5.0, 1.0\] runs downwards"),
        (lambda: checks.ranges(SETTINGS, 2, 9, "pair"), r"pair: \[1.0, 5.0\] must lie between 2 and 9"),
    ],
)
def test_a_value_out_of_range_is_named(check, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        check()


def test_values_in_range_pass():
    checks.at_least(SETTINGS, count=3, none=1)  # none: not checked
    checks.share(SETTINGS, "rate")
    checks.within(SETTINGS, 1, 5, "pair", "count")
    checks.ranges(SETTINGS, 1, 5, "pair")
