"""What stage 1 leaves of a pair of mixtures."""

from types import SimpleNamespace

import numpy as np
import pytest

from afn.systems.gmm import figures
from afn.systems.protocol import Chosen

UTTERANCES = {"g1": "genuine", "g2": "genuine", "s1": "spoof"}


class Explained:
    """Stands in for a trained pair of mixtures on frames of 6 dimensions, statics and deltas."""

    blocks, seed = 2, 7
    settings = SimpleNamespace(title="a title")

    def explain(self, features):
        return features[:, 0], np.append(features.mean(axis=0), 0.1)


def features(lengths=(40, 30, 1)):
    rng = np.random.default_rng(3)
    return {utt: rng.normal(size=(count, 6)) for utt, count in zip(UTTERANCES, lengths, strict=True)}


def test_a_picture_for_every_chosen_utterance_and_one_of_the_classes(tmp_path):
    chosen = Chosen(["g1", "s1"], ["g1", "g2", "s1"], UTTERANCES, features())
    for name in ("one", "two"):
        figures.draw(Explained(), chosen, tmp_path / name)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == ["class_means.png", "g1.png", "s1.png"]
    assert [(tmp_path / "one" / n).read_bytes() for n in names] == [(tmp_path / "two" / n).read_bytes() for n in names]


def test_the_class_means_are_over_all_averaged_utterances(tmp_path, monkeypatch):
    seen = {}
    monkeypatch.setattr(figures, "draw_class_means", lambda path, *arguments: seen.update(all=arguments))
    of = features()
    figures.draw(Explained(), Chosen(["s1"], ["g1", "g2", "s1"], UTTERANCES, of), tmp_path)
    means, deviations, blocks, title = seen["all"]
    both = np.array([np.append(of[utt].mean(axis=0), 0.1) for utt in ("g1", "g2")])
    assert means["genuine"] == pytest.approx(both.mean(axis=0))
    assert deviations["genuine"] == pytest.approx(both.std(axis=0))
    assert (blocks, title) == (2, "a title, seed 7: mean contributions over 2 genuine and 1 spoof")
