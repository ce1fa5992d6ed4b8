"""RESULTS.md and the terminal's tables; the same results give the same text."""

from afn.common.labels import LABELS
from afn.metrics import eer
from afn.report import about, summary, tables
from afn.report.results import Results
from afn.report.tables import Grid


def page(results: Results) -> str:
    """The text of RESULTS.md. It has the paper's figures only where ours may be compared with them."""
    analysis, linear = results.analysis, eer.LINEAR_ROC
    parts = [
        f"# Results: {_cell(results.corpus)}",
        "Equal error rates (EER) in percent, lower is better; written by stage 3. Full precision is in results.json, "
        "breakdowns, heatmaps and training curves are in report.html.",
        " ".join(_cell(sentence) for sentence in [*summary.sentences(results), results.remark]),
        _markdown(tables.counts(results)),
        f"## EER, {linear.title}",
        f"{linear.source[0].upper()}{linear.source[1:]}.",
        _markdown(tables.systems(results)),
        "\n".join(f"- {_cell(remark)}" for remark in results.remarks),
        results.not_run().replace("not run", "Not run", 1),
        *(f"**{term}** {meaning}" for term, meaning in about.AVERAGING),
    ]
    if results.with_paper:
        parts.append(about.HEADLINE)
    if results.resampled:
        parts.append(
            f"In brackets: 95 % intervals of a bootstrap, {analysis.resamples} resamples ({results.resampled})."
        )
    if results.fused:
        parts += ["## Fusions", _markdown(tables.fusions(results)), "† The trials that the fusion was trained on."]
        parts.append("\n".join(f"- {_cell(of.title)}: `{ratios.model}`" for of, ratios in results.fused))
    if analysis.calibrated:
        parts += ["## Calibration", _markdown(tables.calibrations(results))]
        parts.append("Cllr in bits: 0 is perfect, 1 is the cost of no information. The minimum is for the best map.")
    if analysis.differences:
        parts += [f"## Differences on {analysis.judged}", _markdown(tables.differences(analysis.differences))]
        parts.append(f"To {analysis.best}, the single system with the lowest dev EER, on the same trials.")
    if results.elsewhere.rows:
        parts += ["## Other corpora", about.OTHER_CORPORA, _markdown(tables.matrix(results))]
        parts += [_markdown(tables.elsewhere(results))]
    parts += ["## Shortcut audit", *_audit(results)]
    parts += ["## EER by every definition", _markdown(tables.definitions(results))]
    parts.append("\n".join(f"- {definition.title}: {definition.source}" for definition in eer.DEFINITIONS))
    if results.figure:
        parts += ["## DET curves", "Of the averaged scores; the marked points are the EERs by the linear ROC."]
        parts += [f"![DET curves of every system]({results.figure})"]
    if any(row.all_seeds for row in results.rows):
        parts += [f"## Seed by seed ({linear.title})", _markdown(tables.seeds(results))]
    if found := results.worst.get(analysis.best):
        errors = ", ".join(f"{found.errors[label]} of {found.totals[label]} {label}" for label in LABELS)
        parts += [f"## Worst recordings of {_cell(analysis.best)} on {found.subset}"]
        parts += [f"Errors: {errors}; threshold {found.threshold:.4g}, that of the EER on {found.threshold_of}."]
        parts += [_markdown(tables.worst(found, label)) for label in LABELS]
    return "\n\n".join(part for part in parts if part) + "\n"


def _audit(results: Results) -> list[str]:
    """The audit's paragraphs and tables."""
    found = results.audit
    parts = [f"No audit: {found.reason}"]
    if found.rows:
        parts = [about.AUDIT, _markdown(tables.audit(results))]
        parts.append("\n".join(f"- {_cell(sentence)}" for sentence in found.sentences))
    return parts + ([about.EQUALISED, _markdown(tables.equalised(results))] if found.equalised.rows else [])


def text(results: Results) -> str:
    """The main tables for a terminal, remarks, and one line with what is not run."""
    lines = [*_aligned(tables.systems(results)), *results.remarks]
    if results.fused:
        lines += ["", *_aligned(tables.fusions(results))]
        lines += [f"{of.title}: {ratios.model}" for of, ratios in results.fused]
    if results.elsewhere.rows:
        lines += ["", *_aligned(tables.matrix(results)), "", *_aligned(tables.elsewhere(results)), ""]
    if results.audit.rows:
        lines += ["", *_aligned(tables.audit(results)), *results.audit.sentences, ""]
    if results.audit.equalised.rows:
        lines += [*_aligned(tables.equalised(results)), ""]
    lines += [f"no audit: {results.audit.reason}"] if results.audit.reason else []
    lines += [waiting] if (waiting := results.not_run()) else []
    lines += ["", *summary.sentences(results)[:2]] if results.analysis.best else []
    return "\n".join(lines)


def _aligned(grid: Grid) -> list[str]:
    """The lines of a table in plain text."""
    header = [cell.plain.removesuffix(" scores") for cell in grid.header]
    lines = [header, *([cell.plain for cell in row] for row in grid.rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if index < grid.left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]


def _markdown(grid: Grid) -> str:
    rule = ["---" if i < grid.left else "--:" for i in range(len(grid.header))]
    lines = [[_cell(cell.plain) for cell in row] for row in (grid.header, *grid.rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (lines[0], rule, *lines[1:]))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
