import numpy as np
import pytest

from afn.metrics import det, eer, roc


def test_points_by_hand():
    false_alarms, misses = roc.rates([3.0, 2.0, 2.0], [2.0, 1.0])
    assert false_alarms.tolist() == [0.0, 0.0, 0.5, 1.0]  # 3: a hit; 2: two hits and a false alarm at once; 1
    assert misses.tolist() == pytest.approx([1.0, 2 / 3, 0.0, 0.0])


@pytest.mark.parametrize("size", [3, 5000])
def test_the_curve_passes_through_the_eer_that_is_marked(size):
    rng = np.random.default_rng(size)
    genuine, spoof = rng.normal(1, 1, size), rng.normal(0, 1, size + 1)
    x, y = det.curve(*roc.rates(genuine, spoof), 0.001, 0.999)
    point = det.normal_deviate(np.clip(eer.linear_roc_eer(genuine, spoof), 0.001, 0.999))
    assert np.min(np.hypot(x - point, y - point)) < 0.01
    assert det.normal_deviate([0.0227501319481792, 0.5, 1.0]) == pytest.approx([-2.0, 0.0, np.inf], abs=1e-12)
