"""What lies under exp/<corpus>/: the systems of conf/systems and those trained besides, with all that a run left."""

import csv
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from afn.common import config, files, record
from afn.common.errors import UserError
from afn.common.paths import FUSION, METRICS
from afn.metrics import score_files
from afn.metrics.analysis import ScoredSystem
from afn.metrics.results import SUBSETS
from afn.metrics.trials import Trials
from afn.systems.neural import maps
from afn.systems.neural.maps import Maps
from afn.systems.settings import Paper

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
    environments: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)  # seed -> env.json
    curves: Mapping[int, Mapping[str, list[float]]] = field(default_factory=dict)  # seed -> column of metrics.csv
    maps: Path | None = None  # arrays of the heatmaps
    left_out: tuple[str, ...] = ()  # sentences naming seeds that were trained with other settings
    probabilities: bool = False  # averaged scores are means of sigmoids, 0..1


def find(directory: Path, conf: Path) -> list[Experiment]:
    """Every system of the YAMLs in `conf` and every folder in `directory` (exp/<corpus>) that holds scores.

    In the order of the paper's eval figures; those that the paper does not have come last, by name.
    """
    rows = {path.stem: path for path in conf.glob("*.yaml")}
    folders = {path.name for path in directory.glob("*/") if path.name != FUSION}
    found = [_experiment(name, directory / name, rows.get(name)) for name in sorted(rows.keys() | folders)]
    found = [experiment for experiment in found if experiment.files or experiment.name in rows]
    return sorted(found, key=lambda e: (math.inf if e.paper.eval is None else e.paper.eval, e.name.encode()))


def _experiment(name: str, directory: Path, row: Path | None) -> Experiment:
    folders = {int(folder.name[4:]): folder for folder in directory.glob("seed*/") if folder.name[4:].isdecimal()}
    described = [row] if row else [folders[seed] / record.NAME for seed in sorted(folders)]
    title, paper, trained_on = _described(next((path for path in described if path.is_file()), None))
    found = {
        (subset, seed): path
        for seed, folder in [*sorted(folders.items()), (None, directory)]
        for subset in SUBSETS
        if (folder / "scores" / record.NAME).is_file()  # written last: without it the scores are not complete
        and (path := folder / "scores" / f"{subset}.txt").is_file()
    }
    averaged = directory / "scores" / record.NAME
    content = config.read(averaged) if averaged.is_file() else {}
    seeds = tuple(sorted(content.get("seeds", ())))
    then = content.get("made_from", {})  # the records of the seeds' scores, by their hash
    stale = tuple(
        seed
        for seed in seeds
        if (path := directory / f"seed{seed}" / "scores" / record.NAME).is_file()
        and files.sha256(path) != then.get(f"seed{seed}")
    )
    scored = sorted({seed for _, seed in found if seed is not None})
    arrays = directory / "attention" / maps.NAME
    return Experiment(
        name,
        title or name,
        paper,
        trained_on,
        found,
        seeds,
        stale,
        {seed: e for seed in scored if (e := _environment(folders[seed] / "env.json"))},
        {seed: c for seed in scored if (c := _curves(folders[seed] / METRICS))},
        arrays if arrays.is_file() and (arrays.parent / record.NAME).is_file() else None,
    )


def _described(path: Path | None) -> tuple[str, Paper, str]:
    """Title, the paper's figures and what it is trained on, from a YAML of conf/systems or the record of a seed."""
    if path is None:
        return "", Paper(), "train"
    content = config.read(path)
    settings = content.get("settings", content)
    trained_on = settings.get("trained_on", "train")
    trained_on = "+".join(map(str, trained_on)) if isinstance(trained_on, list) else str(trained_on)
    paper = config.build(Paper, settings.get("paper") or {}, f"{path}: paper")
    return str(settings.get("title", "")), paper, trained_on


def _environment(path: Path) -> dict[str, Any]:
    """What env.json says; nothing where there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        raise UserError(f"{path}: not a JSON file; take it away, or train the seed anew with --force") from None
    return content if isinstance(content, dict) else {}


def _curves(path: Path) -> dict[str, list[float]]:
    """The training curves of metrics.csv; nothing where the training has no epochs or left none."""
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        return {name: [float(row[name]) for row in rows] for name in CURVES} if rows else {}
    except (FileNotFoundError, KeyError, TypeError, ValueError):  # other columns: another kind of training
        return {}


def load(experiment: Experiment, title: str, trials: Mapping[str, Trials]) -> ScoredSystem:
    """The scores of an experiment in the order of the trials; UserError where they are not of these utterances."""
    system = ScoredSystem(experiment.name, title, {}, {}, experiment.trained_on, experiment.probabilities)
    for (subset, seed), path in experiment.files.items():
        if subset not in trials:
            raise UserError(f"{path}: scores of a subset that is not prepared; run stage -2 first, or take them away")
        vector = trials[subset].vector(score_files.read(path), path)
        if seed is None:
            system.averaged[subset] = vector
        else:
            system.seeds.setdefault(subset, {})[seed] = vector
    return system


def read_maps(found: Mapping[str, Experiment]) -> dict[str, Maps]:
    """The attention arrays of every experiment (title -> experiment) that has some."""
    return {title: maps.read(experiment.maps) for title, experiment in found.items() if experiment.maps}
