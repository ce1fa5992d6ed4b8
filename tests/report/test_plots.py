"""Figures: the same bytes for the same scores, and no score that cannot be drawn. DET curves: test_det.py."""

import io

import matplotlib.image
import numpy as np
import pytest

from afn.common.figures import CLASS_COLOURS
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
    def test_the_same_scores_give_the_same_bytes_and_both_classes_are_drawn(self):
        first, again, other = (plots.histograms_png({"eval": [scores_of("a", 2, size)]}) for size in (50, 50, 51))
        assert first == again != other and b"matplotlib" not in first
        assert all(shares_of(first, colour) > 1e-4 for colour in CLASS_COLOURS.values())

    def test_every_system_has_a_row(self):
        one = pixels(plots.histograms_png({"eval": [scores_of("a", 1, 20)]}))
        three = pixels(plots.histograms_png({"eval": [scores_of(title, 1, 20) for title in "abc"]}))
        assert three.shape[0] > 2 * one.shape[0] and three.shape[1] == pytest.approx(one.shape[1], rel=0.1)

    def test_outliers_do_not_compress_the_rest(self):
        scores, beyond = scores_of("a", 2, 2000), scores_of("a", 2, 2000)
        beyond.genuine[np.argmax(beyond.genuine)] = 1e6
        plain, odd = (pixels(plots.histograms_png({"eval": [of]})) for of in (scores, beyond))
        assert plain.shape == odd.shape and np.mean(np.abs(plain - odd) > 0.1) < 0.02

    @pytest.mark.parametrize("distance", [1000, -1000, 0])
    def test_extreme_scores_can_be_drawn(self, distance):
        systems = [scores_of("one $|$ \\few", distance, 2), Scores("equal", np.ones(3), np.ones(2))]
        assert plots.histograms_png({"eval": systems, "dev": systems[:1]}).startswith(b"\x89PNG")


class TestBreakdown:
    def test_threats_are_shown_where_there_are_any(self, crossed, noisy):
        trials = crossed(3, 6)
        systems = {"a $x$": noisy(trials, 1), "b": noisy(trials, 2)}
        without, again = (breakdown_plot.breakdown_png(breakdown.breakdown(trials, systems)) for _ in range(2))
        shown = breakdown_plot.breakdown_png(breakdown.breakdown(trials, systems, ASVSPOOF_2017))
        assert without == again and b"matplotlib" not in without
        for colour in breakdown_plot.THREAT_COLOURS.values():
            assert shares_of(without, colour) < 1e-4 < shares_of(shown, colour)

    @pytest.mark.parametrize("count", [1, 12])
    def test_any_number_of_systems_can_be_drawn_even_without_errors(self, crossed, noisy, count):
        trials = crossed(2, 2)
        systems = {f"AF(Softmax {i})": noisy(trials, i) if i else 9.0 * trials.genuine for i in range(count)}
        assert breakdown_plot.breakdown_png(breakdown.breakdown(trials, systems)).startswith(b"\x89PNG")
