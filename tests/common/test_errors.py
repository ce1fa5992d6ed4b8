"""Errors are one line and an exit code, also with closed streams and missing packages."""

import subprocess
import sys

import pytest

from afn.common import errors
from afn.common.errors import UserError
from afn.common.paths import ROOT


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (UserError("x.wav: too\nlong"), 2, "error: x.wav: too long\n"),
        (PermissionError(13, "Permission denied", "/x/y"), 2, "error: /x/y: Permission denied"),
        (OSError(28, "No space left on device"), 2, r"error: No space left on device (raise raised in test_errors.py:"),
        (MemoryError(), 2, "error: out of memory. Lower --nj"),
        (RuntimeError("CUDA out of memory: …"), 2, "error: out of memory. Lower --nj"),
        (KeyboardInterrupt(), 130, "error: interrupted"),
        (UserError("a\x1b[2J\0.wav:\n" + "x" * 5000 + ". Fix it."), 2, "xxx. Fix it.\n"),  # would steer a terminal
    ],
)
def test_an_error_is_one_line_and_a_code(capsys, raised, code, line):
    def main():
        raise raised

    with pytest.raises(SystemExit) as stop:
        errors.run(main)
    assert stop.value.code == code
    said = capsys.readouterr().err
    assert line in said
    assert said.count("\n") == 1 and len(said) < 1200 and said[:-1].isprintable()


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


CODE = """
import sys
from afn.common import errors
def main():
    print(sys.stdin.read(), "× \\u00fc \\udcfc")
errors.run(main)
"""


@pytest.mark.parametrize(
    ("redirected", "encoding", "printed"),
    [
        ("", "ascii", r"\xd7 \xfc \udcfc"),
        ("<&-", "utf-8", "×"),
        (">&- 2>&-", "ascii", ""),
    ],
)
def test_a_stream_that_is_closed_or_lacks_a_character_is_no_error(redirected, encoding, printed):
    command = ["bash", "-c", f'"$0" -c "$1" {redirected}', sys.executable, CODE]
    environment = {"PYTHONIOENCODING": encoding, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8")
    assert done.returncode == 0 and done.stderr == ""
    assert printed in done.stdout


@pytest.mark.parametrize("script", ["src/evaluate.py", "utils/import_original_checkpoint.py"])
def test_a_python_without_the_packages_is_told_which_has_them(script):
    done = subprocess.run([sys.executable, "-S", "-E", ROOT / script], capture_output=True, text=True)
    assert done.returncode != 0
    assert f"{sys.executable} lacks the package" in done.stderr and ".venv/bin/python" in done.stderr
    assert done.stderr.count("\n") == 1
