"""The recordings on which a system errs most: the lowest genuine and the highest replayed scores."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np

from afn.common import record
from afn.common.labels import GENUINE, LABELS
from afn.common.paths import ROOT, located
from afn.corpora.datadir import Utterance, is_pipe
from afn.metrics.analysis import ScoredSystem
from afn.metrics.eer import Measured

MOST = 10  # recordings of each class


@dataclass(frozen=True)
class WorstRecording:
    """One recording; `audio` and `heatmap` are links from the results page, empty where the file does not exist."""

    utt: str
    condition: str  # its known conditions, joined by spaces
    score: float
    wrong: bool  # on the wrong side of the threshold
    audio: str
    heatmap: str


@dataclass(frozen=True)
class Worst:
    """The worst recordings of one system on a subset, and how many are on the wrong side of the threshold."""

    subset: str
    threshold: float  # scores above it count as genuine
    threshold_of: str  # the subset on which it gives the EER
    recordings: Mapping[str, Sequence[WorstRecording]]  # label -> at most MOST, the worst first
    errors: Mapping[str, int]  # label -> how many of all its recordings
    totals: Mapping[str, int]


def worst(
    system: ScoredSystem,
    averaged: Mapping[str, Measured],
    listed: Mapping[str, Sequence[Utterance]],
    judged: str,
    page: Path,
) -> Worst:
    """Find the recordings of the subset `judged` on which the averaged scores of a system err most.

    The threshold is that of the EER on dev, or on `judged` if the system was trained on dev or has no dev scores.

    Args:
        system: one with averaged scores of `judged`, which has both classes.
        averaged: subset -> the EERs of the system's averaged scores.
        listed: subset -> utterances in the order of the scores.
        judged: dev or eval.
        page: exp/<corpus>, the folder of the results page.
    """
    threshold_of = "dev" if system.usable_on_dev and averaged["dev"].threshold is not None else judged
    threshold, scores, utterances = averaged[threshold_of].threshold, system.averaged[judged], listed[judged]
    assert threshold is not None
    heatmaps = page / system.name / "attention"
    drawn = record.read(heatmaps).get("identity", {}).get("utterances", ()) if record.exists(heatmaps) else ()
    recordings, errors, totals = {}, {}, {}
    for label in LABELS:
        genuine = label == GENUINE
        wrong = (scores <= threshold) == genuine
        places = np.array([i for i, u in enumerate(utterances) if u.label == label], dtype=int)
        order = places[np.argsort(scores[places] if genuine else -scores[places], kind="stable")]
        recordings[label] = [
            WorstRecording(
                (u := utterances[place]).utt,
                " ".join(code for code in u.conditions.values() if code != "-"),
                float(scores[place]),
                bool(wrong[place]),
                "" if is_pipe(u.wav) else link(located(u.wav), page),
                link(heatmaps / f"{u.utt}.png", page) if u.utt in drawn else "",
            )
            for place in order[:MOST]
        ]
        errors[label], totals[label] = int(wrong[places].sum()), len(places)
    return Worst(judged, threshold, threshold_of, recordings, errors, totals)


def link(path: Path, page: Path) -> str:
    """The link from a page in the folder `page` to a file: relative where both are in the repository, else absolute.

    Empty if the file does not exist.
    """
    if not path.is_file():
        return ""
    inside = path.is_relative_to(ROOT) and page.is_relative_to(ROOT) or path.is_relative_to(page)
    return quote(os.path.relpath(path, page)) if inside else path.absolute().as_uri()
