"""The log power spectrogram against Kaldi's own tables, and its dither."""

import dataclasses

import numpy as np
import pytest

from afn.features import audio
from afn.features.cmvn import sliding_cmvn
from afn.features.kaldi_options import SpectrogramOptions
from afn.features.spectrogram import log_spectrogram

UTTERANCES = ("g01_male_us", "g02_female_gb", "g03_short030", "g07_tiny250")
OPTIONS = SpectrogramOptions(snip_edges=False, dither=0.0)


@pytest.fixture(scope="module")
def tables(golden):
    with np.load(golden / "kaldi_spectrogram.npz") as file:
        return dict(file)


def samples(golden, utt):
    return audio.read(golden / f"{utt}.wav", 16000)


def thinned(matrix, table):
    """The frames that the golden file holds: every tenth of the long utterance in all tables but the first."""
    return matrix[::10] if len(matrix) > 300 and table != "spec_nosnip" else matrix


@pytest.mark.parametrize("utt", UTTERANCES)
@pytest.mark.parametrize("table", ["spec_nosnip", "spec_snip"])
def test_agrees_with_kaldi(golden, tables, table, utt):
    options = dataclasses.replace(OPTIONS, snip_edges=table == "spec_snip")
    wave = samples(golden, utt)
    ours = thinned(log_spectrogram(wave, options), table)
    kaldis = tables[f"{table}/{utt}"]
    assert len(ours) == len(kaldis)
    if not len(kaldis):  # shorter than a window
        assert utt == "g07_tiny250" and table == "spec_snip"
        return
    assert ours.dtype == np.float32 and ours.shape == kaldis.shape
    difference = np.abs(ours - kaldis)
    assert np.max(difference[:, 0] / np.abs(kaldis[:, 0])) < 1e-6  # the log energy
    assert np.median(difference[:, 1:]) < 4e-6
    assert np.quantile(difference[:, 1:], 0.999) < 1.1e-3
    assert np.max(difference) < 2.1e-2  # in deep spectral holes, where Kaldi's own float32 rounding shows


@pytest.mark.parametrize("utt", UTTERANCES)
@pytest.mark.parametrize(
    ("table", "window", "norm_vars"),
    [("spec_nosnip_cmn300", 300, False), ("spec_nosnip_cmn60", 60, False), ("spec_nosnip_cmvn300", 300, True)],
)
def test_sliding_normalisation_agrees_with_kaldi(tables, table, window, norm_vars, utt):
    if f"{table}/{utt}" not in tables:
        pytest.skip("Kaldi's table has no such utterance")
    ours = thinned(sliding_cmvn(tables[f"spec_nosnip/{utt}"], window, norm_vars), table)
    np.testing.assert_allclose(ours, tables[f"{table}/{utt}"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("count", [1, 79, 80, 240, 16000, 16079, 16080])
def test_frames_without_snipping_follow_kaldis_count(count):
    spectrogram = log_spectrogram(np.arange(count) % 100, OPTIONS)
    assert spectrogram.shape == ((count + 80) // 160, 257)
    assert np.isfinite(spectrogram).all()


def test_digital_silence_lies_on_kaldis_floor():
    spectrogram = log_spectrogram(np.zeros(1600, dtype=np.int16), OPTIONS)
    np.testing.assert_allclose(spectrogram, np.log(np.finfo(np.float32).eps), rtol=1e-6)


def test_dither_depends_on_the_utterance_and_on_nothing_else(golden):
    options = dataclasses.replace(OPTIONS, dither=1.0)
    wave = samples(golden, "g02_female_gb")
    first, again, other = (log_spectrogram(wave, options, utt) for utt in ("a", "a", "b"))
    assert first.tobytes() == again.tobytes()
    assert np.abs(first - other).max() > 0.1


def test_dither_has_the_power_that_kaldi_gives_it():
    # Silence plus N(0, 1) noise: the energy of a mean-free frame of 400 is 399 on average.
    energies = log_spectrogram(np.zeros(160000, np.int16), dataclasses.replace(OPTIONS, dither=1.0), "u")[:, 0]
    assert np.exp(energies).mean() == pytest.approx(399, rel=0.02)


@pytest.mark.parametrize("window", ["povey", "hamming", "hanning", "sine", "rectangular", "blackman"])
def test_windows_follow_kaldis_formulas(window):
    # One frame that is an impulse: its power spectrum is flat at the window's squared value there.
    options = SpectrogramOptions(
        dither=0.0, preemphasis_coefficient=0.0, remove_dc_offset=False, window_type=window, raw_energy=False
    )
    wave = np.zeros(400)
    wave[100] = 1000.0
    phase = 2 * np.pi * 100 / 399
    value = {
        "povey": (0.5 - 0.5 * np.cos(phase)) ** 0.85,
        "hamming": 0.54 - 0.46 * np.cos(phase),
        "hanning": 0.5 - 0.5 * np.cos(phase),
        "sine": np.sin(np.pi * 100 / 399),
        "rectangular": 1.0,
        "blackman": 0.42 - 0.5 * np.cos(phase) + 0.08 * np.cos(2 * phase),
    }[window]
    np.testing.assert_allclose(log_spectrogram(wave, options), 2 * np.log(1000 * value), atol=1e-5)
