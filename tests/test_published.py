"""Real ASVspoof 2017 recordings, and the models, i-vectors and scores that others published for that corpus.

The i-vectors, background model, mixtures and scores are those of Chettri et al. (arXiv 2010.07913).
"""

import numpy as np
import pytest
import torch

from afn.common import config
from afn.common.paths import ROOT
from afn.features import audio, front_end
from afn.metrics import eer
from afn.systems import registry
from afn.systems.gmm.models import DiagonalGMM
from afn.systems.ivector.backends import CosineBackend, Projection
from afn.systems.ivector.extractor import IVectorExtractor

VERSION_1 = ("D_1000001", "T_1000001")  # begin with zeros and are probably of Version 1: published values are of others


@pytest.fixture(scope="module")
def front():
    """The front end of the published system: cqcc_gmm_cmvn.yaml."""
    row = config.load(registry.settings_type(), ROOT / "conf" / "systems" / "cqcc_gmm_cmvn.yaml")
    return front_end.from_description(front_end.describe(row.features))


@pytest.fixture
def ivectors(real_data):
    """Published i-vectors, and the models behind them."""
    return np.load(real_data / "asvspoof2017" / "published" / "ivectors.npz")


def recordings(real_data, front):
    """(utterance, features) of the real recordings that the published values are of."""
    for wav in sorted((real_data / "asvspoof2017").glob("ASVspoof2017_V2_*/*.wav")):
        if wav.stem not in VERSION_1:
            yield wav.stem, front(wav.stem, audio.convert(wav, front.sample_rate)[0])


@pytest.mark.parametrize(("subset", "percent"), [("train", 2.46), ("dev", 10.52)])
def test_whitening_wccn_and_the_cosine_give_the_published_scores_of_the_published_ivectors(ivectors, subset, percent):
    genuine = ivectors["train_genuine"]
    projection = Projection.fit(ivectors["train"], genuine, centre=True, whiten=True, wccn=True, unit=False)
    backend = CosineBackend.fit(projection(ivectors["train"]), genuine)
    ours, genuine = backend.score(projection(ivectors[subset])), ivectors[f"{subset}_genuine"]
    np.testing.assert_allclose(ours, ivectors[f"{subset}_cosine_scores"], atol=6e-5)  # they have four decimals
    assert 100 * eer.convex_hull_eer(ours[genuine], ours[~genuine]) == pytest.approx(percent, abs=0.005)


def test_front_end_and_extractor_give_the_published_ivectors_of_real_recordings(real_data, ivectors, front):
    ubm = DiagonalGMM(*(ivectors[f"ubm_{name}"] for name in ("weights", "means", "variances")))
    extractor = IVectorExtractor(ubm, ivectors["loadings"], None, None, None, 0.0)  # posteriors are not pruned
    known = {
        utt: vector
        for subset in ("train", "dev")
        for utt, vector in zip(ivectors[f"{subset}_utterances"], ivectors[subset], strict=True)
    }
    count = 0
    for utt, features in recordings(real_data, front):
        (ours,) = extractor.extract([torch.from_numpy(features).double()]).numpy()
        assert np.linalg.norm(ours - known[utt]) < 1e-5 * np.linalg.norm(known[utt]), utt
        count += 1
    assert count == 13


def test_front_end_and_mixtures_give_the_published_scores_of_real_recordings(real_data, published_scores, front):
    parameters = np.load(real_data / "asvspoof2017" / "published" / "gmm.npz")
    genuine, spoof = (
        DiagonalGMM(
            parameters[f"{label}_weights"] / parameters[f"{label}_weights"].sum(),  # the sums are 1 to eight digits
            parameters[f"{label}_means"],
            parameters[f"{label}_variances"],
        )
        for label in ("genuine", "spoof")
    )
    known = published_scores("gmm", "train")[1] | published_scores("gmm", "dev")[1]
    for utt, features in recordings(real_data, front):
        frames = torch.from_numpy(features).double()
        ours = (genuine.log_likelihood(frames) - spoof.log_likelihood(frames)).mean()
        assert float(ours) == pytest.approx(known[utt], abs=1e-4), utt


@pytest.mark.parametrize(
    ("system", "percent"),
    [("gmm", (0.83, 9.06, 13.74)), ("cnn1", (0.00, 7.60, 10.67)), ("cosine", (2.46, 10.52, 14.76))],
)
def test_published_scores_have_their_published_convex_hull_eer(published_scores, system, percent):
    for subset, expected in zip(("train", "dev", "eval"), percent, strict=True):
        trials, found = published_scores(system, subset)
        values = trials.vector(found)
        found_eer = eer.convex_hull_eer(values[trials.genuine], values[~trials.genuine])
        assert 100 * found_eer == pytest.approx(expected, abs=0.005), subset
