"""What stage 1 leaves of an attention network: pictures of utterances, class means, and the arrays behind them."""

from types import SimpleNamespace

import numpy as np
import pytest

from afn.systems.neural import heatmaps, maps
from afn.systems.protocol import Chosen

FRAMES = 50  # of the network's input


class Doubling:
    """Stands in for a trained network: its mask is twice the utterance, repeated to its input's width."""

    settings = SimpleNamespace(title="a title")
    seed = 7

    def attend(self, features):
        mask = 2 * features[np.arange(FRAMES) % len(features)].T
        return mask, mask + 1, 0.5


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Two folders of the same figures, and the features."""
    rng = np.random.default_rng(4)
    labels = {"g1": "genuine", "g2": "genuine", "s1": "spoof", "s2": "spoof"}
    lengths = dict(zip(labels, (30, 40, 70, 20), strict=True))
    features = {utt: rng.normal(size=(count, 257)).astype(np.float32) for utt, count in lengths.items()}
    chosen = Chosen(["g1", "s1"], ["g1", "g2", "s1", "s2"], labels, features)

    def draw(out):
        heatmaps.draw(Doubling(), chosen, out)
        return out

    return draw(tmp_path_factory.mktemp("one")), draw(tmp_path_factory.mktemp("two")), features


def test_the_arrays_are_those_of_the_drawn_utterances_over_their_true_length(drawn):
    out, _, features = drawn
    found = maps.read(out / maps.NAME)
    assert (found.seed, found.labels) == (7, {"g1": "genuine", "s1": "spoof"})
    for utt, length in (("g1", 30), ("s1", FRAMES)):  # the longer one is cut
        assert found.spectrograms[utt] == pytest.approx(features[utt][:length].T, rel=2e-3, abs=1e-6)
        assert found.masks[utt] == pytest.approx(2 * features[utt][:length].T, rel=2e-3, abs=1e-6)


def test_the_profiles_are_over_all_averaged_utterances(drawn):
    out, _, features = drawn
    found = maps.read(out / maps.NAME)
    assert found.averaged == {"genuine": 2, "spoof": 2}
    for label, utts in (("genuine", ("g1", "g2")), ("spoof", ("s1", "s2"))):
        over_time = [Doubling().attend(features[utt])[0].mean(axis=1) for utt in utts]
        mean, deviation = found.profiles[label]
        assert mean == pytest.approx(np.mean(over_time, axis=0), rel=1e-5, abs=1e-7)
        assert deviation == pytest.approx(np.std(over_time, axis=0), rel=1e-5, abs=1e-7)


def test_drawing_twice_gives_the_same_bytes(drawn):
    one, two, _ = drawn
    names = sorted(path.name for path in one.iterdir())
    assert names == ["class_means.png", "g1.png", maps.NAME, "s1.png"]
    assert [(one / name).read_bytes() for name in names] == [(two / name).read_bytes() for name in names]
