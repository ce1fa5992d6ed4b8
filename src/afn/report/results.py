"""The results of a corpus: what RESULTS.md, the terminal, report.html and results.json all show.

EERs are fractions (0..1) here and percent in every output.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from afn.experiment.results_tree import Experiment
from afn.metrics import analysis, eer
from afn.metrics.analysis import Analysis, Fused, Ratios, ScoredSystem
from afn.metrics.eer import Measured
from afn.metrics.trials import SCORED_SUBSETS, Trials
from afn.report.audit import Audit
from afn.report.other_corpora import Found
from afn.report.worst import Worst

NOT_RUN = "not run"
PAPER = "Lai et al. (ICASSP 2019), Table 2"

SIMULATED = (
    "This corpus is simulated: its replays were computed, not played and recorded. Its figures show that the pipeline "
    "works and rank systems; they say nothing about ASVspoof and cannot be compared with the paper's."
)
Counts = tuple[int, int]  # genuine, spoof utterances


@dataclass(frozen=True)
class SystemRow:
    """One system: the EERs of its seeds and of its averaged scores; a subset without scores is absent."""

    name: str  # its folder
    title: str
    paper: Mapping[str, float | None] = field(default_factory=dict)  # subset -> EER in percent
    seeds: Mapping[str, Mapping[int, Measured]] = field(default_factory=dict)  # subset -> seed -> EERs
    averaged: Mapping[str, Measured] = field(default_factory=dict)  # subset -> EERs
    averaged_seeds: tuple[int, ...] = ()
    remarks: tuple[str, ...] = ()
    trained_on: str = "train"  # or train+dev

    @property
    def all_seeds(self) -> tuple[int, ...]:
        return tuple(sorted({seed for subset in self.seeds.values() for seed in subset}))

    @property
    def run(self) -> bool:
        """Whether the system has scores."""
        return bool(self.seeds or self.averaged)


@dataclass(frozen=True)
class Results:
    """All results of a corpus."""

    corpus: str
    kind: str
    counts: Mapping[str, Counts]  # of the subsets that the corpus has
    every: Sequence[SystemRow]  # with and without scores
    with_paper: bool  # whether our figures may be compared with the paper's
    remark: str  # how the figures may be read
    analysis: Analysis = field(default_factory=Analysis)
    figure: str = ""  # file name of the DET curves, if there are any
    worst: Mapping[str, Worst] = field(default_factory=dict)  # title -> the recordings with the largest errors
    elsewhere: Found = field(default_factory=Found)  # the systems on other corpora
    audit: Audit = field(default_factory=Audit)

    @property
    def rows(self) -> list[SystemRow]:
        """The systems that have scores."""
        return [row for row in self.every if row.run]

    @property
    def remarks(self) -> list[str]:
        return [
            *(f"{row.title}: {remark}" for row in self.rows for remark in row.remarks),
            *self.elsewhere.remarks,
            *self.audit.equalised.remarks,
        ]

    @property
    def fused(self) -> list[tuple[Fused, Ratios]]:
        """The fusions that are run, and their log-likelihood ratios."""
        return [(of, of.ratios) for of in self.analysis.fusions if of.ratios]

    @property
    def resampled(self) -> str:
        """What each bootstrap has resampled; empty if there are no intervals."""
        return "; ".join(f"{subset}, {boot.remark}" for subset, boot in self.analysis.bootstraps.items())

    def not_run(self) -> str:
        """One line with the names of all systems and fusions that are not run; empty if there are none."""
        systems = [row.name for row in self.every if not row.run]
        fusions = [fused.name for fused in self.analysis.fusions if fused.ratios is None]
        parts = [", ".join(systems)] if systems else []
        parts += [f"fusion{'s' if len(fusions) > 1 else ''} {', '.join(fusions)}"] if fusions else []
        return f"{NOT_RUN}: {'; '.join(parts)}" if parts else ""


def system_row(
    experiment: Experiment, title: str, system: ScoredSystem | None, trials: Mapping[str, Trials]
) -> SystemRow:
    """The row of an experiment; `system` holds its scores, None if it has none."""
    paper = {subset: getattr(experiment.paper, subset) for subset in SCORED_SUBSETS}
    row = SystemRow(experiment.name, title, paper, trained_on=experiment.trained_on)
    if system is None:
        return row

    def measured(subset: str, scores: np.ndarray) -> Measured:
        genuine = trials[subset].genuine
        return eer.measure(scores[genuine], scores[~genuine])

    averaged = {subset: measured(subset, scores) for subset, scores in system.averaged.items()}
    seeds = {s: {seed: measured(s, scores) for seed, scores in of.items()} for s, of in system.seeds.items()}
    row = dataclasses.replace(row, seeds=seeds, averaged=averaged, averaged_seeds=experiment.averaged_seeds)
    return dataclasses.replace(row, remarks=tuple(_remarks(row, experiment, trials)))


def _remarks(row: SystemRow, experiment: Experiment, subsets: Iterable[str]) -> Iterator[str]:
    """The paper's note, and what is incomplete or inconsistent in the row's seeds and averaged scores."""
    if experiment.paper.note:
        yield experiment.paper.note
    yield from experiment.left_out
    if analysis.trained_on_dev(row.trained_on) and "dev" in subsets:
        yield "trained on dev as well: its dev figures are of training utterances, and no fusion is trained on them"
    for subset in subsets:
        if absent := set(row.all_seeds) - row.seeds.get(subset, {}).keys():
            yield f"no {subset} scores of {named(absent)}; run stage 2 with --force"
        if subset not in row.averaged:
            yield f"no averaged {subset} scores; run stage 2"
    if row.averaged and row.averaged_seeds != row.all_seeds:
        averaged, there = named(row.averaged_seeds), named(row.all_seeds)
        yield f"the averaged scores are of {averaged}, the single ones of {there}; run stage 2"
    elif row.averaged and experiment.stale:
        yield f"the averaged scores are older than those of {named(experiment.stale)}; run stage 2"


def comparison(kind: str, counts: Mapping[str, Counts], complete: Mapping[str, Counts]) -> tuple[bool, str]:
    """Whether our figures may be compared with the paper's, and the sentence that says so or why not.

    `kind` is the corpus' kind, `counts` what it has, `complete` the published counts of ASVspoof 2017 V2.
    """
    if kind == "simulated":
        return False, SIMULATED
    if kind != "asvspoof2017":
        return False, "The paper's figures are for ASVspoof 2017 V2 and cannot be compared with those of this corpus."
    for subset in SCORED_SUBSETS:
        if counts.get(subset) != complete[subset]:
            there, whole = sum(counts.get(subset, (0, 0))), sum(complete[subset])
            return False, (
                f"Only a part of the corpus is here ({subset}: {there} of {whole} utterances), "
                "so its figures cannot be compared with the paper's."
            )
    return True, f"The paper's figures are those of {PAPER}, on the same utterances."


def named(seeds: Iterable[int]) -> str:
    """Seeds in a sentence: seed 1, seeds 1-3, no seed."""
    seeds = tuple(seeds)
    return f"seed{'s' if len(seeds) > 1 else ''} {seed_list(seeds)}" if seeds else "no seed"


def seed_list(seeds: Iterable[int]) -> str:
    """Seeds in short, as 1-3, 5."""
    runs: list[list[int]] = []
    for seed in sorted(seeds):
        if runs and seed == runs[-1][1] + 1:
            runs[-1][1] = seed
        else:
            runs.append([seed, seed])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
