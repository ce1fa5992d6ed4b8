"""The systems of one corpus on others: how they would do where they were not trained.

Threshold and calibration are those of the corpus that a system was trained on, learnt on its dev set: they are what a
user of the system would have. Nothing is chosen on the other corpus.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from afn.common import record
from afn.common.errors import UserError
from afn.common.files import sha256
from afn.common.labels import SUBSETS
from afn.corpora import datadir
from afn.experiment import equalised, provenance
from afn.experiment.layout import ON, Layout, seeds
from afn.metrics import analysis, bootstrap, eer, roc, score_files
from afn.metrics.analysis import Analysis, Cost, ScoredSystem
from afn.metrics.bootstrap import Interval
from afn.metrics.eer import Measured
from afn.metrics.trials import Trials
from afn.systems import registry


@dataclass(frozen=True)
class Elsewhere:
    """One system on one subset of another corpus; rates are fractions (0..1)."""

    name: str  # the system's folder
    title: str
    corpus: str
    subset: str
    genuine: int  # trials
    spoof: int
    seeds: Mapping[int, Measured]
    averaged: Measured
    interval: Interval | None = None  # of the averaged scores' EER
    refused: float | None = None  # genuine trials at or below the threshold of the EER on the system's own dev
    accepted: float | None = None  # replays above it
    cost: Cost | None = None  # of log-likelihood ratios calibrated on the system's own dev


@dataclass(frozen=True)
class Found:
    """What there is of other corpora."""

    rows: Sequence[Elsewhere] = ()
    remarks: Sequence[str] = ()  # scores that were left out, and why


def find(
    layout: Layout,
    systems: Mapping[str, ScoredSystem],
    trials: Mapping[str, Trials],
    deep: Analysis,
    resamples: int,
    audit: bool = False,
) -> Found:
    """Measure what stage 2 has scored with --eval-corpus; with `audit`, instead the equalised recordings of eval.

    All but `resamples` (of the bootstrap) is of the corpus that the systems were trained on.
    """
    rows: list[Elsewhere] = []
    remarks: list[str] = []
    for folder in sorted(layout.results.glob(f"{ON}*/")):
        other = Layout(layout.data, layout.exp, folder.name.removeprefix(ON))
        if (other.corpus == equalised.name(layout.corpus)) != audit:
            continue
        current: dict[str, Path] = {}
        for title, system in systems.items():
            out = folder / system.name
            if record.exists(out / "scores"):
                if reason := _outdated(layout, other, system.name, record.read(out / "scores").get("identity", {})):
                    remarks.append(f"{title} on {other.corpus}: left out, {reason}")
                else:
                    current[title] = out
        for subset in SUBSETS:
            if current and other.subset(subset).is_dir():
                rows += _rows(other, subset, current, systems, trials, deep, resamples)
    order = {title: number for number, title in enumerate(systems)}
    return Found(sorted(rows, key=lambda row: (order[row.title], row.corpus, SUBSETS.index(row.subset))), remarks)


def _outdated(layout: Layout, other: Layout, name: str, identity: Mapping[str, Any]) -> str:
    """Why the scores of a system on `other` are not of today's models and recordings; empty if they are."""
    again = f"run stages -2 and 2 with --eval-corpus {other.corpus}"
    if other.corpus == equalised.name(layout.corpus):
        again = "run stage 3 with --audit"
        if not equalised.current(layout):
            return f"eval has changed since; {again}"
    try:
        prepared = [subset for subset in SUBSETS if other.subset(subset).is_dir()]
        if identity["recordings"] != {subset: datadir.recordings_hash(other.subset(subset)) for subset in prepared}:
            return f"its recordings have changed or are not prepared; {again}"
        for seed, folder in seeds(layout.system(name)).items():
            weights = registry.build(provenance.read(folder).settings, seed).weights(folder)
            if identity["weights"].get(str(seed), sha256(weights)) != sha256(weights):
                return f"seed {seed} was trained again since; {again}"
    except (UserError, KeyError, OSError) as error:
        return f"{error}; {again}"
    return ""


def _rows(
    other: Layout,
    subset: str,
    folders: Mapping[str, Path],
    systems: Mapping[str, ScoredSystem],
    trials: Mapping[str, Trials],
    deep: Analysis,
    resamples: int,
) -> Iterator[Elsewhere]:
    """The rows of one subset of another corpus; `folders` are those of the systems' scores, by title."""
    judged = Trials.of(datadir.read(other.subset(subset)))
    genuine = judged.genuine

    def read(folder: Path) -> np.ndarray:
        return judged.vector(score_files.read(folder / "scores" / f"{subset}.txt"), folder)

    averaged = {title: read(folder) for title, folder in folders.items()}
    both = genuine.any() and not genuine.all()
    boot = bootstrap.bootstrap(judged, averaged, resamples, label=f"bootstrap {other.corpus}") if both else None
    own = trials.get("dev")
    for title, scores in averaged.items():
        system, calibrated = systems[title], deep.calibrated.get(title)
        refused = accepted = cost = None
        if system.usable_on_dev and own is not None and 0 < own.genuine.mean() < 1:
            on_dev = system.averaged["dev"]
            threshold = eer.official_threshold(on_dev[own.genuine], on_dev[~own.genuine])
            accepted, refused = roc.rates_at(scores[genuine], scores[~genuine], threshold)
        if calibrated and both:
            llrs = calibrated.model.llrs(scores[:, None])
            cost = analysis.cost(llrs[genuine], llrs[~genuine])
        yield Elsewhere(
            system.name,
            title,
            other.corpus,
            subset,
            int(genuine.sum()),
            int((~genuine).sum()),
            {seed: _measured(read(folder), genuine) for seed, folder in seeds(folders[title]).items()},
            _measured(scores, genuine),
            boot.interval(title) if boot else None,
            refused,
            accepted,
            cost,
        )


def _measured(scores: np.ndarray, genuine: np.ndarray) -> Measured:
    return eer.measure(scores[genuine], scores[~genuine])
