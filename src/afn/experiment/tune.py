"""Tuning: walk the grids of conf/tuning/<system>.yaml on dev alone, and write what they show.

    reads   conf/tuning/<system>.yaml                               dotted name -> values, in the order of the walk
            data/<corpus>/{train,dev}/                              labels and recordings
    writes  exp/<corpus>/<system>/tuning/results.csv                every point that was tried, with its dev EER
            exp/<corpus>/<system>/tuning/<system>_tuned.yaml        the best values, as a YAML for --system

Beginning with the values of the system's YAML, each name of the grids in turn takes each of its values; the one with
the lowest dev EER (linear ROC, mean over seeds; of equals the YAML's own, then the first) stays for what follows.
Eval is never looked at. Points that stand in results.csv are not tried again.
"""

import csv
import dataclasses
import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from typing import Any

import numpy as np

from afn import systems
from afn.common import config, errors, files, record
from afn.common.errors import UserError
from afn.common.paths import ROOT, Layout
from afn.experiment import command_line, extraction, locks, training
from afn.metrics.eer import linear_roc_eer
from afn.systems.settings import System

CONF = ROOT / "conf"
RESULTS = "results.csv"


@dataclass(frozen=True)
class Tuning:
    """A YAML of conf/tuning."""

    grids: dict[str, list[Any]]  # dotted name -> values

    def __post_init__(self) -> None:
        for name, values in self.grids.items():
            if not values:
                raise ValueError(f"grids.{name}: give one value at least")


def main() -> None:
    parser = command_line.arguments("Tuning: walk the grids of conf/tuning/<system>.yaml on dev alone.")
    command_line.add_jobs(parser)
    options = parser.parse_args()
    here = command_line.from_arguments(options)
    path = CONF / "tuning" / f"{here.system_name}.yaml"
    walk = Walk(here, config.load(Tuning, path).grids, str(path), options.nj)
    best = walk.run()
    source = command_line.find("systems", options.system).resolve()
    written = walk.directory / f"{here.system_name}_tuned.yaml"
    change = {"extends": os.path.relpath(source, written.parent), "title": f"{here.system.title}, tuned on dev"}
    name = {"features.name": walk.features_name(best)}
    assignments = [f"{key}={json.dumps(value)}" for key, value in (best | name).items()]
    files.write_text(written, config.dump(config.override(change, assignments)))
    print(f"tune: wrote {written} (dev EER {walk.tried[key_of(best)]:.2f} %); --system takes this path")


class Walk:
    """A walk through `grids` (dotted name -> values; `where` names their file): trained points, scored on dev."""

    def __init__(self, here: command_line.Stage, grids: dict[str, list[Any]], where: str, jobs: int):
        self.here, self.grids, self.where, self.jobs = here, grids, where, jobs
        self.settings = config.plain(here.system)
        self.directory = here.layout.system(here.system_name) / "tuning"
        self.tried: dict[str, float] = {}  # point -> dev EER in percent

    def run(self) -> dict[str, Any]:
        """The values found best, by dotted name."""
        made_from = record.make(
            {"seeds": list(self.here.seeds), "settings": self.settings},
            {"corpus": self.here.layout.corpus_data / record.NAME},
        )
        at = {name: self._own(name) for name in self.grids}
        with locks.hold(self.directory):
            if self.here.force or not record.stands(self.directory, made_from):
                shutil.rmtree(self.directory, ignore_errors=True)
                record.write(self.directory, made_from)
            self.tried = self._read()
            for name, values in self.grids.items():
                values = [at[name], *(value for value in values if value != at[name])]  # of equals its own stays
                eers = [self.dev_eer(at | {name: value}) for value in values]
                at[name] = values[int(np.argmin(eers))]
                shown = ", ".join(f"{value}: {eer:.2f} %" for value, eer in zip(values, eers, strict=True))
                print(f"tune: {name}: {at[name]} ({shown})", flush=True)
        return at

    def dev_eer(self, values: dict[str, Any]) -> float:
        """The dev EER in percent, the mean over seeds, with `values` (dotted name -> value) in the settings."""
        key = key_of(values)
        if key not in self.tried:
            self.tried[key] = self._try_out(values)
            rows = [{"dev_eer": f"{eer:.6f}", "settings": point} for point, eer in self.tried.items()]
            files.write_csv(self.directory / RESULTS, rows)
        return self.tried[key]

    def features_name(self, values: dict[str, Any]) -> str:
        """The folder of features with `values`: the system's own, or one that tells the values apart."""
        own = self.here.system.features.name
        changed = {name: v for name, v in values.items() if name.startswith("features.") and v != self._own(name)}
        return f"{own}-{hashlib.sha256(key_of(changed).encode()).hexdigest()[:8]}" if changed else own

    def _try_out(self, values: dict[str, Any]) -> float:
        assignments = [f"{name}={json.dumps(value)}" for name, value in values.items()]
        assignments.append(f"features.name={self.features_name(values)}")
        layout = self.here.layout
        point = dataclasses.replace(
            self.here,
            system=config.build(System, config.override(self.settings, assignments), self.where),
            layout=Layout(layout.data, self.directory / "points", layout.corpus),
            force=False,
        )
        features, name = point.system.features, point.system_name
        backend = extraction.choose_backend(features)
        for subset in ("train", "dev"):
            extraction.extract(point, subset, features, backend, self.jobs)
        directory = point.layout.seed(name, point.seeds[0])
        if directory.is_dir() and not record.stands(directory, command_line.trained_from(point, point.seeds[0])):
            shutil.rmtree(point.layout.system(name))  # of a point that was interrupted before this one
        training.train(point)
        dev, eers = command_line.subset(point, "dev"), []
        for seed in point.seeds:
            system = systems.build(point.system, seed)
            system.load(point.layout.seed(name, seed))
            scores = np.array(list(system.score(dev).values()))
            eers.append(100 * linear_roc_eer(scores[dev.genuine], scores[~dev.genuine]))
        shutil.rmtree(point.layout.exp)
        if features.name != self.here.system.features.name:  # they would fill a disk
            for subset in ("train", "dev"):
                shutil.rmtree(layout.features(subset, features.name))
        return float(np.mean(eers))

    def _own(self, name: str) -> Any:
        """What the system's settings hold under a dotted name."""
        value: Any = self.settings
        for key in name.split("."):
            if not isinstance(value, dict) or key not in value:
                raise UserError(f"{self.where}: grids.{name}: {self.here.system_name}.yaml has no such value")
            value = value[key]
        return value

    def _read(self) -> dict[str, float]:
        path = self.directory / RESULTS
        if not path.is_file():
            return {}
        try:
            rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
            return {row["settings"]: float(row["dev_eer"]) for row in rows}
        except (KeyError, TypeError, ValueError):
            raise UserError(f"{path}: not a table of this program; take it away, or walk anew with --force") from None


def key_of(values: dict[str, Any]) -> str:
    """A point in words: what results.csv calls it."""
    return json.dumps(values)


if __name__ == "__main__":
    errors.run(main)
