"""What all kinds of features have in common: recordings of any length, silence, deltas, refusals."""

import numpy as np
import pytest

from afn.common import config
from afn.common.errors import UserError
from afn.features.cqcc import CqccOptions, cqcc
from afn.features.lfcc import LfccOptions, lfcc
from afn.features.log_magnitude import LogMagnitudeOptions, log_magnitude
from afn.features.modulation import ModulationOptions, modulation_cepstra
from afn.features.qlog import QLogOptions, qlog_spectrum
from afn.features.waveform import whitened

# function, options, frames by number of samples
KINDS = {
    "cqcc": (cqcc, CqccOptions(), {1: 4, 159: 4, 16001: 117, 33333: 244}),
    "cqcc, normalised": (cqcc, CqccOptions(coefficients=19, first="energy", cmvn=True), {1009: 7}),
    "lfcc": (lfcc, LfccOptions(), {1: 1, 320: 1, 321: 2, 16000: 99, 16001: 100}),
    "log magnitude": (log_magnitude, LogMagnitudeOptions(), {1: 1, 400: 1, 401: 2, 560: 2, 561: 3}),
    "centroids": (modulation_cepstra, ModulationOptions(), {1: 1, 6399: 1, 6400: 2, 64000: 30}),
    "modulation energies": (modulation_cepstra, ModulationOptions(statistic="energy"), {319: 1, 6400: 2}),
    "q-logarithm": (qlog_spectrum, QLogOptions(), {1: 1, 401: 2, 560: 2, 561: 3, 16000: 99}),
    "waveform": (lambda samples, _: whitened(samples), None, {1: 1, 100: 100}),
    "product spectrum": (qlog_spectrum, QLogOptions(spectrum="product", norm_vars=True), {1: 1, 16000: 99}),
}


@pytest.mark.parametrize(("function", "options", "frames"), KINDS.values(), ids=KINDS)
def test_recordings_of_any_length_have_finite_features(function, options, frames):
    found = {}
    for count in frames:
        features = function(np.random.default_rng(count).integers(-9999, 9999, count).astype(np.int16), options)
        assert np.isfinite(features).all() and features.ndim == 2
        found[count] = len(features)
    assert found == frames


@pytest.mark.parametrize(("function", "options", "frames"), KINDS.values(), ids=KINDS)
def test_silence_before_after_and_instead_of_sound_is_finite(function, options, frames):
    samples = np.random.default_rng(0).normal(size=16000) * 1000
    samples[:4000] = samples[12000:] = 0
    for silent in (samples, np.zeros(8000, np.int16)):
        assert np.isfinite(function(silent, options)).all()


@pytest.mark.parametrize(("function", "options", "frames"), KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("samples", [np.zeros(0, np.int16), np.array([0.0, np.nan])], ids=["none", "NaN"])
def test_what_is_no_sound_is_refused(function, options, frames, samples):
    with pytest.raises(UserError, match="the recording|0 samples|not a finite number"):
        function(samples, options)


@pytest.mark.parametrize("kind", [CqccOptions, LfccOptions, ModulationOptions])
def test_deltas_follow_the_statics_and_normalisation_comes_last(kind):
    function = {CqccOptions: cqcc, LfccOptions: lfcc, ModulationOptions: modulation_cepstra}[kind]
    samples = np.random.default_rng(0).normal(size=16000) * 1000
    plain, with_deltas = (function(samples, kind(deltas=deltas, cmvn=False)) for deltas in (0, 2))
    assert with_deltas.shape[1] == 3 * plain.shape[1]
    np.testing.assert_array_equal(with_deltas[:, : plain.shape[1]], plain)
    normalised = function(samples, kind(deltas=2, cmvn=True))
    deviations = with_deltas - with_deltas.mean(axis=0)
    np.testing.assert_allclose(normalised, deviations / with_deltas.std(axis=0, ddof=1), atol=1e-9)


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (CqccOptions, "first", "c1"),
        (CqccOptions, "coefficients", 863),
        (CqccOptions, "deltas", -1),
        (CqccOptions, "fmax", 8001.0),
        (CqccOptions, "fmin", 1.0),  # its window would reach below 0 Hz
        (CqccOptions, "gamma", -1.0),
        (LfccOptions, "coefficients", 21),
        (LfccOptions, "frame_length", 40.0),
        (LfccOptions, "high_frequency", 9000.0),
        (ModulationOptions, "statistic", "mean"),
        (ModulationOptions, "bands", 300),
        (ModulationOptions, "length", 513),
        (ModulationOptions, "low_frequency", 8000.0),
        (ModulationOptions, "modulation_length", 700.0),
        (ModulationOptions, "modulation_hop", 1.1),
        (QLogOptions, "q", 1.1),
        (QLogOptions, "floor", 1.0),
        (QLogOptions, "spectrum", "cepstrum"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(kind, name, value):
    with pytest.raises(UserError, match=rf"\b{name}\b"):
        config.build(kind, {name: value}, "a.yaml")


def test_the_waveform_has_zero_mean_and_unit_variance_at_any_level():
    samples = np.random.default_rng(1).normal(300, 1000, 5000).astype(np.int16)
    features = whitened(samples)
    assert features.dtype == np.float32
    centred = samples - samples.mean()
    np.testing.assert_allclose(features.ravel(), centred / centred.std(ddof=1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(whitened(4 * samples.astype(np.float64)), features, rtol=1e-5, atol=1e-6)
    assert not whitened(np.full(100, 7, np.int16)).any() and not whitened(np.array([5], np.int16)).any()
