"""What README, docs, Dockerfile and CI workflow show is true: links lead somewhere, commands parse, examples work."""

import importlib
import json
import os
import pkgutil
import re
import shlex
import shutil
import subprocess
import sys

import pytest
import yaml

from afn import corpora
from afn.common import config
from afn.common.paths import ROOT
from afn.experiment import command_line, rows
from afn.systems import registry
from made_up_recordings import make
from run_sh import Shell

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS = ("./run.sh", "python ", ".venv/bin/python src/", ".venv/bin/python utils/", "utils/download", "PYTHON=")


class Parsed(Exception):
    """What a script made of its arguments; it goes no further."""


def relative(path):
    return str(path.relative_to(ROOT))


def blocks(page):
    """(language, text) of the fenced blocks of a page."""
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def named(text):
    """The file that the first line of a block names, `# path`, and the block; that line stays where it is a comment."""
    first, rest = text.split("\n", 1)
    return first.removeprefix("# "), rest


def made():
    """The YAMLs that pages tell to write: conf/corpora/mine.yaml."""
    found = [named(text)[0] for page in PAGES for language, text in blocks(page) if language == "yaml"]
    return {name for name in found if name.startswith("conf/")}


def commands(page):
    """The command lines that a page shows, in blocks or in the text, without what is said behind them."""
    text = page.read_text(encoding="utf-8")
    lines = [line for _, block in BLOCK.findall(text) for line in block.splitlines()]
    outside = BLOCK.sub("", text)
    lines += [line.strip() for line in outside.splitlines() if line.startswith("    ")]
    lines += [span.replace("\n", " ") for span in re.findall(r"(?<!`)`(\./run\.sh [^`]+)`", outside)]
    shown = [re.split(r" {2,}", line)[0] for line in lines if line.startswith(COMMANDS)]
    shown = [re.sub(r"\$SLURM_\w+", "1", line) for line in shown]  # a scheduler's variables, numbers all
    return [line for line in shown if not re.search(r"…|\[|\bNAME\b", line)]  # a form, not a command


def anchors(page):
    headings = re.findall(r"^#+ (.*)$", BLOCK.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_lead_to_files_and_headings(page):
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("https://"):
            continue
        name, _, heading = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), target
        if heading:
            assert heading in anchors(path), target


def test_every_function_of_the_code_map_exists():
    text = (ROOT / "docs" / "code_map.md").read_text(encoding="utf-8")
    found = re.findall(r"\.\./src/(afn/[\w/]+)\.py\) \| `(\w+)`", text)
    assert len(found) > 20
    for module, name in found:
        pkgutil.resolve_name(f"{module.replace('/', '.')}:{name}")


def test_every_page_is_reached_from_the_readme():
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        targets = re.findall(r"\]\(([^)#]+\.md)", page.read_text(encoding="utf-8"))
        waiting += [path for t in targets if (path := (page.parent / t).resolve()).exists() and path not in reached]
    assert set(PAGES) <= reached


FOLDERS = ("src", "src/afn", "src/afn/systems", ".")  # where names of files in pages begin
GENERATED = ("exp/", "data/", "conf/corpora/NAME", "conf/corpora/mine", ".venv")


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=relative)
def test_files_and_functions_that_a_page_names_exist(page):
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    for span in re.findall(r"`([\w./-]+(?::[\w.]+)?)(?:\(\))?`", text):
        file, _, name = span.partition(":")
        if re.fullmatch(r"[\w.-]+(/[\w.-]+)+\.\w+", file) and not file.startswith((*GENERATED, *made())):
            (found, *_) = [path for f in FOLDERS if (path := ROOT / f / file).is_file()] or [None]
            assert found, span
            assert not name or re.search(rf"\b(def|class) {name.split('.')[-1]}\b", found.read_text()), span
        elif re.fullmatch(r"afn(\.\w+)+", span):
            pkgutil.resolve_name(span)  # a module, or something in one


@pytest.fixture(scope="module")
def settings_of():
    """Parses the arguments of a script within this process and returns its options."""
    with pytest.MonkeyPatch.context() as patch:
        parse = command_line.Parser.parse_args

        def stop(parser, *arguments, **more):
            raise Parsed(parse(parser, *arguments, **more))

        patch.setattr(command_line.Parser, "parse_args", stop)

        def parsed(script, *arguments):
            assert (ROOT / script).is_file(), script
            module = importlib.import_module((ROOT / script).stem)
            patch.setattr(sys, "argv", [script, *arguments])
            with pytest.raises((Parsed, SystemExit)) as found:
                module.main()
            return found.value.args[0] if found.type is Parsed else None

        yield parsed


def check(options):
    """Raise UserError unless corpus, system and --set make valid settings; those that pages make are taken on trust."""
    if not hasattr(options, "set"):
        return
    new = made()
    if f"conf/corpora/{options.corpus}.yaml" in new:
        options.corpus = "simulated"
    if not hasattr(options, "system"):
        command_line.from_arguments(options)
        return
    for name in rows.rows(options.system):  # as run.sh asks for them
        if f"conf/systems/{name}.yaml" not in new:
            options.system = name
            command_line.from_arguments(options)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=relative)
def test_commands_parse(page, tmp_path, settings_of):
    shell = Shell(tmp_path)
    for command in commands(page):
        words = [word for word in shlex.split(command) if "=" not in word or not word.startswith("PYTHON=")]
        if words[0].endswith("python"):
            calls = [words[1:]]
        elif words[0] == "./run.sh":
            done = shell(*words[1:], cwd=ROOT)
            assert done.returncode == 0, f"{command}: {done.stderr}"
            calls = [arguments for _, _, _, *arguments in shell.lines()]
        else:
            script = (ROOT / words[0]).read_text()
            assert all(f"{word})" in script or f"{word} " in script for word in words[1:]), command
            continue
        assert calls or "--help" in words, command
        for script, *arguments in calls:
            if script == "-m":  # pytest
                tests = [a for a in arguments if a.startswith("tests/")]
                assert all((ROOT / t).exists() or f"# {t}\n" in page.read_text() for t in tests), command
            elif not re.search(r"(^|/)(examples|bench)/", script):
                check(settings_of(os.path.relpath(ROOT / script, ROOT), *arguments))


def test_the_commands_of_this_test_are_those_of_the_pages():
    shown = [command for page in PAGES for command in commands(page)]
    assert len(shown) > 40 and {"./run.sh", "./run.sh -1 2", "./run.sh --system mdf", "./run.sh export"} <= set(shown)


def test_every_row_of_the_readmes_table_can_be_run_and_shows_the_papers_figures():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| [^|]+\| `(\w+)` \|[^|]*\|([^|]*)\|([^|]*)\|", text, re.MULTILINE)
    assert len(found) == 19
    for name, *cells in found:
        assert all((ROOT / "conf" / "systems" / f"{member}.yaml").is_file() for member in rows.rows(name)), name
        folder = "systems" if (ROOT / "conf" / "systems" / f"{name}.yaml").is_file() else "fusion"
        paper = config.read(ROOT / "conf" / folder / f"{name}.yaml")["paper"]
        for subset, cell in zip(("dev", "eval"), (cell.strip(" *") for cell in cells), strict=True):
            assert (float(cell) if cell not in ("", "–") else None) == paper.get(subset), (name, subset)


def test_the_corpora_of_the_documentation_are_valid():
    texts = [text for language, text in blocks(ROOT / "docs" / "corpora.md") if language == "yaml"]
    found = [yaml.safe_load(text) for text in texts]
    changes = next(settings for settings in found if "kind" not in settings)
    built = [config.build(corpora.Corpus, s | changes, "docs/corpora.md") for s in found if "kind" in s]
    assert [corpus.kind for corpus in built] == ["datadir", "datadir", "pool"]
    corpus = built[0]
    assert corpus.systems.keys() == {"neural", "gmm"}
    for name, system in (("afn", "neural"), ("cqcc_gmm", "gmm")):
        row = config.read(ROOT / "conf" / "systems" / f"{name}.yaml")
        config.build(registry.settings_type(), config.merge(row, corpus.systems[system]), "docs/corpora.md")


def change(path, lines):
    """Apply a hunk without line numbers: its old lines, which occur once, are replaced by the new ones."""
    old = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("+"))
    new = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("-"))
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{path.name} has changed; correct docs/add_a_system.md"
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.slow
def test_the_worked_example_works(tmp_path):
    for name in ("src", "conf", "utils"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("run.sh", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    tiny = ["--corpus", str(make(tmp_path)), "--utterances", "eval_000"]
    stages = iter((["-2", "2", "--set", "model.components=2"], []))  # results once, for both
    for language, text in blocks(ROOT / "docs" / "add_a_system.md"):
        if language == "bash":
            for words in map(shlex.split, text.splitlines()):
                command = words if words[1] == "test" else [*words, *tiny, *next(stages)]
                environment = os.environ | {"PYTHON": sys.executable}
                done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
                assert done.returncode == 0, done.stdout + done.stderr
            continue
        name, rest = named(text)
        path = tmp_path / name
        if language == "diff":
            change(path, rest.splitlines())
        else:
            assert not path.exists(), name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(rest, encoding="utf-8")
    results = (tmp_path / "exp" / "noise" / "RESULTS.md").read_text()
    for title in ("LFCC-GMM, statics only", "Frame perceptron"):
        assert re.search(rf"^\| {title} \|.*\d", results, re.MULTILINE), results


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
