"""The results of a corpus: rows of measured systems, and RESULTS.md, results.json and a terminal's table made of them.

EERs are fractions (0..1) here and percent in whatever is written. The same rows always give the same text.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from evaluation import eer

SUBSETS = ("dev", "eval")
ABSENT, ONE_CLASS = "–", "one class only"
PAPER = "Lai et al. (ICASSP 2019), Table 2"

ABOUT_AVERAGING = (
    "**Mean ± sd** is what one training run reaches: every seed's model is scored by itself, and the mean of their "
    "EERs and its standard deviation (with n - 1) stand here. **Averaged scores** is an ensemble: each utterance's "
    "score is the mean of the sigmoid outputs of all seeds' models, and these scores have one EER. An ensemble is "
    "usually better than its members, so the second figure tends to lie below the first. The network rows of Lai et "
    "al. (ICASSP 2019), Table 2, are EERs of the averaged scores of 6 to 9 models: compare those with our averaged "
    "scores, never with the mean, and mind the number of seeds."
)

SIMULATED = (
    "This corpus is simulated: its replays were computed, not played and recorded. Its figures show that the pipeline "
    "works and tell systems apart; they say nothing about ASVspoof, so no column of the paper's figures stands beside "
    "them."
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

    @property
    def all_seeds(self) -> tuple[int, ...]:
        return tuple(sorted({seed for subset in self.seeds.values() for seed in subset}))


@dataclass(frozen=True)
class Table:
    """All rows of a corpus; `counts` of the subsets that it has; `remark` on how the figures may be read."""

    corpus: str
    kind: str
    counts: Mapping[str, Counts]
    rows: Sequence[Row]
    with_paper: bool
    remark: str
    figure: str = ""  # file name of the DET curves, where some could be drawn


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
    """Whether the paper's figures may stand beside ours, and the sentence that says so or why not.

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
                "so no column of the paper's figures stands beside ours."
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


def to_markdown(table: Table) -> str:
    """The text of RESULTS.md."""
    linear, *others = eer.DEFINITIONS
    counts = [[s, *_counts(table.counts.get(s))] for s in SUBSETS]
    parts = [
        f"# Results: {_cell(table.corpus)}",
        "Equal error rates (EER) in percent, lower is better; written by stage 3. Full precision is in results.json.",
        _markdown_table(["subset", "genuine", "replayed", "utterances"], counts, left=1),
        table.remark,
        *_heading(linear),
        _markdown_table(*_main_table(table)),
    ]
    if remarks := _remarks(table):
        parts.append("\n".join(f"- {remark}" for remark in remarks))
    parts.append(ABOUT_AVERAGING)
    for definition in others:
        parts += [*_heading(definition), _markdown_table(*_figures_table(table, definition.name))]
    if table.figure:
        parts += ["## DET curves", "Of the averaged scores; the marked points are the EERs by the linear ROC."]
        parts += [f"![DET curves of every system]({table.figure})"]
    rows = [
        [row.title, str(seed), *(_percent(row.seeds.get(s, {}).get(seed), linear.name) for s in SUBSETS)]
        for row in table.rows
        for seed in row.all_seeds
    ]
    if rows:
        parts += [f"## Seed by seed ({linear.title})", _markdown_table(["system", "seed", *SUBSETS], rows, left=1)]
    return "\n\n".join(parts) + "\n"


def to_text(table: Table) -> str:
    """The main table for a terminal, columns aligned."""
    header, rows = _main_table(table)
    header = [name.removesuffix(" scores") for name in header]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = []
    for line in [header, *rows]:
        pairs = list(zip(line, widths, strict=True))
        cells = [cell.ljust(width) for cell, width in pairs[:2]] + [cell.rjust(width) for cell, width in pairs[2:]]
        lines.append("  ".join(cells))
    return "\n".join(line.rstrip() for line in [*lines, *_remarks(table)])


def to_json(table: Table) -> str:
    """The text of results.json: everything in full precision, EERs in percent."""
    content = {
        "corpus": {"name": table.corpus, "kind": table.kind},
        "unit": "percent",
        "definitions": {definition.name: definition.source for definition in eer.DEFINITIONS},
        "subsets": {
            s: dict(zip(("genuine", "spoof"), table.counts[s], strict=True)) if s in table.counts else None
            for s in SUBSETS
        },
        "remark": table.remark,
        "systems": [_row_content(row, table.with_paper) for row in table.rows],
    }
    return dump(content)


def dump(content: Mapping[str, Any]) -> str:
    """JSON text in the order of `content`, floats in full precision; NaN is refused."""
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def figures(measured: Measured | None) -> dict[str, float] | None:
    """The EERs in percent and the official threshold by name, for JSON."""
    if measured is None or measured.eers is None:
        return None
    return {name: 100 * value for name, value in measured.eers.items()} | {"official_threshold": measured.threshold}


def _row_content(row: Row, with_paper: bool) -> dict[str, Any]:
    content: dict[str, Any] = {"name": row.name, "title": row.title, "seeds": list(row.all_seeds)}
    content["averaged_seeds"] = list(row.averaged_seeds)
    for subset in SUBSETS:
        seeds = row.seeds.get(subset, {})
        spreads = {d.name: spread(seeds.values(), d.name) for d in eer.DEFINITIONS}
        content[subset] = {
            "per_seed": {str(seed): figures(seeds[seed]) for seed in sorted(seeds)},
            "mean": {name: 100 * found[0] for name, found in spreads.items() if found},
            "standard_deviation": {
                name: None if found[1] is None else 100 * found[1] for name, found in spreads.items() if found
            },
            "averaged": figures(row.averaged.get(subset)),
        }
        if with_paper:
            content[subset]["paper"] = row.paper.get(subset)
    content["remarks"] = list(row.remarks)
    return content


def _main_table(table: Table) -> tuple[list[str], list[list[str]]]:
    header, rows = _figures_table(table, eer.LINEAR_ROC.name)
    if table.with_paper:
        header += [f"{subset}, paper" for subset in SUBSETS]
        for cells, row in zip(rows, table.rows, strict=True):
            cells += [ABSENT if (figure := row.paper.get(s)) is None else f"{figure:.2f}" for s in SUBSETS]
    return header, rows


def _figures_table(table: Table, definition: str) -> tuple[list[str], list[list[str]]]:
    header = ["system", "seeds"]
    header += [f"{subset}, mean ± sd" for subset in SUBSETS] + [f"{subset}, averaged scores" for subset in SUBSETS]
    rows = [
        [
            row.title,
            seed_list(row.all_seeds) or ABSENT,
            *(_mean(row.seeds.get(subset, {}), definition) for subset in SUBSETS),
            *(_percent(row.averaged.get(subset), definition) for subset in SUBSETS),
        ]
        for row in table.rows
    ]
    return header, rows


def _mean(seeds: Mapping[int, Measured], definition: str) -> str:
    found = spread(seeds.values(), definition)
    if found is None:
        return ONE_CLASS if seeds else ABSENT
    mean, deviation = found
    return f"{100 * mean:.2f} ± {ABSENT if deviation is None else f'{100 * deviation:.2f}'}"


def _percent(measured: Measured | None, definition: str) -> str:
    if measured is None:
        return ABSENT
    return ONE_CLASS if measured.eers is None else f"{100 * measured.eers[definition]:.2f}"


def _counts(counts: Counts | None) -> list[str]:
    return [ABSENT] * 3 if counts is None else [str(counts[0]), str(counts[1]), str(sum(counts))]


def _remarks(table: Table) -> list[str]:
    return [f"{row.title}: {remark}" for row in table.rows for remark in row.remarks]


def _markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 2) -> str:
    """A table whose first `left` columns are flush left, the others flush right."""
    rule = ["---" if i < left else "--:" for i in range(len(header))]
    lines = [header, rule, *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _heading(definition: eer.Definition) -> tuple[str, str]:
    return f"## EER, {definition.title}", f"{definition.source[0].upper()}{definition.source[1:]}."
