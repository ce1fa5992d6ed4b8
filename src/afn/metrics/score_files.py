"""Score files, `utt score` a line, and scores joined with labels.

Text tables as Kaldi has them: fields between blanks or tabs, sorted bytewise by utterance when we write them. Higher
scores = more genuine.
"""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from afn.common import files, tables
from afn.common.errors import UserError
from afn.common.labels import GENUINE, SPOOF


def write(path: Path | str, scores: Mapping[str, float]) -> None:
    """Write a score file, whole or not at all; reading it gives back the same float64 values.

    Raises UserError where there is no score, a score is NaN or infinite, or an utterance's id is empty or holds blanks.
    """
    lines = []
    for utt in sorted(scores, key=str.encode):
        score = float(scores[utt])
        if not math.isfinite(score):
            raise UserError(
                f"{path}: the score of {utt} is {score}. Score with a model whose training did not diverge."
            )
        if utt.split() != [utt]:
            raise UserError(f"{path}: {utt!r} is no utterance id. Remove the white space.")
        lines.append(f"{utt} {score!r}\n")
    if not lines:
        raise UserError(f"{path}: no scores to write. Give at least one.")
    files.write_text(path, "".join(lines))


def read(path: Path | str) -> dict[str, float]:
    """The scores of a score file, utterance -> score, in the file's order.

    Raises UserError, naming file and line, as `tables.rows` does, and for a score that is NaN or infinite.
    """
    return {utt: tables.number(score, where) for where, (utt, score) in tables.rows(path, "utt score")}


def join(
    scores: Mapping[str, float],
    labels: Mapping[str, str],
    scores_name: Path | str = "scores",
    labels_name: Path | str = "labels",
) -> tuple[np.ndarray, np.ndarray]:
    """The scores of the genuine and of the spoof utterances: two float64 vectors in the order of `labels`.

    Either may be empty. Raises UserError unless scores and labels are of the same utterances: it names the first (in
    bytewise order) that is missing or too many and says how many more there are. The names are for messages.
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
