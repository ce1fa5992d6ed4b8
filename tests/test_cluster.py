"""--cluster: the units of a stage on a Dask cluster of two workers, one of which is killed while it works."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

import extract
import for_workers
import prepare
from afn.common import parallel
from afn.common.errors import UserError
from made_up_recordings import make
from stages import Pipeline

distributed = pytest.importorskip("distributed", reason="dask and distributed are not installed")


@pytest.fixture
def start():
    """Starts a Dask cluster on this machine: `start(workers)`."""
    clusters = []

    def cluster(workers):
        clusters.append(
            distributed.LocalCluster(
                n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=60
            )
        )
        return clusters[-1].scheduler_address

    yield cluster
    for one in clusters:
        one.close()


def test_units_run_on_all_workers_in_order_with_one_thread_each(start):
    with parallel.cluster(start(2)):
        workers = set(parallel.ordered_map(for_workers.busy, range(6), 1))
        assert len(workers) == 2 and os.getpid() not in workers
        assert list(parallel.ordered_map(for_workers.square, range(12), 1)) == [item * item for item in range(12)]
        assert set(parallel.ordered_map(for_workers.threads, range(4), 1)) == {"1"}
        with pytest.raises(UserError, match=r"^item 5 is wrong\. Remove it\.$"):
            list(parallel.ordered_map(for_workers.refused, range(12), 1))
    assert set(parallel.ordered_map(for_workers.process, range(2), 1)) == {os.getpid()}


def test_a_cluster_of_one_worker_does_the_work_too_and_keeps_what_a_unit_does_inside_it(start):
    with parallel.cluster(start(1)):
        (worker,) = set(parallel.ordered_map(for_workers.process, range(3), 1))
        assert worker != os.getpid()
        assert list(parallel.ordered_map(for_workers.nested, range(2), 1)) == [{worker}] * 2


def test_a_lost_worker_costs_one_unit_and_a_unit_that_kills_every_worker_is_one_line(start, tmp_path):
    with parallel.cluster(start(2)):
        assert len(list(parallel.ordered_map(for_workers.killed_once, [tmp_path / "marker"] * 6, 1))) == 6
        assert (tmp_path / "marker").exists()
        with pytest.raises(UserError, match="several Dask workers died at one unit"):
            list(parallel.ordered_map(for_workers.killed, range(12), 1))


def test_features_equal_those_of_this_machine_byte_for_byte_though_a_worker_is_killed(start, tmp_path, monkeypatch):
    corpus = own_corpus(tmp_path / "corpus", 60)

    def stage(main, *options):
        folders = ["--data", str(tmp_path / "data"), "--exp", str(tmp_path / "exp")]
        monkeypatch.setattr(sys, "argv", [f"{main.__module__}.py", "--corpus", str(corpus), *folders, *options])
        main()

    stage(prepare.main)
    options = ["--system", "lcnn", "--set", "features.backend=native"]
    stage(extract.main, *options)
    folder = tmp_path / "data" / "mine" / "dev" / "spectrogram"
    here = contents(folder)
    assert len([name for name in here if name.endswith(".ark")]) == 8
    address = start(2)
    workers = list(distributed.Client(address, set_as_default=False).run(os.getpid).values())
    ordered_map = parallel.ordered_map

    def losing_one(*arguments):
        for number, result in enumerate(ordered_map(*arguments)):
            if number == 1:
                os.kill(workers[0], signal.SIGKILL)
            yield result

    monkeypatch.setattr(parallel, "ordered_map", losing_one)
    stage(extract.main, *options, "--force", "--cluster", address)
    assert contents(folder) == here
    assert not Path(f"/proc/{workers[0]}").exists() or "Z" in Path(f"/proc/{workers[0]}/stat").read_text()


def finished_here(folder, *row):
    """A pipeline whose stages have run on this machine, and another with the same data."""
    corpus = make(folder / "corpus", {"train": 4, "dev": 4, "eval": 520})  # eval is scored in two units
    here, there = (Pipeline(folder / name, corpus, *row) for name in ("here", "there"))
    here.run((-2, -1, 0, 2))
    there.folder.mkdir()
    there.data.symlink_to(here.data)
    return here, there


def kill_trainer(seed):
    """Kill the process that trains in the folder `seed`, after its first epoch."""
    lock = seed.with_name(f".{seed.name}.lock")
    while not (seed / "last.pt").exists():
        time.sleep(0.01)
    os.kill(int(lock.read_text().split()[1]), signal.SIGKILL)


@pytest.mark.slow
def test_trainings_equal_those_of_this_machine_byte_for_byte_though_a_worker_is_killed(start, tmp_path):
    settings = ("model.frames=122", "train.epochs=8", "train.patience=8", "features.backend=native")
    words = [word for setting in settings for word in ("--set", setting)]
    here, there = finished_here(tmp_path, "--system", "lcnn", *words, "--seeds", "1-2")
    killing = threading.Thread(target=kill_trainer, args=[there.exp / "noise" / "lcnn" / "seed1"], daemon=True)
    killing.start()
    there.run((0,), "--cluster", start(2))
    assert not killing.is_alive()
    ours, theirs = (pipeline.exp / "noise" / "lcnn" for pipeline in (here, there))
    assert len(json.loads((theirs / "seed1" / "env.json").read_text())) == 2  # another worker has resumed it
    for name in ("seed1/best.pt", "seed2/best.pt", "seed1/config.yaml", "seed2/config.yaml"):
        assert (theirs / name).read_bytes() == (ours / name).read_bytes(), name


@pytest.mark.slow
def test_scores_equal_those_of_this_machine_byte_for_byte_though_a_worker_is_killed(start, tmp_path, monkeypatch):
    settings = ("model.components=2", "train.iterations=2")
    words = [word for setting in settings for word in ("--set", setting)]
    here, there = finished_here(tmp_path, "--system", "lfcc_gmm", *words)
    there.run((0,))
    address = start(2)
    workers = list(distributed.Client(address, set_as_default=False).run(os.getpid).values())
    ordered_map, killed = parallel.ordered_map, []

    def losing_one(*arguments, **options):
        for result in ordered_map(*arguments, **options):
            if not killed:
                killed.append(os.kill(workers[0], signal.SIGKILL))
            yield result

    monkeypatch.setattr(parallel, "ordered_map", losing_one)
    there.run((2,), "--cluster", address)
    assert killed
    scores = [path.relative_to(here.exp) for path in here.exp.rglob("scores/*")]
    assert len(scores) == 6  # dev, eval and their record, of the seed and averaged
    for path in scores:
        assert (there.exp / path).read_bytes() == (here.exp / path).read_bytes(), path


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "127.0.0.1:1", "xyz://a:3", "nowhere", ""])
def test_an_address_where_no_scheduler_answers_is_one_line(address, monkeypatch):
    monkeypatch.setattr(parallel, "PATIENCE", 0.5)
    started = time.monotonic()
    refused = pytest.raises(UserError, match=f"^--cluster {address}: no Dask scheduler answers ")
    with refused, parallel.cluster(address):
        pass
    assert time.monotonic() - started < 5


def test_a_cluster_without_workers_is_one_line(start, monkeypatch):
    monkeypatch.setattr(parallel, "PATIENCE_FOR_WORKERS", 0.5)
    with (
        parallel.cluster(start(0)),
        pytest.raises(UserError, match=r"the Dask cluster had no worker for .* Start workers"),
    ):
        list(parallel.ordered_map(for_workers.square, range(3), 1))


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        (
            "package",
            "the Dask scheduler or its workers lack the Python module (afn|for_workers). Install this package there",
        ),
        ("scheduler", "the Dask scheduler is gone. Start it again, then run the same command again."),
    ],
)
def test_workers_without_the_package_and_a_scheduler_that_ends_are_one_line(lost, message, tmp_path):
    environment = {name: value for name, value in os.environ.items() if lost == "scheduler" or name != "PYTHONPATH"}
    module = [sys.executable, "-m", "distributed.cli.dask_{}", "--no-dashboard"]
    file = tmp_path / "scheduler.json"
    options = {
        "scheduler": ["--scheduler-file", str(file), "--host", "127.0.0.1", "--port", "0"],
        "worker": ["--scheduler-file", str(file), "--nthreads", "1", "--local-directory", str(tmp_path)],
    }
    programs = {
        name: subprocess.Popen(
            [word.format(name) for word in module] + options[name],
            cwd=tmp_path,
            env=environment,
            stderr=subprocess.DEVNULL,
        )
        for name in options
    }
    try:
        while not file.exists():
            time.sleep(0.05)
        address = json.loads(file.read_text())["address"]
        with parallel.cluster(address), pytest.raises(UserError, match=message):
            for _ in parallel.ordered_map(for_workers.busy, range(20), 1):
                programs["scheduler"].kill()
    finally:
        for program in programs.values():
            program.terminate()
            program.wait()


def test_without_dask_the_package_to_install_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "dask.distributed", None)
    refused = pytest.raises(UserError, match=r"dask is not installed\. Install it .*: pip install dask distributed")
    with refused, parallel.cluster("tcp://127.0.0.1:8786"):
        pass


def own_corpus(folder, count):
    """The YAML of a corpus of noise."""
    (folder / "dev").mkdir(parents=True)
    names = [f"u{n:02}" for n in range(count)]
    for n, name in enumerate(names):
        samples = np.random.default_rng(n).normal(0, 1000, 16000 + 100 * n).astype(np.int16)
        soundfile.write(folder / f"{name}.wav", samples, 16000)
    (folder / "dev" / "wav.scp").write_text("".join(f"{name} {folder / name}.wav\n" for name in names))
    labels = ("genuine", "spoof")
    (folder / "dev" / "utt2label").write_text("".join(f"{name} {labels[n % 2]}\n" for n, name in enumerate(names)))
    (folder / "mine.yaml").write_text(f"kind: datadir\nname: mine\ndev: {folder / 'dev'}\n")
    return folder / "mine.yaml"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}
