"""Full disks, folders that cannot be written, two runs at once: one line, whole files only, nothing damaged."""

import errno
import io
import os
import resource
import shutil
import signal
import sys
from contextlib import contextmanager, redirect_stderr, redirect_stdout

import pytest

import made_up_corpus
from afn.common import errors, files
from afn.experiment import locks
from afn.report import evaluation
from made_up_recordings import make
from stages import SCRIPTS as STAGES

ROW = ["--system", "lfcc_gmm", "--set", "model.components=2", "--set", "train.iterations=2"]
TIMED = ("train.log", "env.json", "report.html")  # they tell when something ran, or with what


class Pipeline:
    """Runs stages on a small corpus, within this process."""

    def __init__(self, folder):
        self.folder, self.corpus = folder, make(folder, {"train": 2, "dev": 2, "eval": 2})

    def __call__(self, number, *arguments, data=None, exp=None):
        """Run a stage, by its number in run.sh; returns its exit code and stderr."""
        folders = ["--data", data or self.folder / "data", "--exp", exp or self.folder / "exp"]
        own = ["--nj", 1] if number < 0 else ["--resamples", 20] if number == 3 else []
        options = ["--corpus", self.corpus, *folders, *([] if number in (-2, 3) else ROW), *own, *arguments]
        before, sys.argv = sys.argv, [f"{STAGES[number].__name__}.py", *map(str, options)]
        code, said = 0, io.StringIO()
        try:
            with redirect_stderr(said), redirect_stdout(io.StringIO()):
                errors.run(STAGES[number].main)
        except SystemExit as stop:
            code = stop.code
        finally:
            sys.argv = before
        return code, said.getvalue()

    def finish(self):
        """Run every stage; they must succeed."""
        for number in STAGES:
            assert self(number) == (0, "")

    def contents(self):
        files = (path for path in self.folder.rglob("*") if path.is_file() and path.name not in TIMED)
        found = (path for path in files if not {".forced", "parts"} & set(path.parts))  # kept to resume
        return {path: path.read_bytes() for path in found}


@pytest.fixture(scope="module", autouse=True)
def blank():
    """The figures of report.html take a second and are not looked at here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation.html.plots, "histograms_png", lambda panels: made_up_corpus.BLANK)
        patch.setattr(evaluation.html.breakdown_plot, "breakdown_png", lambda groups: made_up_corpus.BLANK)
        yield


@pytest.fixture(scope="module")
def pipeline(blank, tmp_path_factory):
    made = Pipeline(tmp_path_factory.mktemp("refused") / "whole")
    made.finish()
    return made


@pytest.fixture
def run(pipeline):
    """A pipeline whose stages have all ended, whole again after the test. Its folder stays: files name paths."""
    kept = pipeline.folder.with_name("kept")
    shutil.copytree(pipeline.folder, kept)
    yield pipeline
    shutil.rmtree(pipeline.folder)
    kept.rename(pipeline.folder)


def refused(result, *words):
    code, said = result
    assert code == 2, said
    assert said.count("\n") == 1 and ".py: error: " in said, said
    for word in words:
        assert word in said, said


def undamaged(run, before):
    """Assert that under final names only files of before are there, unchanged. Work may have begun."""
    found = {
        path: content
        for path, content in run.contents().items()
        if path.name != "metrics.csv" and path.suffix != ".index"
    }
    assert found.items() <= before.items()


@pytest.mark.parametrize("number", STAGES)
def test_a_disk_that_is_full_at_any_file_damages_nothing(run, monkeypatch, number):
    finished = run.contents()
    sync, written = os.fsync, []

    def full_at(last):
        def refuse(file):
            written.append(file)
            if len(written) > last:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            sync(file)

        return refuse

    for last in range(30):
        written.clear()
        monkeypatch.setattr(os, "fsync", full_at(last))
        result = run(number, "--force")
        if result[0] == 0:
            break
        refused(result, f"{run.folder}/", "No space left on device; make room, then run the same command again")
        undamaged(run, finished)
    assert last > 0
    monkeypatch.setattr(os, "fsync", sync)
    run.finish()
    assert run.contents() == finished


@contextmanager
def largest(size):
    """No file may grow beyond `size` bytes."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


@pytest.mark.parametrize("number", STAGES)
@pytest.mark.parametrize("size", [10, 600])
def test_writes_that_are_cut_short_damage_nothing(run, number, size):
    finished = run.contents()
    with largest(size):
        result = run(number, "--force")
    if result[0]:  # what some stages write is smaller
        refused(result, f"{run.folder}/", "File too large; raise the limit")
    else:
        assert size == 600
    undamaged(run, finished)
    run.finish()
    assert run.contents() == finished


@pytest.mark.parametrize("number", STAGES)
def test_a_folder_that_cannot_be_made_is_named(run, number):
    finished = run.contents()
    (run.folder / "file").write_text("in the way")
    folder = {"data" if number < 0 else "exp": run.folder / "file" / "deep"}
    code, said = run(number, **folder)
    assert code == 2 and said.count("\n") == 1
    # Later stages miss what earlier ones should have left there.
    assert "Not a directory; a file is where a folder belongs" in said or "first" in said
    assert run.contents().items() >= finished.items()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("number", [-2, -1, 0])
def test_a_folder_that_may_not_be_written_is_named(run, number):
    existing = run.folder / "data" / "noise" / "dev"
    (run.folder / "locked").mkdir(mode=0o555)
    folder = {-2: {"data": run.folder / "locked"}, -1: {}, 0: {"exp": run.folder / "locked"}}[number]
    existing.chmod(0o555)
    try:
        refused(run(number, "--force", **folder), "Permission denied; ")
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
    finished = run.contents()
    monkeypatch.setattr(evaluation, "PATIENCE", 0.2)
    folder = run.folder.joinpath(*parts)
    with locks.hold(folder):
        refused(run(number, "--force"), f"{folder}: process {os.getpid()} on ", "is at work here")
    undamaged(run, finished)
    run.finish()
    assert run.contents() == finished


@pytest.fixture
def hangups():
    """SIGHUP as in a terminal, also where nohup has it ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_signals_end_a_stage_in_order(tmp_path, monkeypatch, hangups, number, code):
    run, write = Pipeline(tmp_path), files.write_text

    def interrupted(path, text):
        with files.whole(path) as file:
            file.write(text[:5])
            file.flush()
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), number if number != signal.SIGINT else 0)  # again, while it is ending
            file.write(text[5:])

    before = {other: signal.getsignal(other) for other in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    monkeypatch.setattr(files, "write_text", interrupted)
    assert run(-2) == (code, "prepare.py: error: interrupted; run the same command again to resume\n")
    assert not [path for path in (run.folder / "data").rglob("*") if path.is_file()]
    assert {other: signal.getsignal(other) for other in before} == before
    monkeypatch.setattr(files, "write_text", write)
    assert run(-2) == (0, "")


def test_a_signal_that_the_user_has_told_to_ignore_stays_ignored(capsys):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        errors.run(lambda: os.kill(os.getpid(), signal.SIGHUP))
    finally:
        signal.signal(signal.SIGHUP, before)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")])
def test_too_little_memory_is_one_line(capsys, error):
    def main():
        raise error

    with pytest.raises(SystemExit, match="2"):
        errors.run(main)
    assert capsys.readouterr().err.endswith("error: " + errors.OUT_OF_MEMORY + "\n")


def test_what_a_file_says_cannot_steer_the_terminal(capsys):
    def main():
        raise errors.UserError("a\x1b[2J\x00.wav:\n" + "x" * 5000 + ". Fix it.")

    with pytest.raises(SystemExit):
        errors.run(main)
    said = capsys.readouterr().err
    assert r"a\x1b[2J\x00.wav: xxx" in said and said.endswith(". Fix it.\n") and len(said) < 1200
