"""Chains of programs: what they pass on, and which of them is blamed."""

import sys

import pytest

from afn.common.errors import UserError
from afn.common.processes import Chain


def script(text):
    return [sys.executable, "-c", text]


def test_programs_are_joined_and_the_last_writes_to_the_file(tmp_path):
    with (tmp_path / "out").open("wb") as out, Chain([["echo", "a b"], ["cat"], ["cat"]], tmp_path / "t", out) as chain:
        chain.wait()
    assert (tmp_path / "out").read_text() == "a b\n"
    assert sorted(path.name for path in tmp_path.glob("*.log")) == ["t.2.cat.log", "t.3.cat.log", "t.echo.log"]


@pytest.mark.parametrize(
    ("commands", "blamed"),
    [
        (
            [script("import sys; sys.exit('ERROR (first) bad')"), ["cat"]],
            r"python\S* ended with exit code 1: ERROR \(fir",
        ),
        ([["yes"], ["false"]], "false ended with exit code 1: no message"),
        ([["cat"], script("import sys; print('WARNING x', file=sys.stderr); sys.exit('end')")], ": WARNING x"),
    ],
)
def test_the_program_that_failed_is_named_with_its_last_message(tmp_path, commands, blamed):
    with Chain(commands, tmp_path / "t") as chain, pytest.raises(UserError, match=blamed):
        chain.wait()


def test_a_program_that_does_not_exist_ends_those_before_it(tmp_path):
    with pytest.raises(UserError, match="no-such-program: No such file or directory. Install it"):
        Chain([["sleep", "60"], ["no-such-program"]], tmp_path / "t")


def test_leaving_the_block_ends_the_programs(tmp_path):
    with Chain([["sleep", "60"], ["cat"]], tmp_path / "t") as chain:
        processes = [process for _, process, _ in chain.processes]
    assert processes[0].returncode < 0 and processes[1].returncode is not None  # ended by a signal, not by its time
