"""The paragraph that says what was found: its sentences follow the figures."""

import dataclasses
import types

import pytest

from afn.metrics.analysis import Analysis, Cost
from afn.metrics.bootstrap import Interval
from afn.metrics.breakdown import ALL, TrialGroup
from afn.metrics.eer import Measured
from afn.report import summary
from afn.report.results import Results, SystemRow


class Known(Analysis):
    """An analysis with made-up intervals."""

    intervals = {}

    def interval(self, subset, title, seed=None):
        return self.intervals.get((subset, title))


def row(title, dev, test, seeds=(1, 2), **changes):
    averaged = {"dev": Measured({"linear_roc": dev}, 0.5), "eval": Measured({"linear_roc": test}, 0.5)}
    return SystemRow(title.lower(), title, {"eval": 8.99}, averaged=averaged, averaged_seeds=seeds, **changes)


def text(*rows, with_paper=False, best="AFN", judged="eval", intervals=(), differences=None, costs=None, groups=()):
    analysis = Known(judged=judged, best=best, differences=differences or {}, groups=groups)
    if costs:
        analysis = dataclasses.replace(
            analysis, calibrated={best: types.SimpleNamespace(costs={judged: Cost(*costs, 0.5)})}
        )
    object.__setattr__(analysis, "intervals", dict(intervals))
    return " ".join(summary.sentences(Results("c", "datadir", {}, rows, with_paper, "", analysis)))


AFN, GMM, LCNN = row("AFN", 0.05, 0.1), row("GMM", 0.06, 0.09), row("LCNN", 0.2, 0.05)
INTERVAL = {("eval", "AFN"): Interval(0.1, 0.08, 0.125)}


def test_the_best_and_the_second_are_ranked_on_dev():
    differences = {"GMM": Interval(-0.01, -0.03, 0.005), "LCNN": Interval(-0.05, -0.06, -0.04)}
    pooled = row("pooled", 0.001, 0.04, trained_on="train+dev")
    found = text(LCNN, pooled, GMM, AFN, intervals=INTERVAL, differences=differences | {"pooled": Interval(0, 0, 0)})
    assert found == (
        "Of 3 systems, AFN has the lowest EER on dev, 5.00 %, and 10.00 % on eval (95 % interval 8.00 to 12.50). "
        "2 training runs are behind these figures. GMM, the second on dev, has 1.00 points less on eval (95 % interval "
        "of the difference -3.00 to +0.50): it may be chance."
    )
    sure = text(AFN, GMM, differences={"GMM": Interval(0.02, 0.01, 0.03)})
    assert "2.00 points more on eval (95 % interval of the difference +1.00 to +3.00): the sign" in sure


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"rows": [row("AFN", 0.05, 0.1, (1,))]}, "AFN has an EER of 5.00 % on dev, and 10.00 % on eval. One training"),
        ({"rows": [row("AFN", 0.05, 0.1)], "judged": "dev"}, "AFN has an EER of 5.00 % on dev. 2 training runs"),
        ({"intervals": {("eval", "AFN"): Interval(0.4, 0.3, 0.6)}}, "to 60.00), an interval that contains guessing"),
        ({"best": ""}, "No system can be called the best"),
        ({"with_paper": True}, "The paper reports 8.99 % on eval for this system."),
        ({"costs": (0.4, 0.35)}, "cost 0.400 bits on eval (Cllr), 0.350 with the best possible calibration."),
        ({"costs": (1.4, 0.9)}, "0.900 with the best possible calibration; 1 is the cost of no information."),
    ],
)  # fmt: skip
def test_sentences_follow_the_figures(arguments, expected):
    assert expected in text(*arguments.pop("rows", [AFN]), **arguments)


def test_the_hardest_kind_of_replay_is_of_those_with_enough_recordings():
    def group(factor, code, replays, rate):
        return TrialGroup(factor, code, code, (), replays, {"AFN": rate})

    groups = [group(ALL, ALL, 200, 0.1), group("room", "R1", 100, 0.2), group("room", "R2", 50, 0.05)]
    found = text(AFN, groups=[*groups, group("room", "R3", 5, 0.9)])
    assert "Hardest for AFN is room R1, 20.0 % (all replays: 10.0 %), of the 2 kinds of replay with 20 " in found
    assert "Hardest" not in text(AFN, groups=groups[:2])
