"""The tables of report.html."""

import colorsys
from collections.abc import Mapping, Sequence

from afn.metrics import eer
from afn.metrics.analysis import Analysis, Cost, Fused
from afn.metrics.bootstrap import Interval
from afn.metrics.breakdown import TITLES, Group
from afn.metrics.results import ABSENT, NOT_RUN, SUBSETS, Table, mean, percent, published, seed_list
from afn.report.markup import Cell, Html, code, element, join, strong, table, text

LINEAR = eer.LINEAR_ROC.name
YEARS = (2019, 2021)  # of the definitions of the t-DCF


def systems(results: Table, analysis: Analysis) -> Html:
    """The paper's table: every system, run or not, with the paper's figures beside ours."""
    test = analysis.judged or SUBSETS[-1]
    tandem = bool(analysis.tandem)
    head = [Cell("system", rows=2), Cell("trained on", "left", rows=2), Cell("seeds", "left", rows=2)]
    head += [Cell(subset, "group", span=2) for subset in SUBSETS]
    head += [Cell(join(["Cllr", under(f"minimum, {test}")]), rows=2)]
    head += [Cell(join(["min t-DCF", under(f"2019 / 2021, {test}")]), rows=2)] if tandem else []
    head.append(Cell("paper", _paper(results, "group"), span=2))
    names = [name for _ in SUBSETS for name in ("mean ± sd", join(["averaged scores", under("95 % interval")]))]
    below = [*names, *(Cell(subset, _paper(results)) for subset in SUBSETS)]
    rows = []
    for row in results.rows:
        cells: list[Cell | str] = [_title(row.title, row.name)]
        if row.run:
            cells += [Cell(row.trained_on, "left"), Cell(seed_list(row.all_seeds) or ABSENT, "left")]
            for subset in SUBSETS:
                cells.append(mean(row.seeds.get(subset, {}), LINEAR))
                shown = percent(row.averaged.get(subset), LINEAR)
                cells.append(_sure(shown, analysis.interval(subset, row.title) if subset in row.averaged else None))
            calibrated = analysis.calibrated.get(row.title)
            cells.append(_cost(calibrated.costs.get(test) if calibrated else None))
            cells += [_tandem(analysis, row.title)] if tandem else []
        else:
            cells.append(Cell(NOT_RUN, "absent", span=7 + tandem))
        rows.append([*cells, *_published(results, row.paper)])
    return table([head, below], [rows], "Equal error rates of every system")


def fusions(results: Table, analysis: Analysis) -> Html:
    """Every fusion, run or not; its dev figure is marked, and the cross-validated one stands beside it."""
    test = analysis.judged or SUBSETS[-1]
    tandem = bool(analysis.tandem)
    head: list[Cell | str] = ["fusion", join(["dev †", under("trained on it")])]
    head += [join(["dev", under("cross-validated")]), join(["eval", under("95 % interval")])]
    head.append(join(["Cllr", under(f"minimum, {test}")]))
    head += [join(["min t-DCF", under(f"2019 / 2021, {test}")])] if tandem else []
    head += [Cell(join(["paper", under(mark)]), _paper(results)) for mark in ("dev †", "eval")]
    rows = []
    for fused in analysis.fusions:
        cells: list[Cell | str] = [_title(fused.title, fused.name)]
        if fused.ratios:
            measured = fused.ratios.measured
            cells.append(_sure(f"{percent(measured.get('dev'), LINEAR)} †", analysis.interval("dev", fused.title)))
            cells.append(_or_absent(percent(fused.ratios.cross_validated, LINEAR), fused.ratios.cross_validated.eers))
            cells.append(_sure(percent(measured.get("eval"), LINEAR), analysis.interval("eval", fused.title)))
            cells.append(_cost(fused.ratios.costs.get(test)))
            cells += [_tandem(analysis, fused.title)] if tandem else []
        else:
            cells.append(Cell(f"{NOT_RUN}: {fused.reason}", "absent", span=4 + tandem))
        rows.append([*cells, *_published(results, fused.paper)])
    return table([head], [rows], "Equal error rates of every fusion")


def weights(run: Sequence[Fused]) -> Html:
    """What the fusions have learnt on dev."""
    rows = [
        [
            _title(fused.title, fused.name),
            Cell(code(str(fused.ratios.model)), "left wide"),
        ]
        for fused in run
    ]
    head = ["fusion", Cell("weights", "left")]
    return table([head], [rows], "Weights of the fusions")


def calibrations(analysis: Analysis) -> Html:
    """Cllr and its minimum, of systems and fusions."""
    run = {title: (found, False) for title, found in analysis.calibrated.items()}
    run |= {fused.title: (fused.ratios, True) for fused in analysis.fusions if fused.ratios}
    head = ["log-likelihood ratios of", join(["dev †", under("minimum")])]
    head += [join(["dev", under("cross-validated, minimum")]), join(["eval", under("minimum")])]
    head.append(Cell("from scores to ratios", "left"))
    rows = []
    for title, (ratios, several) in run.items():
        costs = ratios.costs.get("dev"), ratios.cross_validated_cost, ratios.costs.get("eval")
        formula = Cell("see the weights above" if several else code(str(ratios.model)), "left wide")
        rows.append([title, *map(_cost, costs), formula])
    return table([head], [rows], "Calibration")


def definitions(results: Table) -> Html:
    """The EERs of the averaged scores by each definition."""
    head = [Cell("system", rows=2), *(Cell(d.title, "group", span=2) for d in eer.DEFINITIONS)]
    below = [subset for _ in eer.DEFINITIONS for subset in SUBSETS]
    rows = [
        [row.title, *(percent(row.averaged.get(s), d.name) for d in eer.DEFINITIONS for s in SUBSETS)]
        for row in results.rows
        if row.run
    ]
    return table([head, below], [rows], "Averaged scores by every definition of the EER")


def seeds(results: Table, analysis: Analysis) -> Html:
    """The EER of every seed with its interval."""
    every = sorted({seed for row in results.rows for seed in row.all_seeds})
    rows: list[list[Cell | str]] = []
    for row in results.rows:
        for subset, found in row.seeds.items():
            cells = [
                _sure(percent(found.get(seed), LINEAR), analysis.interval(subset, row.title, seed)) for seed in every
            ]
            rows.append([row.title, Cell(subset, "left"), *cells])
    head = ["system", Cell("subset", "left"), *(f"seed {seed}" for seed in every)]
    return table([head], [rows], "Every seed")


def differences(found: Mapping[str, Interval]) -> Html:
    """The paired differences, each with a whisker: its interval around 0."""
    reach = max(max(abs(i.low), abs(i.high), abs(i.value)) for i in found.values()) or 1.0
    rows = []
    for title, interval in sorted(found.items(), key=lambda pair: pair[1].value):
        ends = f"{100 * interval.low:+.2f} to {100 * interval.high:+.2f}"
        sure = "higher" if interval.low > 0 else "lower" if interval.high < 0 else "not told apart"
        rows.append([title, Cell(f"{100 * interval.value:+.2f}", "main"), ends, _whisker(interval, reach),
                     Cell(sure, "left")])  # fmt: skip
    head = ["system or fusion", "difference", "95 % interval", "", Cell("at 95 %", "left")]
    return table([head], [rows], "Differences to the best single system")


def groups(found: Sequence[Group]) -> Html:
    """The breakdown: EERs of every group of replays, shaded; a body for each factor."""
    top = max(max(group.eers.values()) for group in found) or 1.0
    bodies: list[list[list[Cell | str]]] = []
    factor, with_threats = "", any(any(group.threats) for group in found)
    for group in found:
        if group.factor != factor:
            factor = group.factor
            bodies.append([[Cell(strong(TITLES[factor]), span=len(group.eers) + 2 + with_threats)]])
        threats = ", ".join(threat or "?" for threat in group.threats) if any(group.threats) else ""
        cells = [group.label, f"{group.replays:,}", *([Cell(threats, "left")] if with_threats else [])]
        bodies[-1].append(cells + [_shaded(rate, top) for rate in group.eers.values()])
    head = ["replays", "number", *([Cell("threat", "left")] if with_threats else []), *found[0].eers]
    return table([head], bodies, "Equal error rates by kind of replay", "breakdown")


def under(content: str) -> Html:
    """A second, smaller line within a cell."""
    return element("span", content, class_="sub")


def _title(title: str, name: str) -> Cell:
    return Cell(join([title, under(name)]) if title != name else text(title))


def _sure(shown: str, interval: Interval | None) -> Cell:
    if interval is None:
        return Cell(shown, "main")
    return Cell(join([shown, under(f"{100 * interval.low:.2f} – {100 * interval.high:.2f}")]), "main")


def _cost(cost: Cost | None) -> Cell:
    return Cell(ABSENT) if cost is None else Cell(join([f"{cost.cllr:.3f}", under(f"{cost.min_cllr:.3f}")]))


def _tandem(analysis: Analysis, title: str) -> Cell:
    found = analysis.tandem.get(title)
    return Cell(" / ".join(f"{found[year].minimum:.4f}" for year in YEARS) if found else ABSENT)


def _or_absent(shown: str, there: object) -> str:
    return shown if there else ABSENT


def _paper(results: Table, kind: str = "") -> str:
    return f"{kind} paper{'' if results.with_paper else ' grey'}".strip()


def _published(results: Table, paper: Mapping[str, float | None]) -> list[Cell]:
    return [Cell(published(paper, subset), _paper(results)) for subset in SUBSETS]


def _shaded(rate: float, top: float) -> Cell:
    """The darker, the higher the EER: from white to a blue on which black can still be read."""
    channels = colorsys.hls_to_rgb(0.57, 1 - 0.36 * rate / top, 0.75)
    colour = "#" + "".join(f"{round(255 * channel):02x}" for channel in channels)
    return Cell(Html(f'<span style="background:{colour}">{100 * rate:.1f}</span>'), "shade")


def _whisker(interval: Interval, reach: float) -> Cell:
    low, value, high = (100 + 96 * v / reach for v in (interval.low, interval.value, interval.high))
    return Cell(Html(
        '<svg class="whisker" viewBox="0 0 200 18" role="img" aria-hidden="true">'
        '<line x1="100" x2="100" y1="0" y2="18" stroke="#8b949e" stroke-dasharray="2 2"/>'
        f'<line x1="{low:.1f}" x2="{high:.1f}" y1="9" y2="9" stroke="#0072b2" stroke-width="2"/>'
        f'<circle cx="{value:.1f}" cy="9" r="4" fill="#0072b2"/></svg>'
    ))  # fmt: skip
