"""The constant-Q transform against the CQCC toolbox and against its definition."""

import numpy as np
import pytest

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


@pytest.mark.parametrize("count", [1, 3, 240, 1009])  # the last is prime
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


def test_blocks_hold_the_power_of_the_whole():
    samples = np.random.default_rng(0).normal(size=20011) * 1000
    whole = cqt.transform(samples, CqtOptions())
    at = 0
    for bins, block in cqt.blocks(samples, CqtOptions()):
        assert bins.start == at
        np.testing.assert_allclose(np.abs(block.T), np.abs(whole[bins]), rtol=0, atol=1e-13)
        at = bins.stop
    assert at == len(whole)
