"""Stage 3: the error rates of every system that has scores.

    reads   data/<corpus>/{dev,eval}/                               labels, speakers, replay conditions
            data/<corpus>/{train,dev,eval}/nuisance.csv             for the shortcut audit
            conf/systems/*.yaml, conf/fusion/*.yaml                 the rows, titles and the paper's figures
            exp/<corpus>/<system>/seed<k>/scores/{dev,eval}.txt     of every seed; env.json and metrics.csv beside them
            exp/<corpus>/<system>/scores/{dev,eval}.txt             averaged over seeds
            exp/<corpus>/<system>/attention/maps.npz                the arrays of stage 1
            exp/<corpus>/on_<other>/<system>/                       scores of other corpora and of equalised recordings
    writes  exp/<corpus>/{RESULTS.md,results.json,det.png,report.html}
            exp/<corpus>/fusion/<name>/                             fusion.json, scores/{dev,eval}.txt
            exp/<corpus>/<system>/calibrated/                       calibration.json, {dev,eval}.txt

Fused and calibrated scores are log-likelihood ratios (natural logarithm, genuine : spoof).

Every run computes everything; the same inputs give the same bytes. Nothing is chosen on eval.
"""

import shutil
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from afn.common import config, files, owned
from afn.common.errors import UserError
from afn.common.labels import GENUINE, SPOOF
from afn.common.paths import ROOT, located
from afn.corpora import asvspoof2017, datadir
from afn.experiment import command_line, equalised, locks, results_tree
from afn.experiment.layout import FUSION
from afn.metrics import analysis, eer, fusion, score_files, tdcf, trial_files
from afn.metrics.analysis import Analysis, ScoredSystem
from afn.metrics.conditions import ASVSPOOF_2017
from afn.metrics.trials import SCORED_SUBSETS, Trials
from afn.report import audit, html, other_corpora, plots, results, results_json, results_markdown, worst
from afn.report.results import Results

CONF = ROOT / "conf"
FIGURE = "det.png"
OURS = ("RESULTS.md", "results.json", "report.html", FIGURE, FUSION)  # in exp/<corpus>, which the user may share
PATIENCE = 60.0  # seconds to wait while another run writes, which takes a moment


def of_corpus(
    here: command_line.Stage,
    resamples: int,
    verifier: tdcf.Verifier | None,
    det: list[str] | None,
    audit_jobs: int,
) -> None:
    """Measure every system of the corpus; write and print the results. Raises UserError if stage 2 has not run.

    With `audit_jobs`, so many processes first score equalised recordings with every system.
    """
    started = time.monotonic()
    directory = here.layout.results
    found = results_tree.find(directory, CONF / "systems")
    scored = [experiment for experiment in found if experiment.files]
    if not scored:
        raise UserError(f"{directory}: no scores of any system. Run stage 2 first.")
    if audit_jobs:
        equalised.score(here, scored, audit_jobs)
    prepared = [subset for subset in command_line.prepared(here.layout) if subset in SCORED_SUBSETS]
    listed = {subset: datadir.read(here.layout.subset(subset)) for subset in prepared}
    trials = {subset: Trials.of(utterances) for subset, utterances in listed.items()}
    print(f"evaluate: {sum(len(e.files) for e in scored)} score files, {len(scored)} system(s) in {directory}")

    fusions: dict[str, fusion.FusionSettings] = {
        path.stem: config.load(fusion.FusionSettings, path) for path in sorted((CONF / FUSION).glob("*.yaml"))
    }
    titles = unique([(e.name, e.title) for e in found] + [(f"{FUSION} {n}", f.title) for n, f in fusions.items()])
    by_title = {title: experiment for title, experiment in zip(titles, found, strict=False) if experiment.files}
    systems = {title: results_tree.load(experiment, title, trials) for title, experiment in by_title.items()}
    named = zip(fusions.items(), titles[len(found) :], strict=True)
    deep = analysis.analyse(
        trials,
        list(systems.values()),
        {name: (title, of) for (name, of), title in named},
        ASVSPOOF_2017 if here.corpus.kind == "asvspoof2017" else None,
        resamples,
        verifier or verifier_of(here.corpus),
    )

    every = panels(systems, deep, trials)
    chosen = on_det(every, det, {e.name: t for t, e in by_title.items()} | {f.name: f.title for f in deep.fusions})
    counts = {s: (int(t.genuine.sum()), int((~t.genuine).sum())) for s, t in trials.items()}
    official = {s: (c[GENUINE], c[SPOOF]) for s, c in asvspoof2017.COUNTS.items()}
    rows = [results.system_row(e, t, systems.get(t), trials) for t, e in zip(titles, found, strict=False)]
    elsewhere = other_corpora.find(here.layout, systems, trials, deep, resamples)
    tested = other_corpora.find(here.layout, systems, trials, deep, resamples, audit=True)
    seen = {row.title: (row.averaged, by_title[row.title].removes) for row in rows if row.averaged}
    of_all = Results(
        here.corpus.name,
        here.corpus.kind,
        counts,
        rows,
        *results.comparison(here.corpus.kind, counts, official),
        deep,
        FIGURE if chosen else "",
        {
            row.title: worst.worst(system, row.averaged, listed, deep.judged, directory)
            for row in rows
            if (system := systems.get(row.title)) and deep.judged in system.averaged
        },
        elsewhere,
        audit.find(here.layout, seen, deep, tested),
    )
    print(f"EER in %, {eer.LINEAR_ROC.title}\n{results_markdown.text(of_all)}\n{of_all.remark}")

    det_png = plots.det_png(chosen) if chosen else None
    page = html.page(of_all, det_png, every, by_title)
    with locks.hold(directory, PATIENCE):
        owned.claim(directory, OURS)
        written = write(directory, of_all, det_png, page)
        keep_ratios(directory, here.corpus.name, systems, deep, trials)
    print(f"evaluate: wrote {', '.join(map(str, written))} in {time.monotonic() - started:.1f} s")


def verifier_of(corpus: Any) -> tdcf.Verifier | None:
    """The speaker verifier whose scores of eval the corpus' YAML names as `asv_scores`; None if it names none."""
    path = getattr(corpus, "asv_scores", None)
    if path is None:
        return None
    return tdcf.verifier(**trial_files.read_asv(located(path), getattr(corpus, "track", "eval")))


def unique(named: list[tuple[str, str]]) -> list[str]:
    """The titles of (name, title) pairs; the name follows a title that several have."""
    count = Counter(title for _, title in named)
    return [f"{title} [{name}]" if count[title] > 1 else title for name, title in named]


def panels(
    systems: Mapping[str, ScoredSystem], deep: Analysis, trials: Mapping[str, Trials]
) -> dict[str, list[plots.Scores]]:
    """Subset -> the averaged scores to draw; fusions on eval alone, because they are trained on dev."""
    found: dict[str, list[plots.Scores]] = {}
    for subset, of in trials.items():
        if of.genuine.all() or not of.genuine.any():
            continue
        vectors = [(system.title, system.averaged[subset]) for system in systems.values() if subset in system.averaged]
        if subset != "dev":
            vectors += [(f.title, f.ratios.llrs[subset]) for f in deep.fusions if f.ratios and subset in f.ratios.llrs]
        if vectors:
            found[subset] = [plots.Scores(title, v[of.genuine], v[~of.genuine]) for title, v in vectors]
    return found


def on_det(
    every: Mapping[str, list[plots.Scores]], names: list[str] | None, titles: Mapping[str, str]
) -> dict[str, list[plots.Scores]]:
    """The part of `every` that the user wants on the DET curves; UserError for an unknown name."""
    if names is None:
        return dict(every)
    for name in names:
        if name not in titles:
            raise UserError(f"--det {name}: neither a system with scores nor a fusion. Known: {', '.join(titles)}.")
    wanted = {titles[name] for name in names}
    found = {subset: [s for s in listed if s.title in wanted] for subset, listed in every.items()}
    return {subset: listed for subset, listed in found.items() if listed}


def write(directory: Path, of_all: Results, det_png: bytes | None, page: str) -> list[Path]:
    """Write the files of the results and return their paths."""
    figure = directory / FIGURE
    if det_png:
        with files.whole(figure, "wb") as file:
            file.write(det_png)
    else:
        figure.unlink(missing_ok=True)  # an old one would show other scores
    texts = {
        directory / "RESULTS.md": results_markdown.page(of_all),
        directory / "results.json": results_json.text(of_all),
        directory / "report.html": page,
    }
    for path, text in texts.items():
        files.write_text(path, text)
    return [*texts, *([figure] if det_png else [])]


def keep_ratios(
    directory: Path, corpus: str, systems: Mapping[str, ScoredSystem], deep: Analysis, trials: Mapping[str, Trials]
) -> None:
    """Write the log-likelihood ratios of calibrated systems and of fusions, and remove outdated ones."""
    wanted = {directory / FUSION / f.name: (f.title, f.ratios, "fusion.json", "scores") for f in deep.fusions}
    wanted |= {
        directory / s.name / "calibrated": (s.title, deep.calibrated.get(s.title), "calibration.json", "")
        for s in systems.values()
    }
    older = [path.parent for path in directory.glob(f"{FUSION}/*/fusion.json")]
    older += [path.parent for path in directory.glob("*/calibrated/calibration.json")]
    for folder in older:
        if folder not in wanted or wanted[folder][1] is None:
            shutil.rmtree(folder)
    for folder, (title, ratios, name, below) in wanted.items():
        if ratios is None:
            continue
        for subset, llrs in ratios.llrs.items():
            score_files.write(
                folder / below / f"{subset}.txt", dict(zip(trials[subset].utts, llrs.tolist(), strict=True))
            )
        files.write_text(folder / name, results_json.model(corpus, title, ratios.model))
