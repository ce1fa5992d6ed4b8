"""Real ASVspoof 2017 recordings, and the models, i-vectors and scores that others published for that corpus.

The i-vectors, background model, mixtures and scores are those of Chettri et al. (arXiv 2010.07913).
"""

from pathlib import Path

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
def published(real_data):
    return np.load(real_data / "asvspoof2017" / "published" / "ivectors.npz")


def recordings(real_data, front):
    """(utterance, features) of the real recordings that the published values are of."""
    for wav in sorted((real_data / "asvspoof2017").glob("ASVspoof2017_V2_*/*.wav")):
        if wav.stem not in VERSION_1:
            yield wav.stem, front(wav.stem, audio.convert(wav, front.sample_rate)[0])


def scores(real_data, system, subset):
    """Utterance -> published score, in the order of the protocol; and which of them are genuine."""
    protocol = next((real_data / "asvspoof2017" / "protocol_V2").glob(f"*_{subset}.*.txt"))
    listed = [line.split()[:2] for line in protocol.read_text().splitlines()]
    lines = (real_data / "scores" / system / f"{subset}_prediction.txt").read_text().splitlines()
    found = {Path(utt).stem: float(line.split()[-1]) for (utt, _), line in zip(listed, lines, strict=True)}
    return found, np.array([label == "genuine" for _, label in listed])


@pytest.mark.parametrize(("subset", "percent"), [("train", 2.46), ("dev", 10.52)])
def test_whitening_wccn_and_the_cosine_give_the_published_scores_of_the_published_ivectors(published, subset, percent):
    genuine = published["train_genuine"]
    projection = Projection.fit(published["train"], genuine, centre=True, whiten=True, wccn=True, unit=False)
    backend = CosineBackend.fit(projection(published["train"]), genuine)
    ours, genuine = backend.score(projection(published[subset])), published[f"{subset}_genuine"]
    np.testing.assert_allclose(ours, published[f"{subset}_cosine_scores"], atol=6e-5)  # they have four decimals
    assert 100 * eer.convex_hull_eer(ours[genuine], ours[~genuine]) == pytest.approx(percent, abs=0.005)


def test_front_end_and_extractor_give_the_published_ivectors_of_real_recordings(real_data, published, front):
    ubm = DiagonalGMM(*(published[f"ubm_{name}"] for name in ("weights", "means", "variances")))
    extractor = IVectorExtractor(ubm, published["loadings"], None, None, None, 0.0)  # posteriors are not pruned
    known = {
        utt: vector
        for subset in ("train", "dev")
        for utt, vector in zip(published[f"{subset}_utterances"], published[subset], strict=True)
    }
    count = 0
    for utt, features in recordings(real_data, front):
        (ours,) = extractor.extract([torch.from_numpy(features).double()]).numpy()
        assert np.linalg.norm(ours - known[utt]) < 1e-5 * np.linalg.norm(known[utt]), utt
        count += 1
    assert count == 13


def test_front_end_and_mixtures_give_the_published_scores_of_real_recordings(real_data, front):
    parameters = np.load(real_data / "asvspoof2017" / "published" / "gmm.npz")
    genuine, spoof = (
        DiagonalGMM(
            parameters[f"{label}_weights"] / parameters[f"{label}_weights"].sum(),  # the sums are 1 to eight digits
            parameters[f"{label}_means"],
            parameters[f"{label}_variances"],
        )
        for label in ("genuine", "spoof")
    )
    known = scores(real_data, "gmm", "train")[0] | scores(real_data, "gmm", "dev")[0]
    for utt, features in recordings(real_data, front):
        frames = torch.from_numpy(features).double()
        ours = (genuine.log_likelihood(frames) - spoof.log_likelihood(frames)).mean()
        assert float(ours) == pytest.approx(known[utt], abs=1e-4), utt


@pytest.mark.parametrize(
    ("system", "percent"),
    [("gmm", (0.83, 9.06, 13.74)), ("cnn1", (0.00, 7.60, 10.67)), ("cosine", (2.46, 10.52, 14.76))],
)
def test_published_scores_have_their_published_convex_hull_eer(real_data, system, percent):
    for subset, expected in zip(("train", "dev", "eval"), percent, strict=True):
        found, genuine = scores(real_data, system, subset)
        values = np.array(list(found.values()))
        eer_found = eer.convex_hull_eer(values[genuine], values[~genuine])
        assert 100 * eer_found == pytest.approx(expected, abs=0.005), subset
