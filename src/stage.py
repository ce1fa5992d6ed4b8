"""What the stage scripts share: their options, and the corpus, system and folders these name."""

import argparse
import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import config
import corpora
from errors import UserError
from layout import ROOT, Layout
from systems.settings import System

CORPUS_PREFIX = "corpus."


def arguments(description: str, *, system: bool = True) -> argparse.ArgumentParser:
    """A parser with the options every stage has; `system` adds --system and --seeds."""
    parser = argparse.ArgumentParser(description=description, allow_abbrev=False)
    parser.add_argument("--corpus", default="simulated", help="a name in conf/corpora, or a YAML (%(default)s)")
    if system:
        parser.add_argument("--system", default="afn", help="a name in conf/systems, or a YAML (%(default)s)")
        parser.add_argument("--seeds", default="1", help="as 1, 1-8 or 1,3,5 (%(default)s)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="override a value of the system's YAML, or of the corpus' as corpus.NAME=VALUE; repeatable",
    )
    parser.add_argument("--force", action="store_true", help="redo work whose complete output stands")
    parser.add_argument("--data", type=Path, default=ROOT / "data", help="folder of data directories (data)")
    parser.add_argument("--exp", type=Path, default=ROOT / "exp", help="folder of experiments (exp)")
    return parser


@dataclass(frozen=True)
class Stage:
    """The corpus, system, seeds and folders that the options name."""

    corpus: corpora.Corpus
    layout: Layout
    force: bool
    system_name: str = ""
    system: System | None = None
    seeds: tuple[int, ...] = ()


def from_arguments(options: argparse.Namespace) -> Stage:
    """Read the YAMLs that `options` name. Raises UserError for whatever is wrong in them."""
    for_corpus = [text.removeprefix(CORPUS_PREFIX) for text in options.set if text.startswith(CORPUS_PREFIX)]
    for_system = [text for text in options.set if not text.startswith(CORPUS_PREFIX)]
    corpus = config.load(corpora.Corpus, find("corpora", options.corpus), for_corpus)
    stage = Stage(corpus, Layout(options.data.resolve(), options.exp.resolve(), corpus.name), options.force)
    if not hasattr(options, "system"):
        return stage
    path = find("systems", options.system)
    settings = config.merge(config.read(path), corpus.systems.get(config.read(path).get("kind"), {}))
    system = config.build(System, config.override(settings, for_system), str(path))
    return dataclasses.replace(stage, system_name=path.stem, system=system, seeds=parse_seeds(options.seeds))


def find(folder: str, name: str) -> Path:
    """The YAML that `name` means: a path to one, or a name in conf/`folder`."""
    return Path(name) if name.endswith(".yaml") else ROOT / "conf" / folder / f"{name}.yaml"


def parse_seeds(text: str) -> tuple[int, ...]:
    """Seeds as `1`, `1-8` or `1,3,5-7`, in ascending order."""
    seeds: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip())
        if not match or int(match[2] or match[1]) < int(match[1]):
            raise UserError(f"--seeds {text}: write whole numbers, as 1, 1-8 or 1,3,5")
        seeds.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return tuple(sorted(seeds))


def settings_of(stage: Stage) -> dict[str, Any]:
    """The complete settings of the system, as plain values."""
    return config.plain(stage.system)
