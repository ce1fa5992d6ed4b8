"""run.sh's own work: arguments, its interpreter, --force. A stub interpreter records what it is told to run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from afn.common.paths import ROOT
from run_sh import Shell, stub


@pytest.fixture
def run(tmp_path):
    return Shell(tmp_path)


@pytest.fixture
def clone(tmp_path):
    """run.sh in a repository without an environment, whose path has a space."""
    folder = tmp_path / "a clone"
    shutil.copytree(ROOT / "utils", folder / "utils", ignore=shutil.ignore_patterns("__pycache__"))
    for path in [ROOT / "run.sh", ROOT / ".gitattributes", *ROOT.glob("requirements*.txt")]:
        shutil.copy(path, folder)
    return Shell(tmp_path, folder)


def succeeded(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def refused(done, *words):
    """Assert that run.sh ended with code 2 and a single line."""
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.startswith("run.sh: error: ") and done.stderr.count("\n") == 1, done.stderr
    for word in words:
        assert word in done.stderr


def value(arguments, option):
    return arguments[arguments.index(option) + 1]


# Arguments


MIDDLE = ["extract.py", "train.py", "attention.py", "score.py"]


def test_all_stages_run_by_default_and_several_systems_one_after_the_other(run):
    succeeded(run("--system", "one+two"))
    assert [Path(call[3]).name for call in run.lines()] == ["prepare.py", *MIDDLE, *MIDDLE, "evaluate.py"]


def test_without_options_the_results_of_a_fast_system_come_before_those_of_the_network(run):
    assert "report.html" in succeeded(run()).stdout
    calls = run.lines()
    assert [Path(call[3]).name for call in calls] == ["prepare.py", *(2 * [*MIDDLE, "evaluate.py"])]
    assert [value(call, "--system") for call in calls if "--system" in call] == 4 * ["lfcc_gmm"] + 4 * ["afn"]


def test_tests_run_in_two_processes_unless_files_are_named(run):
    for arguments, parallel in (([], True), (["-m", "not slow"], True), (["tests/test_run.py", "-x"], False)):
        succeeded(run("test", *arguments))
        (call,) = run.lines()
        assert call[3:5] == ["-m", "pytest"] and (call[5:7] == ["--numprocesses", "2"]) == parallel


@pytest.mark.parametrize("minus", ["-", "−", "–"])
def test_a_minus_sign_is_taken_for_a_hyphen(run, minus):
    succeeded(run(f"{minus}2", f"{minus}1", LC_ALL="C"))
    assert list(run.calls()) == ["prepare.py", "extract.py"]


def test_names_stay_names_and_relative_paths_start_in_the_users_folder(run, tmp_path):
    succeeded(run("--system=drn", "--set=train.epochs=5", "--corpus", "asvspoof2017", "0"))
    arguments = run.calls()["train.py"]
    assert [value(arguments, option) for option in ("--system", "--corpus", "--set")] == [
        "drn",
        "asvspoof2017",
        "train.epochs=5",
    ]
    here = tmp_path / "my folder"
    here.mkdir()
    for name in ("system.yaml", "corpus.yaml"):
        (here / name).touch()
    options = ["--system", "system.yaml", "--corpus", "../my folder/corpus.yaml", "--data", "d", "--exp=e/f", "0"]
    succeeded(run(*options, cwd=here, PYTHON="../python"))
    ((_, _, python, *call),) = run.lines()
    assert python == f"{here}/../python"
    found = [value(call, option) for option in ("--system", "--corpus", "--data", "--exp")]
    assert found == [f"{here}/{name}" for name in ("system.yaml", "../my folder/corpus.yaml", "d", "e/f")]


def test_utterances_may_be_on_several_lines(run):
    succeeded(run("--utterances", "E_1\nE_2  E_3\n\tE_4\n", "1"))
    arguments = run.calls()["attention.py"]
    assert arguments[arguments.index("--utterances") + 1 :] == ["E_1", "E_2", "E_3", "E_4"]


def test_jobs_and_cluster_go_to_the_stages_that_take_them(run):
    succeeded(run("--nj", "3", "--cluster", "tcp://node:8786", "--audit"))
    calls = run.calls()
    assert [script for script in calls if "--audit" in calls[script]] == ["evaluate.py"]
    taken = {script: [word for word in ("--nj", "--cluster") if word in calls[script]] for script in calls}
    assert taken == {
        "prepare.py": ["--nj"],
        "extract.py": ["--nj", "--cluster"],
        "train.py": ["--cluster"],
        "attention.py": [],
        "score.py": ["--nj", "--cluster"],
        "evaluate.py": ["--nj"],
    }
    assert (value(calls["extract.py"], "--nj"), value(calls["score.py"], "--cluster")) == ("3", "tcp://node:8786")


def test_tuning_takes_the_place_of_training(run):
    tune = ["-m", "afn.experiment.tune"]
    succeeded(run("--tune"))
    assert [call[3:5] for call in run.lines()] == [["src/prepare.py", "--corpus"], tune]
    succeeded(run("--tune", "--nj", "3", "0"))
    (call,) = run.lines()
    assert call[3:5] == tune and value(call, "--nj") == "3"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["0-3"], ["0-3", "./run.sh 0 3"]),
        (["-3"], ["-3", "Stages are -2, -1, 0, 1, 2 and 3"]),
        (["2", "-1"], ["stage 2 comes after stage -1"]),
        (["0", "1", "2"], ["three stage numbers"]),
        (["—-system", "drn"], ["hyphen"]),
        (["--sytem", "drn"], ["unknown option: --sytem", "--help"]),
        (["train"], ["'train'", "--help"]),
        (["--seeds"], ["--seeds needs a value"]),
        (["--exp", ""], ["--exp has an empty value"]),
        (["--nproc", "2"], ["--nproc no longer exists", "--cluster ADDRESS"]),
        (["--tune", "3"], ["--tune runs stages -2 and 0", "stage 3"]),
        (["--corpus", "none.yaml"], ["none.yaml: no such file"]),
        (["--corpus", "mini.yml"], ["mini.yml", "ends in .yaml"]),
        (["--system", "conf/systems/afn"], ["conf/systems/afn", "ends in .yaml"]),
        (["--system", "afn,drn"], ["afn,drn: not one name", "all-neural"]),
        (["--system", "AFN"], ["Did you mean afn?"]),
        (["score", ""], ["score: an empty file name"]),
        (["--force", "score", "a.wav"], ["score comes before its options"]),
        (["--force", "--exp", "python"], ["/python: cannot be written", "--exp"]),  # it is a file
    ],
)
def test_a_mistake_is_one_line_and_runs_nothing(run, arguments, words):
    refused(run(*arguments), *words)
    assert run.lines() == []


def test_help_names_every_option_that_is_taken(run):
    labels = re.findall(r"^ +(--[a-z][^)]*)\)(.*)", (ROOT / "utils" / "options.sh").read_text(), re.MULTILINE)
    options = {option for label, action in labels if "fail" not in action for option in label.split(" | ")} - {"-h"}
    assert {"--force", "--system", "--cluster", "--exp"} <= options
    shown = succeeded(run("--help")).stdout
    for word in (*options, "-2", "-1", "0", "1", "2", "3", "score", "export", "bench", "test"):
        assert re.search(rf"(?<![\w-]){word}\b", shown), word


def test_among_several_systems_one_that_fails_is_reported_last_and_the_others_go_on(run):
    done = run("--system", "one+two", "2", "3", FAILING="--system one")
    assert done.returncode == 1
    assert [Path(call[3]).name for call in run.lines()] == ["score.py", "score.py", "evaluate.py"]
    assert done.stderr.splitlines()[-1] == "run.sh: error: these systems failed, see above: one"


# Where run.sh is


def test_it_runs_from_any_folder_by_any_name(clone, tmp_path):
    (tmp_path / "else where").mkdir()
    (tmp_path / "link").symlink_to("a clone/run.sh")
    (tmp_path / "twice").symlink_to(tmp_path / "link")
    for command, cwd in (
        (["bash", clone.repository / "run.sh"], tmp_path / "else where"),
        (["bash", "run.sh"], clone.repository),
        (["a clone/run.sh"], tmp_path),
        (["./twice"], tmp_path),
    ):
        succeeded(clone("3", command=command, cwd=cwd, CDPATH=f".:{tmp_path}"))
        assert [(call[1], call[3]) for call in clone.lines()] == [(str(clone.repository), "src/evaluate.py")]


def test_paths_of_score_and_bench_start_in_the_users_folder(clone, tmp_path):
    succeeded(clone("score", "a b.wav", "--exp", "e", PYTHON="./python"))
    succeeded(clone("bench", "--out", "bench.json", PYTHON="./python"))
    score, bench = clone.lines()
    assert score[1] == bench[1] == str(tmp_path)
    assert score[3:] == ["-m", "afn.experiment.score_recordings", "a b.wav", "--exp", "e"]
    assert bench[3:] == [f"{clone.repository}/bench/run.py", "--out", "bench.json"]


@pytest.mark.slow
def test_python_files_of_the_user_are_not_imported(run, tmp_path):
    (tmp_path / "argparse.py").write_text("raise SystemExit('imported')")
    assert "usage: score_recordings.py" in succeeded(run("score", "--help", PYTHON=sys.executable)).stdout


def test_another_shell_is_refused_in_one_line(run):
    dash = shutil.which("dash")
    if not dash:
        pytest.skip("there is no other shell")
    refused(run("--help", command=[dash, ROOT / "run.sh"]), "bash run.sh")


# Which Python


def environment_of_run_sh(clone):
    """.venv as run.sh leaves it."""
    python = stub(clone.repository / ".venv" / "bin" / "python")
    shutil.copy(clone.repository / "requirements.txt", clone.repository / ".venv")
    return python


def test_an_active_environment_is_used_as_it_is_but_condas_base_only_if_it_has_the_packages(clone, tmp_path):
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        python = stub(tmp_path / variable / "bin" / "python3")
        succeeded(clone("3", PYTHON=None, **{variable: tmp_path / variable}))
        assert [call[2] for call in clone.lines()] == [str(python)]
    assert not (clone.repository / ".venv").exists()
    own, base = environment_of_run_sh(clone), {"PYTHON": None, "CONDA_PREFIX": tmp_path / "CONDA_PREFIX"}
    for lacking, used in (("", python), ("torch", own)):
        succeeded(clone("3", **base, CONDA_DEFAULT_ENV="base", LACKING=lacking))
        assert [call[2] for call in clone.lines()] == [str(used)]
    done = clone("3", **base, CONDA_DEFAULT_ENV="mine", LACKING="torch")
    refused(done, "lacks torch", "pip install -r")


def test_an_environment_without_the_packages_is_told_how_to_get_them(clone, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    python, requirements = tmp_path / "bare" / "bin" / "python3", clone.repository / "requirements.txt"
    command = f"'{python} -m pip install -r {requirements}'"
    refused(clone("3", PYTHON=None, VIRTUAL_ENV=tmp_path / "bare"), "torch, numpy", "joblib", command, "deactivate")
    refused(clone("score", "x.wav", PYTHON=python), command, "unset PYTHON")
    refused(clone("test", PYTHON=python), "pytest", "requirements-test.txt")


def test_what_is_not_a_new_enough_python_is_refused(clone, tmp_path):
    old = tmp_path / "old"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    for python in (old, tmp_path / "none"):
        refused(clone("3", PYTHON=python), f"{python} is not Python 3.11 or newer")


@pytest.fixture
def fresh(clone, tmp_path):
    """A function that runs run.sh of a clone, where no environment is active and python3 is the stub."""
    stub(tmp_path / "bin" / "python3")
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    return lambda argument, **more: clone(argument, PYTHON=None, PATH=path, **more)


def test_packages_are_installed_on_first_use_and_those_of_the_tests_on_theirs(clone, fresh):
    done = fresh("3", FAILING="-m pip")
    assert done.returncode == 2 and "requirements.txt could not be installed" in done.stderr.splitlines()[-1]
    assert [call[4] for call in clone.lines()] == ["venv", "pip"]
    for arguments, installed in (
        ("3", ["requirements.txt"]),  # tried again
        ("3", []),
        ("test", ["requirements-test.txt"]),
        ("test", []),
    ):
        succeeded(fresh(arguments))
        calls = [call[3:] for call in clone.lines()]
        assert [call[call.index("-r") + 1] for call in calls if "pip" in call] == installed
        assert all(call[-2:] == ["--editable", "."] for call in calls if "pip" in call)
        assert calls[-1][:2] == (["-m", "pytest"] if arguments == "test" else ["src/evaluate.py", "--corpus"])


def test_an_environment_whose_python_is_gone_is_rebuilt_but_not_a_folder_of_the_users(clone, fresh):
    python = environment_of_run_sh(clone)
    python.unlink()
    python.symlink_to("/nowhere/python3.9")
    succeeded(fresh("3"))
    calls = [call[3:] for call in clone.lines()]
    assert calls[0] == ["-m", "venv", "--clear", ".venv"] and calls[-1][0] == "src/evaluate.py"
    shutil.rmtree(clone.repository / ".venv")
    (clone.repository / ".venv").mkdir()
    (clone.repository / ".venv" / "mine").touch()
    refused(clone("3", PYTHON=None), ".venv has no working Python", "Delete")
    assert (clone.repository / ".venv" / "mine").exists()


# --force


def forced(run):
    """The one marker that all calls since the last look were given."""
    (marker,) = {call[0] for call in run.lines()}
    return Path(marker)


def test_a_forced_run_that_fails_goes_on_from_its_beginning(run, tmp_path):
    options = ["--exp", "e", "--system", "drn", "--force", "0", "2"]
    done = run(*options, FAILING="score.py")
    assert done.returncode == 1
    marker = forced(run)
    assert marker.is_file() and marker.parent == tmp_path / "e" / ".forced"
    began = marker.stat().st_mtime_ns
    done = run(*options, FAILING="score.py")
    assert forced(run) == marker and marker.stat().st_mtime_ns == began
    assert str(marker) in done.stderr.splitlines()[0]  # says that this is not the beginning
    succeeded(run(*options))
    assert forced(run) == marker
    assert not marker.parent.exists()


def test_a_forced_run_is_the_same_with_other_workers_and_another_one_with_other_settings(run):
    options = ["--exp", "e", "--force", "0"]
    run(*options, FAILING="train.py")
    marker = forced(run)
    run("--cluster", "tcp://other:1", "--nj", "2", *options, FAILING="train.py")
    assert forced(run) == marker
    for other in (["--seeds", "2"], ["--set", "train.epochs=2"], ["--system", "drn"], ["--corpus", "asvspoof2017"]):
        run(*other, *options, FAILING="train.py")
        assert forced(run) != marker


def test_an_interrupted_forced_run_keeps_its_marker(run):
    assert run("--exp", "e", "--force", "0", INTERRUPTED="train.py").returncode == 143
    assert forced(run).is_file()
