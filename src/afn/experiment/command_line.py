"""What the stage scripts share: their options, and the corpus, system and folders these name."""

import argparse
import dataclasses
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from afn import corpora
from afn.common import config, record
from afn.common.errors import UserError
from afn.common.paths import FUSION, ROOT, SUBSETS, Layout
from afn.corpora import datadir
from afn.features.archives import FeatureArchive
from afn.features.settings import folder_name
from afn.systems.settings import Evolving, System
from afn.systems.subset import Subset

CORPUS_PREFIX = "corpus."
MOST_SEEDS = 1000  # in one range; a slip of the keyboard must not fill the memory
TRAINED = "trained"  # an empty file in a seed's folder: its training has come to its end


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line, as all others."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see --help")


def arguments(description: str, *, system: bool = True) -> Parser:
    """A parser with the options every stage has; `system` adds --system and --seeds."""
    parser = Parser(description=description, allow_abbrev=False)
    parser.add_argument(
        "--corpus", default="simulated", metavar="NAME", help="in conf/corpora, or a path to a YAML (%(default)s)"
    )
    if system:
        parser.add_argument(
            "--system", default="afn", metavar="NAME", help="in conf/systems, or a path to a YAML (%(default)s)"
        )
        parser.add_argument("--seeds", default="1", metavar="LIST", help="as 1, 1-8 or 1,3,5 (%(default)s)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="override a value of the system's YAML, or of the corpus' as corpus.NAME=VALUE; repeatable",
    )
    parser.add_argument("--force", action="store_true", help="redo work whose complete output stands")
    add_folders(parser)
    return parser


def add_folders(parser: argparse.ArgumentParser) -> None:
    """Add --data and --exp, the two generated folders."""
    for name, what in (("data", "data directories"), ("exp", "experiments")):
        parser.add_argument(
            f"--{name}", type=Path, default=ROOT / name, metavar="DIR", help=f"folder of {what} ({name})"
        )


def positive(text: str) -> int:
    """The type of an option that takes a whole number above 0."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number above 0")
    return int(text)


def add_jobs(parser: Parser) -> None:
    """Add --nj, the number of parallel jobs."""
    parser.add_argument(
        "--nj", type=positive, default=os.cpu_count(), metavar="N", help="parallel jobs (all %(default)s cores)"
    )


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
    path = find("corpora", options.corpus)
    corpus = config.load(corpora.Corpus, path, for_corpus)
    names_folder(path, corpus.name)
    if not all(isinstance(changes, dict) for changes in corpus.systems.values()):
        raise UserError(f"{path}: systems: it holds `key: value` lines below the kind of a system; see simulated.yaml")
    stage = Stage(corpus, Layout(options.data.resolve(), options.exp.resolve(), corpus.name), options.force)
    if not hasattr(options, "system"):
        return stage
    path = find("systems", options.system)
    settings = config.read(path)
    names_folder(path, path.stem)
    if path.stem == FUSION:
        raise UserError(f"{path}: fused scores have the folder {FUSION}; give the system's YAML another name")
    kind = settings.get("kind")
    changes = corpus.systems.get(kind, {}) if isinstance(kind, str) else {}
    where = f"{path} with `systems` of corpus {corpus.name}" if changes else str(path)
    system = config.build(System, config.override(config.merge(settings, changes), for_system), where)
    return dataclasses.replace(stage, system_name=path.stem, system=system, seeds=parse_seeds(options.seeds))


def names_folder(path: Path, name: str) -> None:
    """Raise UserError, which names the YAML at `path`, unless its corpus or system, `name`, can name a folder."""
    try:
        folder_name(name)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None


def find(folder: str, name: str) -> Path:
    """The YAML that `name` means: a path to one, or a name in conf/`folder`."""
    return Path(name) if name.endswith(".yaml") else ROOT / "conf" / folder / f"{name}.yaml"


def parse_seeds(text: str) -> tuple[int, ...]:
    """Seeds as `1`, `1-8` or `1,3,5-7`, in ascending order."""
    seeds: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", part.strip())
        if not match or not 0 <= int(match[2] or match[1]) - int(match[1]) < MOST_SEEDS:
            raise UserError(f"--seeds {text}: write whole numbers, as 1, 1-8 or 1,3,5")
        seeds.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return tuple(sorted(seeds))


def subset(stage: Stage, name: str) -> Subset:
    """The subset `name` with its labels and features; UserError if an earlier stage has not run."""
    directory = features_record(stage, name).parent
    utterances = datadir.read(stage.layout.subset(name))
    features = FeatureArchive(directory / "feats.scp", ROOT)
    return Subset(name, {u.utt: u.label for u in utterances}, features, {u.utt: u.speaker for u in utterances})


def trained_from(stage: Stage, seed: int) -> dict[str, Any]:
    """The record of a training: the system's complete settings and the features it learns from."""
    settings = {"system": stage.system_name, "seed": seed, "settings": config.plain(stage.system)}
    inputs = {name: features_record(stage, name) for name in ("train", "dev")}
    if isinstance(stage.system, Evolving):
        inputs["neat"] = ROOT / "conf" / stage.system.neat
        if not inputs["neat"].is_file():
            raise UserError(f"{inputs['neat']}: no such file; let `neat` name one in conf/")
    return record.make(settings, inputs)


def features_record(stage: Stage, name: str) -> Path:
    """The record of the features of subset `name`; UserError if they are not complete."""
    path = stage.layout.features(name, stage.system.features.name) / record.NAME
    if not path.is_file():
        raise UserError(f"{path.parent}: no complete features; run stage -1 first")
    return path


def prepared(stage: Stage) -> list[str]:
    """The subsets that stage -2 has prepared; UserError if it has not run."""
    subsets = [subset for subset in SUBSETS if (stage.layout.subset(subset) / "wav.scp").is_file()]
    if not subsets or not (stage.layout.corpus_data / record.NAME).is_file():
        raise UserError(f"{stage.layout.corpus_data}: the corpus is not prepared; run stage -2 first")
    return subsets
