"""Finds finished trainings under exp/, what dev says of them, and the detector that comes with the package."""

import argparse
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from afn.common import record
from afn.common.errors import UserError
from afn.common.paths import ROOT, portable
from afn.experiment import answers, command_line, provenance, scoring
from afn.experiment.answers import OnDev
from afn.experiment.layout import TRAINED, Layout, seeds
from afn.experiment.provenance import Trained
from afn.features import nuisance
from afn.metrics import score_files
from afn.systems.checkpoints import DETECTOR

DEFAULT = "afn"
CARD = "detector"  # of its record: corpus, dev, typical
JUDGED = ("duration", "level", "snr", "bandwidth")  # nuisances in which a recording may be unlike training


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a trained experiment."""
    parser.add_argument("--system", metavar="NAME", help=f"a trained system ({DEFAULT})")
    parser.add_argument("--corpus", metavar="NAME", help="what it was trained on (the corpus of its newest training)")
    parser.add_argument("--experiment", type=Path, metavar="DIR", help="exp/<corpus>/<system>, or a seed<k> in it")
    parser.add_argument("--seed", type=int, metavar="N", help="one of its seeds (all)")
    command_line.add_folders(parser)


@dataclass(frozen=True)
class TrainedSystem:
    """An experiment exp/<corpus>/<system>: its finished seeds that were trained alike."""

    layout: Layout
    name: str
    trained: Mapping[int, Trained]  # by seed, ascending
    left_out: tuple[str, ...] = ()  # sentences naming other seeds
    card: Mapping[str, Any] | None = None  # of the detector that comes with the package, instead of folders

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
        return self.first.directory if self.card else self.layout.system(self.name)

    @property
    def simulated(self) -> bool:
        """Whether the replays it was trained on are those of a few simulated devices, not played and recorded."""
        directory = self.layout.corpus_data
        return not self.card and record.exists(directory) and record.read(directory).get("kind") == "simulated"

    def scored(self) -> "TrainedSystem":
        """The same experiment with the seeds that stage 2 has scored; UserError where there is none."""
        if self.card:
            return self
        scored = {seed: of for seed, of in self.trained.items() if record.exists(of.directory / "scores")}
        if not scored:
            raise UserError(f"{self.directory}: has no scores of dev to set a threshold. Run stage 2, or --threshold.")
        return replace(self, trained=scored)

    def on_dev(self, averages: str) -> OnDev:
        """What dev says of these seeds' averaged scores: the threshold of the EER, and the calibration.

        Stage 2 has recorded it for each seed and for the average; for other sets of seeds, and where the record is
        older than calibrations, it is computed from scores and labels of dev. Raises UserError where there is nothing.
        """
        if self.card:
            return OnDev.recorded(self.card["dev"])
        folders = [of.directory for of in self.trained.values()]
        single, found = len(folders) == 1, None
        kept = (folders[0] if single else self.directory) / "scores"
        content = record.read(kept) if record.exists(kept) else {}
        averaged = content.get("identity", {}).get("seeds", {}).keys()
        if "dev" in content and (single or averaged == {str(seed) for seed in self.seeds}):
            found = OnDev.recorded(content["dev"])
        labels = self.layout.subset("dev") / "utt2label"
        if found and (found.calibration or not labels.is_file()):
            return found
        if not labels.is_file():
            raise UserError(f"{labels}: no labels of dev to set a threshold. Run stage -2, or give --threshold.")
        runs = [score_files.read(folder / "scores" / "dev.txt") for folder in folders]
        scores = runs[0] if single else scoring.averaged(runs, averages, self.directory)
        computed = answers.on_dev(scores, labels, not single and averages == "sigmoids", f"{self.directory}: dev")
        if not computed:
            raise UserError(f"{labels}: only one class. Give --threshold.")
        return computed

    @property
    def typical(self) -> Mapping[str, tuple[float, float]]:
        """The 1st and 99th percentile of properties of the recordings it was trained on; empty if they are unknown."""
        if self.card:
            return {name: (low, high) for name, (low, high) in self.card["typical"].items()}
        table = self.layout.subset("train") / nuisance.FILE
        if not table.is_file():
            return {}
        _, values = nuisance.read(table)
        columns = {name: values[:, list(nuisance.NUISANCES).index(name)] for name in JUDGED}
        ranges = {name: np.percentile(of[np.isfinite(of)], (1, 99)) for name, of in columns.items()}
        return {name: (float(low), float(high)) for name, (low, high) in ranges.items()}


def chosen(options: argparse.Namespace) -> TrainedSystem:
    """The trained experiment that the options of `add_options` name; without any, the detector of the package.

    Raises UserError where there is none.
    """
    named = (options.system, options.corpus, options.experiment, options.seed) != (None,) * 4
    if not named and options.exp == ROOT / "exp" and record.exists(DETECTOR):
        return shipped()
    return find(options)


def shipped() -> TrainedSystem:
    """The detector that comes with the package. UserError where its weights are missing."""
    if not record.exists(DETECTOR):
        raise UserError(f"{portable(DETECTOR)}: no detector in this copy. Train one with ./run.sh and name its folder.")
    trained, card = provenance.read(DETECTOR), record.read(DETECTOR)[CARD]
    layout = Layout(DETECTOR, DETECTOR, card["corpus"])
    return TrainedSystem(layout, trained.system, {trained.seed: trained}, (), card)


def find(options: argparse.Namespace) -> TrainedSystem:
    """The trained experiment that the options of `add_options` name.

    Of several corpora it is the one trained last, before those that have no scores yet.

    Raises UserError where there is none.
    """
    if options.experiment:
        return at(options.experiment, options.data.resolve(), options.seed)
    exp, corpus, system = options.exp.resolve(), options.corpus, options.system or DEFAULT
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
    alike, left_out = provenance.alike(folder, {k: path for k, path in found.items() if seed in (None, k)})
    return TrainedSystem(layout, folder.name, alike, tuple(left_out))
