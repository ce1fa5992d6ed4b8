"""Finds finished trainings under exp/ and their decision thresholds."""

import argparse
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from afn.common import record
from afn.common.errors import UserError
from afn.common.paths import ROOT, portable
from afn.experiment import command_line, provenance, scoring
from afn.experiment.layout import TRAINED, Layout, seeds
from afn.experiment.provenance import Trained
from afn.metrics import eer, score_files

DEFAULT = "afn"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a trained experiment."""
    parser.add_argument("--system", default=DEFAULT, metavar="NAME", help="a trained system (%(default)s)")
    parser.add_argument("--corpus", metavar="NAME", help="what it was trained on (the corpus of its newest training)")
    parser.add_argument("--experiment", type=Path, metavar="DIR", help="exp/<corpus>/<system>, or a seed<k> in it")
    parser.add_argument("--seed", type=int, metavar="N", help="one of its seeds (all)")
    command_line.add_folders(parser)


@dataclass(frozen=True)
class Threshold:
    """Scores above `value` are taken for genuine; `eer` is the EER there on dev (0..1), if dev has set it."""

    value: float
    eer: float | None = None


@dataclass(frozen=True)
class TrainedSystem:
    """An experiment exp/<corpus>/<system>: its finished seeds that were trained alike."""

    layout: Layout
    name: str
    trained: Mapping[int, Trained]  # by seed, ascending
    left_out: tuple[str, ...] = ()  # sentences naming other seeds

    @property
    def first(self) -> Trained:
        return next(iter(self.trained.values()))

    @property
    def seeds(self) -> list[int]:
        return list(self.trained)

    @property
    def title(self) -> str:
        return str(self.first.settings.title)

    @property
    def directory(self) -> Path:
        return self.layout.system(self.name)

    @property
    def simulated(self) -> bool:
        """Whether the replays it was trained on were computed, not played and recorded."""
        directory = self.layout.corpus_data
        return record.exists(directory) and record.read(directory).get("kind") == "simulated"

    def scored(self) -> "TrainedSystem":
        """The same experiment with the seeds that stage 2 has scored; UserError where there is none."""
        scored = {seed: of for seed, of in self.trained.items() if record.exists(of.directory / "scores")}
        if not scored:
            raise UserError(f"{self.directory}: has no scores of dev to set a threshold. Run stage 2, or --threshold.")
        return replace(self, trained=scored)

    def threshold(self, averages: str) -> Threshold:
        """The threshold of the EER on dev (official definition) of these seeds' averaged scores.

        Stage 2 has recorded it for each seed and for the average; for other sets of seeds it is computed from scores
        and labels of dev. Raises UserError where neither is there.
        """
        folders = [of.directory for of in self.trained.values()]
        for folder in (folders[0] if len(folders) == 1 else self.directory,):
            content = record.read(folder / "scores") if record.exists(folder / "scores") else {}
            averaged = content.get("identity", {}).get("seeds", {}).keys()
            if "dev" in content and (len(folders) == 1 or averaged == {str(seed) for seed in self.seeds}):
                return Threshold(content["dev"]["threshold"], content["dev"]["eer"])
        labels = self.layout.subset("dev") / "utt2label"
        if not labels.is_file():
            raise UserError(f"{labels}: no labels of dev to set a threshold. Run stage -2, or give --threshold.")
        runs = [score_files.read(folder / "scores" / "dev.txt") for folder in folders]
        scores = runs[0] if len(runs) == 1 else scoring.averaged(runs, averages, self.directory)
        where = f"{self.directory}: dev"
        genuine, spoof = score_files.join(scores, score_files.read_labels(labels), where, labels)
        return Threshold(float(eer.official_threshold(genuine, spoof)), float(eer.official_eer(genuine, spoof)))


def find(options: argparse.Namespace) -> TrainedSystem:
    """The trained experiment that the options of `add_options` name.

    Of several corpora it is the one trained last, before those that have no scores yet.

    Raises UserError where there is none.
    """
    if options.experiment:
        return at(options.experiment, options.data.resolve(), options.seed)
    exp, corpus, system = options.exp.resolve(), options.corpus, options.system
    system = Path(system).stem if system.endswith(".yaml") else system
    marks = [mark for mark in exp.glob(f"*/*/seed*/{TRAINED}") if mark.parent.name[4:].isdecimal()]
    of_system = [mark for mark in marks if mark.parts[-3] == system and corpus in (None, mark.parts[-4])]
    if not of_system:
        others = sorted({f"{mark.parts[-4]}/{mark.parts[-3]}" for mark in marks})
        on = f" on {corpus}" if corpus else ""
        fix = f"Choose with --system and --corpus among {', '.join(others)}." if others else "Run ./run.sh first."
        raise UserError(f"{exp}: no finished training of {system}{on}. {fix}")
    scored = [mark for mark in of_system if record.exists(mark.parent / "scores")]
    newest = max(scored or of_system, key=lambda mark: (mark.stat().st_mtime_ns, mark))
    return at(newest.parents[1], options.data.resolve(), options.seed)


def at(folder: Path, data: Path = ROOT / "data", seed: int | None = None) -> TrainedSystem:
    """The trained experiment in `folder`, exp/<corpus>/<system> or a seed<k> in it; of `seed` alone if given.

    Raises UserError where there is no finished training.
    """
    folder = Path(folder).resolve()
    if match := re.fullmatch(r"seed(\d+)", folder.name):
        folder, seed = folder.parent, int(match[1])
    found = {k: path for k, path in seeds(folder).items() if (path / TRAINED).is_file()}
    if not found:
        inside = sorted(path.parents[1].name for path in folder.glob(f"*/seed*/{TRAINED}"))
        fix = f"Name one of the systems in it: {', '.join(dict.fromkeys(inside))}." if inside else ""
        raise UserError(
            f"{portable(folder)}: no finished training. {fix or 'Name exp/<corpus>/<system>, or a seed<k> in it.'}"
        )
    if seed is not None and seed not in found:
        raise UserError(f"--seed {seed}: {portable(folder)} has seeds {', '.join(map(str, found))}.")
    layout = Layout(data, folder.parent.parent, folder.parent.name)
    chosen = {k: provenance.read(path) for k, path in found.items() if seed in (None, k)}
    like, left_out, alike = _reference(folder, chosen), [], {}
    for k, trained in chosen.items():
        if odd := record.differences(like.shared, trained.shared):
            left_out.append(f"seed {k} is left out: it was trained with {provenance.words(odd, 'there')}")
        else:
            alike[k] = trained
    return TrainedSystem(layout, folder.name, alike, tuple(left_out))


def _reference(folder: Path, chosen: Mapping[int, Trained]) -> Trained:
    """The training whose identity counts: one of those that were averaged, else the first."""
    averaged: dict[str, Any] = {}
    if record.exists(folder / "scores"):
        averaged = record.read(folder / "scores").get("identity", {}).get("trained", {})
    alike = [trained for trained in chosen.values() if not record.differences(averaged, trained.shared)]
    return alike[0] if alike else next(iter(chosen.values()))
