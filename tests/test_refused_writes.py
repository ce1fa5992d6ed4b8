"""Full disks, folders that cannot be written, two runs at once: one line, whole files only, nothing damaged."""

import errno
import os
import signal
from contextlib import contextmanager

import pytest

import made_up_corpus
from afn.common import errors, files, owned
from afn.experiment import locks
from afn.report import evaluation
from made_up_recordings import make
from stages import SCRIPTS as STAGES
from stages import Pipeline, overrides

ROW = ["--system", "lfcc_gmm", *overrides("model.components=2", "train.iterations=2")]
TIMED = ("train.log", "env.json", "report.html")  # they tell when something ran, or with what


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A pipeline whose stages have all ended, without figures in the results."""
    with pytest.MonkeyPatch.context() as patch:
        made_up_corpus.without_figures(patch)
        folder = tmp_path_factory.mktemp("refused") / "whole"
        pipeline = Pipeline(folder, make(folder, {"train": 2, "dev": 2, "eval": 2}), *ROW)
        pipeline.run(STAGES)
        yield pipeline


@pytest.fixture
def run(finished):
    with finished.restored():
        yield finished


def undamaged(run, before):
    """Assert that under final names only files of before are there, unchanged. Work may have begun."""
    found = {path: content for path, content in run.contents(TIMED).items() if path.name != "metrics.csv"}
    assert {path: content for path, content in found.items() if path.suffix != ".index"}.items() <= before.items()


@pytest.mark.parametrize(
    "number", [pytest.param(number, marks=[pytest.mark.slow] * (number in (1, 3))) for number in STAGES]
)
def test_a_disk_that_is_full_at_any_file_damages_nothing(run, monkeypatch, number):
    finished, whole, opened = run.contents(TIMED), files.whole, []

    for last in range(30):
        opened.clear()

        @contextmanager
        def full(path, mode="w", last=last):
            opened.append(path)
            with whole(path, mode) as file:
                yield file
                if len(opened) > last:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(files, "whole", full)
        result = run.ended(number, "--force")
        if result.code == 0:
            break
        result.refused(f"{run.folder}/", "No space left on device. Free some space")
        undamaged(run, finished)
    assert last > 0
    monkeypatch.setattr(files, "whole", whole)
    run.run(STAGES)  # which finish the work
    assert run.contents(TIMED) == finished


@pytest.mark.parametrize("number", STAGES)
def test_a_folder_that_cannot_be_made_is_named(run, number):
    finished = run.contents(TIMED)
    (run.folder / "file").write_text("in the way")
    result = run.ended(number, "--data" if number < 0 else "--exp", run.folder / "file" / "deep")
    assert result.code == 2 and result.err.count("\n") == 1
    # Later stages miss what earlier ones should have left there.
    assert "Not a directory. A file is where a folder belongs" in result.err or "first" in result.err
    assert run.contents(TIMED).items() >= finished.items()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("number", [-2, -1, 0])
def test_a_folder_that_may_not_be_written_is_named(run, number):
    existing, locked = run.data / "noise" / "dev", run.folder / "locked"
    locked.mkdir(mode=0o555)
    existing.chmod(0o555)
    try:
        folder = {-2: ["--data", locked], -1: [], 0: ["--exp", locked]}[number]
        run.ended(number, "--force", *folder).refused("Permission denied")
    finally:
        existing.chmod(0o755)


WORK = {  # stage -1 waits for the other run
    -2: ("data", "noise"),
    0: ("exp", "noise", "lfcc_gmm", "seed1"),
    1: ("exp", "noise", "lfcc_gmm", "attention"),
    2: ("exp", "noise", "lfcc_gmm", "seed1", "scores"),
    3: ("exp", "noise"),
}


@pytest.mark.parametrize(("number", "parts"), WORK.items(), ids=map(str, WORK))
def test_a_second_run_is_refused_where_a_first_is_at_work(run, monkeypatch, number, parts):
    finished = run.contents(TIMED)
    monkeypatch.setattr(evaluation, "PATIENCE", 0.2)
    monkeypatch.setattr(locks, "PATIENCE", 0.2)
    folder = run.folder.joinpath(*parts)
    with locks.hold(folder):
        run.ended(number, "--force").refused(f"{folder}: process {os.getpid()} on ", "is at work here")
    undamaged(run, finished)
    run.run(STAGES)  # which finish the work
    assert run.contents(TIMED) == finished


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_signals_end_a_stage_in_order(tmp_path, monkeypatch, number, code):
    run, write = Pipeline(tmp_path, make(tmp_path, {"train": 2, "dev": 2, "eval": 2})), files.write_text

    def interrupted(path, text):
        with files.whole(path) as file:
            file.write(text[:5])
            file.flush()
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), number if number != signal.SIGINT else 0)  # again, while it is ending
            file.write(text[5:])

    hangup = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup has it ignored
    before = {other: signal.getsignal(other) for other in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    monkeypatch.setattr(files, "write_text", interrupted)
    try:
        result = run.ended(-2)
        assert {other: signal.getsignal(other) for other in before} == before
    finally:
        signal.signal(signal.SIGHUP, hangup)
    assert result.code == code and result.err.count("\n") == 1
    assert result.err.startswith("prepare.py: error: interrupted. Run the same command again to resume")
    assert not [path for path in run.data.rglob("*") if path.is_file() and path.name != owned.MARKER]
    monkeypatch.setattr(files, "write_text", write)
    assert run.ended(-2).code == 0


def test_a_signal_that_the_user_has_told_to_ignore_stays_ignored(capsys):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        errors.run(lambda: os.kill(os.getpid(), signal.SIGHUP))
    finally:
        signal.signal(signal.SIGHUP, before)
    assert capsys.readouterr().err == ""
