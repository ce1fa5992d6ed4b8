"""Stage 3: the error rates of every system that has scores; or, with --scores and --labels, of any score file.

    reads   data/<corpus>/{dev,eval}/utt2label
            exp/<corpus>/<system>/seed<k>/scores/{dev,eval}.txt     of every seed
            exp/<corpus>/<system>/scores/{dev,eval}.txt             averaged over seeds
            exp/<corpus>/<system>/seed<k>/config.yaml               titles and the paper's figures
    writes  exp/<corpus>/{RESULTS.md,results.json,det.png}

It takes a second, so it always computes everything anew; the same scores give the same bytes.
"""

import dataclasses
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import config
import errors
import files
import record
import stage
from corpora import asvspoof2017
from errors import UserError
from evaluation import eer, plots, results, scores
from evaluation.results import SUBSETS, Row, Table
from systems.settings import Paper

FIGURE = "det.png"


def main() -> None:
    parser = stage.arguments("Stage 3: EERs, DET curves and the results table of a corpus.", system=False)
    parser.add_argument("--scores", type=Path, metavar="FILE", help="only the EERs of this file of `utt score` lines")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="... against this file of `utt label` lines")
    parser.add_argument("--json", action="store_true", help="... in full precision, as JSON")
    options = parser.parse_args()
    if options.scores and options.labels:
        report_file(options.scores, options.labels, options.json)
    elif options.scores or options.labels or options.json:
        raise UserError("--scores FILE and --labels FILE go together, and --json goes with them; give both files")
    else:
        report_corpus(stage.from_arguments(options))


def report_file(scores_path: Path, labels_path: Path, as_json: bool) -> None:
    """Print the EERs of one score file; raises UserError for whatever is wrong in it, and where a class is missing."""
    labels = scores.read_labels(labels_path)
    genuine, spoof = scores.join(scores.read(scores_path), labels, scores_path, labels_path)
    for label, there in ((scores.GENUINE, genuine), (scores.SPOOF, spoof)):
        if not there.size:
            raise UserError(f"{labels_path}: no {label} utterance; an EER needs both classes")
    measured = results.measure(genuine, spoof)
    if as_json:
        content = {
            "genuine": genuine.size,
            "spoof": spoof.size,
            "unit": "percent",
            "eer": {name: 100 * value for name, value in measured.eers.items()},
            "threshold": {eer.OFFICIAL.name: measured.threshold},
            "definitions": {definition.name: definition.source for definition in eer.DEFINITIONS},
        }
        print(results.dump(content), end="")
        return
    print(f"{scores_path}: {genuine.size} genuine, {spoof.size} spoof; higher scores = more genuine")
    for definition in eer.DEFINITIONS:
        print(f"EER, {definition.title:<18}{100 * measured.eers[definition.name]:8.4f} %   {definition.source}")
    print(f"threshold, {eer.OFFICIAL.title}: {measured.threshold:.6g}; scores above it are taken for genuine")


def report_corpus(here: stage.Stage) -> None:
    """Measure every system of the corpus; write and print the results. Raises UserError where stage 2 has not run."""
    started = time.monotonic()
    directory = here.layout.results
    systems = [system for system in map(find_scores, sorted(directory.glob("*/"))) if system.files]
    if not systems:
        raise UserError(f"{directory}: no scores of any system; run stage 2 first")
    labels = {
        subset: scores.read_labels(here.layout.subset(subset) / "utt2label")
        for subset in stage.prepared(here)
        if subset in SUBSETS
    }
    print(f"evaluate: {sum(len(s.files) for s in systems)} score files of {len(systems)} systems in {directory}")
    titles = Counter(system.title for system in systems)
    rows, panels = [], {subset: [] for subset in SUBSETS}
    for system in systems:
        if titles[system.title] > 1:
            system = dataclasses.replace(system, title=f"{system.title} [{system.name}]")
        row, curves = measure(system, labels)
        rows.append(row)
        for subset, curve in curves.items():
            panels[subset].append(curve)
    panels = {subset: curves for subset, curves in panels.items() if curves}
    counts = {s: tuple(map(list(labels[s].values()).count, (scores.GENUINE, scores.SPOOF))) for s in labels}
    official = {s: (c[scores.GENUINE], c[scores.SPOOF]) for s, c in asvspoof2017.COUNTS.items()}
    with_paper, remark = results.comparison(here.corpus.kind, counts, official)
    table = Table(here.corpus.name, here.corpus.kind, counts, rows, with_paper, remark, FIGURE if panels else "")
    print(f"EER in %, {eer.LINEAR_ROC.title}\n{results.to_text(table)}\n{remark}")
    written = write(directory, table, panels)
    print(f"evaluate: wrote {', '.join(map(str, written))} in {time.monotonic() - started:.1f} s")


@dataclass(frozen=True)
class Found:
    """The score files of one system's folder: (subset, seed) -> file, seed None for the averaged scores."""

    name: str
    title: str
    paper: Paper
    files: Mapping[tuple[str, int | None], Path]
    averaged_seeds: tuple[int, ...]
    stale: tuple[int, ...]  # seeds whose scores are no longer those that were averaged


def find_scores(directory: Path) -> Found:
    """The score files below a folder of exp/<corpus>/, and the records that say what they are of."""
    folders = {int(folder.name[4:]): folder for folder in directory.glob("seed*/") if folder.name[4:].isdecimal()}
    trained = [folders[seed] / record.NAME for seed in sorted(folders)]
    title, paper = described(next((path for path in trained if path.is_file()), None))
    found = {
        (subset, seed): path
        for seed, folder in [*sorted(folders.items()), (None, directory)]
        for subset in SUBSETS
        if (folder / "scores" / record.NAME).is_file()  # written last: without it the scores are not complete
        and (path := folder / "scores" / f"{subset}.txt").is_file()
    }
    averaged = directory / "scores" / record.NAME
    content = config.read(averaged) if averaged.is_file() else {}
    seeds = tuple(sorted(content.get("seeds", ())))
    then = content.get("made_from", {})  # the records of the seeds' scores, by their hash
    stale = tuple(
        seed
        for seed in seeds
        if (path := directory / f"seed{seed}" / "scores" / record.NAME).is_file()
        and files.sha256(path) != then.get(f"seed{seed}")
    )
    return Found(directory.name, title or directory.name, paper, found, seeds, stale)


def described(path: Path | None) -> tuple[str, Paper]:
    """A system's title and the paper's figures for it, from the record of one of its trained seeds."""
    if path is None:
        return "", Paper()
    content = config.read(path)
    settings = content.get("settings", content)
    return str(settings.get("title", "")), config.build(Paper, settings.get("paper") or {}, f"{path}: paper")


def measure(system: Found, labels: Mapping[str, Mapping[str, str]]) -> tuple[Row, dict[str, plots.Scores]]:
    """One row of the table and, by subset, the averaged scores for its DET curves (where both classes are there)."""
    seeds: dict[str, dict[int, results.Measured]] = {}
    averaged: dict[str, results.Measured] = {}
    curves: dict[str, plots.Scores] = {}
    for (subset, seed), path in system.files.items():
        if subset not in labels:
            raise UserError(f"{path}: scores of a subset that is not prepared; run stage -2 first, or take them away")
        genuine, spoof = scores.join(scores.read(path), labels[subset], path, f"{subset}/utt2label")
        measured = results.measure(genuine, spoof)
        if seed is not None:
            seeds.setdefault(subset, {})[seed] = measured
            continue
        averaged[subset] = measured
        if measured.eers:
            curves[subset] = plots.Scores(system.title, genuine, spoof)
    row = Row(system.name, system.title, dataclasses.asdict(system.paper), seeds, averaged, system.averaged_seeds)
    return dataclasses.replace(row, remarks=tuple(remarks(row, system.stale, labels))), curves


def remarks(row: Row, stale: tuple[int, ...], subsets: Iterable[str]) -> Iterator[str]:
    """What a reader must know of a row whose seeds are not complete or not those of its averaged scores."""
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


def write(directory: Path, table: Table, panels: Mapping[str, list[plots.Scores]]) -> list[Path]:
    """Write the three files of results; returns them."""
    figure, numbers, page = directory / FIGURE, directory / "results.json", directory / "RESULTS.md"
    if panels:
        with files.whole(figure, "wb") as file:
            file.write(plots.det_png(panels))
    else:
        figure.unlink(missing_ok=True)  # an older one would show other scores
    files.write_text(numbers, results.to_json(table))
    files.write_text(page, results.to_markdown(table))
    return [page, numbers, *([figure] if panels else [])]


if __name__ == "__main__":
    errors.run(main)
