"""evaluate.py --scores: every figure of a score file, with intervals."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from afn.common.errors import UserError
from afn.metrics import calibration, dcf, eer, score_files, tdcf, trial_files

REAL_DATA = os.environ.get("REAL_DATA")
LABELS = "a genuine\nb genuine\nc spoof\nd spoof\n"


def pair(tmp_path, score_lines, label_lines=LABELS):
    (tmp_path / "s.txt").write_text(score_lines)
    (tmp_path / "l.txt").write_text(label_lines)
    return "--scores", tmp_path / "s.txt", "--labels", tmp_path / "l.txt"


def made_up(tmp_path, genuine=37, spoof=53):
    """Two classes of scores, and the arguments for their files."""
    rng = np.random.default_rng(5)
    both = rng.normal(1, 1, genuine), rng.normal(0, 1, spoof)
    named = {f"{name}{i}": score for name, scores in zip("gs", both, strict=True) for i, score in enumerate(scores)}
    score_files.write(tmp_path / "s.txt", named)
    labels = "".join(f"{utt}.wav {'bonafide' if utt[0] == 'g' else 'spoof'}\n" for utt in named)
    (tmp_path / "l.txt").write_text(labels)
    return both, ("--scores", tmp_path / "s.txt", "--labels", tmp_path / "l.txt")


def test_every_figure_with_its_interval_as_text_and_in_full_precision(main, tmp_path):
    (genuine, spoof), arguments = made_up(tmp_path)
    content = json.loads(main(*arguments, "--json", "--resamples", "300"))
    assert (content["genuine"], content["spoof"], content["unit"]) == (37, 53, "percent")
    for definition in eer.DEFINITIONS:
        assert content["eer"][definition.name] == 100 * definition.compute(genuine, spoof)
        assert content["definitions"][definition.name] == definition.source
    assert content["threshold"] == {"official": eer.official_threshold(genuine, spoof)}
    assert content["eer_interval"]["low"] < content["eer"]["linear_roc"] < content["eer_interval"]["high"]
    costs = {"min_dcf": dcf.min_dcf, "act_dcf": dcf.act_dcf, "cllr": calibration.cllr, "min_cllr": calibration.min_cllr}
    for name, found in content["costs"].items():
        assert found["low"] < found["value"] < found["high"] and found["value"] == costs[name](genuine, spoof)
    assert content["costs"].keys() == costs.keys() and content["bootstrap"]["resamples"] == 300
    lines = main(*pair(tmp_path, "d 2.5\na 3\nb 2\nc 1\n")).splitlines()
    assert "2 genuine, 2 spoof" in lines[0]
    assert lines[1].startswith("EER, linear ROC") and " 50.0000 % [0.0000, 100.0000] " in lines[1]
    assert lines[2].startswith("EER, convex hull") and " 25.0000 %" in lines[2]
    assert [line.split("  ")[0] for line in lines[5:9]] == ["minDCF", "actDCF", "Cllr", "minimum Cllr"]
    assert "10000 resamples (resampled: the 2 genuine trials and the 2 spoof trials)" in lines[-1]


def test_a_file_with_labels_needs_no_other(main, tmp_path):
    (tmp_path / "s.txt").write_text("a - bonafide 2\nb - bonafide 1\nc AB spoof 0\nd BC spoof -1\n")
    content = json.loads(main("--scores", tmp_path / "s.txt", "--json", "--resamples", "10"))
    assert content["eer"]["linear_roc"] == 0.0 and "2 replay configurations" in content["bootstrap"]["remark"]
    (tmp_path / "s.txt").write_text("a 2\nb 1\n")
    with pytest.raises(UserError, match=r"s\.txt: no labels in it\. Give them by --labels FILE"):
        main("--scores", tmp_path / "s.txt")


def test_scores_of_a_verifier_have_an_a_dcf(main, tmp_path):
    rng = np.random.default_rng(1)
    kinds = {kind: rng.normal(centre, 1, 40) for kind, centre in (("target", 3), ("nontarget", 0), ("spoof", 1))}
    lines = [f"{i} {kind} {score!r}\n" for kind, scores in kinds.items() for i, score in enumerate(scores.tolist())]
    (tmp_path / "s.txt").write_text("".join(lines))
    content = json.loads(main("--scores", tmp_path / "s.txt", "--json", "--resamples", "300"))
    wanted, resampled = dcf.min_a_dcf(**kinds, resamples=300)
    rng = np.random.default_rng(2)
    others = [dcf.min_a_dcf(**{k: rng.choice(v, v.size) for k, v in kinds.items()})[0] for _ in range(300)]
    assert resampled.mean() == pytest.approx(np.mean(others), rel=0.05)
    assert resampled.std() == pytest.approx(np.std(others), rel=0.2)
    low, high = np.quantile(resampled, [0.025, 0.975])
    assert content["costs"]["min_a_dcf"] == pytest.approx({"value": wanted, "low": low, "high": high}, abs=1e-12)
    assert content["eer"]["spoof"] == 100 * eer.official_eer(kinds["target"], kinds["spoof"])
    *_, line, last = main("--scores", tmp_path / "s.txt", "--resamples", "300").splitlines()
    assert line.split()[:5] == ["minimum", "a-DCF", f"{wanted:.4f}", f"[{low:.4f},", f"{high:.4f}]"]
    assert "300 resamples (resampled: the 40 target trials, the 40 nontarget trials, the 40 spoof trials)" in last


def test_the_minimum_tdcf_where_asv_scores_are_given(main, tmp_path):
    both, arguments = made_up(tmp_path)
    rng = np.random.default_rng(3)
    kinds = (("target", 3), ("nontarget", 0), ("spoof", 2))
    lines = [f"u{i} {kind} {rng.normal(centre)}\n" for kind, centre in kinds for i in range(40)]
    (tmp_path / "asv.txt").write_text("".join(lines))
    arguments = (*arguments, "--asv-scores", tmp_path / "asv.txt", "--resamples", "200")
    content, text = json.loads(main(*arguments, "--json")), main(*arguments)
    verifier = tdcf.verifier(**trial_files.read_asv(tmp_path / "asv.txt"))
    for year in (2019, 2021):
        wanted = tdcf.minimum(*both, verifier, year)
        assert content["minimum_tdcf"][str(year)]["minimum"] == wanted.minimum
        found = content["costs"][f"min_tdcf_{year}"]
        assert found["low"] < found["value"] == wanted.minimum < found["high"]
        assert f"minimum t-DCF, {year}    {wanted.minimum:10.4f}".replace(" ", "") in text.replace(" ", "")


@pytest.mark.parametrize(
    ("score_lines", "label_lines", "message"),
    [
        ("a 1\nd 1\n", LABELS, "s.txt: no score for b (and 1 more)"),
        ("a 1\nb 1\nc 1\nd 1\ne 1\n", LABELS, "l.txt for e; scores and labels"),
        ("a 1\nb 2\n", "a genuine\nb genuine\n", "l.txt: no spoof utterance"),
    ],
    ids=["missing", "extra", "no spoof"],
)
def test_files_that_do_not_match_are_refused(main, tmp_path, score_lines, label_lines, message):
    with pytest.raises(UserError) as error:
        main(*pair(tmp_path, score_lines, label_lines))
    assert message in str(error.value)


def test_labels_and_json_need_scores(main, tmp_path):
    for arguments in (["--json"], ["--labels", tmp_path / "l"]):
        with pytest.raises(UserError, match="go together"):
            main(*arguments)


@pytest.mark.skipif(not REAL_DATA, reason="REAL_DATA does not name a folder with published scores")
def test_a_published_score_file_of_the_authors(main):
    path = Path(REAL_DATA, "scores", "gmm", "eval_prediction.txt")
    protocol = next(Path(REAL_DATA, "asvspoof2017", "protocol_V2").glob("*_eval.*.txt"))
    for labels in ([], ["--labels", protocol]):
        content = json.loads(main("--scores", path, *labels, "--json", "--resamples", "100"))
        assert (content["genuine"], content["spoof"]) == (1298, 12008)
        assert content["eer"]["convex_hull"] == pytest.approx(13.74, abs=0.005)
        assert content["eer"]["linear_roc"] == pytest.approx(13.79, abs=0.005)
    assert content["bootstrap"]["remark"] == "resampled: 24 speakers and 57 replay configurations"
