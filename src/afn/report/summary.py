"""What was found, in words: a short paragraph for RESULTS.md, the terminal, report.html and results.json.

Every sentence restates figures of the tables. The system that it is about is the best on dev.
"""

from collections.abc import Iterator

from afn.metrics import eer
from afn.metrics.analysis import trained_on_dev
from afn.metrics.breakdown import ALL
from afn.report.results import Results, SystemRow

FEWEST = 20  # replays of a group that may be called the hardest; the EERs of smaller ones are rough


def sentences(results: Results) -> list[str]:
    """The paragraph: which system is best and by how much, what is hardest for it, how well it is calibrated."""
    best = next((row for row in results.rows if row.title == results.analysis.best), None)
    if best is None:
        return ["No system can be called the best: none has scores of both classes on dev without training on dev."]
    found = [_best(results, best), *_second(results), *_hardest(results), *_calibration(results)]
    return [*found, *_paper(results, best)]


def _best(results: Results, best: SystemRow) -> str:
    others, judged = _others(results), results.analysis.judged
    dev = f"{100 * _eer(best, 'dev'):.2f} %"
    text = f"{best.title} has an EER of {dev} on dev"
    if others:
        text = f"Of {len(others) + 1} systems, {best.title} has the lowest EER on dev, {dev}"
    if judged != "dev":
        text += f", and {100 * _eer(best, judged):.2f} % on {judged}"
    if interval := results.analysis.interval(judged, best.title):
        text += f" (95 % interval {100 * interval.low:.2f} to {100 * interval.high:.2f})"
        if interval.low <= 0.5 <= interval.high:
            text += ", an interval that contains guessing, 50 %"
    count = len(best.averaged_seeds)
    return f"{text}. {'One training run is' if count == 1 else f'{count} training runs are'} behind these figures."


def _second(results: Results) -> Iterator[str]:
    if others := _others(results):
        second, judged = others[0], results.analysis.judged
        found = results.analysis.differences[second.title]
        more = "more" if found.value >= 0 else "less"
        excluded = found.low > 0 or found.high < 0
        yield (
            f"{second.title}, the second on dev, has {100 * abs(found.value):.2f} points {more} on {judged} "
            f"(95 % interval of the difference {100 * found.low:+.2f} to {100 * found.high:+.2f}): "
            + ("the sign of the difference is certain at that level." if excluded else "it may be chance.")
        )


def _hardest(results: Results) -> Iterator[str]:
    title = results.analysis.best
    groups = [g for g in results.analysis.groups if g.factor != ALL and g.replays >= FEWEST and title in g.eers]
    whole = next((g.eers[title] for g in results.analysis.groups if g.factor == ALL and title in g.eers), None)
    if len(groups) > 1 and whole is not None:
        group = max(groups, key=lambda g: g.eers[title])
        rate = 100 * group.eers[title]
        yield (
            f"Hardest for {title} is {group.title.lower()} {group.label}, {rate:.1f} % (all replays: "
            f"{100 * whole:.1f} %), of the {len(groups)} kinds of replay with {FEWEST} recordings or more."
        )


def _calibration(results: Results) -> Iterator[str]:
    best, judged = results.analysis.best, results.analysis.judged
    ratios = results.analysis.calibrated.get(best)
    if ratios and judged != "dev" and (cost := ratios.costs.get(judged)):
        more = "; 1 is the cost of no information." if cost.cllr >= 1 else "."
        yield (
            f"Calibrated on dev, the scores of {best} cost {cost.cllr:.3f} bits on {judged} (Cllr), "
            f"{cost.min_cllr:.3f} with the best possible calibration{more}"
        )


def _paper(results: Results, best: SystemRow) -> Iterator[str]:
    if results.with_paper and (published := best.paper.get("eval")) is not None:
        yield f"The paper reports {published:.2f} % on eval for this system."


def _others(results: Results) -> list[SystemRow]:
    """The other single systems that dev may rank, from its lowest EER up."""
    compared = results.analysis.differences
    rows = [r for r in results.rows if r.title in compared and not trained_on_dev(r.trained_on) and "dev" in r.averaged]
    return sorted((row for row in rows if row.averaged["dev"].eers), key=lambda row: _eer(row, "dev"))


def _eer(row: SystemRow, subset: str) -> float:
    eers = row.averaged[subset].eers
    assert eers is not None
    return eers[eer.LINEAR_ROC.name]
