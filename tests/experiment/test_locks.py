"""One run at a time: a second one is refused, and the message names the first; a killed run locks nothing."""

import errno
import fcntl
import os
import socket
import subprocess
import sys
import threading

import pytest

from afn.common.errors import UserError
from afn.experiment import locks

HOLD = """
import sys
from pathlib import Path
from afn.experiment import locks
with locks.hold(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds the folder `seed1` until its stdin is closed."""
    command = [sys.executable, "-c", HOLD, tmp_path / "seed1"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_run_is_refused_and_the_message_names_the_first(other, tmp_path):
    with pytest.raises(UserError) as refused, locks.hold(tmp_path / "seed1", patience=0):
        pass
    message = str(refused.value)
    assert message.startswith(f"{tmp_path / 'seed1'}: process {other.pid} on {socket.gethostname()} since ")
    assert "(-c " in message
    assert message.endswith("is at work here. Wait for it to end, or end it.")
    with locks.hold(tmp_path / "seed2"):
        pass


def test_a_folder_is_free_again_and_without_litter_when_its_holder_has_ended(other, tmp_path):
    other.stdin.close()
    other.wait()
    assert not list(tmp_path.iterdir())
    with pytest.raises(ZeroDivisionError), locks.hold(tmp_path / "seed1"):
        assert [path.name for path in tmp_path.iterdir()] == [".seed1.lock"]
        1 / 0  # noqa: B018
    assert not list(tmp_path.iterdir())
    with locks.hold(tmp_path / "deep" / "seed1"):
        (tmp_path / "deep" / "seed1").mkdir()


def test_what_a_killed_holder_left_is_taken_over(other, tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "PATIENCE", 600.0)  # on a machine under load the signal may come late
    stale = tmp_path / ".seed1.lock"
    assert f"process {other.pid} " in stale.read_text()
    threading.Timer(0.3, other.kill).start()
    with locks.hold(tmp_path / "seed1"):
        assert f"process {os.getpid()} " in stale.read_text()
        with pytest.raises(UserError), locks.hold(tmp_path / "seed1", patience=0.2):
            pass
    assert not stale.exists()


def test_only_one_of_many_runs_is_inside_at_a_time(tmp_path):
    code = """
import sys
from pathlib import Path
from afn.experiment import locks
locks.PAUSE = 0.001
folder = Path(sys.argv[1])
for _ in range(20):
    with locks.hold(folder, patience=60):
        (folder.parent / "inside").mkdir()
        (folder.parent / "inside").rmdir()
"""
    command = [sys.executable, "-c", code, tmp_path / "seed1"]
    processes = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert not list(tmp_path.iterdir())


def test_one_of_several_folders_is_the_first_free_one(other, tmp_path):
    folders = [tmp_path / "seed1", tmp_path / "seed2"]
    with pytest.raises(UserError, match="an error of the block"), locks.hold_one(folders) as index:
        assert index == 1
        raise UserError("an error of the block")
    other.stdin.close()
    with locks.hold(folders[1]), locks.hold_one(folders) as index:
        assert index == 0


def test_a_file_system_without_locks_is_used_without_protection(tmp_path, monkeypatch):
    def unsupported(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with locks.hold(tmp_path / "seed1"), locks.hold(tmp_path / "seed1"):
        pass
