"""Files are whole or absent."""

import errno
import subprocess
import sys

import pytest

from afn.common import files


def test_a_killed_writer_leaves_no_final_name_and_a_failure_what_was_there(tmp_path):
    code = (
        "import os, sys; from afn.common import files\n"
        "with files.whole(sys.argv[1]) as f: f.write('half'); f.flush(); os._exit(9)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "a.txt"], check=False)
    assert done.returncode == 9
    assert not (tmp_path / "a.txt").exists()
    files.write_text(tmp_path / "a.txt", "old")
    with pytest.raises(RuntimeError), files.whole(tmp_path / "a.txt") as file:
        file.write("half")
        raise RuntimeError
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.txt", "old")]


def test_of_files_written_together_the_one_that_cannot_be_written_is_named(tmp_path):
    with (
        pytest.raises(OSError, match="No space left") as refused,
        files.whole(tmp_path / "list"),
        files.whole(tmp_path / "archive"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert refused.value.filename == str(tmp_path / "archive")
    assert not list(tmp_path.iterdir())


def test_rows_become_a_table_under_their_columns(tmp_path):
    files.write_csv(tmp_path / "a.csv", [{"a": 1, "b": 0.5}, {"a": 2, "b": None}])
    files.write_csv(tmp_path / "none.csv", [])
    assert (tmp_path / "a.csv").read_bytes() == b"a,b\n1,0.5\n2,\n"
    assert (tmp_path / "none.csv").read_bytes() == b""
