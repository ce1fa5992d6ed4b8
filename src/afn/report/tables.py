"""The tables of the results; RESULTS.md, the terminal and report.html show the same ones."""

import colorsys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from afn.common.labels import GENUINE, SUBSETS
from afn.metrics import eer, tdcf
from afn.metrics.analysis import Cost, Ratios
from afn.metrics.bootstrap import Interval
from afn.metrics.breakdown import TrialGroup
from afn.metrics.eer import Measured
from afn.metrics.trials import SCORED_SUBSETS
from afn.report.audit import TELLING
from afn.report.results import NOT_RUN, Results, SystemRow, seed_list
from afn.report.worst import Worst

ABSENT, ONE_CLASS = "–", "one class only"
LINEAR = eer.LINEAR_ROC.name


@dataclass(frozen=True)
class Cell:
    """One cell: what every output shows, and what the page adds."""

    text: str
    ends: str = ""  # of an interval
    sub: str = ""  # the page's second, smaller line
    kind: str = ""  # the page's classes
    colour: str = ""  # the page's background
    whisker: tuple[float, float, float] | None = None  # low, value, high of a drawing from 4 to 196, 0 at 100
    audio: str = ""  # the page's link to a recording
    picture: str = ""  # the page's link to a heatmap

    @property
    def plain(self) -> str:
        return f"{self.text} {self.ends}".rstrip()


@dataclass(frozen=True)
class Grid:
    """A table; the first `left` columns are flush left. A row with a single cell is a heading of the rows below it."""

    label: str
    header: Sequence[Cell]
    rows: Sequence[Sequence[Cell]]
    left: int = 1
    kind: str = ""


def counts(results: Results) -> Grid:
    """Utterances of each subset."""
    rows = [
        _cells(s, *((ABSENT,) * 3 if (of := results.counts.get(s)) is None else (of[0], of[1], sum(of))))
        for s in SCORED_SUBSETS
    ]
    return Grid("Utterances", _cells("subset", "genuine", "replayed", "utterances"), rows)


def systems(results: Results, page: bool = False) -> Grid:
    """The paper's table: every system that has scores; `page` adds costs and the paper's figures."""
    header = _cells("system", "trained on", "seeds", *(f"{subset}, mean ± sd" for subset in SCORED_SUBSETS))
    header += [Cell(f"{subset}, averaged scores", sub="95 % interval") for subset in SCORED_SUBSETS]
    header += _costs_header(results, page) + _paper_header(results, page)
    rows = []
    for row in results.rows:
        cells = [_title(row.title, row.name), Cell(row.trained_on), Cell(seed_list(row.all_seeds) or ABSENT)]
        cells += [Cell(mean(row.seeds.get(subset, {}))) for subset in SCORED_SUBSETS]
        for subset in SCORED_SUBSETS:
            interval = results.analysis.interval(subset, row.title) if subset in row.averaged else None
            cells.append(_sure(percent(row.averaged.get(subset)), interval))
        cells += _costs(results, page, row.title, results.analysis.calibrated.get(row.title), row.averaged)
        rows.append(cells + _published(results, row.paper, page))
    return Grid("Equal error rates of every system", header, rows, left=3)


def fusions(results: Results, page: bool = False) -> Grid:
    """Every fusion that is run; the dev figure is of its training trials, the cross-validated one is not."""
    header = _cells("fusion", "members", "dev, trained on it\u00a0†", "dev, cross-validated")
    header += [Cell("eval", sub="95 % interval"), *_costs_header(results, page), *_paper_header(results, page)]
    rows = []
    for fused, ratios in results.fused:
        dev, test_cell = (
            _sure(percent(ratios.measured.get(s)), results.analysis.interval(s, fused.title)) for s in SCORED_SUBSETS
        )
        validated = ratios.cross_validated
        cells = [_title(fused.title, fused.name), Cell(", ".join(fused.members), kind="wide"), dev]
        cells += [Cell(percent(validated) if validated.eers else ABSENT), test_cell]
        cells += _costs(results, page, fused.title, ratios, ratios.measured)
        rows.append(cells + _published(results, fused.paper, page))
    return Grid("Equal error rates of every fusion", header, rows, left=2)


def not_run(results: Results) -> Grid:
    """Systems and fusions that are not run, with the paper's figures."""
    header = _cells("system or fusion", "why not") + _paper_header(results, True)
    rows = [
        [_title(row.title, row.name), Cell("no scores"), *_published(results, row.paper, True)]
        for row in results.every
        if not row.run
    ]
    rows += [
        [_title(of.title, of.name), Cell(of.reason, kind="wide"), *_published(results, of.paper, True)]
        for of in results.analysis.fusions
        if of.ratios is None
    ]
    return Grid(NOT_RUN.capitalize(), header, rows, left=2)


def definitions(results: Results) -> Grid:
    """The EERs of the averaged scores by each definition, and minDCF."""
    header = _cells("system", *(f"{s}, {d.title}" for d in eer.DEFINITIONS for s in SCORED_SUBSETS))
    header += _cells(*(f"{s}, minDCF" for s in SCORED_SUBSETS))
    rows = [
        _cells(row.title, *(percent(row.averaged.get(s), d.name) for d in eer.DEFINITIONS for s in SCORED_SUBSETS))
        + _cells(*(min_dcf(row.averaged.get(s)) for s in SCORED_SUBSETS))
        for row in results.rows
    ]
    return Grid("Averaged scores by every definition of the EER", header, rows)


def seeds(results: Results) -> Grid:
    """The EER of every seed with its interval."""

    def of_seed(row: SystemRow, subset: str, seed: int) -> Cell:
        return _sure(
            percent(row.seeds.get(subset, {}).get(seed)), results.analysis.interval(subset, row.title, seed), kind=""
        )

    rows = [
        [Cell(row.title), Cell(str(seed)), *(of_seed(row, subset, seed) for subset in SCORED_SUBSETS)]
        for row in results.rows
        for seed in row.all_seeds
    ]
    return Grid("Every seed", _cells("system", "seed", *SCORED_SUBSETS), rows, left=2)


def weights(results: Results) -> Grid:
    """The regressions of the fusions."""
    rows = [[_title(of.title, of.name), Cell(str(ratios.model), kind="wide code")] for of, ratios in results.fused]
    return Grid("Weights of the fusions", _cells("fusion", "log-likelihood ratio"), rows, left=2)


def calibrations(results: Results) -> Grid:
    """Cllr and its minimum of calibrated systems and of fusions."""
    run = {**results.analysis.calibrated, **{fused.title: ratios for fused, ratios in results.fused}}
    header = _cells("log-likelihood ratios of", "from scores to ratios")
    header += _cells("dev, trained on it\u00a0†", "dev, cross-validated", "eval")
    rows = []
    for title, ratios in run.items():
        formula = "see the fusion's weights" if len(ratios.model.members) > 1 else str(ratios.model)
        costs = ratios.costs.get("dev"), ratios.cross_validated_cost, ratios.costs.get("eval")
        rows.append([Cell(title), Cell(formula, kind="wide code"), *map(_cost, costs)])
    return Grid("Cllr and its minimum in bits", header, rows, left=2)


def matrix(results: Results) -> Grid:
    """Every system that was tested on other corpora: its EER on its own corpus and on each of the others."""
    rows = results.elsewhere.rows
    judged = {corpus: [of.subset for of in rows if of.corpus == corpus][-1] for corpus in {of.corpus: 0 for of in rows}}
    header = [Cell("system, trained on " + results.corpus)]
    header += [Cell(corpus, sub=subset) for corpus, subset in judged.items()]
    own = results.analysis.judged or SCORED_SUBSETS[-1]
    header.insert(1, Cell(results.corpus, sub=own))
    by_title = {row.title: row for row in results.rows}
    found = {(of.title, of.corpus, of.subset): of for of in rows}
    body = []
    for title in {of.title: 0 for of in rows}:
        cells = [Cell(title), _sure(percent(by_title[title].averaged.get(own)), results.analysis.interval(own, title))]
        for place in judged.items():
            of = found.get((title, *place))
            cells.append(_sure(percent(of.averaged), of.interval) if of else Cell(ABSENT))
        body.append(cells)
    return Grid("Equal error rates on other corpora", header, body)


def elsewhere(results: Results) -> Grid:
    """Every system on every subset of other corpora, with the errors at the threshold learnt on dev."""
    header = _cells("system", "tested on", "genuine", "replayed", "EER, mean ± sd")
    header += [Cell("EER, averaged scores", sub="95 % interval")]
    header += _cells("genuine refused", "replays accepted") + [Cell("Cllr")]
    body = [
        [
            _title(of.title, of.name),
            Cell(f"{of.corpus}, {of.subset}"),
            *_cells(of.genuine, of.spoof, mean(of.seeds)),
            _sure(percent(of.averaged), of.interval),
            *(Cell(ABSENT if rate is None else f"{100 * rate:.1f}") for rate in (of.refused, of.accepted)),
            _cost(of.cost),
        ]
        for of in results.elsewhere.rows
    ]
    return Grid("Systems on other corpora", header, body, left=2)


def audit(results: Results) -> Grid:
    """The EER of every nuisance alone, and of all together."""
    found = results.audit
    subsets = [subset for subset in SUBSETS if subset in found.rows[-1].eers]
    header = _cells("property", "genuine, median", "replayed, median", *(f"{subset}, EER" for subset in subsets))
    body = []
    for of in found.rows:
        medians = [f"{m:,.0f}" if abs(m) >= 1000 else f"{m:.3g}" for m in of.medians or ()] or [ABSENT] * 2
        cells = _cells(of.title, *medians)
        kinds = ["bad" if s == found.judged and of.eers[s] < TELLING else "" for s in subsets]
        body.append(cells + [Cell(f"{100 * of.eers[s]:.2f}", kind=k) for s, k in zip(subsets, kinds, strict=True)])
    return Grid("Equal error rates of properties that are not replay", header, body)


def equalised(results: Results) -> Grid:
    """Every system on eval as it is, and without silence at one level."""
    by_title = {row.title: row for row in results.rows}
    body = []
    for of in results.audit.equalised.rows:
        own = by_title[of.title].averaged.get(of.subset)
        cells = [
            _sure(percent(own), results.analysis.interval(of.subset, of.title)),
            _sure(percent(of.averaged), of.interval),
        ]
        body.append([_title(of.title, of.name), *cells])
    return Grid("Systems on equalised recordings", _cells("system", "eval", "eval, equalised"), body)


def differences(found: Mapping[str, Interval]) -> Grid:
    """The paired differences, each with a whisker on the page: its interval around 0."""
    reach = max((max(abs(i.low), abs(i.high), abs(i.value)) for i in found.values()), default=0) or 1.0
    rows = []
    for title, of in sorted(found.items(), key=lambda pair: pair[1].value):
        low, value, high = (100 + 96 * figure / reach for figure in (of.low, of.value, of.high))
        sign = "higher" if of.low > 0 else "lower" if of.high < 0 else "not significant"
        ends = f"[{100 * of.low:+.2f}, {100 * of.high:+.2f}]"
        rows.append(
            [Cell(title), Cell(f"{100 * of.value:+.2f}", ends, kind="main", whisker=(low, value, high)), Cell(sign)]
        )
    return Grid("Differences to the best single system", _cells("system", "EER, points", "at 95 %"), rows)


def groups(found: Sequence[TrialGroup]) -> Grid:
    """The breakdown: EERs of every group of replays, shaded, below a heading for each factor."""
    top = max(max(group.eers.values()) for group in found) or 1.0
    with_threats = any(any(group.threats) for group in found)
    rows: list[list[Cell]] = []
    factor = ""
    for group in found:
        if group.factor != factor:
            factor = group.factor
            rows.append([Cell(group.title)])
        threats = ", ".join(threat or "?" for threat in group.threats) if any(group.threats) else ""
        cells = [Cell(group.label), Cell(f"{group.replays:,}"), *([Cell(threats)] if with_threats else [])]
        rows.append(cells + [Cell(f"{100 * rate:.1f}", colour=_shade(rate / top)) for rate in group.eers.values()])
    header = _cells("replays", "number", *(["threat"] if with_threats else []), *found[0].eers)
    return Grid("Equal error rates by kind of replay", header, rows, kind="breakdown")


def worst(found: Worst, label: str, page: bool = False) -> Grid:
    """The worst recordings of one class."""
    what = "genuine, lowest scores first" if label == GENUINE else "replayed, highest scores first"
    header = _cells(what, *([] if page else ["condition"]), "score", "decision", *(["listen"] if page else []))
    rows = []
    for of in found.recordings[label]:
        cells = [Cell(of.utt, sub=of.condition)] if page else _cells(of.utt, of.condition or ABSENT)
        cells += [Cell(f"{of.score:.4g}"), Cell("error" if of.wrong else "correct", kind="bad" if of.wrong else "")]
        rows.append([*cells, *([Cell("", kind="listen", audio=of.audio, picture=of.heatmap)] if page else [])])
    return Grid(f"Worst recordings, {what}", header, rows, left=1 if page else 2, kind="narrow")


def mean(seeds: Mapping[int, Measured]) -> str:
    """Mean ± sd of the seeds' EERs in percent."""
    found = eer.spread(seeds.values(), LINEAR)
    if found is None:
        return ONE_CLASS if seeds else ABSENT
    average, deviation = found
    return f"{100 * average:.2f} ± {ABSENT if deviation is None else f'{100 * deviation:.2f}'}"


def percent(measured: Measured | None, definition: str = LINEAR) -> str:
    """One EER in percent."""
    if measured is None:
        return ABSENT
    return ONE_CLASS if measured.eers is None else f"{100 * measured.eers[definition]:.2f}"


def min_dcf(measured: Measured | None) -> str:
    """The minDCF of one set of scores."""
    return ABSENT if measured is None or measured.min_dcf is None else f"{measured.min_dcf:.3f}"


def _cells(*texts: object) -> list[Cell]:
    return [Cell(str(text)) for text in texts]


def _title(title: str, name: str) -> Cell:
    return Cell(title, sub=name if title != name else "")


def _sure(shown: str, interval: Interval | None, kind: str = "main") -> Cell:
    ends = f"[{100 * interval.low:.2f}, {100 * interval.high:.2f}]" if interval else ""
    return Cell(shown, ends, kind=kind)


def _cost(cost: Cost | None) -> Cell:
    return Cell(ABSENT) if cost is None else Cell(f"{cost.cllr:.3f}", f"(min {cost.min_cllr:.3f})")


def _costs_header(results: Results, page: bool) -> list[Cell]:
    """The page's columns of costs: Cllr and minDCF, and the minimum t-DCF where an ASV is given."""
    test = results.analysis.judged or SCORED_SUBSETS[-1]
    header = [Cell("Cllr", sub=test), Cell("minDCF", sub=test), Cell("min t-DCF", sub=f"2019 / 2021, {test}")]
    return header[: 2 + bool(results.analysis.tandem)] if page else []


def _costs(
    results: Results, page: bool, title: str, ratios: Ratios | None, measured: Mapping[str, Measured]
) -> list[Cell]:
    """The cells below `_costs_header` of a system or fusion with these log-likelihood ratios and EERs."""
    tandem, test = results.analysis.tandem.get(title), results.analysis.judged or SCORED_SUBSETS[-1]
    cells = [
        _cost(ratios.costs.get(test) if ratios else None),
        Cell(min_dcf(measured.get(test))),
        Cell(" / ".join(f"{tandem[year].minimum:.4f}" for year in tdcf.YEARS) if tandem else ABSENT),
    ]
    return cells[: len(_costs_header(results, page))]


def _paper_header(results: Results, everywhere: bool) -> list[Cell]:
    kind = "paper" if results.with_paper else "paper grey"
    return [Cell(f"{s}, paper", kind=kind) for s in SCORED_SUBSETS] if everywhere or results.with_paper else []


def _published(results: Results, paper: Mapping[str, float | None], everywhere: bool) -> list[Cell]:
    cells = _paper_header(results, everywhere)
    return [
        Cell(ABSENT if (figure := paper.get(subset)) is None else f"{figure:.2f}", kind=cell.kind)
        for subset, cell in zip(SCORED_SUBSETS, cells, strict=False)
    ]


def _shade(share: float) -> str:
    """White for 0, and for 1 a blue on which black is still readable."""
    channels = colorsys.hls_to_rgb(0.57, 1 - 0.36 * share, 0.75)
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in channels)
