"""Tuning: walk the grids of conf/tuning/<system>.yaml on dev alone, and write what they show.

    reads   conf/tuning/<system>.yaml                               dotted name -> values, in the order of the walk
            data/<corpus>/{train,dev}/                              labels and recordings
    writes  exp/<corpus>/<system>/tuning/results.csv                every point that was tried, with its dev EER
            exp/<corpus>/<system>/tuning/<system>_tuned.yaml        the best values, as a YAML for --system

Beginning with the values of the system's YAML, each name of the grids in turn takes each of its values; the one with
the lowest dev EER (linear ROC, mean over seeds; of equals the YAML's own, then the first) stays for what follows.
Eval is never looked at. Points in results.csv are not tried again.
"""

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from afn.common import config, errors, files, owned, parallel, record
from afn.common.config import Settings
from afn.common.errors import UserError
from afn.common.paths import ROOT
from afn.corpora import datadir
from afn.experiment import command_line, extraction, locks, provenance, training
from afn.experiment.command_line import Stage, subset
from afn.experiment.layout import Layout
from afn.experiment.provenance import LEARNT_FROM
from afn.metrics.eer import linear_roc_eer
from afn.systems import registry

CONF = ROOT / "conf"
RESULTS = "results.csv"


class Tuning(Settings):
    """A YAML of conf/tuning."""

    grids: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(description="by dotted name: values to try")


def main() -> None:
    parser = command_line.arguments("Tuning: walk the grids of conf/tuning/<system>.yaml on dev alone.")
    parallel.add_options(parser)
    options = parser.parse_args()
    with command_line.stage(options) as here, parallel.cluster(options.cluster):
        given = {text.partition("=")[0] for text in options.set}
        tune(here, command_line.find("systems", options.system).resolve(), given, options.nj)


def tune(here: Stage, source: Path, given: Collection[str], jobs: int) -> None:
    """Walk the grids of the row in `source` and write what was found; `given` are the names of --set."""
    path = CONF / "tuning" / f"{here.system_name}.yaml"
    walk = Walk(here, config.load(Tuning, path).grids, str(path), jobs)
    best = walk.run()
    written = walk.directory / f"{here.system_name}_tuned.yaml"
    change = {"extends": os.path.relpath(source, written.parent), "title": f"{here.system.title}, tuned on dev"}
    # All that the corpus and --set have changed is stated, so that the YAML gives the same row wherever it is used.
    odd = record.differences(config.read(source), config.plain(here.system))
    values = {name: now for name, (then, now) in odd.items() if then != record.ABSENT or name in given} | best
    values["features.name"] = walk.features_name(best)
    assignments = [f"{key}={json.dumps(value)}" for key, value in values.items()]
    files.write_text(written, config.dump(config.override(change, assignments)))
    print(f"tune: wrote {written} (dev EER {walk.tried[json.dumps(best)]:.2f} %); --system takes this path")


class Walk:
    """A walk through `grids` (dotted name -> values; `where` names their file): trained points, scored on dev."""

    def __init__(self, here: Stage, grids: dict[str, list[Any]], where: str, jobs: int):
        self.here, self.grids, self.where, self.jobs = here, grids, where, jobs
        self.settings = config.plain(here.system)
        self.directory = here.layout.system(here.system_name) / "tuning"
        self.tried: dict[str, float] = {}  # values as JSON -> dev EER in percent

    def run(self) -> dict[str, Any]:
        """The values found best, by dotted name."""
        identity = {
            "seeds": list(self.here.seeds),
            "settings": registry.system_class(self.here.system).identity(self.here.system)
            | {"features": config.groups(self.here.system)["identity"]["features"]},
            "recordings": {name: datadir.recordings_hash(self.here.layout.subset(name)) for name in LEARNT_FROM},
        }
        at = {name: self._own(name) for name in self.grids}
        owned.claim(self.here.layout.system(self.here.system_name))
        with locks.hold(self.directory):
            if not self.here.current(self.directory, identity):
                shutil.rmtree(self.directory, ignore_errors=True)
                record.write(self.directory, {"identity": identity})
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
        key = json.dumps(values)
        if key not in self.tried:
            self.tried[key] = self._try_out(values)
            rows = [{"dev_eer": f"{eer:.6f}", "settings": point} for point, eer in self.tried.items()]
            files.write_csv(self.directory / RESULTS, rows)
        return self.tried[key]

    def features_name(self, values: dict[str, Any]) -> str:
        """The folder of features with `values`: the system's own, or one that is named after the values."""
        own = self.here.system.features.name
        changed = {name: v for name, v in values.items() if name.startswith("features.") and v != self._own(name)}
        return f"{own}-{hashlib.sha256(json.dumps(changed).encode()).hexdigest()[:8]}" if changed else own

    def _try_out(self, values: dict[str, Any]) -> float:
        assignments = [f"{name}={json.dumps(value)}" for name, value in values.items()]
        assignments.append(f"features.name={self.features_name(values)}")
        layout = self.here.layout
        settings = config.override(self.settings, assignments)
        point = replace(
            self.here,
            system=config.build(registry.settings_type(), settings, self.where),
            layout=Layout(layout.data, self.directory / "points", layout.corpus),
            forced_since=None,
            adapted={},
        )
        feature = point.system.features.name
        for name in LEARNT_FROM:
            extraction.extract(point, name, self.jobs)
        directory = point.layout.seed(point.system_name, point.seeds[0])
        if record.exists(directory) and record.differences(
            provenance.read(directory).identity, provenance.identity(point.layout, point.system, point.seeds[0])
        ):
            shutil.rmtree(point.layout.system(point.system_name))  # of a point that was interrupted before this one
        training.train(point)
        dev, eers = subset(point.layout, "dev", feature), []
        for seed in point.seeds:
            trained = provenance.read(point.layout.seed(point.system_name, seed))
            system = registry.build(trained.settings, seed)
            system.load(trained.directory)
            scores = np.array(list(system.score(dev).values()))
            eers.append(100 * linear_roc_eer(scores[dev.genuine], scores[~dev.genuine]))
        shutil.rmtree(point.layout.exp)
        if feature != self.here.system.features.name:  # they would fill a disk
            for name in LEARNT_FROM:
                owned.remove(layout.features(name, feature))
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
            raise UserError(f"{path}: not a table of this program. Remove it, or tune again with --force") from None


if __name__ == "__main__":
    errors.run(main)
