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
def published(real_data):
    """Subset -> (trials of ASVspoof 2017 V2, system -> published scores by utterance)."""
    found = {}
    for subset in ("dev", "eval"):
        protocol = real_data / "asvspoof2017" / asvspoof2017.PROTOCOL_FOLDER / asvspoof2017.PROTOCOLS[subset]
        trials = Trials.of(asvspoof2017.read_protocol(protocol))
        named, bare = (
            (real_data / "scores" / system / f"{subset}_prediction.txt").read_text().splitlines()
            for system in ("gmm", "cnn1")
        )
        gmm = {line.split()[0].removesuffix(".wav"): float(line.split()[2]) for line in named}
        cnn = dict(zip(trials.utts, map(float, bare), strict=True))  # scores alone, in the order of the protocol
        found[subset] = trials, {"gmm": gmm, "cnn1": cnn}
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
