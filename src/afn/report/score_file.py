"""The error rates and costs of one score file, with intervals: what evaluate.py --scores prints."""

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from afn.common.errors import UserError
from afn.metrics import bootstrap, calibration, dcf, eer, tdcf, trial_files
from afn.metrics.bootstrap import LEVEL, Interval, Resampled
from afn.metrics.tdcf import Verifier
from afn.report import results_json

# A large file has narrow intervals: fewer resamples of it are enough.
MOST_WEIGHTS, LEAST = 4_000_000_000, 1_000


def evaluate(
    scores_path: Path,
    labels_path: Path | None,
    as_json: bool,
    verifier: Verifier | None,
    resamples: int,
    track: str,
) -> str:
    """All figures of a score file as text or JSON, against the labels in it or in the file at `labels_path`.

    Args:
        scores_path, labels_path: in any form that `afn.metrics.trial_files` reads; `track` is of ASVspoof 2021.
        as_json: in full precision.
        verifier: of the minimum t-DCF.
        resamples: of the bootstrap; less for millions of scores.

    Raises UserError if a file is not valid or a class is missing.
    """
    if labels_path is None and (kinds := trial_files.read_verification(scores_path)):
        return _of_verifier(scores_path, kinds, as_json, resamples)
    scores, key = trial_files.read(scores_path)
    if labels_path is not None:
        key = trial_files.read_key(labels_path, track)
    if key is None:
        raise UserError(f"{scores_path}: no labels in it. Give them by --labels FILE.")
    trials, values = trial_files.vector(scores, key, scores_path, labels_path or scores_path)
    del scores, key
    genuine, spoof = values[trials.genuine], values[~trials.genuine]
    measured = eer.measure(genuine, spoof)
    eers = measured.eers or {}
    resamples = min(resamples, max(LEAST, MOST_WEIGHTS // values.size))
    tandem = {year: tdcf.minimum(genuine, spoof, verifier, year) for year in tdcf.YEARS} if verifier else {}
    points = {
        "eer": eers[eer.LINEAR_ROC.name],
        "min_dcf": measured.min_dcf or 0.0,
        "act_dcf": dcf.act_dcf(genuine, spoof),
        "cllr": calibration.cllr(genuine, spoof),
        "min_cllr": calibration.min_cllr(genuine, spoof),
    } | {f"min_tdcf_{year}": found.minimum for year, found in tandem.items()}
    computed = _computed(values, trials.genuine, verifier)
    resampled, remark = bootstrap.figures(trials, values, computed, resamples)
    figures = {name: bootstrap.interval(value, resampled[name]) for name, value in points.items()}
    if as_json:
        content: dict[str, Any] = {
            "genuine": genuine.size,
            "spoof": spoof.size,
            "unit": "percent",
            "eer": {name: 100 * value for name, value in eers.items()},
            "eer_interval": {end: 100 * getattr(figures["eer"], end) for end in ("low", "high")},
            "threshold": {eer.OFFICIAL.name: measured.threshold},
            "definitions": {definition.name: definition.source for definition in eer.DEFINITIONS},
            "costs": {name: dataclasses.asdict(found) for name, found in figures.items() if name != "eer"},
            "bootstrap": {"level": LEVEL, "resamples": resamples, "definition": eer.LINEAR_ROC.name, "remark": remark},
        }
        if tandem:
            content["minimum_tdcf"] = {str(year): dataclasses.asdict(found) for year, found in tandem.items()}
        return results_json.dump(content)
    lines = [f"{scores_path}: {genuine.size} genuine, {spoof.size} spoof; higher scores = more genuine"]
    for definition in eer.DEFINITIONS:
        ends = _ends(figures["eer"], 100) if definition is eer.LINEAR_ROC else ""
        lines.append(_line(f"EER, {definition.title}", f"{100 * eers[definition.name]:.4f} %", ends, definition.source))
    lines.append(f"threshold, {eer.OFFICIAL.title}: {measured.threshold:.6g}; higher scores are accepted as genuine")
    lines += [_line(title, f"{figures[name].value:.4f}  ", _ends(figures[name]), about) for name, title, about in ABOUT]
    lines += [
        _line(f"minimum t-DCF, {year}", f"{found.minimum:.4f}  ", _ends(figures[f"min_tdcf_{year}"]), NORMALISED)
        for year, found in tandem.items()
    ]
    lines.append(_about_brackets(resamples, remark))
    return "\n".join(lines) + "\n"


NORMALISED = "normalised; 1 is the cost of a useless countermeasure"
ABOUT = (
    ("min_dcf", "minDCF", f"costs of ASVspoof 5, {NORMALISED}"),
    ("act_dcf", "actDCF", "the same at the Bayes threshold, if scores are log-likelihood ratios (natural logarithm)"),
    ("cllr", "Cllr", "bits, if scores are log-likelihood ratios; 1 is the cost of no information"),
    ("min_cllr", "minimum Cllr", "bits, after the best monotonic map to log-likelihood ratios"),
)


def _computed(
    scores: np.ndarray, genuine: np.ndarray, verifier: Verifier | None
) -> dict[str, Callable[[Resampled], np.ndarray]]:
    """The figures of every resample by name."""
    costs = np.where(genuine, calibration.trial_costs(scores, True), calibration.trial_costs(scores, False))
    accepted = (scores >= dcf.ASVSPOOF5.threshold).astype(float)

    def act_dcf(found: Resampled) -> np.ndarray:
        of_genuine, of_spoof = found.means(accepted)
        return dcf.normalised(1 - of_genuine, of_spoof)

    def min_tdcf(c0: float, c1: float, c2: float, found: Resampled) -> np.ndarray:
        lowest: np.ndarray = (c0 + c1 * found.misses + c2 * found.false_alarms).min(axis=0) / (c0 + min(c1, c2))
        return lowest

    computed: dict[str, Callable[[Resampled], np.ndarray]] = {
        "eer": Resampled.eers,
        "min_dcf": lambda found: dcf.normalised(found.misses, found.false_alarms).min(axis=0),
        "act_dcf": act_dcf,
        "cllr": lambda found: np.mean(found.means(costs), axis=0),
        "min_cllr": lambda found: calibration.min_cllrs(*(block[::-1] for block in reversed(found.blocks))),
    }
    if verifier:
        for year in tdcf.YEARS:
            computed[f"min_tdcf_{year}"] = partial(min_tdcf, *tdcf.constants(verifier, year))
    return computed


def _of_verifier(path: Path, kinds: dict[str, np.ndarray], as_json: bool, resamples: int) -> str:
    """The figures of a speaker verifier that also rejects replays. Its file has no speakers: trials are resampled."""
    resamples = min(resamples, max(LEAST, MOST_WEIGHTS // sum(scores.size for scores in kinds.values())))
    value, resampled = dcf.min_a_dcf(kinds["target"], kinds["nontarget"], kinds["spoof"], resamples=resamples)
    a_dcf = bootstrap.interval(value, resampled)
    against = {kind: eer.official_eer(kinds["target"], kinds[kind]) for kind in tdcf.KINDS[1:]}
    remark = f"resampled: {', '.join(f'the {scores.size} {kind} trials' for kind, scores in kinds.items())}"
    if as_json:
        content = {
            **{kind: scores.size for kind, scores in kinds.items()},
            "unit": "percent",
            "eer": {kind: 100 * value for kind, value in against.items()},
            "costs": {"min_a_dcf": dataclasses.asdict(a_dcf)},
            "bootstrap": {"level": LEVEL, "resamples": resamples, "remark": remark},
        }
        return results_json.dump(content)
    lines = [f"{path}: " + ", ".join(f"{scores.size} {kind}" for kind, scores in kinds.items())]
    lines += [
        _line(f"EER, targets : {kind}s", f"{100 * value:.4f} %", "", eer.OFFICIAL.source)
        for kind, value in against.items()
    ]
    lines.append(_line("minimum a-DCF", f"{value:.4f}  ", _ends(a_dcf), f"costs of ASVspoof 5, {NORMALISED}"))
    return "\n".join([*lines, _about_brackets(resamples, remark)]) + "\n"


def _about_brackets(resamples: int, remark: str) -> str:
    return f"in brackets: 95 % intervals of a bootstrap, {resamples} resamples ({remark})"


def _line(title: str, value: str, ends: str, about: str) -> str:
    return f"{title:<24}{value:>10} {ends:<20} {about}"


def _ends(found: Interval, scale: int = 1) -> str:
    return f"[{scale * found.low:.4f}, {scale * found.high:.4f}]"
