"""Extraction by Kaldi's own programs, where they are installed.

    compute-spectrogram-feats | apply-cmvn-sliding | copy-feats

run over a split list, a process chain per job, without a shell. Source: the authors' run_feature.sh.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from errors import UserError
from features import archives

PROGRAMS = ("compute-spectrogram-feats", "apply-cmvn-sliding", "copy-feats")


def find() -> dict[str, str]:
    """Where Kaldi's programs are: `$KALDI_ROOT/src/featbin` first, then PATH. What is missing is left out."""
    root = os.environ.get("KALDI_ROOT")
    folders = os.pathsep.join([*([str(Path(root) / "src" / "featbin")] if root else []), os.environ.get("PATH", "")])
    found = {program: shutil.which(program, path=folders) for program in PROGRAMS}
    return {program: path for program, path in found.items() if path}


def require() -> dict[str, str]:
    """`find()`, or a UserError that names what is missing."""
    programs = find()
    if missing := [program for program in PROGRAMS if program not in programs]:
        raise UserError(
            f"backend kaldi: {', '.join(missing)} not found; set KALDI_ROOT or PATH, or use features.backend=native"
        )
    return programs


def extract(
    recordings: list[tuple[str, str]], conf: Path, cmn_window: int, norm_vars: bool, jobs: int, scratch: Path
) -> Iterator[tuple[str, np.ndarray]]:
    """`(utterance, float32[T × bins])` for every `(utterance, wav file)`, in order.

    The jobs' archives lie in a temporary folder inside `scratch`. Raises UserError when a program fails (with its last
    line) or leaves an utterance out.
    """
    programs = require()
    jobs = min(jobs, len(recordings))
    with tempfile.TemporaryDirectory(prefix=".kaldi-", dir=scratch) as folder:
        parts = [recordings[len(recordings) * job // jobs : len(recordings) * (job + 1) // jobs] for job in range(jobs)]
        chains = [
            _Chain(programs, part, conf, cmn_window, norm_vars, Path(folder) / str(job))
            for job, part in enumerate(parts)
        ]
        try:
            for chain in chains:
                yield from chain.results()
        finally:
            for chain in chains:
                chain.stop()


class _Chain:
    """The three programs over one part of the list, joined by pipes, writing one archive."""

    def __init__(
        self,
        programs: dict[str, str],
        part: list[tuple[str, str]],
        conf: Path,
        cmn_window: int,
        norm_vars: bool,
        stem: Path,
    ):
        self.expected = [utt for utt, _ in part]
        self.ark = stem.with_suffix(".ark")
        scp = stem.with_suffix(".scp")
        scp.write_text("".join(f"{utt} {wav}\n" for utt, wav in part), encoding="utf-8")
        commands = [
            ["compute-spectrogram-feats", f"--config={conf}", f"scp:{scp}", "ark:-"],
            [
                "apply-cmvn-sliding",
                f"--norm-vars={str(norm_vars).lower()}",
                "--center=true",
                f"--cmn-window={cmn_window}",
                "ark:-",
                "ark:-",
            ],
            ["copy-feats", "--compress=false", "ark:-", f"ark:{self.ark}"],
        ]
        self.processes: list[tuple[str, subprocess.Popen, Path]] = []
        pipe = None
        for command in commands:
            log = stem.with_suffix(f".{command[0]}.log")
            with log.open("wb") as errors:
                process = subprocess.Popen(
                    [programs[command[0]], *command[1:]],
                    stdin=pipe if pipe is not None else subprocess.DEVNULL,
                    stdout=subprocess.PIPE if command is not commands[-1] else subprocess.DEVNULL,
                    stderr=errors,
                )
            if pipe is not None:
                pipe.close()  # the child holds it now; so it sees the end when the program before it ends
            pipe = process.stdout
            self.processes.append((command[0], process, log))

    def results(self) -> Iterator[tuple[str, np.ndarray]]:
        # All are waited for before one is blamed: when one dies, a broken pipe takes those before it down too.
        codes = [(program, process.wait(), log) for program, process, log in self.processes]
        for program, code, log in sorted(codes, key=lambda c: c[1] == -signal.SIGPIPE):
            if code:
                raise UserError(f"{program} ended with exit code {code}: {_last_line(log)}")
        done = 0
        for utt, matrix in archives.read(self.ark):
            if done >= len(self.expected) or utt != self.expected[done]:
                break
            done += 1
            yield utt, matrix
        if done < len(self.expected):
            raise UserError(
                f"Kaldi gave {done} of {len(self.expected)} utterances; {self.expected[done]} is missing: "
                f"{_last_line(self.processes[0][2])}"
            )

    def stop(self) -> None:
        for _, process, _ in self.processes:
            process.kill()
            process.wait()


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    warnings = [line for line in lines if line.startswith(("WARNING", "ERROR"))]
    return (warnings or lines or ["it said nothing"])[-1]
