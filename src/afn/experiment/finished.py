"""Trained experiments under exp/: which there are, by which settings and features, and where they decide."""

import argparse
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from afn.common import config, files, record
from afn.common.errors import UserError
from afn.common.paths import Layout, portable
from afn.experiment import command_line, extraction
from afn.metrics import eer, score_files
from afn.systems.settings import System

DEFAULT = "afn"


def add_options(parser: command_line.Parser) -> None:
    """Add the options that name a trained experiment."""
    parser.add_argument("--system", default=DEFAULT, metavar="NAME", help="a trained system (%(default)s)")
    parser.add_argument("--corpus", metavar="NAME", help="what it was trained on (the corpus of its newest training)")
    parser.add_argument("--experiment", type=Path, metavar="DIR", help="exp/<corpus>/<system>, or a seed<k> in it")
    parser.add_argument("--seed", type=int, metavar="N", help="one of its seeds (all)")
    command_line.add_folders(parser)


@dataclass(frozen=True)
class Threshold:
    """Scores above `value` are taken for genuine; `eer` is the EER there on dev (0..1), where dev set it."""

    value: float
    eer: float | None = None


@dataclass(frozen=True)
class Trained:
    """An experiment exp/<corpus>/<system> with finished trainings: `settings` is seed -> the row as it was trained."""

    layout: Layout
    name: str
    settings: Mapping[int, System]

    @property
    def seeds(self) -> list[int]:
        return sorted(self.settings)

    @property
    def title(self) -> str:
        return self.settings[self.seeds[0]].title

    @property
    def directory(self) -> Path:
        return self.layout.system(self.name)

    def seed(self, seed: int) -> Path:
        return self.layout.seed(self.name, seed)

    @property
    def simulated(self) -> bool:
        """Whether the replays it learnt from were computed, not played and recorded."""
        path = self.layout.corpus_data / record.NAME
        return path.is_file() and config.read(path).get("kind") == "simulated"

    def scored(self) -> "Trained":
        """The same experiment with the seeds that stage 2 has scored; UserError where there is none."""
        seeds = [seed for seed in self.seeds if (self.seed(seed) / "scores" / record.NAME).is_file()]
        if not seeds:
            raise UserError(f"{self.directory}: has no scores of dev to set a threshold by; run stage 2 first")
        return Trained(self.layout, self.name, {seed: self.settings[seed] for seed in seeds})

    def dev_scores(self, seed: int) -> dict[str, float]:
        """What stage 2 gave the utterances of dev."""
        return score_files.read(self.seed(seed) / "scores" / "dev.txt")

    def threshold(self, dev_scores: Mapping[str, float]) -> Threshold:
        """The threshold of the EER on dev, by the official definition, as stage 3 computes it."""
        labels = self.layout.subset("dev") / "utt2label"
        if not labels.is_file():
            raise UserError(f"{labels}: no labels of dev to set a threshold by; run stage -2 first")
        genuine, spoof = score_files.join(dev_scores, score_files.read_labels(labels), f"{self.directory}: dev", labels)
        return Threshold(eer.official_threshold(genuine, spoof), eer.official_eer(genuine, spoof))

    def features(self) -> tuple[dict[str, Any], bool]:
        """The record of the features that it learnt from, and whether it is that very record.

        Where those features do not stand any more it is the record that stage -1 would make now. Raises UserError
        when the seeds differ in their features.
        """
        wanted = {seed: settings.features for seed, settings in self.settings.items()}
        if odd := [seed for seed in self.seeds if wanted[seed] != wanted[self.seeds[0]]]:
            both = f"seeds {self.seeds[0]} and {odd[0]}"
            raise UserError(f"{self.directory}: {both} differ in their features; choose one with --seed")
        first = self.seed(self.seeds[0])
        name = wanted[self.seeds[0]].name
        for made in (first / record.NAME, first / "scores" / record.NAME):
            made_from = config.read(made).get("made_from", {}) if made.is_file() else {}
            for subset, hashed in made_from.items():
                path = self.layout.features(subset, name) / record.NAME
                if path.is_file() and files.sha256(path) == hashed:
                    return config.read(path), True
        settings = wanted[self.seeds[0]]
        try:
            backend = extraction.choose_backend(settings)
        except UserError:  # Kaldi is wanted but not installed
            backend = "native"
        return extraction.describe(settings, backend), False


def find(options: argparse.Namespace) -> Trained:
    """The trained experiment that the options of `add_options` name: of several corpora the one trained last.

    Raises UserError where there is none.
    """
    exp, corpus, system, seed = options.exp.resolve(), options.corpus, options.system, options.seed
    if options.experiment:
        folder = options.experiment.resolve()
        if match := re.fullmatch(r"seed(\d+)", folder.name):
            folder, seed = folder.parent, int(match[1])
        exp, corpus, system = folder.parent.parent, folder.parent.name, folder.name
    system = Path(system).stem if system.endswith(".yaml") else system
    marks = [mark for mark in exp.glob(f"*/*/seed*/{command_line.TRAINED}") if mark.parent.name[4:].isdecimal()]
    of_system = [mark for mark in marks if mark.parts[-3] == system and corpus in (None, mark.parts[-4])]
    if not of_system:
        others = sorted({f"{mark.parts[-4]}/{mark.parts[-3]}" for mark in marks})
        raise UserError(
            f"{exp}: no finished training of {system}{f' on {corpus}' if corpus else ''}; "
            + (f"choose with --system and --corpus among {', '.join(others)}" if others else "run ./run.sh first")
        )
    newest = max(of_system, key=lambda mark: (mark.stat().st_mtime_ns, mark))
    layout = Layout(options.data.resolve(), exp, newest.parts[-4])
    seeds = sorted(int(mark.parent.name[4:]) for mark in of_system if mark.parts[-4] == layout.corpus)
    if seed is not None and seed not in seeds:
        raise UserError(f"--seed {seed}: {portable(layout.system(system))} has seeds {', '.join(map(str, seeds))}")
    return Trained(layout, system, {s: _settings(layout.seed(system, s)) for s in seeds if seed in (None, s)})


def _settings(directory: Path) -> System:
    """The row as the record of a training has it."""
    path = directory / record.NAME
    return config.build(System, config.read(path).get("settings", {}), f"{path}: settings")
