"""Trials and scores that several tests of evaluation share."""

import numpy as np
import pytest

from afn.corpora import asvspoof2017
from afn.corpora.datadir import Utterance
from afn.metrics.trials import Trials


@pytest.fixture(scope="session")
def crossed():
    """Makes trials: so many genuine ones of every speaker, so many replays of every speaker and configuration."""

    def make(speakers, configurations, genuine=2, spoof=1):
        listed = []
        for s in range(speakers):
            unknown = {"environment": "-", "playback": "-", "recorder": "-"}
            listed += [Utterance(f"G{s}_{i}", "", f"S{s:02d}", "genuine", unknown) for i in range(genuine)]
            for c in range(configurations):
                codes = {"environment": f"E{c:02d}", "playback": f"P{c // 2:02d}", "recorder": "R01"}
                listed += [Utterance(f"X{s}_{c}_{i}", "", f"S{s:02d}", "spoof", codes) for i in range(spoof)]
        return Trials.of(listed)

    return make


@pytest.fixture(scope="session")
def published_scores(real_data):
    """A function: trials of a subset of ASVspoof 2017 V2, and the scores by utterance that others published for it."""

    def read(system, subset):
        protocol = real_data / "asvspoof2017" / asvspoof2017.PROTOCOL_FOLDER / asvspoof2017.PROTOCOLS[subset]
        trials = Trials.of(asvspoof2017.read_protocol(protocol))
        # Scores are in the order of the protocol, some behind their utterance.
        lines = (real_data / "scores" / system / f"{subset}_prediction.txt").read_text().splitlines()
        return trials, {utt: float(line.split()[-1]) for utt, line in zip(trials.utts, lines, strict=True)}

    return read


@pytest.fixture(scope="session")
def published(published_scores):
    """Subset -> (trials, system -> published scores by utterance)."""
    found = {}
    for subset in ("dev", "eval"):
        (trials, gmm), (_, cnn1) = published_scores("gmm", subset), published_scores("cnn1", subset)
        found[subset] = trials, {"gmm": gmm, "cnn1": cnn1}
    return found


@pytest.fixture(scope="session")
def noisy():
    """Scores of trials: classes so far apart, plus what is common to a speaker, a configuration and neither."""

    def make(trials, seed, distance=2.0, speaker=0.0, configuration=0.0, trial=1.0):
        rng = np.random.default_rng(seed)
        scores = distance * trials.genuine + trial * rng.standard_normal(len(trials.utts))
        for deviation, levels in ((speaker, trials.speakers), (configuration, trials.configurations)):
            names, place = np.unique(levels, return_inverse=True)
            effects = deviation * rng.standard_normal(names.size)
            effects[names == "-"] = 0.0
            scores = scores + effects[place]
        return scores

    return make
