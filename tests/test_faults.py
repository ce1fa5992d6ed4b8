"""Runs killed at any moment: the same command afterwards ends as if nothing had happened, and nothing runs on."""

import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import torch

import for_workers
from afn.common import owned
from afn.common.paths import ROOT
from made_up_recordings import make
from stages import Pipeline, overrides

pytestmark = pytest.mark.slow
SEED = 2017
KILLS = 10
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
NEURAL = ["model.frames=122", "train.epochs=2", "train.checkpoint_minutes=0", "features.backend=native"]
GENERATIVE = ["model.components=2"]
# These tell when and how fast something ran; the rest of their content is compared by reading it.
TIMED = ("train.log", "metrics.csv", "last.pt", "report.html")


class Run:
    """Stages -2 to 3 of two systems on a small corpus in another process, again and again."""

    def __init__(self, folder: Path):
        self.folder, self.log = folder, folder / "log"
        corpus = make(folder)
        systems = (("lcnn", NEURAL), ("lfcc_gmm", GENERATIVE))
        self.pipelines = [Pipeline(folder, corpus, "--system", name, *overrides(*changes)) for name, changes in systems]
        self.context = multiprocessing.get_context("forkserver")  # imports everything once
        self.context.set_forkserver_preload(["stages", "afn.systems.neural.system", "afn.systems.gmm.system"])
        self.process([]).join()

    def process(self, commands: list[tuple[int, list[str]]]) -> multiprocessing.Process:
        process = self.context.Process(target=for_workers.session, args=(commands, str(self.log)))
        process.start()
        with suppress(ProcessLookupError):  # it has ended
            while os.getsid(process.pid) != process.pid:
                time.sleep(0.001)
        return process

    def start(self, jobs: int) -> multiprocessing.Process:
        stages = [(self.pipelines[0], -2), *((p, number) for p in self.pipelines for number in (-1, 0, 1, 2))]
        commands = [
            (number, pipeline.arguments(number, *(["--nj", str(jobs)] if number < 0 else [])))
            for pipeline, number in (*stages, (self.pipelines[0], 3))
        ]
        return self.process(commands)

    def finish(self, jobs: int) -> dict[str, object]:
        """Run to the end; returns what that left."""
        process = self.start(jobs)
        process.join()
        assert process.exitcode == 0, self.log.read_text()
        return self.contents()

    def clear(self) -> None:
        for name in ("data", "exp"):
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def contents(self) -> dict[str, object]:
        """What the run left, by name: bytes, or what can be compared of files that hold times."""
        files = sorted(path for top in ("data", "exp") for path in (self.folder / top).rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)): comparable(path) for path in files}


def comparable(path: Path) -> object:
    if path.name == "metrics.csv":
        return [line.split(",")[:5] for line in path.read_text().splitlines()]
    if path.name == "last.pt":
        state = torch.load(path, weights_only=True)
        return {name: tensor.tolist() for name, tensor in state["model"].items()}
    if path.name == "env.json":  # an entry for each run that worked on it; the commit may change during the test
        return json.loads(path.read_text())[-1] | {"commit": None}
    return None if path.name in TIMED else path.read_bytes()


def living(leader: int) -> list[int]:
    """The living processes of a session (Linux; none elsewhere)."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            state, _, _, session = stat.read_text().rpartition(") ")[2].split()[:4]
            if int(session) == leader and state not in "ZX":
                found.append(int(stat.parent.name))
    return found


def ends(leader: int, seconds: float = 60.0) -> bool:
    """Whether no process of the session is left before `seconds` are over."""
    deadline = time.monotonic() + seconds
    while living(leader) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not living(leader)


def test_runs_killed_at_random_moments_end_as_an_uninterrupted_one(tmp_path):
    rng, run = random.Random(SEED), Run(tmp_path)
    began = time.monotonic()
    expected = run.finish(jobs=1)
    whole = time.monotonic() - began
    assert len(expected) > 60
    run.clear()
    killed = 0
    while killed < KILLS:
        number, group, jobs = rng.choice(SIGNALS), rng.random() < 0.5, rng.choice((1, 1, 2))
        process = run.start(jobs)
        time.sleep(rng.uniform(0, 3 * whole / KILLS))
        with suppress(ProcessLookupError):  # it has ended
            (os.killpg if group else os.kill)(process.pid, number)
        process.join()
        assert ends(process.pid), f"{number!r} left {living(process.pid)}"
        if process.exitcode == 0:  # done before the signal came: start over, so that early stages are hit as well
            assert run.contents() == expected
            run.clear()
            continue
        assert process.exitcode in (128 + number, -number), (process.exitcode, run.log.read_text())
        killed += 1
    assert run.finish(jobs=2) == expected
    assert "Traceback" not in run.log.read_text()


ENDLESS = ("model.frames=122", "train.epochs=100000", "train.patience=100000", "features.backend=native")


@pytest.mark.parametrize(
    ("number", "group", "code"),
    [(signal.SIGTERM, False, 143), (signal.SIGINT, True, 130)],
    ids=["SIGTERM to run.sh alone", "Ctrl-C"],
)
def test_run_sh_passes_a_signal_on_and_leaves_no_process(tmp_path, number, group, code):
    folders = ["--data", str(tmp_path / "data"), "--exp", str(tmp_path / "exp")]
    process = subprocess.Popen(
        [str(ROOT / "run.sh"), "--corpus", str(make(tmp_path)), "--system", "lcnn", *folders, *overrides(*ENDLESS)],
        env={**os.environ, "PYTHON": sys.executable},
        start_new_session=True,  # as a terminal would
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 300
    while not (tmp_path / "exp" / "noise" / "lcnn" / "seed1" / "last.pt").exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert len(living(process.pid)) >= 2 or not Path("/proc").is_dir()  # run.sh and train.py
    (os.killpg if group else os.kill)(process.pid, number)
    _, said = process.communicate(timeout=120)
    assert process.returncode == code
    assert ends(process.pid)
    assert "Traceback" not in said
    assert "train.py: error: interrupted. Run the same command again to resume" in said
    assert said.splitlines()[-1].startswith("run.sh: interrupted in stage 0 (train.py)")
    left = [path.name for path in tmp_path.rglob(".*") if path.name != owned.MARKER]
    assert not left  # neither locks nor halves of files
