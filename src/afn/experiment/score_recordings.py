"""Score your own recordings: genuine or replayed?

Without --system, --corpus, --experiment, --seed or --exp the detector that comes with the package scores them, else the
trained experiment that these options name. The score of a recording is calibrated to a log-likelihood ratio (llr,
natural logarithm, genuine : replayed) on the dev set; with --prior it gives the probability of a replay, with the costs
of errors the decision. A long recording is scored in windows; its score is their mean.

One line a recording goes to stdout; notes, warnings, and one line for a recording that fails, go to stderr. The exit
code is 2 if any failed.
"""

import argparse
import csv
import json
import math
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from afn.common import errors, parallel
from afn.common.errors import UserError
from afn.common.paths import portable
from afn.experiment import answers, command_line, finished
from afn.experiment import recording_scorer as scorers
from afn.experiment.recording_scorer import GROUP, LONG, Scorer, note
from afn.experiment.recordings import Recording, readable
from afn.features.containers import SUFFIXES

Row = dict[str, Any]  # what is known of a recording, by name
COLUMNS = (
    "file", "score", "llr", "p_replay", "threshold", "decision", "duration", "windows", "suspicious_start",
    "suspicious_end", "suspicious_score", "heatmap", "warnings", "notes",
)  # fmt: skip
FAILURES = (UserError, OSError, MemoryError)  # of one recording; the others are scored all the same


def main() -> None:
    parser = command_line.Parser(
        description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=given, metavar="FILE", help="a recording, or a folder of recordings")
    finished.add_options(parser)
    parser.add_argument(
        "--prior", type=number, default=0.5, metavar="P", help="prior probability of a replay (%(default)s)"
    )
    for name, what in (("miss", "rejecting genuine speech, C_miss"), ("false-alarm", "accepting a replay, C_fa")):
        parser.add_argument(
            f"--cost-{name}", type=number, default=1.0, metavar="C", help=f"cost of {what} (%(default)g)"
        )
    parser.add_argument(
        "--threshold", type=number, metavar="SCORE", help="genuine above it, instead of the Bayes threshold of the llr"
    )
    parser.add_argument(
        "--channel", type=parallel.positive, metavar="N", help="which channel of several, 1 for the first"
    )
    parser.add_argument(
        "--heatmap", type=Path, metavar="DIR", help="draw scores over time and what the attention does into DIR"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object with all there is, in full precision")
    form.add_argument("--csv", action="store_true", help="a table in full precision")
    options = parser.parse_args()
    costs = answers.costs(options.prior, options.cost_miss, options.cost_false_alarm)
    scorer = scorers.load(finished.chosen(options), options.threshold, options.channel, options.heatmap, costs)
    failed: list[Row] = []
    scored = results(scorer, options.files, failed)
    if options.json:
        write_json(scorer, list(scored), failed)
    elif options.csv:
        write_csv(scorer, scored)
    else:
        write_lines(scorer, scored)
    if failed:
        sys.exit(errors.USER_ERROR)


def number(text: str) -> float:
    """The type of an option that takes a finite number."""
    try:
        if math.isfinite(float(text)):
            return float(text)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} must be a number")


def given(text: str) -> Path:
    """The type of an argument that names a file or folder."""
    if not text:
        raise argparse.ArgumentTypeError("an empty name, perhaps of a variable that is not set")
    return Path(text)


def files_of(given: Iterable[Path], failed: list[Row]) -> Iterator[Path]:
    """The files that are given, and those in folders, at any depth, in bytewise order."""
    for path in given:
        if not os.path.isdir(path):  # noqa: PTH112 — Path.is_dir may raise
            yield path
            continue
        refused: list[OSError] = []
        inside = [Path(folder, name) for folder, _, names in os.walk(path, onerror=refused.append) for name in names]
        found = [file for file in inside if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")]
        yield from sorted(found, key=os.fsencode)
        for error in refused:
            fail(failed, error.filename, f"{error.strerror}. Correct its permissions.")
        if not found and not refused:
            fail(failed, path, f"holds no recordings ({' '.join(SUFFIXES)}). Name another folder.")


def results(scorer: Scorer, given: Iterable[Path], failed: list[Row]) -> Iterator[Row]:
    """Every recording that can be scored, scored and drawn; a group at a time, as soon as the group is done."""
    group: list[Recording] = []
    for path in files_of(given, failed):
        try:
            group.append(scorer.prepare(path))
        except FAILURES as error:
            fail(failed, path, error)
        if len(group) >= GROUP or sum(recording.duration for recording in group) >= GROUP * LONG:
            yield from scored_group(scorer, group, failed)
            group = []
    if group:
        yield from scored_group(scorer, group, failed)


def scored_group(scorer: Scorer, group: list[Recording], failed: list[Row]) -> Iterator[Row]:
    """A group, scored together; where that fails, one at a time, so that only the recordings that fail are lost."""
    try:
        scorer.score_all(group)
    except FAILURES as error:
        if len(group) > 1:
            for recording in group:
                yield from scored_group(scorer, [recording], failed)
        else:
            fail(failed, group[0].path, error)
        return
    for recording in group:
        if not math.isfinite(recording.score):
            fail(failed, recording.path, f"its score is {recording.score}. Train without divergence.")
            continue
        if scorer.heatmaps:
            try:
                scorer.draw(recording)
            except OSError as error:
                recording.notes.append(f"no heatmap: {error}")
        yield scorer.row(recording)


def fail(failed: list[Row], path: Path | str, error: Exception | str) -> None:
    """Say on stderr why a recording has no score, in one line that names it, and add it to `failed`."""
    file, said = readable(path), readable(" ".join(str(error).split()) or "out of memory. Cut it into shorter ones.")
    reason = said if file in said else f"{file}: {said}"
    failed.append({"file": file, "reason": reason})
    print(f"{Path(sys.argv[0]).name}: error: {reason}", file=sys.stderr, flush=True)


def write_lines(scorer: Scorer, scored: Iterable[Row]) -> None:
    """A line a recording, then one that says what the scores are."""
    for row in scored:
        for text in row["notes"]:
            note(f"{row['file']}: {text}")
        for text in row["warnings"]:
            print(f"warning: {row['file']}: {text}", file=sys.stderr, flush=True)
        figures = f"score {row['score']:+.4f}"
        if row["llr"] is not None:
            figures += f", llr {row['llr']:+.2f}, p_replay {row['p_replay']:.3g}"
        where = ""
        if row["windows"] > 1:
            span = " to ".join(clock(row[f"suspicious_{name}"]) for name in ("start", "end"))
            where = f"; most suspicious of {row['windows']} windows: {span}, score {row['suspicious_score']:+.4f}"
        print(f"{row['file']}: {figures}: {row['decision']}{where}", flush=True)
    print(scorer.meaning)


def clock(seconds: float) -> str:
    """A time as minutes:seconds."""
    return f"{int(seconds) // 60}:{seconds % 60:04.1f}"


def write_csv(scorer: Scorer, scored: Iterable[Row]) -> None:
    """A row a recording under a header; what the scores are goes to stderr."""
    writer = csv.DictWriter(sys.stdout, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in scored:
        writer.writerow(row | {name: "; ".join(row[name]) for name in ("warnings", "notes")})
        sys.stdout.flush()
    note(scorer.meaning)


def write_json(scorer: Scorer, scored: list[Row], failed: list[Row]) -> None:
    """One object: the experiment, the recordings, and those that failed."""
    content = {
        "experiment": portable(scorer.experiment.directory),
        "title": scorer.experiment.title,
        "seeds": scorer.experiment.seeds,
        "threshold": scorer.limit,
        "prior": scorer.costs.spoof,
        "cost_miss": scorer.costs.miss,
        "cost_false_alarm": scorer.costs.false_alarm,
        "llr_threshold": scorer.costs.threshold,
        "dev_eer": scorer.on_dev.eer if scorer.on_dev else None,
        "meaning": scorer.meaning,
        "recordings": scored,
        "failed": failed,
    }
    print(json.dumps(content, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    errors.run(main)
