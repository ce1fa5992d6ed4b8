"""Score files (`utt score` a line), label files (`utt label` a line), and the two joined.

Both are text tables as Kaldi has them: fields between blanks or tabs, sorted bytewise by utterance when we write them.
Higher scores = more genuine.
"""

import math
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from afn.common import files
from afn.common.errors import UserError

GENUINE, SPOOF = "genuine", "spoof"
# float() alone would take 1_000 for a number as well
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(inf|infinity|nan)", re.ASCII | re.IGNORECASE)


def write(path: Path | str, scores: Mapping[str, float]) -> None:
    """Write a score file, whole or not at all; reading it gives back the same float64 values.

    Raises UserError where there is no score, a score is NaN or infinite, or an utterance's id is empty or holds blanks.
    """
    lines = []
    for utt in sorted(scores, key=str.encode):
        score = float(scores[utt])
        if not math.isfinite(score):
            raise UserError(f"{path}: the score of {utt} is {score}; score with a model whose training did not diverge")
        if utt.split() != [utt]:
            raise UserError(f"{path}: {utt!r} is no utterance id; take the white space out")
        lines.append(f"{utt} {score!r}\n")
    if not lines:
        raise UserError(f"{path}: no scores to write")
    files.write_text(path, "".join(lines))


def read(path: Path | str) -> dict[str, float]:
    """The scores of a score file, utterance -> score, in the file's order.

    A byte order mark, CRLF line ends and empty lines are accepted. Raises UserError, naming file and line, for a line
    that is not `utt score`, a score that is NaN or infinite, an utterance that comes twice; and for a missing or empty
    file.
    """
    scores = {}
    for where, utt, text in _rows(Path(path), "score"):
        if not NUMBER.fullmatch(text):
            raise UserError(f"{where}: {text!r} is not a number; write `utterance score`")
        score = float(text)
        if not math.isfinite(score):
            raise UserError(f"{where}: the score of {utt} is {text}; scores must be finite")
        scores[utt] = score
    return scores


def read_labels(path: Path | str) -> dict[str, str]:
    """The labels of a file of `utt genuine|spoof` lines (a data directory's utt2label), in the file's order.

    Raises UserError as `read` does.
    """
    labels = {}
    for where, utt, label in _rows(Path(path), "label"):
        if label not in (GENUINE, SPOOF):
            raise UserError(f"{where}: {label!r} is not a label; write `utterance genuine` or `utterance spoof`")
        labels[utt] = label
    return labels


def join(
    scores: Mapping[str, float],
    labels: Mapping[str, str],
    scores_name: Path | str = "scores",
    labels_name: Path | str = "labels",
) -> tuple[np.ndarray, np.ndarray]:
    """The scores of the genuine and of the spoof utterances: two float64 vectors in the order of `labels`.

    Either may be empty. Raises UserError unless scores and labels are of the same utterances: it names the first (in
    bytewise order) that is missing or too many and says how many more there are. The names stand in messages.
    """
    faults = []
    if missing := labels.keys() - scores.keys():
        faults.append(f"no score for {_first(missing)}")
    if extra := scores.keys() - labels.keys():
        faults.append(f"no label in {labels_name} for {_first(extra)}")
    if faults:
        raise UserError(f"{scores_name}: {' and '.join(faults)}; scores and labels must be of the same utterances")
    genuine, spoof = (
        np.array([scores[utt] for utt, label in labels.items() if label == wanted], dtype=np.float64)
        for wanted in (GENUINE, SPOOF)
    )
    return genuine, spoof


def _first(utterances: set[str]) -> str:
    first = min(utterances, key=str.encode)
    return f"{first} (and {len(utterances) - 1} more)" if len(utterances) > 1 else first


def _rows(path: Path, what: str) -> list[tuple[str, str, str]]:
    """The lines of a two-column table as (file:line, first field, second field); the first field is unique."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a text file; write `utterance {what}` lines in UTF-8") from None
    except (FileNotFoundError, IsADirectoryError):
        raise UserError(f"{path}: no such file; name a file of `utterance {what}` lines") from None
    rows: list[tuple[str, str, str]] = []
    seen: set[str] = set()
    for number, line in enumerate(text.split("\n"), 1):
        fields = line.split()
        if not fields:
            continue
        where = f"{path}:{number}"
        if len(fields) != 2:
            raise UserError(f"{where}: {len(fields)} fields; a line is `utterance {what}`")
        if fields[0] in seen:
            raise UserError(f"{where}: {fields[0]} stands here a second time; take one out")
        seen.add(fields[0])
        rows.append((where, *fields))
    if not rows:
        raise UserError(f"{path}: the file is empty; it needs `utterance {what}` lines")
    return rows
