"""The constant-Q transform against the CQCC toolbox and against its definition."""

import numpy as np
import pytest

from afn.common import config
from afn.common.errors import UserError
from afn.features import audio, cqt
from afn.features.cqt import CqtOptions

# Settings of the ASVspoof 2021 baselines; the frames they give are those of the toolbox.
LOGICAL = CqtOptions(bins_per_octave=12, fmin=62.5, fmax=4000.0)
PHYSICAL = CqtOptions(bins_per_octave=12, fmin=62.5)


@pytest.mark.parametrize("utt", ["g1_m_short", "g2_f"])
def test_agrees_with_the_toolbox(golden, utt):
    samples = audio.read(golden / f"cqcc_{utt}.wav", 16000)
    ours = cqt.transform(samples, CqtOptions())
    with np.load(golden / f"cqcc_{utt}.npz") as table:
        assert ours.shape == (863, table["cqcc_frames"][-1] + 1)
        np.testing.assert_allclose(ours[:, table["cqt_frames"]], table["cqt"], rtol=0, atol=1e-15)


def test_log_power_agrees_with_the_toolbox_down_to_digital_silence(golden):
    samples = audio.read(golden / "cqcc_g5_m_silence.wav", 16000)
    ours = np.log(np.abs(cqt.transform(samples, CqtOptions())) ** 2 + np.finfo(float).eps)
    with np.load(golden / "cqcc_g5_m_silence.npz") as table:
        np.testing.assert_allclose(ours[:, table["log_power_frames"]], table["log_power"], rtol=0, atol=1e-8)


@pytest.mark.parametrize(("utt", "count"), [("g1_m_short", 16001), ("g2_f", 33333), ("g5_m_silence", 40961)])
def test_windows_are_as_wide_as_the_toolboxs(golden, utt, count):
    with np.load(golden / f"cqcc_{utt}.npz") as table:
        np.testing.assert_array_equal(cqt._geometry(CqtOptions(), count)[1], table["lengths"])


@pytest.mark.parametrize(
    ("options", "bins", "frames"),
    [(CqtOptions(), 863, (117, 244, 300)), (LOGICAL, 73, (489, 1018, 1251)), (PHYSICAL, 83, (850,))],
)
def test_bins_and_frames_are_as_many_as_the_toolboxs(options, bins, frames):
    centres = cqt.centre_frequencies(options)
    assert len(centres) == bins and centres[0] == options.fmin
    np.testing.assert_allclose(centres[options.bins_per_octave :], 2 * centres[: -options.bins_per_octave], rtol=1e-14)
    for count, expected in zip((16001, 33333, 40961), frames, strict=False):
        assert cqt.frames(options, count) == expected


def by_definition(signal, options):
    """Each bin on its own: the DFT of the signal as a sum, times a Hann window, back to time as a sum."""
    count = len(signal)
    times = np.arange(count)
    frames = cqt.frames(options, count)
    rows = []
    for frequency in cqt.centre_frequencies(options):
        centre = int(frequency * count / options.sample_rate)
        length = max(int(options.bandwidths(frequency) * count / options.sample_rate + 0.5), 4)
        row = np.zeros(frames, dtype=complex)
        for index in range(centre - length // 2, centre - length // 2 + length):
            weight = 0.5 + 0.5 * np.cos(2 * np.pi * (index - centre) / length)
            coefficient = np.sum(signal * np.exp(-2j * np.pi * (index * times % count) / count))
            row += weight * coefficient * np.exp(2j * np.pi * index * np.arange(frames) / frames)
        rows.append(2 / count * row)
    return np.array(rows)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 97, 240, 1009])  # 7, 97 and 1009 are prime
@pytest.mark.parametrize(
    "options",
    [LOGICAL, PHYSICAL, CqtOptions(bins_per_octave=6, fmin=100.0, gamma=0.0)],
    ids=["logical", "physical", "proportional"],
)
def test_agrees_with_its_definition_at_any_length(options, count):
    samples = np.random.default_rng(count).integers(-32768, 32768, count).astype(np.int16)
    np.testing.assert_allclose(
        cqt.transform(samples, options), by_definition(samples / 32768, options), rtol=0, atol=1e-12
    )


def test_narrow_and_wide_windows_take_the_same_values_by_matrix_product_and_by_fft(monkeypatch):
    samples = np.random.default_rng(0).normal(size=30011) * 1000
    mixed = cqt.transform(samples, CqtOptions())
    monkeypatch.setattr(cqt, "DIRECT", -1)
    monkeypatch.setattr(cqt, "BLOCK", 500)
    np.testing.assert_allclose(cqt.transform(samples, CqtOptions()), mixed, rtol=0, atol=1e-14)


def test_a_sine_at_the_centre_of_a_bin_has_its_amplitude_there():
    # 16000 samples: the centre of a bin is rounded down to whole Hz.
    options = CqtOptions()
    k = 500
    frequency = np.floor(cqt.centre_frequencies(options)[k])
    sine = 32768 * 0.25 * np.sin(2 * np.pi * frequency * np.arange(16000) / 16000)
    magnitude = np.abs(cqt.transform(sine, options))
    np.testing.assert_allclose(magnitude[k], 0.25, rtol=1e-10)
    assert magnitude[[k - 60, k + 60]].max() < 1e-10


def test_frames_lie_where_their_time_is():
    click = np.zeros(16000)
    click[10000] = 32768
    energy = (np.abs(cqt.transform(click, CqtOptions())[700:]) ** 2).sum(axis=0)
    assert np.argmax(energy) == round(10000 / 16000 * len(energy))


def test_blocks_hold_the_power_of_the_whole():
    samples = np.random.default_rng(0).normal(size=20011) * 1000
    whole = cqt.transform(samples, CqtOptions())
    at = 0
    for bins, block in cqt.blocks(samples, CqtOptions()):
        assert bins.start == at
        np.testing.assert_allclose(np.abs(block.T), np.abs(whole[bins]), rtol=0, atol=1e-13)
        at = bins.stop
    assert at == len(whole)


def test_floats_and_whole_numbers_on_the_16_bit_scale_are_the_same_sound():
    samples = np.random.default_rng(0).integers(-1000, 1000, 4000).astype(np.int16)
    whole = cqt.transform(samples, CqtOptions())
    np.testing.assert_array_equal(cqt.transform(samples.astype(np.float64), CqtOptions()), whole)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros(0, np.int16), "0 samples"),
        (np.array([0.0, np.nan, 1.0]), "sample 1 of the recording is nan"),
        (np.array([np.inf]), "sample 0 of the recording is inf"),
        (np.zeros((100, 2)), "one channel"),
    ],
)
@pytest.mark.parametrize("function", [cqt.transform, cqt.blocks])
def test_refuses_what_is_no_sound_in_one_line(function, samples, message):
    with pytest.raises(UserError, match=message) as refusal:
        function(samples, CqtOptions())
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("bins_per_octave", {"bins_per_octave": 0}),
        ("fmax", {"fmax": 8001.0}),
        ("fmin", {"fmin": 0.0}),
        ("fmin", {"fmin": 1.0}),  # its window would reach below 0 Hz
        ("fmin", {"fmin": 7990.0}),  # its window would reach beyond half the sample rate
        ("gamma", {"gamma": -1.0}),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(name, change):
    with pytest.raises(UserError, match=rf"^options: .*\b{name}: "):
        config.build(CqtOptions, change, "options")
