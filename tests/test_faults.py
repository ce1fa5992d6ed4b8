"""Runs killed at any moment: the same command afterwards ends as if nothing had happened, and nothing runs on."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from afn.common import owned
from afn.common.paths import ROOT
from made_up_recordings import make

SEED = 2017
KILLS = 20
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
NEURAL = ["model.frames=122", "train.epochs=2", "train.checkpoint_minutes=0", "features.backend=native"]
GENERATIVE = ["model.components=2"]
ROWS = [
    ["--system", name, *(word for setting in settings for word in ("--set", setting))]
    for name, settings in (("lcnn", NEURAL), ("lfcc_gmm", GENERATIVE))
]
# These tell when and how fast something ran; the rest of their content is compared by reading it.
TIMED = ("train.log", "metrics.csv", "last.pt", "report.html")


class Pipeline:
    """Runs stages -2 to 3 of two systems on a small corpus, again and again, in helpers/stage_server.py."""

    def __init__(self, server: subprocess.Popen, folder: Path):
        self.server, self.folder = server, folder
        self.corpus = make(folder)
        self.log = folder / "log"

    def start(self, jobs: int) -> int:
        """Start the stages, with `jobs` processes for stages -2 and -1; returns their process."""
        folders = ["--data", str(self.folder / "data"), "--exp", str(self.folder / "exp")]
        shared = ["--corpus", str(self.corpus), *folders]
        self.server.stdin.write(json.dumps([str(self.log), ROWS, ["--nj", str(jobs)], shared]) + "\n")
        self.server.stdin.flush()
        return int(self.server.stdout.readline())

    def wait(self) -> int:
        return int(self.server.stdout.readline())

    def clear(self) -> None:
        for name in ("data", "exp"):
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def contents(self) -> dict[str, object]:
        """What the run left, by name: bytes, or what can be compared of files that hold times."""
        found = {}
        for path in sorted(path for top in ("data", "exp") for path in (self.folder / top).rglob("*")):
            if path.is_file():
                found[str(path.relative_to(self.folder))] = comparable(path)
        return found


def comparable(path: Path) -> object:
    if path.name == "metrics.csv":
        return [line.split(",")[:5] for line in path.read_text().splitlines()]
    if path.name == "last.pt":
        import torch

        state = torch.load(path, weights_only=True)
        return {name: tensor.tolist() for name, tensor in state["model"].items()}
    if path.name == "env.json":  # an entry for each run that worked on it
        return json.loads(path.read_text())[-1]
    return None if path.name in TIMED else path.read_bytes()


@contextmanager
def serving():
    server = subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "helpers" / "stage_server.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield server
    finally:
        server.stdin.close()
        server.kill()
        server.wait()
        server.stdout.close()


def session(leader: int) -> list[int]:
    """The living processes of a session (Linux; none elsewhere)."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, of = stat.read_text().rpartition(") ")[2].split()[:4]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(of) == leader and state not in "ZX":
            found.append(int(stat.parent.name))
    return found


def alone(leader: int, seconds: float = 10.0) -> bool:
    """Whether no process of the session is left before `seconds` are over."""
    deadline = time.monotonic() + seconds
    while session(leader):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.slow
def test_runs_killed_at_random_moments_end_as_an_uninterrupted_one(tmp_path):
    rng = random.Random(SEED)
    with serving() as server:
        pipeline = Pipeline(server, tmp_path)
        began = time.monotonic()
        pipeline.start(jobs=1)
        assert pipeline.wait() == 0, pipeline.log.read_text()
        whole = time.monotonic() - began
        expected = pipeline.contents()
        assert len(expected) > 60
        pipeline.clear()

        killed = 0
        while killed < KILLS:
            number, group, jobs = rng.choice(SIGNALS), rng.random() < 0.5, rng.choice((1, 1, 2))
            process = pipeline.start(jobs)
            time.sleep(rng.uniform(0, 3 * whole / KILLS))
            with suppress(ProcessLookupError):
                (os.killpg if group else os.kill)(process, number)
            code = pipeline.wait()
            assert alone(process), f"{number!r} left {session(process)}"
            if code == 0:  # it was done before the signal came: start over, so that early stages are hit as well
                assert pipeline.contents() == expected
                pipeline.clear()
                continue
            assert code in (128 + number, -number), pipeline.log.read_text()
            killed += 1
        pipeline.start(jobs=2)
        assert pipeline.wait() == 0, pipeline.log.read_text()
        assert pipeline.contents() == expected
        assert "Traceback" not in pipeline.log.read_text()


ENDLESS = ("model.frames=122", "train.epochs=100000", "train.patience=100000", "features.backend=native")


def wait_for(path, process):
    deadline = time.monotonic() + 120
    while not path.exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "group", "code"),
    [(signal.SIGTERM, False, 143), (signal.SIGINT, True, 130)],
    ids=["SIGTERM to run.sh alone", "Ctrl-C"],
)
def test_run_sh_passes_a_signal_on_and_leaves_no_process(tmp_path, number, group, code):
    settings = [word for setting in ENDLESS for word in ("--set", setting)]
    folders = ["--data", str(tmp_path / "data"), "--exp", str(tmp_path / "exp")]
    process = subprocess.Popen(
        [str(ROOT / "run.sh"), "--corpus", str(make(tmp_path)), "--system", "lcnn", *folders, *settings],
        env={**os.environ, "PYTHON": sys.executable},
        start_new_session=True,  # as a terminal would
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(tmp_path / "exp" / "noise" / "lcnn" / "seed1" / "last.pt", process)
    assert len(session(process.pid)) >= 2 or not Path("/proc").is_dir()  # run.sh and train.py
    (os.killpg if group else os.kill)(process.pid, number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code
    assert alone(process.pid)
    assert "Traceback" not in said
    assert "train.py: error: interrupted; run the same command again to resume" in said
    assert said.splitlines()[-1].startswith("run.sh: interrupted in stage 0 (train.py)")
    left = [path.name for path in tmp_path.rglob(".*") if path.name != owned.MARKER]
    assert not left  # neither locks nor halves of files
