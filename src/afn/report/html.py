"""report.html: the results of a corpus as one file, with its figures and style within, that asks no network.

The same results give the same text: there is no date in it, and no name of a machine.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from afn.metrics.analysis import Analysis
from afn.metrics.results import ABOUT_AVERAGING, ABOUT_THE_HEADLINE, ABSENT, SUBSETS, Table, named, seed_list
from afn.report import breakdown_plot, html_tables, plots
from afn.report.markup import Cell, Html, code, element, join, paragraph, picture, section, strong, table
from afn.report.plots import Scores
from afn.systems.neural import heatmaps
from afn.systems.neural.maps import Maps

STYLE = Path(__file__).with_name("report.css")
PER_CLASS = 2  # utterances whose heatmaps are shown
PACKAGES = ("numpy", "scipy", "scikit-learn", "matplotlib")  # that figures of this page depend on
GREY = "That is why the paper's figures stand in grey."


@dataclass(frozen=True, eq=False)
class Exhibits:
    """What the page shows besides figures of scores; systems go by their titles."""

    det: bytes | None = None  # the PNG
    panels: Mapping[str, Sequence[Scores]] = field(default_factory=dict)  # subset -> scores of the histograms
    maps: Mapping[str, Maps] = field(default_factory=dict)
    curves: Mapping[str, Mapping[int, Mapping[str, Sequence[float]]]] = field(default_factory=dict)  # by seed, column
    environments: Mapping[str, Mapping[int, Mapping[str, Any]]] = field(default_factory=dict)  # by seed


def page(results: Table, analysis: Analysis, exhibits: Exhibits) -> str:
    """The text of report.html."""
    sections = [
        ("table", "Results", _table(results, analysis)),
        ("averaging", "One run, or an ensemble?", _averaging(results, analysis)),
        ("fusion", "Fusion and calibration", _fusion(analysis)),
        ("differences", "Differences", _differences(analysis)),
        ("det", "DET curves and scores", _curves_of_scores(analysis, exhibits)),
        ("breakdown", "Where systems fail", _breakdown(analysis)),
        ("attention", "What the attention looks at", _attention(exhibits.maps)),
        ("training", "Training", _training(exhibits)),
        ("versions", "Commands and versions", _versions(exhibits)),
    ]
    links = join([element("a", title, href=f"#{name}") for name, title, _ in sections], "\n")
    body = [
        element("header", join([element("h1", f"Replay attack detection: {results.corpus}"), _counts(results)])),
        element("nav", links, aria_label="sections"),
        element("main", join([section(name, title, *parts) for name, title, parts in sections], "\n")),
        element("footer", "Written by stage 3. Every figure in full precision: results.json."),
    ]
    title = element("title", f"Results: {results.corpus}")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"{title}\n<style>\n{STYLE.read_text(encoding='utf-8')}</style>\n</head>\n<body>\n"
        + join(body, "\n")
        + "\n</body>\n</html>\n"
    )


def _counts(results: Table) -> Html:
    there = [
        f"{subset}: {genuine:,} genuine, {spoof:,} replayed"
        for subset in SUBSETS
        if subset in results.counts
        for genuine, spoof in [results.counts[subset]]
    ]
    return paragraph("; ".join(there) or "no utterances of dev or eval")


def _table(results: Table, analysis: Analysis) -> Iterator[Html]:
    yield paragraph(results.remark + ("" if results.with_paper else f" {GREY}"), "note")
    yield paragraph(
        "Equal error rates in percent by the linear ROC, the paper's definition; lower is better. The paper's figures "
        "compare with those of averaged scores."
    )
    yield html_tables.systems(results, analysis)
    if notes := [f"{row.title}: {remark}." for row in results.rows for remark in row.remarks]:
        yield element("ul", join(element("li", note) for note in notes))
    if analysis.fusions:
        yield element("h3", "Fusions")
        yield html_tables.fusions(results, analysis)
        yield paragraph(
            "† Fusions are trained on dev, so that their dev figure is of the very trials they were fitted to. The one "
            "beside it is of trials whose speaker and replay configuration the fusion did not know"
            + "".join(f" ({remark})" for remark in dict.fromkeys(f.ratios.remark for f in analysis.fusions if f.ratios))
            + ".",
            "small",
        )
    if analysis.bootstraps:
        drawn = "; ".join(f"{subset}, {boot.remark}" for subset, boot in analysis.bootstraps.items())
        yield paragraph(
            f"Intervals: 95 %, from {analysis.resamples:,} bootstrap resamples of speakers and replay configurations, "
            f"as trials of one speaker or configuration err together ({drawn}). Below ten or so of either they are "
            "rough. They do not hold what another training would change; the standard deviation over seeds does.",
            "small",
        )
    else:
        yield paragraph("No intervals: no subset with scores has both classes.", "small")
    if analysis.tandem_remark:
        yield paragraph(f"No minimum t-DCF: {analysis.tandem_remark}.", "small")
    elif analysis.tandem:
        yield paragraph("Minimum t-DCF: normalised; 1 is the cost of no countermeasure worth having.", "small")


def _averaging(results: Table, analysis: Analysis) -> Iterator[Html]:
    yield element("dl", join(join([element("dt", t), element("dd", m)]) for t, m in ABOUT_AVERAGING))
    yield paragraph(ABOUT_THE_HEADLINE)
    yield element("h3", "The averaged scores by every definition")
    yield html_tables.definitions(results)
    yield element("h3", "Seed by seed")
    yield html_tables.seeds(results, analysis)


def _fusion(analysis: Analysis) -> Iterator[Html]:
    run = [fused for fused in analysis.fusions if fused.ratios]
    if run:
        yield paragraph(
            "A fusion is a logistic regression on dev, at equal priors of both classes. Scores are brought to mean 0 "
            "and standard deviation 1 on dev first, so that weights tell how much each member counts."
        )
        yield html_tables.weights(run)
    else:
        yield paragraph("No fusion is run: none has scores of all its members.")
    if not analysis.calibrated:
        yield paragraph("No system is calibrated: that takes averaged dev scores of both classes.")
        return
    yield element("h3", "Calibration")
    yield paragraph(
        "Cllr is what log-likelihood ratios cost in bits: 0 is perfect, 1 that of knowing nothing, more misleads. Its "
        "minimum is what the best calibration would reach; what Cllr has above it is due to calibration. Single "
        "systems are calibrated on dev as fusions are; † marks figures of the trials that trained them."
    )
    yield html_tables.calibrations(analysis)


def _differences(analysis: Analysis) -> Iterator[Html]:
    if not analysis.differences:
        yield paragraph("There are no two systems with averaged scores of both classes to compare.")
        return
    yield paragraph(join([
        f"EER on {analysis.judged} minus that of ", strong(analysis.best), ", in points. It is the single system with "
        "the lowest dev EER: nothing is chosen on eval. Both EERs are taken on the same resamples, so that what makes "
        "a resample hard for both does not count. Where 0 lies outside the interval, the sign is not a matter of which "
        "speakers and configurations the corpus happens to hold.",
    ]))  # fmt: skip
    yield html_tables.differences(analysis.differences)


def _curves_of_scores(analysis: Analysis, exhibits: Exhibits) -> Iterator[Html]:
    if not exhibits.panels:
        yield paragraph("No averaged scores of both classes to draw.")
        return
    if exhibits.det:
        yield picture(
            exhibits.det,
            "DET curves",
            "Misses against false alarms of the averaged scores on normal-deviate axes; the points are the EERs. "
            "Fusions stand on eval only, as dev has trained them.",
        )
    fused = {found.title for found in analysis.fusions}
    for wanted, caption in (
        (False, "Averaged scores of both classes; higher means more genuine."),
        (True, "Log-likelihood ratios of the fusions; above 0 speaks for genuine."),
    ):
        panels = {s: [of for of in every if (of.title in fused) == wanted] for s, every in exhibits.panels.items()}
        if panels := {subset: some for subset, some in panels.items() if some}:
            yield picture(plots.histograms_png(panels), "Histograms of the scores of both classes", caption)


def _breakdown(analysis: Analysis) -> Iterator[Html]:
    if not analysis.groups:
        yield paragraph("No averaged scores of both classes to break down.")
        return
    yield paragraph(
        f"EERs in percent on {analysis.judged}: one kind of replay at a time, always against all genuine speech. Those "
        "of a few replays are rough."
    )
    if any(any(group.threats) for group in analysis.groups):
        yield paragraph(
            "Threat: how good the replay is, by environment, playback and recording device, as in Delgado et al. "
            "(Odyssey 2018); a high one is hard to tell from genuine speech."
        )
    yield picture(
        breakdown_plot.breakdown_png(analysis.groups),
        "EERs by kind of replay",
        "The darker, the more is confused. The table below has the same figures.",
        least=0.8,
    )
    yield html_tables.groups(analysis.groups)


def _attention(maps: Mapping[str, Maps]) -> Iterator[Html]:
    if not maps:
        yield paragraph("No attention has been drawn: run stage 1 of a system that has one.")
        return
    seeds = "; ".join(f"{title}: {named([found.seed])}" for title, found in maps.items())
    if shown := heatmaps.common(maps, PER_CLASS):
        yield paragraph(
            "The mask A that each non-linearity lays over the same utterances, beside their spectrograms. Masks differ "
            f"in range, so each has its own colours, the same in all pictures. Networks: {seeds}."
        )
        for utt in shown:
            label = next(iter(maps.values())).labels[utt]
            yield picture(heatmaps.side_by_side_png(maps, utt), f"Attention on {utt}", f"{utt}, {label}.", scale=1.1)
    else:
        yield paragraph("No utterance has been drawn for every system: run stage 1 with the same utterances.")
    if any(found.profiles for found in maps.values()):
        yield element("h3", "Profiles over frequency")
        yield picture(
            heatmaps.profiles_png(maps),
            "Mean attention over frequency of both classes",
            "The mask's mean over time, averaged over utterances (their number in brackets), ± sd. A softmax over time "
            "adds up to 1 in every frequency bin, so that its mean over time is flat whatever has been learnt.",
            scale=1.1,
        )


def _training(exhibits: Exhibits) -> Iterator[Html]:
    if not exhibits.curves:
        yield paragraph("No training curves: no seed with scores has left any.")
        return
    yield picture(
        plots.curves_png(exhibits.curves),
        "Training curves",
        "Loss on train and dev, and dev EER, epoch by epoch; a colour a seed. The epoch of the lowest dev EER is kept.",
    )


def _versions(exhibits: Exhibits) -> Iterator[Html]:
    rows: dict[tuple[str, str], tuple[list[int], list[Cell | str]]] = {}
    for title, seeds in exhibits.environments.items():
        for seed, environment in seeds.items():
            cells = list(_environment(environment))
            rows.setdefault((title, repr(cells)), ([], cells))[0].append(seed)
    if rows:
        yield paragraph("What each seed was trained with; a + behind a commit means files that differ from it.")
        body = [[title, Cell(seed_list(seeds), "left"), *cells] for (title, _), (seeds, cells) in rows.items()]
        head = [Cell(name, "left") for name in ("system", "seeds", "command", "device", "versions", "commit")]
        yield table([head], [body], "Commands and versions")
    else:
        yield paragraph("No seed with scores says what it was trained with.")
    installed = ", ".join(f"{package} {_version(package)}" for package in PACKAGES)
    yield paragraph(f"This page was computed with {installed}.", "small")


def _environment(environment: Mapping[str, Any]) -> Iterator[Cell]:
    """Command, device, versions and commit out of an env.json, whatever of it there is."""
    command = environment.get("command")
    shown = shlex.join(map(str, command)) if isinstance(command, list) else ABSENT
    packages = environment.get("packages")
    versions = [f"Python {environment['python']}"] if "python" in environment else []
    versions += [f"{name} {number}" for name, number in packages.items()] if isinstance(packages, dict) else []
    if environment.get("cuda"):
        versions.append(f"CUDA {environment['cuda']}")
    yield Cell(code(shown), "left wide")
    yield Cell(str(environment.get("device", ABSENT)), "left")
    yield Cell(", ".join(versions) or ABSENT, "left wide")
    commit = str(environment.get("commit") or ABSENT)
    yield Cell(code(commit[:12] + ("+" if commit.endswith("+") and len(commit) > 12 else "")), "left")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "?"
