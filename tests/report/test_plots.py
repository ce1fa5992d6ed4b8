"""Figures: the same bytes for the same scores, and no score that cannot be drawn."""

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


@pytest.mark.parametrize("draw", [plots.det_png, plots.histograms_png])
def test_the_same_scores_give_the_same_bytes_and_extreme_ones_can_be_drawn(draw):
    first, again, other = (draw({"eval": [scores_of("a", 2, size)]}) for size in (50, 50, 51))
    assert first == again != other and b"matplotlib" not in first and b"Software" not in first
    for distance in (1000, -1000, 0):
        systems = [scores_of("one $|$ \\few", distance, 2), Scores("equal", np.ones(3), np.ones(2))]
        assert draw({"eval": systems, "dev": systems[:1]}).startswith(b"\x89PNG")


def test_histograms_show_both_classes_and_outliers_do_not_compress_the_rest():
    scores, beyond = scores_of("a", 2, 2000), scores_of("a", 2, 2000)
    beyond.genuine[np.argmax(beyond.genuine)] = 1e6
    plain, odd = (plots.histograms_png({"eval": [of]}) for of in (scores, beyond))
    assert all(shares_of(plain, colour) > 1e-4 for colour in CLASS_COLOURS.values())
    assert np.mean(np.abs(pixels(plain) - pixels(odd)) > 0.1) < 0.02


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
