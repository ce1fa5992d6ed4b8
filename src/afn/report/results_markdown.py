"""RESULTS.md and a terminal's table; the same results give the same text."""

import dataclasses
from collections.abc import Sequence

from afn.metrics import eer
from afn.metrics.analysis import Analysis, Fused
from afn.metrics.bootstrap import Interval
from afn.metrics.results import (
    ABOUT_AVERAGING,
    ABOUT_THE_HEADLINE,
    ABSENT,
    NOT_RUN,
    SUBSETS,
    Counts,
    Row,
    Table,
    mean,
    percent,
    published,
    seed_list,
)

Lines = tuple[list[str], list[list[str]]]  # header, rows


def page(table: Table, analysis: Analysis) -> str:
    """The text of RESULTS.md. The paper's figures stand in it only where ours may be compared with them."""
    linear, *others = eer.DEFINITIONS
    counts = [[s, *_counts(table.counts.get(s))] for s in SUBSETS]
    parts = [
        f"# Results: {_cell(table.corpus)}",
        "Equal error rates (EER) in percent, lower is better; written by stage 3. Full precision is in results.json, "
        "breakdowns, calibration, heatmaps and training curves are in report.html.",
        _markdown_table(["subset", "genuine", "replayed", "utterances"], counts, left=1),
        table.remark,
        *_heading(linear),
        _markdown_table(*_systems(table, linear.name, analysis)),
    ]
    if remarks := _remarks(table):
        parts.append("\n".join(f"- {remark}" for remark in remarks))
    parts += [f"**{term}** {meaning}" for term, meaning in ABOUT_AVERAGING]
    if table.with_paper:
        parts.append(ABOUT_THE_HEADLINE)
    if analysis.bootstraps:
        drawn = "; ".join(f"{subset}, {boot.remark}" for subset, boot in analysis.bootstraps.items())
        parts.append(f"In brackets: 95 % intervals of a bootstrap, {analysis.resamples} resamples ({drawn}).")
    if analysis.fusions:
        parts += ["## Fusions", _markdown_table(*_fusions(table, analysis), left=2)]
        parts.append("Fusions are trained on dev: their dev figures are those of the trials they were fitted to.")
        parts += [f"- {f.title}: `{f.ratios.model}`" for f in analysis.fusions if f.ratios]
    if analysis.differences:
        rows = [[title, _signed(found)] for title, found in analysis.differences.items()]
        parts += [f"## Differences on {analysis.judged}", _markdown_table(["system", "EER, points"], rows, left=1)]
        parts.append(f"To {analysis.best}, the single system with the lowest dev EER, on the same trials.")
    for definition in others:
        parts += [*_heading(definition), _markdown_table(*_systems(table, definition.name))]
    if table.figure:
        parts += ["## DET curves", "Of the averaged scores; the marked points are the EERs by the linear ROC."]
        parts += [f"![DET curves of every system]({table.figure})"]
    rows = [
        [row.title, str(seed), *(_seed(row, subset, seed, analysis) for subset in SUBSETS)]
        for row in table.rows
        for seed in row.all_seeds
    ]
    if rows:
        parts += [f"## Seed by seed ({linear.title})", _markdown_table(["system", "seed", *SUBSETS], rows, left=1)]
    return "\n\n".join(parts) + "\n"


def text(table: Table, analysis: Analysis) -> str:
    """The main table for a terminal, columns aligned, and what is not run."""
    run = dataclasses.replace(table, rows=[row for row in table.rows if row.run])
    lines = _aligned(*_systems(run, eer.LINEAR_ROC.name, analysis), left=3) + _remarks(table)
    fused = [found for found in analysis.fusions if found.ratios]
    if fused:
        lines += ["", *_aligned(*_fusions(table, dataclasses.replace(analysis, fusions=fused)), left=2)]
        lines += [f"{found.title}: {found.ratios.model}" for found in fused]
    waiting = [row.title for row in table.rows if not row.run]
    waiting += [f"{found.title} ({found.reason})" for found in analysis.fusions if not found.ratios]
    return "\n".join([*lines, *([f"{NOT_RUN}: {'; '.join(waiting)}"] if waiting else [])])


def _systems(table: Table, definition: str, analysis: Analysis | None = None) -> Lines:
    """A row a system; with the `analysis` those not run, intervals and the paper's figures as well."""
    header = ["system", "trained on", "seeds"]
    header += [f"{subset}, mean ± sd" for subset in SUBSETS] + [f"{subset}, averaged scores" for subset in SUBSETS]
    rows = []
    for row in table.rows:
        if not row.run and analysis is None:
            continue
        cells = [row.title, row.trained_on if row.run else ABSENT]
        cells.append(seed_list(row.all_seeds) or ABSENT if row.run else NOT_RUN)
        cells += [mean(row.seeds.get(subset, {}), definition) for subset in SUBSETS]
        for subset in SUBSETS:
            cells.append(percent(row.averaged.get(subset), definition))
            if analysis and subset in row.averaged:
                cells[-1] += _ends(analysis.interval(subset, row.title))
        rows.append(cells)
    if table.with_paper and analysis is not None:
        header += [f"{subset}, paper" for subset in SUBSETS]
        shown = iter(rows)
        for row in table.rows:
            next(shown).extend(published(row.paper, subset) for subset in SUBSETS)
    return header, rows


def _fusions(table: Table, analysis: Analysis) -> Lines:
    header = ["fusion", "members", "dev, trained on it", "dev, cross-validated", "eval"]
    header += [f"{subset}, paper" for subset in SUBSETS] if table.with_paper else []
    rows = []
    for fused in analysis.fusions:
        cells = [fused.title, ", ".join(fused.members)]
        cells += _fused(fused, analysis) if fused.ratios else [f"{NOT_RUN}: {fused.reason}", ABSENT, ABSENT]
        rows.append(cells + ([published(fused.paper, s) for s in SUBSETS] if table.with_paper else []))
    return header, rows


def _fused(fused: Fused, analysis: Analysis) -> list[str]:
    linear, ratios = eer.LINEAR_ROC.name, fused.ratios
    dev, test = (
        percent(ratios.measured.get(subset), linear) + _ends(analysis.interval(subset, fused.title))
        for subset in SUBSETS
    )
    return [dev, percent(ratios.cross_validated, linear) if ratios.cross_validated.eers else ABSENT, test]


def _seed(row: Row, subset: str, seed: int, analysis: Analysis) -> str:
    cell = percent(row.seeds.get(subset, {}).get(seed), eer.LINEAR_ROC.name)
    return cell + _ends(analysis.interval(subset, row.title, seed))


def _ends(found: Interval | None) -> str:
    return f" [{100 * found.low:.2f}, {100 * found.high:.2f}]" if found else ""


def _signed(found: Interval) -> str:
    return f"{100 * found.value:+.2f} [{100 * found.low:+.2f}, {100 * found.high:+.2f}]"


def _counts(counts: Counts | None) -> list[str]:
    return [ABSENT] * 3 if counts is None else [str(counts[0]), str(counts[1]), str(sum(counts))]


def _remarks(table: Table) -> list[str]:
    return [f"{row.title}: {remark}" for row in table.rows for remark in row.remarks]


def _aligned(header: list[str], rows: list[list[str]], left: int) -> list[str]:
    """The lines of a table in plain text, the first `left` columns flush left."""
    header = [name.removesuffix(" scores") for name in header]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = []
    for line in [header, *rows]:
        pairs = list(zip(line, widths, strict=True))
        cells = [cell.ljust(width) for cell, width in pairs[:left]] + [c.rjust(width) for c, width in pairs[left:]]
        lines.append("  ".join(cells).rstrip())
    return lines


def _markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 3) -> str:
    """A table whose first `left` columns are flush left, the others flush right."""
    rule = ["---" if i < left else "--:" for i in range(len(header))]
    lines = [header, rule, *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _heading(definition: eer.Definition) -> tuple[str, str]:
    return f"## EER, {definition.title}", f"{definition.source[0].upper()}{definition.source[1:]}."
