"""The shortcut audit: how well properties of recordings that say nothing about replay separate the classes.

Each nuisance alone, and a logistic regression over all of them. Directions and weights are learnt on train, nothing on
dev or eval. A system that is no better than the regression may have learnt such properties instead of replay.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from afn.common import labels
from afn.common.errors import UserError
from afn.common.labels import GENUINE, SUBSETS
from afn.experiment.layout import Layout
from afn.features import nuisance
from afn.metrics import eer
from afn.metrics.analysis import Analysis
from afn.metrics.eer import Measured
from afn.report.other_corpora import Found

TELLING = 0.2  # an EER below this is a warning for a system whose features keep the nuisance
ALL = "all"  # the name of the regression
LINEAR = eer.LINEAR_ROC.name


@dataclass(frozen=True)
class AuditRow:
    """One nuisance, or all of them together."""

    name: str  # in nuisance.csv, or ALL
    title: str
    medians: tuple[float, float] | None  # on train: genuine, replayed
    eers: Mapping[str, float]  # subset -> EER (0..1); subsets without both classes are absent


@dataclass(frozen=True)
class Compared:
    """One system beside the audit on the judged subset; EERs are fractions (0..1)."""

    title: str
    beats: bool  # its EER is below that of the regression
    certain: bool  # and so is its 95 % interval
    keeps: tuple[str, ...]  # names of telling nuisances that its features keep
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Audit:
    """What the audit has found, or why there is none."""

    rows: Sequence[AuditRow] = ()  # the regression last
    judged: str = ""  # the subset on which systems are compared
    systems: Sequence[Compared] = ()
    reason: str = ""
    equalised: Found = field(default_factory=Found)  # systems on recordings without silence, at one level

    @property
    def sentences(self) -> list[str]:
        return [sentence for of in self.systems for sentence in of.sentences]


def find(
    layout: Layout,
    systems: Mapping[str, tuple[Mapping[str, Measured], frozenset[str]]],
    analysis: Analysis,
    tested: Found,
) -> Audit:
    """The audit of a corpus whose nuisances stage -2 has measured; `tested` are the scores of equalised recordings.

    `systems`: title -> EERs of its averaged scores by subset, and the nuisances that its features remove.
    """
    found = _measured(layout)
    if isinstance(found, str):
        return Audit(reason=found, equalised=tested)
    rows, judged = _rows(*found), analysis.judged
    compared = []
    for title, (measured, removes) in systems.items():
        eers = measured[judged].eers if judged in measured else None
        if eers and judged in rows[-1].eers:
            kept = tuple(r.name for r in rows[:-1] if r.eers[judged] < TELLING and r.name not in removes)
            compared.append(_compared(title, eers[LINEAR], kept, rows, analysis))
    return Audit(rows, judged, compared, "", tested)


def _measured(layout: Layout) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]] | str:
    """Subset -> nuisances float64[N × 14], and subset -> bool[N], genuine; or why they cannot be compared."""
    values, genuine = {}, {}
    for subset in SUBSETS:
        directory = layout.subset(subset)
        if not (directory / "utt2label").is_file():
            continue
        of = labels.read(directory / "utt2label")
        try:
            utts, matrix = nuisance.read(directory / nuisance.FILE)
        except UserError:
            return f"{subset} has no {nuisance.FILE}. Run stage -2."
        if set(utts) != of.keys():
            return f"{nuisance.FILE} of {subset} lists other utterances. Run stage -2 with --force."
        values[subset], genuine[subset] = matrix, np.array([of[utt] == GENUINE for utt in utts], dtype=bool)
    if "train" not in genuine or not 0 < genuine["train"].mean() < 1:
        return "the corpus has no train set with both classes, on which directions and weights are learnt."
    return values, genuine


def _rows(values: Mapping[str, np.ndarray], genuine: Mapping[str, np.ndarray]) -> list[AuditRow]:
    """A row for each nuisance, and one for all of them."""
    train, label = values["train"], genuine["train"]
    rows = []
    for column, (name, of) in enumerate(nuisance.NUISANCES.items()):
        sign = 1 if eer.linear_roc_eer(train[label, column], train[~label, column]) <= 0.5 else -1
        medians = float(np.median(train[label, column])), float(np.median(train[~label, column]))
        eers = _eers({subset: sign * matrix[:, column] for subset, matrix in values.items()}, genuine)
        rows.append(AuditRow(name, f"{of.title}, {of.unit}" if of.unit else of.title, medians, eers))
    regression = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
    regression.fit(train, label)
    scores = {subset: regression.decision_function(matrix) for subset, matrix in values.items()}
    return [*rows, AuditRow(ALL, "all together, logistic regression", None, _eers(scores, genuine))]


def _eers(scores: Mapping[str, np.ndarray], genuine: Mapping[str, np.ndarray]) -> dict[str, float]:
    return {
        subset: eer.linear_roc_eer(of[genuine[subset]], of[~genuine[subset]])
        for subset, of in scores.items()
        if 0 < genuine[subset].mean() < 1
    }


def _compared(title: str, rate: float, kept: tuple[str, ...], rows: Sequence[AuditRow], analysis: Analysis) -> Compared:
    judged, limit = analysis.judged, rows[-1].eers[analysis.judged]
    interval = analysis.interval(judged, title)
    beats, figures = rate < limit, f"{100 * rate:.2f} % against {100 * limit:.2f} % on {judged}"
    text = f"{title} {'beats' if beats else 'does not beat'} the audit, {figures}"
    certain = beats and interval is not None and interval.high < limit
    if beats and interval and not certain:
        text += f", but its 95 % interval reaches {100 * interval.high:.2f} %"
    sentences = [f"{text}."]
    if kept:
        alone = {row.name: row for row in rows}
        named = ", ".join(f"{nuisance.NUISANCES[name].title} ({100 * alone[name].eers[judged]:.2f} %)" for name in kept)
        sentences.append(
            f"Warning: the features of {title} keep what alone separates the classes of {judged} well: {named}."
        )
    return Compared(title, beats, certain, kept, tuple(sentences))
