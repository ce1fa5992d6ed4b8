"""Files are whole or absent, and errors are one line."""

import errno
import subprocess
import sys

import pytest

from afn.common import errors, files
from afn.common.errors import UserError


def test_a_failure_leaves_what_stood(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    with pytest.raises(RuntimeError), files.whole(path) as file:
        file.write("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_killed_writer_leaves_no_final_name(tmp_path):
    code = (
        "import os, sys; from afn.common import files\n"
        "with files.whole(sys.argv[1]) as f: f.write('half'); f.flush(); os._exit(9)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "a.txt"], check=False)
    assert done.returncode == 9
    assert not (tmp_path / "a.txt").exists()
    files.write_text(tmp_path / "a.txt", "new")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (UserError("x.wav: too\nlong"), 2, "error: x.wav: too long\n"),
        (PermissionError(13, "Permission denied", "/x/y"), 2, "error: /x/y: Permission denied"),
        (OSError(28, "No space left on device"), 2, "error: No space left on device"),
        (KeyboardInterrupt(), 130, "error: interrupted"),
    ],
)
def test_a_users_mistake_is_one_line_and_a_code(capsys, raised, code, line):
    def main():
        raise raised

    with pytest.raises(SystemExit) as stop:
        errors.run(main)
    assert stop.value.code == code
    said = capsys.readouterr().err
    assert line in said
    assert said.count("\n") == 1


def test_debug_shows_where_a_users_mistake_was_found(monkeypatch, capsys):
    def main():
        assert sys.argv == ["train.py", "--seeds", "1"]  # the script does not see the option
        raise UserError("x.yaml: wrong. Fix it.")

    for words, tracebacks in ((["--seeds", "1"], 0), (["--debug", "--seeds", "1"], 1)):
        monkeypatch.setattr(sys, "argv", ["train.py", *words])
        with pytest.raises(SystemExit) as stop:
            errors.run(main)
        said = capsys.readouterr().err
        assert stop.value.code == 2 and said.endswith("train.py: error: x.yaml: wrong. Fix it.\n")
        assert said.count("Traceback") == tracebacks


def test_our_own_mistakes_keep_their_traceback():
    with pytest.raises(ZeroDivisionError):
        errors.run(lambda: 1 / 0)


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
