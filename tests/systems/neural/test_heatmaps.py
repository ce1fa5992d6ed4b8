"""What stage 1 leaves of an attention network: figures, class means, their arrays; and systems side by side."""

import io
from types import SimpleNamespace

import matplotlib.image
import numpy as np
import pytest

from afn.systems.neural import heatmaps, maps
from afn.systems.neural.maps import Maps
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
def features():
    rng = np.random.default_rng(4)
    lengths = {"g1": 30, "g2": 40, "s1": 70, "s2": 20}
    return {utt: rng.normal(size=(count, 257)).astype(np.float32) for utt, count in lengths.items()}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory, features):
    """Two folders with the same figures, made at different times."""
    labels = {utt: "genuine" if utt[0] == "g" else "spoof" for utt in features}
    one, two = (tmp_path_factory.mktemp(name) for name in ("one", "two"))
    heatmaps.draw(Doubling(), Chosen(["g1", "s1"], list(labels), labels, features), one)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.localtime", lambda *_: (2001, 2, 3, 4, 5, 6, 0, 0, 0))
        heatmaps.draw(Doubling(), Chosen(["g1", "s1"], list(labels), labels, features), two)
    return one, two


def test_the_arrays_are_those_of_the_drawn_utterances_over_their_true_length(drawn, features):
    found = maps.read(drawn[0] / maps.NAME)
    assert (found.seed, found.labels) == (7, {"g1": "genuine", "s1": "spoof"})
    for utt, length in (("g1", 30), ("s1", FRAMES)):  # the longer one is cut
        assert found.spectrograms[utt].dtype == found.masks[utt].dtype == np.float16
        assert found.spectrograms[utt] == pytest.approx(features[utt][:length].T, rel=2e-3, abs=1e-6)
        assert found.masks[utt] == pytest.approx(2 * features[utt][:length].T, rel=2e-3, abs=1e-6)


def test_the_profiles_are_over_all_averaged_utterances(drawn, features):
    found = maps.read(drawn[0] / maps.NAME)
    assert found.averaged == {"genuine": 2, "spoof": 2}
    for label, utts in (("genuine", ("g1", "g2")), ("spoof", ("s1", "s2"))):
        over_time = [Doubling().attend(features[utt])[0].mean(axis=1) for utt in utts]
        mean, deviation = found.profiles[label]
        assert mean.dtype == np.float32
        assert mean == pytest.approx(np.mean(over_time, axis=0), rel=1e-5, abs=1e-7)
        assert deviation == pytest.approx(np.std(over_time, axis=0), rel=1e-5, abs=1e-7)


def test_drawing_twice_gives_the_same_bytes(drawn):
    one, two = drawn
    names = sorted(path.name for path in one.iterdir())
    assert names == ["class_means.png", "g1.png", maps.NAME, "s1.png"]
    assert [(one / name).read_bytes() for name in names] == [(two / name).read_bytes() for name in names]


def made(seed=0, utts=("g1", "g2", "s1"), frames=60):
    rng = np.random.default_rng(seed)
    labels = {utt: "genuine" if utt[0] == "g" else "spoof" for utt in utts}
    spectrograms = {utt: rng.normal(0, 3, (257, frames + i)) for i, utt in enumerate(utts)}
    masks = {utt: rng.random((257, frames + i)) for i, utt in enumerate(utts)}
    profiles = {label: (rng.random(257), rng.random(257) / 9) for label in ("genuine", "spoof")}
    return Maps(3, labels, spectrograms, masks, profiles, {"genuine": 16, "spoof": 9})


def several(count):
    return {str(i): made(i) for i in range(count)}


def shape(png):
    return matplotlib.image.imread(io.BytesIO(png)).shape


def test_the_utterances_are_those_that_every_system_has_genuine_first():
    systems = {"a": made(utts=("s1", "g1", "g2", "g3")), "b": made(utts=("g3", "s1", "g2"))}
    assert heatmaps.common(systems, 2) == ["g2", "g3", "s1"]
    assert heatmaps.common(systems, 1) == ["g2", "s1"]
    assert heatmaps.common({"a": made(), "b": made(utts=("g9",))}, 2) == heatmaps.common({}, 2) == []


@pytest.mark.slow
def test_every_system_is_beside_the_spectrogram_and_the_same_maps_give_the_same_bytes():
    png = heatmaps.side_by_side_png(several(3), "s1")
    assert png == heatmaps.side_by_side_png(several(3), "s1") and b"matplotlib" not in png
    one, three = shape(heatmaps.side_by_side_png(several(1), "s1")), shape(png)
    assert three[1] == pytest.approx(2 * one[1], rel=0.1) and three[0] == pytest.approx(one[0], rel=0.1)
    seven = shape(heatmaps.side_by_side_png(several(7), "s1"))
    assert seven[0] > 1.7 * three[0] and seven[1] == pytest.approx(three[1], rel=0.1)


def test_profiles_have_a_panel_a_system():
    one, three = (shape(heatmaps.profiles_png(several(count))) for count in (1, 3))
    assert three[1] > 2 * one[1]
