"""Stage 3: the error rates of every system that has scores; or, with --scores and --labels, of any score file.

    reads   data/<corpus>/{dev,eval}/                               labels, speakers, replay conditions
            conf/systems/*.yaml, conf/fusion/*.yaml                 the rows, titles and the paper's figures
            exp/<corpus>/<system>/seed<k>/scores/{dev,eval}.txt     of every seed; env.json and metrics.csv beside them
            exp/<corpus>/<system>/scores/{dev,eval}.txt             averaged over seeds
            exp/<corpus>/<system>/attention/maps.npz                the arrays of stage 1
    writes  exp/<corpus>/{RESULTS.md,results.json,det.png,report.html}
            exp/<corpus>/fusion/<name>/                             fusion.json, scores/{dev,eval}.txt
            exp/<corpus>/<system>/calibrated/                       calibration.json, {dev,eval}.txt

Fused and calibrated scores are log-likelihood ratios (natural logarithm, genuine : spoof).

It always computes everything anew; the same inputs give the same bytes. Nothing is chosen on eval.
"""

import dataclasses
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from afn.common import config, errors, files
from afn.common.errors import UserError
from afn.common.paths import FUSION, ROOT
from afn.corpora import asvspoof2017, datadir
from afn.experiment import command_line, locks, results_tree
from afn.experiment.results_tree import Experiment
from afn.metrics import analysis, eer, fusion, results, score_files, tdcf
from afn.metrics.analysis import Analysis, ScoredSystem
from afn.metrics.bootstrap import RESAMPLES
from afn.metrics.conditions import ASVSPOOF_2017
from afn.metrics.results import SUBSETS, Row, Table
from afn.metrics.trials import Trials
from afn.report import html, plots, results_json, results_markdown

CONF = ROOT / "conf"
FIGURE = "det.png"
PATIENCE = 60.0  # seconds to wait for another run's writing, which takes a moment


def main() -> None:
    parser = command_line.arguments(
        "Stage 3: EERs, DET curves, fusions and the results page of a corpus.", system=False
    )
    parser.add_argument("--scores", type=Path, metavar="FILE", help="only the EERs of this file of `utt score` lines")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="... against this file of `utt label` lines")
    parser.add_argument("--json", action="store_true", help="... in full precision, as JSON")
    parser.add_argument(
        "--asv-scores", type=Path, metavar="FILE",
        help="scores of a speaker verifier, `name target|nontarget|spoof score` a line: minimum t-DCF as well",
    )  # fmt: skip
    parser.add_argument("--det", nargs="+", metavar="NAME", help="systems and fusions on the DET curves (all)")
    parser.add_argument(
        "--resamples",
        type=command_line.positive,
        default=RESAMPLES,
        metavar="N",
        help="of the bootstrap behind intervals (%(default)s)",
    )
    options = parser.parse_args()
    verifier = tdcf.verifier(**tdcf.read_asv(options.asv_scores)) if options.asv_scores else None
    if options.scores and options.labels:
        report_file(options.scores, options.labels, options.json, verifier)
    elif options.scores or options.labels or options.json:
        raise UserError("--scores FILE and --labels FILE go together, and --json goes with them; give both files")
    else:
        report_corpus(command_line.from_arguments(options), options.resamples, verifier, options.det)


def report_file(scores_path: Path, labels_path: Path, as_json: bool, verifier: tdcf.Verifier | None) -> None:
    """Print the EERs of one score file; raises UserError for whatever is wrong in it, and where a class is missing."""
    labels = score_files.read_labels(labels_path)
    genuine, spoof = score_files.join(score_files.read(scores_path), labels, scores_path, labels_path)
    for label, there in ((score_files.GENUINE, genuine), (score_files.SPOOF, spoof)):
        if not there.size:
            raise UserError(f"{labels_path}: no {label} utterance; an EER needs both classes")
    measured = results.measure(genuine, spoof)
    tandem = {year: tdcf.minimum(genuine, spoof, verifier, year) for year in (2019, 2021)} if verifier else {}
    if as_json:
        content = {
            "genuine": genuine.size,
            "spoof": spoof.size,
            "unit": "percent",
            "eer": {name: 100 * value for name, value in measured.eers.items()},
            "threshold": {eer.OFFICIAL.name: measured.threshold},
            "definitions": {definition.name: definition.source for definition in eer.DEFINITIONS},
        }
        if tandem:
            content["minimum_tdcf"] = {str(year): dataclasses.asdict(found) for year, found in tandem.items()}
        print(results_json.dump(content), end="")
        return
    print(f"{scores_path}: {genuine.size} genuine, {spoof.size} spoof; higher scores = more genuine")
    for definition in eer.DEFINITIONS:
        print(f"EER, {definition.title:<18}{100 * measured.eers[definition.name]:8.4f} %   {definition.source}")
    print(f"threshold, {eer.OFFICIAL.title}: {measured.threshold:.6g}; scores above it are taken for genuine")
    for year, found in tandem.items():
        print(f"minimum t-DCF, {year}:     {found.minimum:8.4f}     normalised; 1 is no countermeasure worth having")


def report_corpus(
    here: command_line.Stage, resamples: int, verifier: tdcf.Verifier | None, det: list[str] | None
) -> None:
    """Measure every system of the corpus; write and print the results. Raises UserError where stage 2 has not run."""
    started = time.monotonic()
    directory = here.layout.results
    found = results_tree.find(directory, CONF / "systems")
    if not any(experiment.files for experiment in found):
        raise UserError(f"{directory}: no scores of any system; run stage 2 first")
    trials = {s: Trials.of(datadir.read(here.layout.subset(s))) for s in command_line.prepared(here) if s in SUBSETS}
    scored = [experiment for experiment in found if experiment.files]
    print(f"evaluate: {sum(len(e.files) for e in scored)} score files of {len(scored)} systems in {directory}")

    fusions = {path.stem: config.load(fusion.FusionSettings, path) for path in sorted((CONF / FUSION).glob("*.yaml"))}
    titles = unique([(e.name, e.title) for e in found] + [(f"{FUSION} {n}", f.title) for n, f in fusions.items()])
    by_title = {title: experiment for title, experiment in zip(titles, found, strict=False) if experiment.files}
    systems = [results_tree.load(experiment, title, trials) for title, experiment in by_title.items()]
    named = zip(fusions.items(), titles[len(found) :], strict=True)
    conditions = ASVSPOOF_2017 if here.corpus.kind == "asvspoof2017" else None
    deep = analysis.analyse(
        trials, systems, {name: (title, of) for (name, of), title in named}, conditions, resamples, verifier
    )

    counts = {s: (int(t.genuine.sum()), int((~t.genuine).sum())) for s, t in trials.items()}
    official = {s: (c[score_files.GENUINE], c[score_files.SPOOF]) for s, c in asvspoof2017.COUNTS.items()}
    with_paper, remark = results.comparison(here.corpus.kind, counts, official)
    of_title = {system.title: system for system in systems}
    rows = [measure(e, t, of_title.get(t), trials) for t, e in zip(titles, found, strict=False)]
    every = panels(systems, deep, trials)
    chosen = on_det(every, det, {e.name: t for t, e in by_title.items()} | {f.name: f.title for f in deep.fusions})
    table = Table(here.corpus.name, here.corpus.kind, counts, rows, with_paper, remark, FIGURE if chosen else "")
    print(f"EER in %, {eer.LINEAR_ROC.title}\n{results_markdown.text(table, deep)}\n{remark}")

    exhibits = html.Exhibits(
        plots.det_png(chosen) if chosen else None,
        every,
        results_tree.read_maps(by_title),
        {title: e.curves for title, e in by_title.items() if e.curves},
        {title: e.environments for title, e in by_title.items() if e.environments},
    )
    with locks.hold(directory, PATIENCE):
        written = write(directory, table, deep, exhibits)
        keep_ratios(directory, here.corpus.name, systems, deep, trials)
    print(f"evaluate: wrote {', '.join(map(str, written))} in {time.monotonic() - started:.1f} s")


def unique(named: list[tuple[str, str]]) -> list[str]:
    """The titles of (name, title) pairs; the name stands behind those that several have."""
    count = Counter(title for _, title in named)
    return [f"{title} [{name}]" if count[title] > 1 else title for name, title in named]


def measure(experiment: Experiment, title: str, system: ScoredSystem | None, trials: Mapping[str, Trials]) -> Row:
    """One row of the table; without a `system` it is not run."""
    paper = {subset: getattr(experiment.paper, subset) for subset in SUBSETS}
    row = Row(experiment.name, title, paper, trained_on=experiment.trained_on)
    if system is None:
        return row
    genuine = {subset: of.genuine for subset, of in trials.items()}
    averaged = {s: results.measure(v[genuine[s]], v[~genuine[s]]) for s, v in system.averaged.items()}
    seeds = {
        s: {seed: results.measure(v[genuine[s]], v[~genuine[s]]) for seed, v in of.items()}
        for s, of in system.seeds.items()
    }
    row = dataclasses.replace(row, seeds=seeds, averaged=averaged, averaged_seeds=experiment.averaged_seeds)
    noted = (experiment.paper.note,) if experiment.paper.note else ()
    return dataclasses.replace(row, remarks=(*noted, *remarks(row, experiment.stale, trials)))


def remarks(row: Row, stale: tuple[int, ...], subsets: Iterable[str]) -> Iterator[str]:
    """What a reader must know of a row whose seeds are not complete or not those of its averaged scores."""
    if results.knows_dev(row.trained_on) and "dev" in subsets:
        yield "trained on dev as well: its dev figures are of utterances it knows, and no fusion learns from them"
    for subset in subsets:
        if absent := set(row.all_seeds) - row.seeds.get(subset, {}).keys():
            yield f"no {subset} scores of {results.named(absent)}; run stage 2 with --force"
        if subset not in row.averaged:
            yield f"no averaged {subset} scores; run stage 2"
    if row.averaged and row.averaged_seeds != row.all_seeds:
        averaged, there = results.named(row.averaged_seeds), results.named(row.all_seeds)
        yield f"the averaged scores are of {averaged}, the single ones of {there}; run stage 2"
    elif row.averaged and stale:
        yield f"the averaged scores are older than those of {results.named(stale)}; run stage 2"


def panels(systems: list[ScoredSystem], deep: Analysis, trials: Mapping[str, Trials]) -> dict[str, list[plots.Scores]]:
    """Subset -> the averaged scores to draw; fusions on eval alone, as dev has trained them."""
    found: dict[str, list[plots.Scores]] = {}
    for subset, of in trials.items():
        if of.genuine.all() or not of.genuine.any():
            continue
        vectors = [(system.title, system.averaged[subset]) for system in systems if subset in system.averaged]
        if subset != "dev":
            vectors += [(f.title, f.ratios.llrs[subset]) for f in deep.fusions if f.ratios and subset in f.ratios.llrs]
        if vectors:
            found[subset] = [plots.Scores(title, v[of.genuine], v[~of.genuine]) for title, v in vectors]
    return found


def on_det(
    every: Mapping[str, list[plots.Scores]], names: list[str] | None, titles: Mapping[str, str]
) -> dict[str, list[plots.Scores]]:
    """Those of `every` that the user wants on the DET curves; UserError for a name that nothing has."""
    if names is None:
        return dict(every)
    for name in names:
        if name not in titles:
            raise UserError(f"--det {name}: neither a system with scores nor a fusion; known: {', '.join(titles)}")
    wanted = {titles[name] for name in names}
    found = {subset: [s for s in listed if s.title in wanted] for subset, listed in every.items()}
    return {subset: listed for subset, listed in found.items() if listed}


def write(directory: Path, table: Table, deep: Analysis, exhibits: html.Exhibits) -> list[Path]:
    """Write the files of results; returns them."""
    figure = directory / FIGURE
    if exhibits.det:
        with files.whole(figure, "wb") as file:
            file.write(exhibits.det)
    else:
        figure.unlink(missing_ok=True)  # an older one would show other scores
    texts = {
        directory / "RESULTS.md": results_markdown.page(table, deep),
        directory / "results.json": results_json.text(table, deep),
        directory / "report.html": html.page(table, deep, exhibits),
    }
    for path, text in texts.items():
        files.write_text(path, text)
    return [*texts, *([figure] if exhibits.det else [])]


def keep_ratios(
    directory: Path, corpus: str, systems: list[ScoredSystem], deep: Analysis, trials: Mapping[str, Trials]
) -> None:
    """Write the log-likelihood ratios of calibrated systems and of fusions, and take away those of other scores."""
    wanted = {directory / FUSION / f.name: (f.title, f.ratios, "fusion.json", "scores") for f in deep.fusions}
    wanted |= {
        directory / s.name / "calibrated": (s.title, deep.calibrated.get(s.title), "calibration.json", "")
        for s in systems
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


if __name__ == "__main__":
    errors.run(main)
