"""What is under exp/<corpus>/: the systems of conf/systems and others that were trained, with all that a run left."""

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from afn.common import config, owned, record
from afn.common.errors import UserError
from afn.experiment import environment, provenance, scoring
from afn.experiment.layout import FUSION
from afn.experiment.provenance import Trained
from afn.metrics import score_files
from afn.metrics.analysis import ScoredSystem
from afn.metrics.trials import SCORED_SUBSETS, Trials
from afn.systems.neural import maps
from afn.systems.protocol import METRICS, Paper

CURVES = ("epoch", "train_loss", "dev_loss", "dev_eer")  # columns of metrics.csv that make a training curve


@dataclass(frozen=True)
class Experiment:
    """One system: its row, its score files, and what else its training left."""

    name: str
    title: str
    paper: Paper
    trained_on: str  # train, or train+dev
    files: Mapping[tuple[str, int | None], Path] = field(default_factory=dict)  # (subset, seed); None: averaged
    averaged_seeds: tuple[int, ...] = ()
    stale: tuple[int, ...] = ()  # seeds whose scores are no longer those that were averaged
    environments: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)  # seed -> of its latest run
    curves: Mapping[int, Mapping[str, list[float]]] = field(default_factory=dict)  # seed -> column of metrics.csv
    maps: Path | None = None  # arrays of the heatmaps
    left_out: tuple[str, ...] = ()  # sentences naming seeds that were trained with other settings
    probabilities: bool = False  # averaged scores are means of sigmoids, 0..1
    removes: frozenset[str] = frozenset()  # nuisances that it cannot see


def find(directory: Path, conf: Path) -> list[Experiment]:
    """Every system of the YAMLs in `conf` and every folder in `directory` (exp/<corpus>) that holds scores.

    In the order of the paper's eval figures; those that the paper does not have come last, by name. A copy that was put
    aside under another name is not a system; it is named on stdout.
    """
    rows = {path.stem: path for path in conf.glob("*.yaml")}
    folders = {path.name for path in directory.glob("*/") if path.name != FUSION}
    marked = [path for path in directory.glob("*/") if (path / owned.MARKER).is_file()]
    copies = {path.name for path in marked if not owned.is_ours(path)}
    if copies:
        print(f"evaluate: {directory}: copies of other folders are left out: {', '.join(sorted(copies))}")
    names = sorted((rows.keys() | folders) - copies)
    found = [_experiment(name, directory / name, rows.get(name)) for name in names]
    found = [experiment for experiment in found if experiment.files or experiment.name in rows]
    return sorted(found, key=lambda e: (math.inf if e.paper.eval is None else e.paper.eval, e.name.encode()))


def _experiment(name: str, directory: Path, row: Path | None) -> Experiment:
    """One system: of seeds that were trained with different settings, those that were averaged, or most of them."""
    alike, left_out = provenance.alike(directory, scoring.scored(directory))
    title, paper, trained_on = _described(row, alike)
    averaged = directory / "scores"
    content = record.read(averaged).get("identity", {}) if record.exists(averaged) else {}
    kept = {seed: scoring.contents(trained.directory, SCORED_SUBSETS) for seed, trained in alike.items()}
    then = content.get("seeds", {})
    if not alike or (content and record.differences(content.get("trained", {}), next(iter(alike.values())).shared)):
        then, content = {}, {}
    folders: dict[int | None, Path] = {seed: trained.directory for seed, trained in alike.items()}
    if content:
        folders[None] = directory
    found = {
        (subset, seed): path
        for seed, folder in folders.items()
        for subset in SCORED_SUBSETS
        if (path := folder / "scores" / f"{subset}.txt").is_file()
    }
    arrays = directory / "attention" / maps.NAME
    environments = {seed: environment.read(trained.directory / "env.json") for seed, trained in alike.items()}
    return Experiment(
        name,
        title or name,
        paper,
        trained_on,
        found,
        tuple(sorted(map(int, then))),
        tuple(seed for seed in alike if not then.get(str(seed), {}).items() <= kept[seed].items()),
        {seed: runs[-1] for seed, runs in environments.items() if runs},
        {seed: c for seed, trained in alike.items() if (c := _curves(trained.directory / METRICS))},
        arrays if arrays.is_file() and record.exists(arrays.parent) else None,
        tuple(left_out),
        content.get("averages") == "sigmoids",
        next(iter(alike.values())).settings.removes if alike else frozenset(),
    )


def _described(row: Path | None, alike: Mapping[int, Trained]) -> tuple[str, Paper, str]:
    """Title, the paper's figures and what it is trained on: of the YAML in conf/systems, else of the trainings."""
    trained = next(iter(alike.values()), None)
    if row is None:
        settings = trained.settings if trained else None
        return getattr(settings, "title", ""), getattr(settings, "paper", Paper()), _trained_on(settings)
    content = config.read(row)
    paper = config.build(Paper, content.get("paper") or {}, f"{row}: paper")
    trained_on = _trained_on(trained.settings) if trained else str(content.get("trained_on", "train"))
    return str(content.get("title", "")), paper, trained_on


def _trained_on(settings: Any) -> str:
    return str(getattr(settings, "trained_on", "train"))


def _curves(path: Path) -> dict[str, list[float]]:
    """The training curves of metrics.csv; nothing where the training has no epochs or left none."""
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        return {name: [float(row[name]) for row in rows] for name in CURVES} if rows else {}
    except (FileNotFoundError, KeyError, TypeError, ValueError):  # other columns: another kind of training
        return {}


def load(experiment: Experiment, title: str, trials: Mapping[str, Trials]) -> ScoredSystem:
    """The scores of an experiment in the order of the trials; UserError where they are not of these utterances."""
    averaged: dict[str, np.ndarray] = {}
    by_seed: dict[str, dict[int, np.ndarray]] = {}
    for (subset, seed), path in experiment.files.items():
        if subset not in trials:
            raise UserError(f"{path}: scores of a subset that is not prepared. Run stage -2 first, or remove them.")
        vector = trials[subset].vector(score_files.read(path), path)
        if seed is None:
            averaged[subset] = vector
        else:
            by_seed.setdefault(subset, {})[seed] = vector
    return ScoredSystem(
        experiment.name, title, averaged, by_seed, experiment.trained_on, probabilities=experiment.probabilities
    )
