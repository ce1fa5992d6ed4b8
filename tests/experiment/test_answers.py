"""What dev says of scores: thresholds, and ratios that stay finite."""

import math

import pytest

from afn.experiment import answers
from afn.metrics.dcf import DetectionCosts


def on_dev(tmp_path, genuine, spoof, probabilities=False):
    scores = {f"g{i}": score for i, score in enumerate(genuine)} | {f"s{i}": score for i, score in enumerate(spoof)}
    labels = tmp_path / "utt2label"
    labels.write_text("".join(f"{utt} {'genuine' if utt[0] == 'g' else 'spoof'}\n" for utt in scores))
    return answers.on_dev(scores, labels, probabilities, "dev.txt")


def test_classes_that_do_not_overlap_have_moderate_ratios(tmp_path):
    found = on_dev(tmp_path, [1.0, 1.1] * 50, [-1.0, -1.1] * 50)
    assert found.eer == 0 and found.calibration.llr(1.0) == pytest.approx(math.log(101), abs=0.3)
    assert found.calibration.score(found.calibration.llr(0.7)) == pytest.approx(0.7)
    assert answers.OnDev.recorded(found.plain()) == found
    assert answers.OnDev.recorded({"threshold": 0.0, "eer": 0.1}).calibration is None  # of an older record


@pytest.mark.parametrize(("genuine", "spoof"), [([0, 1], [1, 2]), ([1, 1], [1, 1])])
def test_scores_that_say_nothing_have_a_ratio_of_0(tmp_path, genuine, spoof):
    calibration = on_dev(tmp_path, genuine, spoof).calibration
    assert calibration.llr(100.0) == 0 and calibration.score(0.0) is None


def test_probabilities_are_calibrated_on_their_log_odds(tmp_path):
    calibration = on_dev(tmp_path, [0.9, 0.6, 1.0], [0.1, 0.7, 0.0], True).calibration
    assert calibration.llr(1.0) < math.inf and calibration.llr(0.0) > -math.inf
    assert calibration.score(calibration.llr(0.3)) == pytest.approx(0.3)


def test_one_class_says_nothing(tmp_path):
    assert on_dev(tmp_path, [1.0], []) is None


def test_the_posterior_follows_prior_and_ratio():
    assert answers.p_replay(0.0, DetectionCosts(0.3, 1, 1)) == pytest.approx(0.3)
    assert answers.p_replay(math.log(4), DetectionCosts(0.5, 1, 1)) == pytest.approx(0.2)
    assert answers.p_replay(-1e4) == 1
