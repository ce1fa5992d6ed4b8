"""Modulation features of signals whose modulation is known, and against a second, direct computation."""

import tracemalloc

import numpy as np
import pytest
import scipy.fft

from afn.common import config
from afn.common.errors import UserError
from afn.features.filterbank import gaussians, triangles
from afn.features.modulation import ModulationOptions, envelopes, modulation_cepstra, modulation_spectra
from afn.features.utterance_cmvn import utterance_cmvn

RAW = {"coefficients": 60, "cmvn": False}  # all cepstra: the values of the bands can be had back
RATE = 16000
SPACING = 8000 / 61  # Hz: from band to band, the first centre too


def tone(band, seconds=2.0, modulation=0.0, depth=0.0, amplitude=8000.0):
    """A tone at the centre of a band, its amplitude swelling `depth` about the mean at `modulation` Hz."""
    t = np.arange(int(seconds * RATE)) / RATE
    envelope = amplitude * (1 + depth * np.cos(2 * np.pi * modulation * t))
    return envelope * np.sin(2 * np.pi * SPACING * (band + 1) * t)


def bands(samples, **change):
    """float64[M × K]: the statistic of every band, by the inverse cosine transform of the cepstra."""
    cepstra = modulation_cepstra(samples, ModulationOptions(**{**RAW, **change}))
    return scipy.fft.idct(cepstra, norm="ortho", axis=1)


@pytest.mark.parametrize("shape", ["triangular", "gaussian"])
@pytest.mark.parametrize("modulation", [12.0, 20.0, 35.0])
@pytest.mark.parametrize("band", [10, 30, 50])
def test_the_centroid_of_an_amplitude_modulated_tone_is_its_modulation_frequency(band, modulation, shape):
    centroid = bands(tone(band, modulation=modulation, depth=0.5), shape=shape)
    assert centroid.shape == (14, 60)
    np.testing.assert_allclose(centroid[:, band], modulation, atol=3)


def test_the_centroid_tells_speed_and_not_depth():
    shallow, deep = (bands(tone(30, modulation=20, depth=depth))[:, 30] for depth in (0.05, 0.5))
    np.testing.assert_allclose(shallow, deep, atol=0.5)
    kept = [bands(tone(30, modulation=20, depth=depth), remove_mean=False)[:, 30].mean() for depth in (0.05, 0.5)]
    assert kept[0] < kept[1] - 3 and kept[1] < deep.mean() - 3  # the mean pulls it down, the more the shallower


def test_the_largest_bin_of_the_modulation_spectrum_is_the_modulation():
    options = ModulationOptions()
    spectra = modulation_spectra(tone(30, modulation=25, depth=0.5), options)
    frequencies = options.modulation_frequencies
    assert spectra.shape == (14, 60, 129) and frequencies[[0, 1, -1]].tolist() == [0, 1.5625, 200]
    np.testing.assert_allclose(frequencies[1 + spectra[:, 30, 1:].argmax(axis=1)], 25, atol=1.6)
    assert (spectra[:, 30, 0] > 2 * spectra[:, 30, 1:].max(axis=1)).all()


def test_the_energy_of_a_steady_tone_is_that_of_its_windows():
    # At a bin of the transform, in the middle of the spectrum: |X|² is (A/2)² times the window's |W|², bin by bin.
    frequency, amplitude = 128 * 31.25, 0.25
    samples = 32768 * amplitude * np.sin(2 * np.pi * frequency * np.arange(RATE) / RATE)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(320) / 320)
    power = (amplitude / 2) ** 2 * np.abs(np.fft.fft(hann, 512)) ** 2
    centre = SPACING * 31  # the nearest band
    weights = np.maximum(1 - np.abs(frequency + np.fft.fftfreq(512, 1 / RATE) - centre) / SPACING, 0)
    expected = np.log(51.0**2 * (weights @ power))  # a Hann window of 102 values sums up to 51
    energy = bands(samples, statistic="energy")
    np.testing.assert_allclose(energy[:, 30], expected, atol=1e-4)
    assert (energy[:, np.abs(np.arange(60) - 30) > 5] < expected - 12).all()


def test_twice_the_amplitude_is_four_times_the_energy_and_the_same_centroid():
    noise = np.random.default_rng(0).normal(size=RATE) * 1000
    once, twice = bands(noise, statistic="energy"), bands(2 * noise, statistic="energy")
    np.testing.assert_allclose(twice - once, np.log(4), atol=1e-5)
    np.testing.assert_allclose(bands(2 * noise), bands(noise), atol=1e-4)


def test_a_steady_tone_and_silence_do_not_move():
    assert not bands(np.zeros(RATE, np.int16)).any()
    t = np.arange(RATE) / RATE
    steady = bands(32768 * 0.25 * np.sin(2 * np.pi * 4000 * t))  # every frame holds whole periods
    assert np.abs(steady[:, 28:33]).max() < 0.5
    logs = bands(np.zeros(RATE, np.int16), log_centroid=True)
    np.testing.assert_allclose(logs, np.log(1.5625), atol=1e-12)
    np.testing.assert_allclose(bands(np.zeros(RATE), statistic="energy"), np.log(1e-7), atol=1e-9)


def test_the_rounding_to_16_bits_is_movement():
    lowest = np.random.default_rng(0).integers(-1, 2, RATE)
    assert 30 < bands(lowest.astype(np.int16)).min() < bands(lowest.astype(np.int16)).max() < 70


def test_the_logarithm_is_that_of_the_centroid():
    noise = np.random.default_rng(0).normal(size=RATE) * 1000
    np.testing.assert_allclose(np.exp(bands(noise, log_centroid=True)), bands(noise), atol=1e-9)


@pytest.mark.parametrize("shape", [triangles, gaussians])
def test_bands_are_evenly_spaced_and_cross_halfway(shape):
    weights = shape(8000.0, 1600, 9, 500.0, 3000.0)  # bins of 5 Hz, centres every 250 Hz from 750 Hz on
    assert weights.shape == (801, 9)
    np.testing.assert_array_equal(weights.argmax(axis=0) * 5, 750 + 250 * np.arange(9))
    np.testing.assert_allclose(weights.max(axis=0), 1, atol=1e-12)
    for k in range(8):
        np.testing.assert_allclose(weights[(875 + 250 * k) // 5, [k, k + 1]], 0.5, atol=1e-12)
    with pytest.raises(ValueError):
        weights[0, 0] = 1


def test_a_tone_at_its_centre_is_strongest_in_its_band():
    for band in (0, 7, 31, 59):
        assert (envelopes(tone(band, seconds=0.5), ModulationOptions()).argmax(axis=1) == band).all()


def test_the_power_is_the_square_of_the_root():
    noise = np.random.default_rng(0).normal(size=8000) * 1000
    root, power = (envelopes(noise, ModulationOptions(envelope=envelope)) for envelope in ("sqrt", "power"))
    assert root.shape == (193, 60)
    np.testing.assert_allclose(root**2, power, atol=1e-12)


@pytest.mark.parametrize("remove_mean", [False, True])
def test_agrees_with_the_steps_one_by_one(remove_mean):
    noise = np.random.default_rng(0).normal(size=9000) * 1000
    options = ModulationOptions(
        bands=20, coefficients=7, modulation_hop=0.25, modulation_limit=50.0, remove_mean=remove_mean, cmvn=False
    )
    hann = lambda n: 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)  # noqa: E731
    starts = range(0, len(noise) - 319, 40)
    power = [np.abs(np.fft.rfft(noise[s : s + 320] / 32768 * hann(320), 512)) ** 2 for s in starts]
    centres = 8000 / 21 * np.arange(1, 21)
    distance = np.abs(np.arange(257)[:, None] * 31.25 - centres) / (8000 / 21)
    envelope = np.sqrt(np.array(power) @ np.maximum(1 - distance, 0))
    frequencies = np.arange(1, 33) * 400 / 256  # to 50 Hz
    centroids = []
    for start in range(0, len(envelope) - 101, 26):
        frame, window = envelope[start : start + 102], hann(102)[:, None]
        if remove_mean:
            frame = frame - (frame * window).sum(axis=0) / window.sum()
        magnitude = np.abs(np.fft.rfft(frame * window, 256, axis=0))[1:33]
        centroids.append(frequencies @ magnitude / magnitude.sum(axis=0))
    orders = np.arange(7)[:, None]
    dct = np.cos(np.pi * orders * (2 * np.arange(20) + 1) / 40) * np.sqrt(np.where(orders == 0, 1, 2) / 20)
    np.testing.assert_allclose(modulation_cepstra(noise, options), np.array(centroids) @ dct.T, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("count", "frames"), [(1, 1), (2, 1), (319, 1), (4360, 1), (6399, 1), (6400, 2), (64000, 30)])
@pytest.mark.parametrize("statistic", ["centroid", "energy"])
def test_recordings_of_any_length_have_finite_features(statistic, count, frames):
    samples = np.random.default_rng(count).integers(-9999, 9999, count).astype(np.int16)
    options = ModulationOptions(statistic=statistic, cmvn=False, deltas=2)
    features = modulation_cepstra(samples, options)
    assert features.dtype == np.float64 and features.shape == (frames, 90)
    assert np.isfinite(features).all()


def test_short_recordings_are_continued_by_their_mirror_image():
    samples = np.random.default_rng(0).normal(size=1500) * 1000
    mirrored = np.concatenate((samples, samples[::-1], samples))[:4360]
    options = ModulationOptions(cmvn=False)
    np.testing.assert_array_equal(modulation_cepstra(samples, options), modulation_cepstra(mirrored, options))


@pytest.mark.parametrize("statistic", ["centroid", "energy"])
@pytest.mark.parametrize("log_centroid", [False, True])
def test_silence_is_finite(statistic, log_centroid):
    options = ModulationOptions(statistic=statistic, log_centroid=log_centroid, deltas=1)
    np.testing.assert_allclose(modulation_cepstra(np.zeros(RATE, np.int16), options), 0, atol=1e-9)
    samples = np.random.default_rng(0).normal(size=RATE) * 1000
    samples[4000:] = 0
    assert np.isfinite(modulation_cepstra(samples, options)).all()


@pytest.mark.parametrize(("deltas", "dims"), [(0, 20), (1, 40), (2, 60)])
def test_slopes_follow_the_statics_and_normalisation_comes_last(deltas, dims):
    noise = np.random.default_rng(0).normal(size=RATE) * 1000
    options = {"coefficients": 20, "deltas": deltas}
    raw = modulation_cepstra(noise, ModulationOptions(**options, cmvn=False))
    assert raw.shape == (6, dims) and ModulationOptions(**options).dims == dims
    np.testing.assert_array_equal(
        raw[:, :20], modulation_cepstra(noise, ModulationOptions(coefficients=20, cmvn=False))
    )
    if deltas:
        np.testing.assert_allclose(raw[2, 20:40], (raw[3, :20] - raw[1, :20]) / 2, atol=1e-12)
    normalised = modulation_cepstra(noise, ModulationOptions(**options))
    np.testing.assert_array_equal(normalised, utterance_cmvn(raw))
    np.testing.assert_allclose(normalised.std(axis=0, ddof=1), 1, atol=1e-9)


@pytest.mark.parametrize(("length", "hop", "shift"), [(256.0, 0.5, 51), (200.0, 0.125, 10), (500.0, 0.001, 1)])
def test_modulation_frames_are_counted_in_envelope_values(length, hop, shift):
    options = ModulationOptions(modulation_length=length, modulation_hop=hop)
    assert (options.modulation_frame, options.modulation_shift) == (int(length * 0.4), shift)
    count = len(envelopes(np.ones(12000), options))
    assert len(modulation_cepstra(np.ones(12000), options)) == 1 + (count - options.modulation_frame) // shift


def test_ten_minutes_are_done_in_pieces_without_a_seam():
    second = np.random.default_rng(0).integers(-9999, 9999, 40 * 51 * 8).astype(np.int16)  # 8 modulation frames
    samples = np.tile(second, 600)
    tracemalloc.start()
    features = modulation_cepstra(samples, ModulationOptions(cmvn=False))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_allclose(features[8:], features[:-8], rtol=0, atol=1e-8)
    assert len(features) == 4798
    assert peak < 450e6  # all spectra at once would be 1.7 GB


@pytest.mark.parametrize("samples", [np.zeros(0, np.int16), np.array([0.0, np.inf]), np.zeros((9, 2))])
def test_refuses_what_is_no_sound(samples):
    with pytest.raises(UserError, match="the recording"):
        modulation_cepstra(samples, ModulationOptions())


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("shape", {"shape": "square"}),
        ("envelope", {"envelope": "hilbert"}),
        ("statistic", {"statistic": "mean"}),
        ("bands", {"bands": 0}),
        ("bands", {"bands": 300}),
        ("coefficients", {"coefficients": 61}),
        ("coefficients", {"coefficients": 0}),
        ("deltas", {"deltas": -1}),
        ("delta_window", {"delta_window": 0}),
        ("length", {"length": 513}),
        ("shift", {"shift": 0}),
        ("low_frequency", {"high_frequency": 8001.0}),
        ("low_frequency", {"low_frequency": 8000.0}),
        ("modulation_length", {"modulation_length": 5.0}),
        ("modulation_length", {"modulation_length": 700.0}),
        ("modulation_hop", {"modulation_hop": 0.0}),
        ("modulation_hop", {"modulation_hop": 1.1}),
        ("modulation_limit", {"modulation_limit": 201.0}),
        ("modulation_limit", {"modulation_limit": 1.0}),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(name, change):
    with pytest.raises(UserError, match=rf"^options: .*\b{name}: "):
        config.build(ModulationOptions, change, "options")


def test_a_yaml_can_hold_the_settings():
    options = config.build(ModulationOptions, {"statistic": "energy", "cmvn": False}, "msf.yaml")
    assert options == ModulationOptions(statistic="energy", cmvn=False)
    with pytest.raises(UserError, match="did you mean energy"):
        config.build(ModulationOptions, {"statistic": "energie"}, "msf.yaml")
