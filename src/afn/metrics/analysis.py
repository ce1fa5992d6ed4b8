"""Calibration, fusions, intervals, differences, breakdown and t-DCF of all systems of a corpus.

Systems and fusions are named by their titles, which are unique.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from afn.common.errors import UserError
from afn.metrics import bootstrap, breakdown, calibration, dcf, eer, fusion, tdcf
from afn.metrics.bootstrap import Bootstrap, Interval
from afn.metrics.breakdown import TrialGroup
from afn.metrics.conditions import TrialConditions
from afn.metrics.eer import Measured
from afn.metrics.fusion import Fusion, FusionSettings
from afn.metrics.tdcf import Tandem, Verifier
from afn.metrics.trials import SCORED_SUBSETS, Trials


def trained_on_dev(trained_on: str) -> bool:
    """Whether a system trained on `train` or `train+dev` was trained on the dev utterances."""
    return "dev" in trained_on.split("+")


@dataclass(frozen=True, eq=False)
class ScoredSystem:
    """The scores of one system in the order of the trials, float[N]; subsets and seeds without scores are absent."""

    name: str
    title: str
    averaged: Mapping[str, np.ndarray] = field(default_factory=dict)  # subset -> scores
    seeds: Mapping[str, Mapping[int, np.ndarray]] = field(default_factory=dict)  # subset -> seed -> scores
    trained_on: str = "train"
    probabilities: bool = False  # averaged scores are means of sigmoids (0..1); single seeds are logits

    @property
    def usable_on_dev(self) -> bool:
        """Whether it has dev scores and was not trained on dev: its calibration and fusions may be trained there."""
        return "dev" in self.averaged and not trained_on_dev(self.trained_on)


@dataclass(frozen=True)
class Cost:
    """Cost of log-likelihood ratios in bits, its minimum after the best calibration, and of decisions by them."""

    cllr: float
    min_cllr: float
    act_dcf: float  # at the Bayes threshold, normalised, costs of ASVspoof 5


@dataclass(frozen=True, eq=False)
class Ratios:
    """Log-likelihood ratios by a regression trained on dev: a fusion of several systems, or the calibration of one."""

    model: Fusion
    llrs: Mapping[str, np.ndarray]  # subset -> float64[N]
    measured: Mapping[str, Measured]  # those of dev are of the training trials
    costs: Mapping[str, Cost]  # of subsets that have both classes
    cross_validated: Measured  # on dev, without the trial's speaker and configuration in training
    cross_validated_cost: Cost | None
    remark: str  # how it was cross-validated, or why not


@dataclass(frozen=True, eq=False)
class Fused:
    """One fusion; if it has no `ratios`, `reason` says why."""

    name: str
    title: str
    paper: Mapping[str, float]
    members: Sequence[str]
    ratios: Ratios | None = None
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Analysis:
    """All results on the averaged scores beyond the EERs of the table."""

    calibrated: Mapping[str, Ratios] = field(default_factory=dict)  # systems whose scores could be calibrated on dev
    fusions: Sequence[Fused] = ()
    bootstraps: Mapping[str, Bootstrap] = field(default_factory=dict)  # subset -> seeds, averages and fusions
    resamples: int = 0
    judged: str = ""  # the subset of differences, breakdown and t-DCF
    best: str = ""  # the system of the lowest dev EER, to which others are compared
    differences: Mapping[str, Interval] = field(default_factory=dict)  # EER minus that of `best`
    groups: Sequence[TrialGroup] = ()
    verifier: Verifier | None = None
    tandem: Mapping[str, Mapping[int, Tandem]] = field(default_factory=dict)  # title -> definition -> minimum t-DCF
    tandem_remark: str = ""  # why there is none although an ASV is given

    def interval(self, subset: str, title: str, seed: int | None = None) -> Interval | None:
        """The 95 % interval of a system's or fusion's averaged scores, or of one seed's."""
        boot = self.bootstraps.get(subset)
        return boot.interval(key(title, seed)) if boot and key(title, seed) in boot.eers else None


def key(title: str, seed: int | None = None) -> str:
    """The name of a system's averaged scores, or of one of its seeds, in a bootstrap."""
    return title if seed is None else f"{title}\tseed {seed}"


def analyse(
    trials: Mapping[str, Trials],
    systems: Sequence[ScoredSystem],
    fusions: Mapping[str, tuple[str, FusionSettings]],
    conditions: TrialConditions | None = None,
    resamples: int = bootstrap.RESAMPLES,
    verifier: Verifier | None = None,
) -> Analysis:
    """Calibrate and fuse on dev; compute intervals, differences, the breakdown and the t-DCF (with a `verifier`).

    `trials` maps a subset (dev, eval) to its trials; a subset may be absent, or hold one class only. `fusions` maps a
    name to title and settings. `conditions` are the meaning of the codes of replay conditions in this corpus.

    Nothing is chosen on eval: regressions are trained on dev, and the system that the others are compared to is the
    best on dev.
    """
    complete = [subset for subset in SCORED_SUBSETS if subset in trials and 0 < trials[subset].genuine.mean() < 1]
    calibrated = {s.title: r for s in systems if (r := calibrate(trials, s)) is not None}
    fused = [fuse(trials, systems, name, title, settings) for name, (title, settings) in fusions.items()]
    judged = complete[-1] if complete else ""
    vectors: dict[str, dict[str, np.ndarray]] = {}
    bootstraps = {}
    for subset in complete:
        vectors[subset] = {s.title: s.averaged[subset] for s in systems if subset in s.averaged}
        vectors[subset] |= {f.title: f.ratios.llrs[subset] for f in fused if f.ratios and subset in f.ratios.llrs}
        seeds = {key(s.title, n): v for s in systems for n, v in s.seeds.get(subset, {}).items()}
        if vectors[subset] or seeds:
            bootstraps[subset] = bootstrap.bootstrap(
                trials[subset], vectors[subset] | seeds, resamples, label=f"bootstrap {subset}"
            )
    best = best_on_dev(trials, systems, judged)
    compared = dict(vectors.get(judged, {}))
    if judged == "dev":  # fusions are trained there
        compared = {s.title: compared[s.title] for s in systems if s.title in compared}
    tandem, tandem_remark = tandems(trials[judged], compared, verifier) if verifier and compared else ({}, "")
    return Analysis(
        calibrated,
        fused,
        bootstraps,
        resamples,
        judged,
        best,
        {t: bootstraps[judged].difference(t, best) for t in compared if t != best} if best else {},
        breakdown.breakdown(trials[judged], compared, conditions) if compared else (),
        verifier,
        tandem,
        tandem_remark,
    )


def ratios(
    trials: Mapping[str, Trials], members: Sequence[str], scores: Mapping[str, np.ndarray], logits: bool, smoothed: bool
) -> Ratios:
    """Train on dev and apply to all `scores` (subset -> float[N × members]); arguments and errors as `fusion.train`."""
    dev = trials["dev"]
    model = fusion.train(scores["dev"], dev.genuine, members, logits, smoothed)
    validated = fusion.cross_validate(scores["dev"], dev, members, logits, smoothed)
    llrs = {subset: model.llrs(matrix) for subset, matrix in scores.items()}
    classes = {subset: (v[trials[subset].genuine], v[~trials[subset].genuine]) for subset, v in llrs.items()}
    return Ratios(
        model,
        llrs,
        {subset: eer.measure(*both) for subset, both in classes.items()},
        {subset: found for subset, both in classes.items() if (found := cost(*both))},
        eer.measure(validated.genuine, validated.spoof),
        cost(validated.genuine, validated.spoof),
        validated.remark,
    )


def cost(genuine: np.ndarray, spoof: np.ndarray) -> Cost | None:
    """Cllr and minimum Cllr of log-likelihood ratios; None where a class is missing."""
    if not genuine.size or not spoof.size:
        return None
    return Cost(calibration.cllr(genuine, spoof), calibration.min_cllr(genuine, spoof), dcf.act_dcf(genuine, spoof))


def calibrate(trials: Mapping[str, Trials], system: ScoredSystem) -> Ratios | None:
    """The log-likelihood ratios of one system; None if they cannot be trained on dev.

    Averaged scores that are probabilities are calibrated by their log odds.
    """
    if not system.usable_on_dev:
        return None
    try:
        columns = {subset: scores[:, None] for subset, scores in system.averaged.items()}
        return ratios(trials, [system.name], columns, logits=system.probabilities, smoothed=True)
    except UserError:  # one class only, or the same score for all
        return None


def fuse(
    trials: Mapping[str, Trials], systems: Sequence[ScoredSystem], name: str, title: str, settings: FusionSettings
) -> Fused:
    """One fusion of single systems, or the reason why it is not possible."""
    found = {s.name: s.averaged for s in systems if s.usable_on_dev}
    members, missing = settings.chosen(found)
    made = Fused(name, title, settings.paper, members)
    if unusable := [s.name for s in systems if s.name in missing and "dev" in s.averaged]:
        return replace(made, reason=f"trained on dev, as a fusion is: {', '.join(unusable)}")
    if missing:
        return replace(made, reason=f"no averaged dev scores of {', '.join(missing)}")
    if len(members) < 2:
        return replace(made, reason=f"{len(members) or 'no'} system{'' if len(members) == 1 else 's'} to fuse")
    matrices = {
        subset: np.column_stack([found[member][subset] for member in members])
        for subset in trials
        if all(subset in found[member] for member in members)
    }
    try:
        return replace(made, ratios=ratios(trials, members, matrices, settings.logits, smoothed=False))
    except UserError as error:
        return replace(made, reason=str(error))


def best_on_dev(trials: Mapping[str, Trials], systems: Sequence[ScoredSystem], judged: str) -> str:
    """The title of the system with the lowest dev EER among those with `judged` scores; the first of equals."""
    eers = {}
    for system in systems:
        if system.usable_on_dev and judged in system.averaged:
            scores, genuine = system.averaged["dev"], trials["dev"].genuine
            measured = eer.measure(scores[genuine], scores[~genuine])
            if measured.eers:
                eers[system.title] = measured.eers["linear_roc"]
    return min(eers, key=eers.__getitem__, default="")


def tandems(
    trials: Trials, scores: Mapping[str, np.ndarray], verifier: Verifier
) -> tuple[dict[str, dict[int, Tandem]], str]:
    """The minimum t-DCF of every system by both definitions; the remark says why if it is not defined."""
    genuine = trials.genuine
    try:
        return {
            title: {year: tdcf.minimum(v[genuine], v[~genuine], verifier, year) for year in (2019, 2021)}
            for title, v in scores.items()
        }, ""
    except UserError as error:
        return {}, str(error)
