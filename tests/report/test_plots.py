"""Figures: the same bytes for the same scores, and no score that cannot be drawn. DET curves: test_det.py."""

import io

import matplotlib.image
import numpy as np
import pytest

from afn.metrics import breakdown
from afn.metrics.conditions import ASVSPOOF_2017
from afn.report import breakdown_plot, plots
from afn.report.plots import Scores


def scores_of(title, distance, size, seed=0):
    rng = np.random.default_rng(seed)
    return Scores(title, rng.normal(distance, 1, size), rng.normal(0, 1, size))


def pixels(image):
    return matplotlib.image.imread(io.BytesIO(image))[..., :3]


def shares_of(image, colour):
    """The share of pixels of a colour given as #rrggbb, to 3 %."""
    wanted = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.mean(np.abs(pixels(image) - wanted).max(axis=-1) < 0.03)


class TestHistograms:
    def test_the_same_scores_give_the_same_bytes(self):
        def figure(size=50):
            return plots.histograms_png({"dev": [scores_of("a", 2, 50)], "eval": [scores_of("a", 1, size)]})

        assert figure() == figure() != figure(51)
        assert figure().startswith(b"\x89PNG") and b"matplotlib" not in figure()

    def test_both_classes_are_drawn(self):
        figure = plots.histograms_png({"eval": [scores_of("a", 5, 100)]})
        assert all(shares_of(figure, colour) > 1e-4 for colour in plots.CLASS_COLOURS.values())

    def test_every_system_has_a_row(self):
        one = pixels(plots.histograms_png({"eval": [scores_of("a", 1, 20)]}))
        three = pixels(plots.histograms_png({"eval": [scores_of(title, 1, 20) for title in "abc"]}))
        assert three.shape[0] > 2 * one.shape[0] and three.shape[1] == pytest.approx(one.shape[1], rel=0.1)

    @pytest.mark.parametrize("distance", [1000, -1000, 0])
    def test_extreme_scores_can_be_drawn(self, distance):
        systems = [scores_of("one $|$ \\few", distance, 2), Scores("equal", np.ones(3), np.ones(2))]
        assert plots.histograms_png({"eval": systems, "dev": systems[:1]}).startswith(b"\x89PNG")

    def test_stragglers_do_not_squeeze_the_rest(self):
        scores = scores_of("a", 2, 2000)
        scores.genuine[0] = 1e6
        low, high = plots._ends([scores])
        assert -5 < low < 0 and 2 < high < 8

    def test_panels_of_a_system_share_an_axis(self):
        low, high = plots._ends([scores_of("a", 0, 500), scores_of("a", 30, 500)])
        assert low < -2 and high > 31


class TestBreakdown:
    def test_the_same_scores_give_the_same_bytes(self, crossed, noisy):
        trials = crossed(3, 6)

        def figure(seed):
            return breakdown_plot.breakdown_png(breakdown.breakdown(trials, {"a": noisy(trials, seed)}))

        assert figure(1) == figure(1) != figure(2)
        assert figure(1).startswith(b"\x89PNG") and b"matplotlib" not in figure(1)

    def test_threats_are_shown_where_there_are_any(self, crossed, noisy):
        trials = crossed(3, 6)
        systems = {"a $x$": noisy(trials, 1), "b": noisy(trials, 2)}
        without = breakdown_plot.breakdown_png(breakdown.breakdown(trials, systems))
        shown = breakdown_plot.breakdown_png(breakdown.breakdown(trials, systems, ASVSPOOF_2017))
        for colour in breakdown_plot.THREAT_COLOURS.values():
            assert shares_of(without, colour) < 1e-4 < shares_of(shown, colour)

    @pytest.mark.parametrize("count", [1, 12])
    def test_any_number_of_systems(self, crossed, noisy, count):
        trials = crossed(2, 2)
        systems = {f"AF(Softmax {i})": noisy(trials, i) for i in range(count)}
        assert breakdown_plot.breakdown_png(breakdown.breakdown(trials, systems)).startswith(b"\x89PNG")

    def test_no_error_at_all_can_be_drawn(self, crossed):
        trials = crossed(2, 2)
        groups = breakdown.breakdown(trials, {"perfect": 9.0 * trials.genuine})
        assert breakdown_plot.breakdown_png(groups).startswith(b"\x89PNG")
