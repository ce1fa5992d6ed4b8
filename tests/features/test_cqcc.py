"""Constant-Q cepstra against the CQCC toolbox and against a second, independent computation."""

import numpy as np
import pytest
import scipy.fft
from scipy.interpolate import CubicSpline

from afn.features import audio, cqt
from afn.features.cqcc import CqccOptions, cqcc, statics, uniform_grid

BASELINE = CqccOptions()  # 29 cepstra and c0
ENERGY = CqccOptions(coefficients=19, first="energy")  # of the enhanced baseline, before its normalisation
NORMALISED = CqccOptions(coefficients=19, first="energy", cmvn=True)


@pytest.mark.parametrize(("utt", "tolerance"), [("g1_m_short", 1e-8), ("g2_f", 1e-8), ("g5_m_silence", 1e-6)])
def test_agrees_with_the_toolbox(golden, utt, tolerance):
    ours = cqcc(audio.read(golden / f"cqcc_{utt}.wav", 16000), BASELINE)
    with np.load(golden / f"cqcc_{utt}.npz") as table:
        frames, expected = table["cqcc_frames"], table["cqcc"].T
    assert ours.dtype == np.float64 and ours.shape == (frames[-1] + 1, 90)
    np.testing.assert_allclose(ours[frames], expected, rtol=0, atol=tolerance)


@pytest.fixture(scope="module")
def made_signal():
    """One second of noise from a linear congruential generator under a 300 Hz tone that swells at 4 Hz."""
    state, noise = 1, []
    for _ in range(16000):
        state = (1103515245 * state + 12345) % 2**31
        noise.append(state / 2**31 - 0.5)
    t = np.arange(16000) / 16000
    tone = 0.2 * np.sin(2 * np.pi * 300 * t) * (1 + 0.5 * np.sin(2 * np.pi * 4 * t))
    return 32768 * (0.1 * np.array(noise) + tone)


def test_a_made_signal_has_the_cepstra_of_another_program(made_signal):
    ours = cqcc(made_signal, BASELINE)
    assert ours.shape == (117, 90)
    for frame, c0, others in [
        (10, -1171.541, [-66.2224, -11.9681, -11.8133, -12.0251, -1.5643, -6.2084]),
        (60, -1168.098, [-67.5685, -5.7213, -25.4327, -1.9335, -15.2256, -4.3283]),
    ]:
        assert ours[frame, 0] == pytest.approx(c0, abs=6e-4)
        np.testing.assert_allclose(ours[frame, [1, 2, 3, 4, 5, 29]], others, rtol=0, atol=6e-5)


def test_a_made_signal_has_the_energy_and_normalised_values_of_another_program(made_signal):
    energy = cqcc(made_signal, ENERGY)
    assert energy.shape == (117, 60)
    np.testing.assert_allclose(energy[[10, 60], 0], [-9.3205, -9.4086], rtol=0, atol=6e-5)
    np.testing.assert_allclose(energy[:, 1:20], cqcc(made_signal, BASELINE)[:, 1:20], rtol=0, atol=1e-10)
    normalised = cqcc(made_signal, NORMALISED)
    np.testing.assert_allclose(
        normalised[60, [0, 1, 2, 20, 40]], [0.4577, -0.8515, 1.4213, 1.3168, -0.5686], rtol=0, atol=6e-5
    )


@pytest.mark.parametrize(
    "options",
    [BASELINE, CqccOptions(bins_per_octave=12, fmin=62.5, fmax=4000.0, coefficients=19)],
    ids=["96 bins", "12 bins"],
)
def test_statics_are_the_dct_of_the_splined_log_power(options):
    samples = np.random.default_rng(0).normal(size=9000) * 1000
    log_power = np.log(np.abs(cqt.transform(samples, options)) ** 2 + 2.0**-52)
    grid = np.arange(options.fmin, cqt.centre_frequencies(options)[-1] + 1e-9, options.fmin / 16)
    np.testing.assert_allclose(uniform_grid(options), grid, rtol=1e-12)
    uniform = CubicSpline(cqt.centre_frequencies(options), log_power)(grid)
    cepstra = scipy.fft.dct(uniform, norm="ortho", axis=0)[: options.coefficients + 1]
    np.testing.assert_allclose(statics(samples, options), cepstra.T, rtol=0, atol=1e-9)
