"""The results of a corpus: rows of measured systems, and the words that go with them wherever they are shown.

EERs are fractions (0..1) here and percent in whatever is written.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from afn.metrics import eer

SUBSETS = ("dev", "eval")
ABSENT, ONE_CLASS, NOT_RUN = "–", "one class only", "not run"
PAPER = "Lai et al. (ICASSP 2019), Table 2"

# Term and what it means; without figures of the paper, which do not belong beside those of another corpus
ABOUT_AVERAGING = (
    (
        "Mean ± sd",
        "is what one training run reaches: every seed's model is scored by itself, and the mean of their EERs and its "
        "standard deviation (with n - 1) stand here.",
    ),
    (
        "Averaged scores",
        "is an ensemble: each utterance's score is the mean of what all seeds' models give it (of networks the sigmoid "
        "outputs, of other systems the scores), and these means have one EER. An ensemble is usually better than its "
        "members, so the second figure tends to lie below the first.",
    ),
    (
        "The paper",
        "reports the latter: the network rows of Lai et al. (ICASSP 2019), Table 2, are EERs of the averaged scores of "
        "6 to 9 models. Compare those with our averaged scores, never with the mean, and mind the number of seeds.",
    ),
)
ABOUT_THE_HEADLINE = (
    "The paper's 8.99 % on eval is such a figure: the authors' scoring script averages the sigmoid outputs of 8 "
    "networks, trained alike but for chance, and takes one EER of the averages. No single network of the 8 is claimed "
    "to reach it; what one run is worth is the mean ± sd."
)
SIMULATED = (
    "This corpus is simulated: its replays were computed, not played and recorded. Its figures show that the pipeline "
    "works and tell systems apart; they say nothing about ASVspoof and cannot be compared with the paper's."
)
Counts = tuple[int, int]  # genuine, spoof utterances


@dataclass(frozen=True)
class Measured:
    """The EERs (0..1) of one set of scores by the `name` of every definition; no EERs where only one class is there."""

    eers: Mapping[str, float] | None = None
    threshold: float | None = None  # of the official definition, in units of the scores


@dataclass(frozen=True)
class Row:
    """One system: what its seeds and its averaged scores measure on each subset; a subset without scores is absent."""

    name: str  # its folder
    title: str
    paper: Mapping[str, float | None] = field(default_factory=dict)  # EERs in percent, subset -> figure
    seeds: Mapping[str, Mapping[int, Measured]] = field(default_factory=dict)  # subset -> seed -> measured
    averaged: Mapping[str, Measured] = field(default_factory=dict)  # subset -> measured
    averaged_seeds: tuple[int, ...] = ()
    remarks: tuple[str, ...] = ()
    trained_on: str = "train"  # or train+dev

    @property
    def all_seeds(self) -> tuple[int, ...]:
        return tuple(sorted({seed for subset in self.seeds.values() for seed in subset}))

    @property
    def run(self) -> bool:
        """Whether there is any score of it."""
        return bool(self.seeds or self.averaged)


@dataclass(frozen=True)
class Table:
    """All rows of a corpus; `counts` of the subsets that it has; `remark` on how the figures may be read."""

    corpus: str
    kind: str
    counts: Mapping[str, Counts]
    rows: Sequence[Row]  # those that are not run as well
    with_paper: bool  # whether ours may be compared with the paper's
    remark: str
    figure: str = ""  # file name of the DET curves, where some could be drawn


def knows_dev(trained_on: str) -> bool:
    """Whether a system trained on `train` or `train+dev` has learnt the dev utterances."""
    return "dev" in trained_on.split("+")


def measure(genuine: np.ndarray, spoof: np.ndarray) -> Measured:
    """Every definition's EER of one set of scores (higher = more genuine); raises UserError for NaN and infinity."""
    if not genuine.size or not spoof.size:
        return Measured()
    eers = {definition.name: definition.compute(genuine, spoof) for definition in eer.DEFINITIONS}
    return Measured(eers, eer.official_threshold(genuine, spoof))


def spread(measured: Iterable[Measured], definition: str) -> tuple[float, float | None] | None:
    """Mean and standard deviation (n - 1; None of a single one) of the EERs; None where there is no EER."""
    eers = [m.eers[definition] for m in measured if m.eers]
    if not eers:
        return None
    return float(np.mean(eers)), float(np.std(eers, ddof=1)) if len(eers) > 1 else None


def comparison(kind: str, counts: Mapping[str, Counts], complete: Mapping[str, Counts]) -> tuple[bool, str]:
    """Whether our figures may be compared with the paper's, and the sentence that says so or why not.

    `kind` is the corpus' kind, `counts` what it has, `complete` the published counts of ASVspoof 2017 V2.
    """
    if kind == "simulated":
        return False, SIMULATED
    if kind != "asvspoof2017":
        return False, "The paper's figures are for ASVspoof 2017 V2 and cannot be compared with those of this corpus."
    for subset in SUBSETS:
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


def mean(seeds: Mapping[int, Measured], definition: str) -> str:
    """The cell of the seeds' mean ± sd in percent."""
    found = spread(seeds.values(), definition)
    if found is None:
        return ONE_CLASS if seeds else ABSENT
    average, deviation = found
    return f"{100 * average:.2f} ± {ABSENT if deviation is None else f'{100 * deviation:.2f}'}"


def percent(measured: Measured | None, definition: str) -> str:
    """The cell of one EER in percent."""
    if measured is None:
        return ABSENT
    return ONE_CLASS if measured.eers is None else f"{100 * measured.eers[definition]:.2f}"


def published(paper: Mapping[str, float | None], subset: str) -> str:
    """The cell of the paper's figure."""
    return ABSENT if (figure := paper.get(subset)) is None else f"{figure:.2f}"
