"""Options of the stage scripts, and the corpus, system and folders that they name."""

import argparse
import contextlib
import hashlib
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from afn import corpora
from afn.common import config, record
from afn.common.errors import UserError
from afn.common.labels import SUBSETS
from afn.common.paths import ROOT, located
from afn.corpora import datadir
from afn.experiment.layout import FUSION, Layout
from afn.features.archives import FeatureArchive
from afn.systems import registry
from afn.systems.subset import Subset

CORPUS_PREFIX = "corpus."
MOST_SEEDS = 1000  # in one range; a typing error must not fill the memory
FORCED = "AFN_FORCED"  # environment variable: the file whose time says since when forced work counts as done


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, like all others."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}. See --help.")


def arguments(description: str | None, *, system: bool = True) -> Parser:
    """A parser with the options that every stage has; `system` adds --system and --seeds."""
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
        help="override a value of the system's YAML, or of a corpus' as corpus.NAME=VALUE (of --eval-corpus: by its "
        "name, digits.NAME=VALUE); repeatable",
    )
    parser.add_argument(
        "--eval-corpus",
        default="",
        metavar="NAMES",
        help="other corpora to test the trained systems on: names in conf/corpora or paths to YAMLs, with commas",
    )
    parser.add_argument("--force", action="store_true", help="recompute finished work once: an interrupted run resumes")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")  # read by errors.run
    add_folders(parser)
    return parser


def add_folders(parser: argparse.ArgumentParser) -> None:
    """Add --data and --exp, the two generated folders."""
    for name, what in (("data", "data directories"), ("exp", "experiments")):
        parser.add_argument(
            f"--{name}", type=Path, default=ROOT / name, metavar="DIR", help=f"folder of {what} ({name})"
        )


@dataclass(frozen=True)
class Stage:
    """The corpus, system, seeds and folders that the options name."""

    corpus: corpora.Corpus
    layout: Layout
    forced_since: int | None = None  # with --force: work finished before this time (ns since 1970) is recomputed
    system_name: str = ""
    system: Any = None  # the settings of the row
    seeds: tuple[int, ...] = ()
    adapted: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)  # values that the corpus changes: (from, to)
    others: tuple[corpora.Corpus, ...] = ()  # the corpora of --eval-corpus

    @property
    def force(self) -> bool:
        return self.forced_since is not None

    def redo(self, path: Path) -> bool:
        """Whether --force asks to redo the work whose last file is `path`."""
        return self.forced_since is not None and path.exists() and path.stat().st_mtime_ns < self.forced_since

    def current(self, directory: Path, identity: Mapping[str, Any]) -> bool:
        """Whether the output in `directory` is up to date with `identity`."""
        return record.current(directory, identity) and not self.redo(directory / record.NAME)


@contextlib.contextmanager
def stage(options: argparse.Namespace) -> Iterator[Stage]:
    """The `Stage` that `options` name, for the block that does its work.

    With --force, finished work is recomputed once: if the block is interrupted, the same command resumes it.
    """
    marker = None
    if options.force and FORCED not in os.environ:
        command = "\0".join([Path(sys.argv[0]).name, *sys.argv[1:]])
        marker = options.exp / ".forced" / hashlib.sha256(command.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    yield from_arguments(options, marker)
    if marker is not None:
        marker.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            marker.parent.rmdir()


def from_arguments(options: argparse.Namespace, marker: Path | None = None) -> Stage:
    """Read the YAMLs that `options` name. Raises UserError for mistakes in them."""
    corpus = read_corpus(options.corpus, options.set, CORPUS_PREFIX)
    names = [name.strip() for name in options.eval_corpus.split(",") if name.strip()]
    others = tuple(read_corpus(name, options.set, f"{Path(name).stem}.") for name in names)
    for other in others:
        if other.name == corpus.name or [of.name for of in others].count(other.name) > 1:
            raise UserError(f"--eval-corpus {options.eval_corpus}: {other.name} is there twice. Name each corpus once.")
    prefixes = (CORPUS_PREFIX, *(f"{Path(name).stem}." for name in names))
    for_system = [text for text in options.set if not text.startswith(prefixes)]
    layout = Layout(options.data.resolve(), options.exp.resolve(), corpus.name)
    name, settings = "", None
    seeds: tuple[int, ...] = ()
    adapted: dict[str, tuple[Any, Any]] = {}
    if hasattr(options, "system"):
        path, seeds = find("systems", options.system), parse_seeds(options.seeds)
        name, (settings, adapted) = path.stem, row(path, corpus, for_system)
    since = _forced_since(marker) if options.force else None  # last: a mistake above must leave no marker
    return Stage(corpus, layout, since, name, settings, seeds, adapted, others)


def read_corpus(name: str, assignments: Iterable[str], prefix: str) -> corpora.Corpus:
    """The corpus that `name` means, with those of `assignments` that begin with `prefix`; UserError for mistakes."""
    path = find("corpora", name)
    given = [text.removeprefix(prefix) for text in assignments if text.startswith(prefix)]
    corpus: corpora.Corpus = config.load(corpora.Corpus, path, given)
    return corpus


def row(path: Path, corpus: corpora.Corpus, assignments: list[str]) -> tuple[Any, dict[str, tuple[Any, Any]]]:
    """The settings of the row that the YAML at `path` describes, and which values the corpus has changed: (from, to).

    `systems:` of a corpus changes the recipes of conf/. Three things win over it: the keys of a file that `extends` a
    recipe, a complete file outside conf/, and `--set` (`assignments`).
    """
    layers = config.layers(path)
    try:
        config.folder_name(path.stem)
    except ValueError as error:
        raise UserError(f"{path}: name: {path.stem!r} {error}") from None
    if path.stem == FUSION:
        raise UserError(f"{path}: fused scores have the folder {FUSION}. Give the system's YAML another name.")
    plain: dict[str, Any] = {}
    for _, content in layers:
        plain = config.merge(plain, content)
    kind = plain.get("kind")
    changes = corpus.systems.get(kind, {}) if isinstance(kind, str) else {}
    adapted = plain
    if changes and layers[0][0].is_relative_to(ROOT / "conf"):
        adapted = config.merge(layers[0][1], changes)
        for _, content in layers[1:]:
            adapted = config.merge(adapted, content)
    before, after = config.override(plain, assignments), config.override(adapted, assignments)
    odd = record.differences(before, after)
    where = f"{path} with `systems` of corpus {corpus.name}" if odd else str(path)
    return config.build(registry.settings_type(), after, where), odd


def _forced_since(marker: Path | None) -> int:
    path = Path(os.environ[FORCED]) if FORCED in os.environ else marker
    if path is None:
        return 0
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return path.stat().st_mtime_ns


def find(folder: str, name: str) -> Path:
    """The YAML that `name` means: a path to one, or a name in conf/`folder`."""
    return Path(name) if name.endswith(".yaml") else ROOT / "conf" / folder / f"{name}.yaml"


def parse_seeds(text: str) -> tuple[int, ...]:
    """Seeds as `1`, `1-8` or `1,3,5-7`, in ascending order."""
    seeds: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", part.strip())
        if not match or not 0 <= int(match[2] or match[1]) - int(match[1]) < MOST_SEEDS:
            raise UserError(f"--seeds {text}: not a list of whole numbers. Write 1, 1-8 or 1,3,5.")
        seeds.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return tuple(sorted(seeds))


def subset(layout: Layout, name: str, feature: str) -> Subset:
    """The subset `name` with its labels and the features in the folder `feature`."""
    utterances = datadir.read(layout.subset(name))
    features = FeatureArchive(layout.features(name, feature) / "feats.scp", ROOT)
    labels, speakers = ({u.utt: getattr(u, of) for u in utterances} for of in ("label", "speaker"))
    recordings = {u.utt: str(located(u.wav)) for u in utterances}
    return Subset(name, labels, features, speakers, recordings)


def prepared(layout: Layout) -> list[str]:
    """The subsets that stage -2 has prepared; UserError if it has not run."""
    subsets = [subset for subset in SUBSETS if (layout.subset(subset) / "wav.scp").is_file()]
    if not subsets or not record.exists(layout.corpus_data):
        raise UserError(f"{layout.corpus_data}: the corpus is not prepared. Run stage -2 first.")
    return subsets
