"""Scores of dev and eval, for every seed and averaged over seeds: what stage 2 does."""

import contextlib
import functools
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from afn.common import parallel, record
from afn.common.errors import UserError
from afn.common.files import sha256
from afn.experiment import answers, locks, provenance
from afn.experiment.command_line import Stage, prepared, subset
from afn.experiment.layout import Layout, seeds
from afn.experiment.provenance import Trained
from afn.experiment.training import finished
from afn.features.archives import FeatureArchive
from afn.metrics import score_files
from afn.metrics.trials import SCORED_SUBSETS
from afn.systems import registry
from afn.systems.protocol import System
from afn.systems.subset import Subset

PART = 512  # utterances of a unit of work; a multiple of what systems score together
PATIENCE = 60.0  # s to wait for another run's averaging, which takes a moment
PARTS = "parts"  # folder of finished units, within the scores


@dataclass(frozen=True)
class Unit:
    """A part of a subset to be scored by one trained model."""

    layout: Layout
    trained: Path  # the folder of the training
    weights: str  # SHA-256
    subset: str
    feature: str  # the folder of its features
    start: int  # of its utterances
    out: Path


def score(here: Stage) -> None:
    """Score dev and eval with every seed, then average the seeds that were trained alike."""
    subsets = [name for name in SCORED_SUBSETS if name in prepared(here.layout)]
    for seed in here.seeds:
        score_seed(here, seed, subsets)
    average(here, subsets)


def score_seed(here: Stage, seed: int, subsets: list[str]) -> None:
    """Score those of `subsets` whose scores are not up to date.

    Raises UserError if the seed is not trained, or was trained with other settings than those of `here`.
    """
    trained = trained_seed(here, seed)
    weights = sha256(registry.build(trained.settings, seed).weights(trained.directory))
    made = {name: features(here, trained, name) for name in subsets}
    identity: dict[str, Any] = {
        "weights": weights,
        "features": {name: found["content"] for name, found in made.items()},
    }
    directory = trained.directory / "scores"
    if here.current(directory, identity):
        print(f"score: {directory} is up to date; --force computes it again")
        return
    with locks.hold(directory):
        before, new = {}, {}
        with contextlib.suppress(UserError):  # a damaged record: all is scored again
            if record.exists(directory) and not here.redo(directory / record.NAME):
                before = record.read(directory)["identity"]
        for name in subsets:
            same = before.get("weights") == weights and before["features"].get(name) == identity["features"][name]
            if not same or not (directory / f"{name}.txt").is_file():
                parts = directory / PARTS / f"{weights[:16]}-{made[name]['content'][:16]}"
                new[name] = _scored(here, trained, weights, name, parts)
        record.remove(directory)  # now that nothing but writing can fail
        for name, scores in new.items():
            score_files.write(directory / f"{name}.txt", scores)
            print(f"score: wrote {directory / f'{name}.txt'}: {len(scores)} utterances")
        shutil.rmtree(directory / PARTS, ignore_errors=True)
        _finish(here, directory, {"identity": identity}, subsets, False)


def trained_seed(here: Stage, seed: int) -> Trained:
    """The training of a seed; UserError if it is not finished, or is another one than the settings ask for."""
    directory = here.layout.seed(here.system_name, seed)
    if not finished(directory):
        state = "training is not finished" if record.exists(directory) else "not trained"
        raise UserError(f"{directory}: {state}. Run stage 0 first.")
    trained = provenance.read(directory)
    provenance.check(trained, here.system)
    return trained


def features(here: Stage, trained: Trained, name: str) -> dict[str, Any]:
    """The record of the features of a subset; UserError unless they are of the kind that the model was trained on."""
    directory = here.layout.features(name, here.system.features.name)
    found = provenance.complete_features(directory)
    if odd := record.differences(trained.features, found["identity"]["features"]):
        raise UserError(
            f"{directory}: extracted with other settings than the features that {trained.directory} was trained on "
            f"({provenance.words(odd)}). Run stage -1 with those settings."
        )
    return found


def _scored(here: Stage, trained: Trained, weights: str, name: str, parts: Path) -> dict[str, float]:
    """The scores of a whole subset, a unit at a time; finished units are kept in `parts` until all are."""
    feature = here.system.features.name
    count = len(subset(here.layout, name, feature).utterances)
    units = [
        Unit(here.layout, trained.directory, weights, name, feature, start, parts / f"{name}.{number}.txt")
        for number, start in enumerate(range(0, count, PART), 1)
    ]
    missing = [unit for unit in units if not unit.out.is_file() or here.redo(unit.out)]
    for _ in parallel.ordered_map(score_part, missing, 1, threads=None):
        pass
    return {utt: score for unit in units for utt, score in score_files.read(unit.out).items()}


def score_part(unit: Unit) -> None:
    """Score one unit and write its scores."""
    whole = subset(unit.layout, unit.subset, unit.feature)
    chosen = whole.utterances[unit.start : unit.start + PART]
    assert isinstance(whole.features, FeatureArchive)
    part = Subset(whole.name, {utt: whole.labels[utt] for utt in chosen}, whole.features.only(chosen))
    score_files.write(unit.out, _loaded(unit.trained, unit.weights).score(part))


@functools.lru_cache(maxsize=1)
def _loaded(directory: Path, _: str) -> System:
    """The trained system in `directory`, kept for the next unit; the text identifies its weights."""
    trained = provenance.read(directory)
    system = registry.build(trained.settings, trained.seed)
    system.load(directory)
    return system


def _finish(here: Stage, directory: Path, content: dict[str, Any], subsets: list[str], probabilities: bool) -> None:
    """Write the record of scores, with what dev says of them where it has both classes."""
    if "dev" in subsets:
        scores = score_files.read(directory / "dev.txt")
        found = answers.on_dev(scores, here.layout.subset("dev") / "utt2label", probabilities, directory / "dev.txt")
        if found:
            content["dev"] = found.plain()
    record.write(directory, content)


def average(here: Stage, subsets: list[str]) -> None:
    """Average the scored seeds that were trained alike: sigmoids of networks' logits, the scores of other systems."""
    directory = here.layout.system(here.system_name)
    with locks.hold(directory / "scores", PATIENCE):
        first = provenance.read(here.layout.seed(here.system_name, here.seeds[0]))
        alike, others = provenance.alike(directory, scored(directory), first)
        for sentence in others:
            print(f"score: {sentence}")
        averages = registry.build(first.settings, first.seed).averages
        identity = {
            "trained": first.shared,
            "averages": averages,
            "seeds": {str(seed): contents(of.directory, subsets) for seed, of in alike.items()},
        }
        out = directory / "scores"
        if here.current(out, identity):
            return
        record.remove(out)
        for name in subsets:
            runs = [score_files.read(of.directory / "scores" / f"{name}.txt") for of in alike.values()]
            score_files.write(out / f"{name}.txt", averaged(runs, averages, out))
        _finish(here, out, {"identity": identity}, subsets, averages == "sigmoids")
    of = f"seed{'s' if len(alike) > 1 else ''} {', '.join(map(str, alike))}"
    print(f"score: wrote {out}: averaged over {of}")


def scored(directory: Path) -> dict[int, Path]:
    """The folders of the scored seeds in a system's `directory`, by seed."""
    return {seed: folder for seed, folder in seeds(directory).items() if record.exists(folder / "scores")}


def contents(folder: Path, subsets: Sequence[str]) -> dict[str, str]:
    """Subset -> SHA-256 of the scores of a seed in `folder`."""
    paths = {name: folder / "scores" / f"{name}.txt" for name in subsets}
    return {name: sha256(path) for name, path in paths.items() if path.is_file()}


def averaged(runs: list[dict[str, float]], averages: str, where: Path) -> dict[str, float]:
    """The mean over seeds of every utterance's score, or of the sigmoid of it.

    Raises UserError unless all runs score the same utterances; `where` names them.
    """
    output = OUTPUTS[averages]
    for run in runs:
        if odd := run.keys() ^ runs[0].keys():
            raise UserError(f"{where}: {min(odd)} is not scored by every seed. Run stage 2 with --force.")
    return {utt: sum(output(run[utt]) for run in runs) / len(runs) for utt in runs[0]}


def sigmoid(logit: float) -> float:
    """The network's output for a logit, without overflow."""
    return 1 / (1 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1 + math.exp(logit))


OUTPUTS: dict[str, Callable[[float], float]] = {"sigmoids": sigmoid, "scores": float}
