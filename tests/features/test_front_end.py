"""Front ends: the features that settings describe, the same for a whole corpus and for one recording."""

import numpy as np
import pytest
import soundfile

from afn.common import config
from afn.common.errors import UserError
from afn.common.paths import ROOT
from afn.features import front_end, parts
from afn.features.cmvn import sliding_cmvn
from afn.features.kaldi_options import SpectrogramOptions
from afn.features.log_magnitude import LogMagnitudeOptions, log_magnitude
from afn.features.spectrogram import log_spectrogram
from afn.systems.neural.settings import Neural

CONF = ROOT / "conf"


def of(system):
    settings = config.load(Neural, CONF / "systems" / f"{system}.yaml", ["features.backend=native"] * (system == "afn"))
    return front_end.from_description(front_end.describe(settings.features))


def wave(count, seed=0):
    return np.random.default_rng(seed).normal(0, 1000, count).astype(np.int16)


def test_the_spectrogram_is_kaldis_after_the_sliding_mean():
    samples = wave(60000)
    expected = sliding_cmvn(log_spectrogram(samples, SpectrogramOptions(snip_edges=False), "u1"), 300)
    np.testing.assert_array_equal(of("afn")("u1", samples), expected)


@pytest.mark.parametrize("window", [300, None])
@pytest.mark.parametrize("frames", [1, front_end.STRETCH, front_end.STRETCH + 200, 2 * front_end.STRETCH + 900])
def test_a_spectrogram_in_stretches_is_that_of_the_whole_recording(window, frames):
    extract = front_end.SpectrogramFrontEnd(SpectrogramOptions(snip_edges=False), window, False)
    samples = wave(160 * frames)
    np.testing.assert_allclose(np.concatenate([*extract.stretches("u", samples)]), extract("u", samples), atol=1e-5)


def test_the_log_magnitude_of_a_tone_peaks_in_its_bin_at_its_level():
    t = np.arange(16000) / 16000
    frequency = 100 * 16000 / 1728  # the centre of bin 100
    features = log_magnitude(10000 * np.sin(2 * np.pi * frequency * t), LogMagnitudeOptions(preemphasis=0.0))
    assert features.shape == (99, 864)
    assert features.dtype == np.float32
    features = features[:-1]  # the last frame is filled with zeros
    assert (features.argmax(axis=1) == 100).all()
    window = np.hamming(401)[:-1].sum()  # a windowed sine of amplitude a has magnitude a/2 times the window's sum
    np.testing.assert_allclose(features[:, 100], np.log(10000 / 32768 / 2 * window), atol=0.01)


def test_too_few_samples_for_a_frame_are_refused_with_file_and_utterance(tmp_path):
    soundfile.write(tmp_path / "a.wav", wave(79), 16000)
    with pytest.raises(UserError, match=r"a\.wav \(u1\): 79 samples"):
        parts.features_of(of("afn"), [("u1", str(tmp_path / "a.wav"))])
