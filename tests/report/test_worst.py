"""The recordings on which a system errs most, and the links to them."""

import numpy as np
import pytest

from afn.common import record
from afn.common.paths import ROOT
from afn.corpora.datadir import Utterance
from afn.metrics import eer
from afn.metrics.analysis import ScoredSystem
from afn.report import worst

SCORES = {"dev": np.array([2.0, 1, 3, 0]), "eval": np.r_[np.arange(24.0), [23.5, 0.5, 0.5]]}
LISTED = {
    "dev": [Utterance(f"D{i}", "-", "s", label) for i, label in enumerate(["genuine"] * 2 + ["spoof"] * 2)],
    "eval": [Utterance(f"G{i:02d}", f"/nowhere/G{i:02d}.wav", "s", "genuine", {"a": "-", "b": "-"}) for i in range(24)]
    + [Utterance(f"S{i}", f"/nowhere/S{i}.wav", "s", "spoof", {"a": "E1", "b": "-"}) for i in range(3)],
}


def found(page, listed=LISTED, scores=SCORES, **system):
    genuine = {subset: np.array([u.label == "genuine" for u in of]) for subset, of in listed.items()}
    averaged = {s: eer.measure(v[genuine[s]], v[~genuine[s]]) for s, v in scores.items()}
    return worst.worst(ScoredSystem("afn", "AFN", scores, **system), averaged, listed, "eval", page)


def test_the_lowest_genuine_and_the_highest_replayed_scores_are_the_worst(tmp_path):
    of = found(tmp_path)
    assert [r.utt for r in of.recordings["genuine"]] == [f"G{i:02d}" for i in range(10)]
    assert [(r.utt, r.score, r.condition) for r in of.recordings["spoof"]] == [
        ("S0", 23.5, "E1"), ("S1", 0.5, "E1"), ("S2", 0.5, "E1")
    ]  # fmt: skip
    assert {r.audio + r.heatmap for listed in of.recordings.values() for r in listed} == {""}  # none exists


@pytest.mark.parametrize(
    ("changes", "threshold_of"), [({}, "dev"), ({"trained_on": "train+dev"}, "eval")], ids=["train", "train and dev"]
)
def test_an_error_is_a_score_on_the_wrong_side_of_the_dev_threshold_where_dev_was_not_trained_on(
    tmp_path, changes, threshold_of
):
    of = found(tmp_path, **changes)
    classes = [SCORES[threshold_of][[u.label == label for u in LISTED[threshold_of]]] for label in ("genuine", "spoof")]
    assert (of.threshold, of.threshold_of) == (eer.official_threshold(*classes), threshold_of)
    assert of.errors == {"genuine": int(of.threshold) + 1, "spoof": int((SCORES["eval"][24:] > of.threshold).sum())}
    assert [r.wrong for r in of.recordings["genuine"]] == [r.score <= of.threshold for r in of.recordings["genuine"]]


def test_recordings_and_heatmaps_are_linked_where_they_exist(tmp_path):
    (tmp_path / "a b#.wav").touch()
    listed = LISTED | {"eval": [Utterance("G00", str(tmp_path / "a b#.wav"), "s", "genuine"), *LISTED["eval"][1:-1],
                                Utterance("S2", "cat x.wav |", "s", "spoof")]}  # fmt: skip
    page = tmp_path / "exp"
    for utt in ("G00", "G01", "G02"):
        (page / "afn" / "attention").mkdir(parents=True, exist_ok=True)
        (page / "afn" / "attention" / f"{utt}.png").touch()
    assert found(page, listed).recordings["genuine"][0].heatmap == ""  # stage 1 has not finished
    record.write(page / "afn" / "attention", {"identity": {"utterances": ["G00", "G02", "G03"]}})
    first, older, second, absent = found(page, listed).recordings["genuine"][:4]
    assert first.audio.startswith("file:///") and first.audio.endswith("/a%20b%23.wav")
    assert (first.heatmap, second.heatmap) == ("afn/attention/G00.png", "afn/attention/G02.png")
    assert older.heatmap == absent.heatmap == ""
    assert worst.link(ROOT / "README.md", ROOT / "exp" / "corpus") == "../../README.md"
    assert {r.audio for r in found(page, listed).recordings["spoof"]} == {""}
