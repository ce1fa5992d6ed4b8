"""Figures: the same bytes for the same scores, and no score that cannot be drawn."""

import io

import matplotlib.image
import numpy as np
import pytest

from afn.common.figures import CLASS_COLOURS
from afn.report import plots
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
