"""The Dockerfile and the CI workflow run commands that this repository has."""

import json
import os
import re

import yaml

from afn.common.paths import ROOT


def test_the_workflow_runs_the_script_that_developers_run():
    (job,) = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"].values()
    (command,) = [step["run"] for step in job["steps"] if "run" in step]
    assert os.access(ROOT / command, os.X_OK)
    (version,) = [step["with"]["python-version"] for step in job["steps"] if "with" in step]
    assert f'requires-python = ">={version}"' in (ROOT / "pyproject.toml").read_text()


def test_the_image_runs_run_sh_with_the_packages_of_the_requirements():
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if line and not line.startswith("#")]
    instructions = [tuple(line.split(maxsplit=1)) for line in lines]
    assert len(lines) <= 15 and instructions[0][0] == "FROM"
    (command,) = [json.loads(text) for word, text in instructions if word == "CMD"]
    assert os.access(ROOT / command[0], os.X_OK)
    copied = [text.split()[0] for word, text in instructions if word == "COPY"]
    assert copied[-1] == "." and all((ROOT / name).exists() for name in copied)
    installed = re.findall(r"pip install .*-r (\S+)", "\n".join(lines))
    assert installed == ["requirements.txt"] and installed[0] in copied
    assert ("ENV", "PYTHON=/usr/local/bin/python") in instructions  # run.sh makes no .venv
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".git", ".venv", "data", "exp"} <= set(ignored)
