"""Progress of long loops in a log and on a terminal."""

import os
import pty
import subprocess
import sys
import termios

CODE = """
import time
from afn.common import progress
progress.SECONDS_BETWEEN_LINES = {pause}
with progress.Progress("extract", 3) as loop:
    for _ in range(3):
        time.sleep({pause} / 150)
        with progress.Progress("inner", 1) as inner:
            inner.advance()
        loop.advance(loss=0.123456)
"""


def test_a_log_has_lines_for_long_loops_and_nothing_for_short_ones():
    for pause, lines in ((0, "extract: 3/3 utt, 00:00 left, loss=0.1235\n"), (15, "")):
        done = subprocess.run([sys.executable, "-c", CODE.format(pause=pause)], capture_output=True, text=True)
        assert done.stdout.endswith(lines) and bool(done.stdout) == bool(lines) and "inner" not in done.stdout
        assert "\r" not in done.stdout and done.stderr == ""


def test_a_terminal_has_a_bar():
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    done = subprocess.run([sys.executable, "-c", CODE.format(pause=15)], stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    assert done.stdout == b""
    assert b"extract: 100%" in os.read(ours, 10000)
    os.close(ours)
