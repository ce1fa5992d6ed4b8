"""The ordered map: order, errors and the end of workers on this machine. tests/test_cluster.py has the rest."""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import for_workers
from afn.common import parallel
from afn.common.errors import UserError


def test_results_are_in_order_one_job_is_this_process_and_several_are_others():
    for jobs in (1, 3):
        assert list(parallel.ordered_map(for_workers.square, range(12), jobs)) == [n * n for n in range(12)]
    assert set(parallel.ordered_map(for_workers.process, range(4), 1)) == {os.getpid()}
    assert set(parallel.ordered_map(for_workers.process, [0], 8)) == {os.getpid()}  # not 8 processes for one item
    taken = []
    results = parallel.ordered_map(for_workers.busy, (taken.append(n) or n for n in range(100)), 2)
    others = {next(results)}
    assert len(taken) < 20  # items are taken as they are needed
    while len(others) < 2:  # the second worker may start late
        others.add(next(results))
    assert os.getpid() not in others
    results.close()


def test_workers_have_the_threads_that_are_asked_for():
    for threads in (1, 2):
        assert set(parallel.ordered_map(for_workers.threads, range(4), 2, threads)) == {str(threads)}


def test_a_users_mistake_in_a_worker_is_the_same_mistake():
    for jobs in (1, 2):
        with pytest.raises(UserError, match=r"^item 5 is wrong\. Remove it\.$"):
            list(parallel.ordered_map(for_workers.refused, range(50), jobs))
    with pytest.raises(ValueError, match="invalid literal"):
        list(parallel.ordered_map(int, ["1", "x"], 2))


def test_a_worker_that_is_killed_is_one_line_and_the_next_map_works():
    with pytest.raises(UserError, match=r"a worker process was killed, perhaps for lack of memory\. Give a lower --nj"):
        list(parallel.ordered_map(for_workers.killed, range(50), 2))
    assert list(parallel.ordered_map(for_workers.killed, range(5), 2)) == list(range(5))


def test_the_default_number_of_jobs_is_that_of_the_cores_this_process_may_use():
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); from afn.common import parallel; "
    code += "print(parallel.default_jobs())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


def test_the_number_of_jobs_is_a_whole_number_above_0(capsys):
    parser = argparse.ArgumentParser()
    parallel.add_options(parser)
    options = parser.parse_args(["--nj", "3", "--cluster", "tcp://host:8786"])
    assert (options.nj, options.cluster) == (3, "tcp://host:8786")
    assert (parser.parse_args([]).nj, parser.parse_args([]).cluster) == (parallel.default_jobs(), None)
    for wrong in ("0", "-1", "1.5", "many"):
        with pytest.raises(SystemExit):
            parser.parse_args([f"--nj={wrong}"])
        assert "must be a whole number above 0" in capsys.readouterr().err


def running(pid: int) -> bool:
    """Whether a process exists and has not ended, as a zombie has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_workers_end_soon_after_the_program_whatever_ends_it(number, code):
    program = subprocess.Popen(
        [sys.executable, for_workers.__file__], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    workers: set[int] = set()
    while len(workers) < 2:
        workers.add(int(program.stdout.readline()))
    program.send_signal(number)
    deadline = time.monotonic() + 60
    assert program.wait(timeout=60) == code
    while any(running(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(running(pid) for pid in workers)
    program.stdout.close()
    assert program.stderr.read().startswith("" if number == signal.SIGKILL else "program: error: interrupted")
    program.stderr.close()
