"""--cluster: the units of a stage on a Dask cluster of two workers, one of which is killed while it works."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from types import SimpleNamespace

import pytest

import for_workers
from afn.common import parallel
from afn.common.errors import UserError
from made_up_recordings import make
from stages import Pipeline, overrides

pytest.importorskip("distributed", reason="dask and distributed are not installed")
# Ends with its standard input, and its workers with it.
CLUSTER = """
import distributed, json, sys
if __name__ == "__main__":
    options = {"threads_per_worker": 1, "processes": True, "dashboard_address": None, "silence_logs": 60}
    with distributed.LocalCluster(n_workers=int(sys.argv[1]), **options) as cluster:
        print(json.dumps([cluster.scheduler_address, [nanny.pid for nanny in cluster.workers.values()]]), flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def start(tmp_path):
    """Starts a cluster on this machine: `start(workers)`; has its process, address and the ids of its workers.

    Scheduler and workers are other processes: nothing of a test that fails is left in this one.
    """
    script = tmp_path / "cluster.py"
    script.write_text(CLUSTER)
    with ExitStack() as stack:

        def cluster(workers, **environment):
            process = subprocess.Popen(
                [sys.executable, script, str(workers)],
                cwd=tmp_path,
                env=os.environ | environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            stack.enter_context(process)  # which closes its input and waits for it
            address, pids = json.loads(process.stdout.readline())
            return SimpleNamespace(process=process, address=address, workers=pids)

        yield cluster


@pytest.mark.slow
def test_units_run_on_all_workers_in_order_with_one_thread_each_and_a_lost_worker_costs_one_unit(start, tmp_path):
    cluster = start(2)
    with parallel.cluster(cluster.address):
        workers = set(parallel.ordered_map(for_workers.busy, range(6), 1))
        assert workers == set(cluster.workers)
        assert list(parallel.ordered_map(for_workers.square, range(12), 1)) == [item * item for item in range(12)]
        assert set(parallel.ordered_map(for_workers.threads, range(4), 1)) == {"1"}
        with pytest.raises(UserError, match=r"^item 5 is wrong\. Remove it\.$"):
            list(parallel.ordered_map(for_workers.refused, range(12), 1))
        assert len(list(parallel.ordered_map(for_workers.killed_once, [tmp_path / "marker"] * 6, 1))) == 6
        assert (tmp_path / "marker").exists()
        with pytest.raises(UserError, match="several Dask workers died at one unit"):
            list(parallel.ordered_map(for_workers.killed, range(12), 1))
    assert set(parallel.ordered_map(for_workers.process, range(2), 1)) == {os.getpid()}


@pytest.mark.slow
def test_a_cluster_of_one_worker_does_the_work_too_and_a_scheduler_that_ends_is_one_line(start):
    cluster = start(1)
    with parallel.cluster(cluster.address):
        assert list(parallel.ordered_map(for_workers.nested, range(2), 1)) == [set(cluster.workers)] * 2
        with pytest.raises(UserError, match="the Dask scheduler is gone. Start it again, then run the same command"):
            for _ in parallel.ordered_map(for_workers.busy, range(20), 1):
                cluster.process.kill()


@pytest.mark.slow
def test_features_equal_those_of_this_machine_byte_for_byte_though_a_worker_is_killed(start, tmp_path, monkeypatch):
    native = overrides("features.backend=native")
    pipeline = Pipeline(tmp_path, make(tmp_path, {"dev": 60}), "--system", "lcnn", *native)
    pipeline.run((-2, -1))
    folder, cluster = pipeline.data / "noise" / "dev" / "spectrogram", start(2)
    here = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert len([name for name in here if name.endswith(".ark")]) == 8
    ordered_map, killed = parallel.ordered_map, []

    def losing_one(*arguments, **options):
        for number, result in enumerate(ordered_map(*arguments, **options)):
            if number == 1 and not killed:
                killed.append(os.kill(cluster.workers[0], signal.SIGKILL))
            yield result

    monkeypatch.setattr(parallel, "ordered_map", losing_one)
    pipeline.run((-1,), "--force", "--cluster", cluster.address)
    assert killed and {path.name: path.read_bytes() for path in folder.iterdir()} == here


def kill_trainer(seed):
    """Kill the process that trains in the folder `seed`, after its first epoch."""
    deadline = time.monotonic() + 300
    while not (seed / "last.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.002)
    lock = seed.with_name(f".{seed.name}.lock")
    os.kill(int(lock.read_text().split()[1]), signal.SIGKILL)


@pytest.mark.slow
def test_trainings_and_scores_equal_those_of_this_machine_byte_for_byte_though_a_worker_is_killed(start, tmp_path):
    words = overrides("model.frames=122", "train.epochs=16", "train.patience=16", "features.backend=native")
    words += ["--system", "lcnn", "--seeds", "1-2"]
    corpus = make(tmp_path / "corpus", {"train": 4, "dev": 4, "eval": 520})  # eval is scored in two units
    here, there = (Pipeline(tmp_path / name, corpus, *words) for name in ("here", "there"))
    here.run((-2, -1, 0, 2))
    there.folder.mkdir()
    there.data.symlink_to(here.data)
    ours, theirs = (pipeline.exp / "noise" / "lcnn" for pipeline in (here, there))
    killing = threading.Thread(target=kill_trainer, args=[theirs / "seed1"], daemon=True)
    killing.start()
    there.run((0, 2), "--cluster", start(2).address)
    assert not killing.is_alive()
    assert len(json.loads((theirs / "seed1" / "env.json").read_text())) == 2  # another worker has resumed it
    names = [f"seed{seed}/{name}" for seed in (1, 2) for name in ("best.pt", "config.yaml")]
    scores = [str(path.relative_to(ours)) for path in ours.rglob("scores/*.txt")]
    assert len(scores) == 6  # dev and eval of each seed and averaged
    for name in names + scores:
        assert (theirs / name).read_bytes() == (ours / name).read_bytes(), name


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "127.0.0.1:1", "xyz://a:3", "nowhere", ""])
def test_an_address_where_no_scheduler_answers_is_one_line(address, monkeypatch):
    monkeypatch.setattr(parallel, "PATIENCE", 0.5)
    refused = pytest.raises(UserError, match=f"^--cluster {address}: no Dask scheduler answers ")
    with refused, parallel.cluster(address):
        pass


@pytest.mark.slow
def test_a_cluster_without_workers_or_without_the_package_is_one_line(start, monkeypatch):
    lacking = r"the Dask scheduler or its workers lack the Python module (afn|for_workers). Install this package there"
    with parallel.cluster(start(1, PYTHONPATH="").address), pytest.raises(UserError, match=lacking):
        list(parallel.ordered_map(for_workers.square, range(3), 1))
    monkeypatch.setattr(parallel, "PATIENCE_FOR_WORKERS", 0.5)
    none = pytest.raises(UserError, match=r"the Dask cluster had no worker for .* Start workers")
    with parallel.cluster(start(0).address), none:
        list(parallel.ordered_map(for_workers.square, range(3), 1))


def test_without_dask_the_package_to_install_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "dask.distributed", None)
    refused = pytest.raises(UserError, match=r"dask is not installed\. Install it .*: pip install dask distributed")
    with refused, parallel.cluster("tcp://127.0.0.1:8786"):
        pass
