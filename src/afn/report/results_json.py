"""results.json: every figure of a corpus in full precision, EERs in percent; the same results give the same text."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from afn.metrics import eer
from afn.metrics.analysis import Cost, Fused, Ratios
from afn.metrics.bootstrap import LEVEL, Interval
from afn.metrics.eer import Measured, spread
from afn.metrics.fusion import Fusion
from afn.metrics.trials import SCORED_SUBSETS
from afn.report import summary
from afn.report.audit import Audit
from afn.report.other_corpora import Elsewhere
from afn.report.results import Results, SystemRow
from afn.report.worst import Worst


def text(results: Results) -> str:
    """The text of results.json. It has the paper's figures only where ours may be compared with them."""
    analysis = results.analysis
    content: dict[str, Any] = {
        "corpus": {"name": results.corpus, "kind": results.kind},
        "unit": "percent",
        "definitions": {definition.name: definition.source for definition in eer.DEFINITIONS},
        "subsets": {
            s: dict(zip(("genuine", "spoof"), results.counts[s], strict=True)) if s in results.counts else None
            for s in SCORED_SUBSETS
        },
        "remark": results.remark,
        "summary": summary.sentences(results),
        "systems": [_row(row, results) for row in results.rows],
        "fusions": [_fused(fused, results) for fused in analysis.fusions],
        "not_run": [row.name for row in results.every if not row.run],
    }
    if results.elsewhere.rows:
        content["other_corpora"] = [_elsewhere(of) for of in results.elsewhere.rows]
    content["audit"] = _audit(results.audit)
    if analysis.bootstraps:
        content["bootstrap"] = {
            "level": LEVEL,
            "resamples": analysis.resamples,
            "definition": eer.LINEAR_ROC.name,
            **{subset: boot.remark for subset, boot in analysis.bootstraps.items()},
        }
    if analysis.best:
        content["differences"] = {
            "subset": analysis.judged,
            "to": analysis.best,
            "systems": {
                title: {"value": 100 * found.value} | _interval(found) for title, found in analysis.differences.items()
            },
        }
    if analysis.groups:
        content["breakdown"] = {
            "subset": analysis.judged,
            "groups": [
                {name: getattr(group, name) for name in ("factor", "code", "label", "threats", "replays", "genuine")}
                | {"eer": {title: 100 * rate for title, rate in group.eers.items()}}
                for group in analysis.groups
            ],
        }
    if analysis.verifier:
        content["minimum_tdcf"] = {
            "subset": analysis.judged,
            "asv": dataclasses.asdict(analysis.verifier),
            "systems": {
                title: {str(year): dataclasses.asdict(found) for year, found in both.items()}
                for title, both in analysis.tandem.items()
            },
            "remark": analysis.tandem_remark,
        }
    return dump(content)


def dump(content: Mapping[str, Any]) -> str:
    """JSON text in the order of `content`, floats in full precision; NaN is refused."""
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def model(corpus: str, title: str, fusion: Fusion) -> str:
    """The text of fusion.json and calibration.json: the map from scores to log-likelihood ratios.

    `logits` is true if the map is from the log odds of the scores.
    """
    return dump({"corpus": corpus, "title": title, "trained_on": "dev", **fusion.plain()})


def _figures(measured: Measured | None) -> dict[str, float | None] | None:
    """The EERs in percent, the official threshold and minDCF by name."""
    if measured is None or measured.eers is None:
        return None
    eers = {name: 100 * value for name, value in measured.eers.items()}
    return eers | {"official_threshold": measured.threshold, "min_dcf": measured.min_dcf}


def _percent(rate: float | None) -> float | None:
    return None if rate is None else 100 * rate


def _interval(found: Interval) -> dict[str, float]:
    return {"low": 100 * found.low, "high": 100 * found.high}


def _row(row: SystemRow, results: Results) -> dict[str, Any]:
    analysis = results.analysis
    content: dict[str, Any] = {"name": row.name, "title": row.title, "trained_on": row.trained_on}
    content |= {"seeds": list(row.all_seeds), "averaged_seeds": list(row.averaged_seeds)}
    for subset in SCORED_SUBSETS:
        seeds = row.seeds.get(subset, {})
        spreads = {d.name: spread(seeds.values(), d.name) for d in eer.DEFINITIONS}
        content[subset] = {
            "per_seed": {str(seed): _figures(seeds[seed]) for seed in sorted(seeds)},
            "mean": {name: 100 * found[0] for name, found in spreads.items() if found},
            "standard_deviation": {name: _percent(found[1]) for name, found in spreads.items() if found},
            "averaged": _figures(row.averaged.get(subset)),
        }
        if found := analysis.interval(subset, row.title):
            content[subset]["interval"] = _interval(found)
        of_seeds = {str(s): _interval(i) for s in sorted(seeds) if (i := analysis.interval(subset, row.title, s))}
        if of_seeds:
            content[subset]["per_seed_interval"] = of_seeds
        if results.with_paper:
            content[subset]["paper"] = row.paper.get(subset)
    if worst := results.worst.get(row.title):
        content["worst"] = _worst(worst)
    if ratios := analysis.calibrated.get(row.title):
        content["calibration"] = ratios.model.plain() | _costs(ratios)
    content["remarks"] = list(row.remarks)
    return content


def _elsewhere(of: Elsewhere) -> dict[str, Any]:
    return {
        "system": of.name,
        "title": of.title,
        "corpus": of.corpus,
        "subset": of.subset,
        "genuine": of.genuine,
        "spoof": of.spoof,
        "seeds": {str(seed): _figures(measured) for seed, measured in of.seeds.items()},
        "averaged": _figures(of.averaged),
        "interval": _interval(of.interval) if of.interval else None,
        "genuine_refused": _percent(of.refused),
        "replays_accepted": _percent(of.accepted),
        "cllr": _cost(of.cost),
    }


def _audit(found: Audit) -> dict[str, Any]:
    content: dict[str, Any] = {"reason": found.reason} if found.reason else {}
    if found.rows:
        content["eer"] = {of.name: {subset: 100 * rate for subset, rate in of.eers.items()} for of in found.rows}
        content["medians"] = {of.name: list(of.medians) for of in found.rows if of.medians}
        content["subset"] = found.judged
        content["systems"] = [
            {"title": of.title, "beats": of.beats, "certain": of.certain, "keeps": list(of.keeps)}
            for of in found.systems
        ]
        content["sentences"] = found.sentences
    if found.equalised.rows:
        content["equalised"] = [_elsewhere(of) for of in found.equalised.rows]
    return content


def _worst(found: Worst) -> dict[str, Any]:
    recordings = {
        label: [{"utt": of.utt, "condition": of.condition, "score": of.score, "error": of.wrong} for of in listed]
        for label, listed in found.recordings.items()
    }
    threshold = {"value": found.threshold, "of": found.threshold_of}
    return {"subset": found.subset, "threshold": threshold, "errors": dict(found.errors), "recordings": recordings}


def _costs(ratios: Ratios) -> dict[str, Any]:
    """The cost of the ratios, cross-validated on dev as well."""
    return {
        "cost": {subset: dataclasses.asdict(cost) for subset, cost in ratios.costs.items()},
        "cross_validated_cost": _cost(ratios.cross_validated_cost),
        "remark": ratios.remark,
    }


def _cost(cost: Cost | None) -> dict[str, float] | None:
    return None if cost is None else dataclasses.asdict(cost)


def _fused(fused: Fused, results: Results) -> dict[str, Any]:
    content: dict[str, Any] = {"name": fused.name, "title": fused.title, "members": list(fused.members)}
    if results.with_paper:
        content["paper"] = {subset: fused.paper.get(subset) for subset in SCORED_SUBSETS}
    if fused.ratios is None:
        return content | {"run": False, "reason": fused.reason}
    content |= {"run": True, "fusion": fused.ratios.model.plain()}
    for subset, measured in fused.ratios.measured.items():
        content[subset] = {"trained_on": subset == "dev", "fused": _figures(measured)}
        if found := results.analysis.interval(subset, fused.title):
            content[subset]["interval"] = _interval(found)
    content["dev"]["cross_validated"] = _figures(fused.ratios.cross_validated)
    return content | _costs(fused.ratios)
