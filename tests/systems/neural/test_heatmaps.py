"""Heatmaps side by side, profiles, and the arrays they are drawn from."""

import io

import matplotlib.image
import numpy as np
import pytest

from afn.systems.neural import heatmaps, maps
from afn.systems.neural.maps import Maps


def made(seed=0, utts=("g1", "g2", "s1"), frames=60):
    rng = np.random.default_rng(seed)
    labels = {utt: "genuine" if utt[0] == "g" else "spoof" for utt in utts}
    spectrograms = {utt: rng.normal(0, 3, (257, frames + i)) for i, utt in enumerate(utts)}
    masks = {utt: rng.random((257, frames + i)) for i, utt in enumerate(utts)}
    profiles = {label: (rng.random(257), rng.random(257) / 9) for label in ("genuine", "spoof")}
    return Maps(3, labels, spectrograms, masks, profiles, {"genuine": 16, "spoof": 9})


def shape(png):
    return matplotlib.image.imread(io.BytesIO(png)).shape


def test_what_is_written_is_read_again_in_half_precision(tmp_path):
    maps.write(tmp_path / maps.NAME, made())
    found, wanted = maps.read(tmp_path / maps.NAME), made()
    assert (found.seed, found.labels, found.averaged) == (wanted.seed, wanted.labels, wanted.averaged)
    for utt in wanted.labels:
        for arrays, expected in ((found.masks, wanted.masks), (found.spectrograms, wanted.spectrograms)):
            assert arrays[utt].dtype == np.float16
            assert arrays[utt] == pytest.approx(expected[utt], rel=1e-3, abs=1e-7)
    for label, both in wanted.profiles.items():
        assert found.profiles[label][0].dtype == np.float32
        assert np.array(found.profiles[label]) == pytest.approx(np.array(both), rel=1e-6)


def test_equal_maps_give_equal_bytes_whenever_they_are_written(tmp_path, monkeypatch):
    maps.write(tmp_path / "a", made())
    monkeypatch.setattr("time.localtime", lambda *_: (2001, 2, 3, 4, 5, 6, 0, 0, 0))
    maps.write(tmp_path / "b", made())
    maps.write(tmp_path / "c", made(seed=1))
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b != c


def test_the_utterances_are_those_that_every_system_has_genuine_first():
    systems = {"a": made(utts=("s1", "g1", "g2", "g3")), "b": made(utts=("g3", "s1", "g2"))}
    assert heatmaps.common(systems, 2) == ["g2", "g3", "s1"]
    assert heatmaps.common(systems, 1) == ["g2", "s1"]
    assert heatmaps.common({"a": made(), "b": made(utts=("g9",))}, 2) == heatmaps.common({}, 2) == []


@pytest.mark.slow
def test_the_same_maps_give_the_same_bytes():
    def figure(seed):
        return heatmaps.side_by_side_png({"a $x$": made(), "b": made(seed)}, "g1")

    assert figure(1) == figure(1) != figure(2)
    assert figure(1).startswith(b"\x89PNG") and b"matplotlib" not in figure(1)


@pytest.mark.slow
def test_every_system_is_beside_the_spectrogram():
    one, three = (shape(heatmaps.side_by_side_png({str(i): made(i) for i in range(count)}, "s1")) for count in (1, 3))
    assert three[1] == pytest.approx(2 * one[1], rel=0.1) and three[0] == pytest.approx(one[0], rel=0.1)
    seven = shape(heatmaps.side_by_side_png({str(i): made(i) for i in range(7)}, "s1"))
    assert seven[0] > 1.7 * three[0] and seven[1] == pytest.approx(three[1], rel=0.1)


def test_profiles_have_a_panel_a_system():
    one, three = (shape(heatmaps.profiles_png({str(i): made(i) for i in range(count)})) for count in (1, 3))
    assert three[1] > 2 * one[1]
