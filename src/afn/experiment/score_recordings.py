"""Score your own recordings with a trained experiment: genuine or replayed?

They pass through the very extraction that the experiment was trained on. A network takes so many frames: a shorter
recording is repeated, as in training. A longer one is scored over windows of that many frames, each half a window after
the one before it, the last ending with the recording; its score is the mean of theirs.

One line a recording goes to stdout; notes, and one line for a recording that fails, go to stderr. The exit code is 2 if
any failed.
"""

import argparse
import csv
import json
import math
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from afn.common import errors, parallel
from afn.common.errors import UserError
from afn.common.paths import portable
from afn.experiment import command_line, finished
from afn.experiment import recording_scorer as scorers
from afn.experiment.recording_scorer import Recording, Scorer, note, readable
from afn.features.containers import SUFFIXES

GROUP = 64  # windows scored at a time
FAILURES = (UserError, OSError, MemoryError)  # of one recording; the others are scored all the same


@dataclass(frozen=True)
class Failure:
    """A recording without a score."""

    file: str
    reason: str


def main() -> None:
    parser = command_line.Parser(
        description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=given, metavar="FILE", help="a recording, or a folder of recordings")
    finished.add_options(parser)
    parser.add_argument("--threshold", type=number, metavar="SCORE", help="genuine above it (that of the EER on dev)")
    parser.add_argument(
        "--channel", type=parallel.positive, metavar="N", help="which channel of several, 1 for the first"
    )
    parser.add_argument("--heatmap", type=Path, metavar="DIR", help="draw what the attention does to each into DIR")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object with all there is, in full precision")
    form.add_argument("--csv", action="store_true", help="a table in full precision")
    options = parser.parse_args()
    scorer = scorers.load(finished.find(options), options.threshold, options.channel, options.heatmap)
    failures: list[Failure] = []
    scored = succeeded(results(scorer, options.files), failures)
    if options.json:
        write_json(scorer, list(scored), failures)
    elif options.csv:
        write_csv(scorer, scored)
    else:
        write_lines(scorer, scored)
    if failures:
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


def files_of(given: Iterable[Path]) -> Iterator[Path | Failure]:
    """The files that are given, and those in folders, at any depth, in bytewise order; what cannot be read there."""
    for path in given:
        if not os.path.isdir(path):  # noqa: PTH112 — Path.is_dir may raise
            yield path
            continue
        refused: list[OSError] = []
        inside = [Path(folder, name) for folder, _, names in os.walk(path, onerror=refused.append) for name in names]
        found = [file for file in inside if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")]
        yield from sorted(found, key=os.fsencode)
        yield from (failure(error.filename, f"{error.strerror}. Correct its permissions.") for error in refused)
        if not found and not refused:
            yield failure(path, f"holds no recordings ({' '.join(SUFFIXES)}). Name another folder.")


def results(scorer: Scorer, given: Iterable[Path]) -> Iterator[Recording | Failure]:
    """Every recording, scored and drawn, or why it has no score; a group at a time, as soon as the group is done."""
    group: list[Recording] = []
    for path in files_of(given):
        if isinstance(path, Failure):
            yield path
            continue
        try:
            group.append(scorer.prepare(path))
        except FAILURES as error:
            yield failure(path, error)
        if sum(len(recording.windows) for recording in group) >= GROUP:
            yield from scored_group(scorer, group)
            group = []
    if group:
        yield from scored_group(scorer, group)


def scored_group(scorer: Scorer, group: list[Recording]) -> Iterator[Recording | Failure]:
    """A group, scored together; where that fails, one at a time, so that only the recordings that fail are lost."""
    try:
        scorer.score_all(group)
    except FAILURES as error:
        if len(group) > 1:
            for recording in group:
                yield from scored_group(scorer, [recording])
        else:
            yield failure(group[0].path, error)
        return
    for recording in group:
        if not math.isfinite(recording.score):
            yield failure(recording.path, f"its score is {recording.score}. Train without divergence.")
            continue
        if scorer.heatmaps:
            try:
                scorer.draw(recording)
            except OSError as error:
                recording.notes.append(f"no heatmap: {error}")
        recording.windows = []  # of many recordings they would fill the memory
        yield recording


def failure(path: Path | str, error: Exception | str) -> Failure:
    """Why a recording has no score, in one line that names it."""
    file, said = readable(path), readable(" ".join(str(error).split()) or "out of memory. Cut it into shorter ones.")
    return Failure(file, said if file in said else f"{file}: {said}")


def succeeded(found: Iterable[Recording | Failure], failures: list[Failure]) -> Iterator[Recording]:
    """The recordings with a score; the others are told on stderr and kept in `failures`."""
    for result in found:
        if isinstance(result, Failure):
            failures.append(result)
            print(f"{Path(sys.argv[0]).name}: error: {result.reason}", file=sys.stderr, flush=True)
        else:
            yield result


def write_lines(scorer: Scorer, scored: Iterable[Recording]) -> None:
    """A line a recording, then one that says what the scores are."""
    for recording in scored:
        name = readable(recording.path)
        for text in recording.notes:
            note(f"{name}: {text}")
        figures = f"score {recording.score:+.4f}, threshold {scorer.threshold.value:+.4f}"
        print(f"{name}: {figures}: {scorer.decision(recording)}", flush=True)
    print(scorer.meaning)


def write_csv(scorer: Scorer, scored: Iterable[Recording]) -> None:
    """A row a recording under a header; what the scores are goes to stderr."""
    columns = row(scorer, Recording(Path(), [], []))
    writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
    writer.writeheader()
    for recording in scored:
        writer.writerow(row(scorer, recording) | {"notes": "; ".join(recording.notes)})
        sys.stdout.flush()
    note(scorer.meaning)


def write_json(scorer: Scorer, scored: list[Recording], failures: list[Failure]) -> None:
    """One object: the experiment, the recordings, and those that failed."""
    content = {
        "experiment": portable(scorer.experiment.directory),
        "title": scorer.experiment.title,
        "seeds": scorer.experiment.seeds,
        "threshold": scorer.threshold.value,
        "dev_eer": scorer.threshold.eer,
        "meaning": scorer.meaning,
        "recordings": [row(scorer, recording) for recording in scored],
        "failed": [asdict(failure) for failure in failures],
    }
    print(json.dumps(content, indent=2, ensure_ascii=False))


def row(scorer: Scorer, recording: Recording) -> dict[str, Any]:
    return {
        "file": readable(recording.path),
        "score": recording.score,
        "threshold": scorer.threshold.value,
        "decision": scorer.decision(recording),
        "windows": recording.count,
        "heatmap": readable(recording.heatmap) if recording.heatmap else None,
        "notes": recording.notes,
    }


if __name__ == "__main__":
    errors.run(main)
