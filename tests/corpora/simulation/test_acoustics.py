"""Rooms, devices, measured responses and the chain from speech to recording."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.signal
import soundfile

from afn.augment.random_streams import stream
from afn.augment.signals import coloured_noise
from afn.common import config
from afn.common.errors import UserError
from afn.corpora.simulation import devices, rooms
from afn.corpora.simulation.acoustics import RecordingChain, assigned
from afn.corpora.simulation.plan import Trial
from afn.corpora.simulation.simulated import Simulated

RATE = 16000
GENUINE = Trial("E_1000001", "genuine", 0, 0, "E05", 0)
SPOOF = Trial("E_1000001", "spoof", 0, 0, "E05", 0, "E06", "P15", "R05")
SPEECH = slice(4000, 20000)


@pytest.fixture(scope="module")
def settings(pytestconfig):
    return config.load(Simulated, pytestconfig.rootpath / "conf/corpora/simulated.yaml").acoustics


@pytest.fixture(scope="module")
def speech():
    """White noise for speech, so that the recording's spectrum is the chain's."""
    samples = np.zeros(24000)
    samples[SPEECH] = stream(1, "speech").standard_normal(16000)
    return samples


def magnitude(device, frequencies):
    """dB at `frequencies` (Hz) of a device's filters."""
    _, response = scipy.signal.sosfreqz(device.sections, frequencies, fs=RATE)
    return 20 * np.log10(np.abs(response))


def test_the_reverberation_time_is_the_rooms(settings):
    long = settings.rooms.replace(order=30)
    for asked in (0.3, 0.6):
        response = rooms.response(long, asked, 1, "E01", 0)
        decay = 10 * np.log10(np.cumsum(response[::-1] ** 2)[::-1])
        early, late = np.argmax(decay < -5), np.argmax(decay < -25)  # Schroeder's integral, T20
        assert 3 * (late - early) / RATE == pytest.approx(asked, rel=0.4)


def test_poor_loudspeakers_have_narrower_bands_and_rougher_responses(settings):
    good, poor = (devices.sampled(settings.loudspeaker.replace(scatter=0), q, 1, "P01") for q in (0, 1))
    smooth = settings.loudspeaker.replace(resonances=0, scatter=0)
    for quality, device in ((0, good), (1, poor)):
        plain = devices.sampled(smooth, quality, 1, "P01")
        edges = np.array([smooth.low_cut[quality], smooth.high_cut[quality]])
        assert magnitude(plain, edges) == pytest.approx([-3, -3], abs=0.5)
        assert plain.drive == device.drive == smooth.drive[quality]
    band = np.geomspace(700, 3500, 200)
    assert np.std(magnitude(poor, band)) > 1.5 * np.std(magnitude(good, band))


def test_saturation_bends_loud_samples_and_depends_on_the_drive_alone():
    identity = np.array([[1.0, 0, 0, 1, 0, 0]])
    quiet, loud = 1e-3 * np.ones(100), np.full(100, 4.0)
    device = devices.Device(0.5, identity)
    assert device(quiet, 1.0) == pytest.approx(quiet, rel=1e-3)
    assert device(loud, 1.0) == pytest.approx(np.tanh(2.0) / 0.5 * np.ones(100))
    assert device(10 * loud, 10.0) == pytest.approx(10 * device(loud, 1.0))
    assert np.array_equal(devices.Device(0.0, identity)(loud, 1.0), loud)


def test_genuine_and_replayed_recordings_end_alike_but_for_the_hop(settings, speech):
    chain = RecordingChain(settings, 1)
    genuine, spoof = (chain.record(speech, SPEECH, trial).astype(float) for trial in (GENUINE, SPOOF))
    assert len(genuine) == len(spoof) == len(speech)
    level = [np.sqrt((x[SPEECH] ** 2).mean()) for x in (genuine, spoof)]
    assert level[0] == pytest.approx(level[1], rel=0.02)
    power = [np.abs(np.fft.rfft(x[SPEECH])) ** 2 for x in (genuine, spoof)]
    frequency = np.fft.rfftfreq(16000, 1 / RATE)
    lost = [10 * np.log10(p[(frequency > 5500) & (frequency < 7000)].mean() / p.mean()) for p in power]
    assert lost[0] - lost[1] > 10  # P15 is a poor phone


def test_the_signal_to_noise_ratio_is_the_one_asked_for(settings, speech):
    quiet = settings.replace(noise=settings.noise.replace(snr=(20.0, 20.0)))
    recording = RecordingChain(quiet, 1).record(speech, SPEECH, GENUINE).astype(float)
    signal, noise = recording[SPEECH], recording[:3900]
    assert 20 * np.log10(np.std(signal) / np.std(noise)) == pytest.approx(20, abs=1)


@pytest.mark.parametrize("tilt", [0.0, 1.0, 2.0])
def test_noise_falls_as_steeply_as_asked(tilt):
    power = np.abs(np.fft.rfft(coloured_noise(stream(1), 1 << 16, tilt, RATE))) ** 2
    octave = [power[k : 2 * k].mean() for k in (2048, 4096)]
    assert 10 * np.log10(octave[0] / octave[1]) == pytest.approx(3.01 * tilt, abs=0.5)


@pytest.fixture
def measured(tmp_path):
    """Two microphones, one loudspeaker, three rooms and a file without a role; each has its echo after k+1 ms."""
    names = (
        "mics/a.wav",
        "mics/Room-less.wav",
        "phone/FrontSpeaker.wav",
        "rir/x.wav",
        "rir/y.wav",
        "rir/z.wav",
        "n/q.wav",
    )
    for k, name in enumerate(names):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        response = np.zeros((4800, 2))
        response[2400, 0], response[2400 + 48 * (k + 1), 0] = 0.9, 0.4
        soundfile.write(path, response, 48000, subtype="PCM_24")
    return tmp_path


def test_measured_responses_are_dealt_by_the_words_in_their_names_each_once(measured):
    codes = {"room": ["E01", "E02"], "loudspeaker": ["P01", "P02"], "microphone": ["R01", "R02", "microphone 1"]}
    responses = assigned(measured, codes, 1)
    assert set(responses) == {"E01", "E02", "P01", "R01"}  # "Room-less" is a room by its own name
    echoes = {}
    for code, response in responses.items():
        after = np.abs(response).argmax() + 8  # clear of the resampled peak
        echoes[code] = 8 + np.abs(response[after:]).argmax()
    assert echoes["P01"] == 3 * 16 and echoes["R01"] == 1 * 16
    assert echoes["E01"] != echoes["E02"]
    assert all(np.sum(response**2) == pytest.approx(1) for response in responses.values())


def test_measured_responses_take_the_place_of_simulated_ones(settings, speech, measured):
    trial = replace(GENUINE, room="E01")
    made, real = (RecordingChain(settings, 1, folder).record(speech, SPEECH, trial) for folder in (None, measured))
    assert not np.array_equal(made, real)


def test_responses_that_cannot_be_used_are_named(tmp_path, settings):
    with pytest.raises(UserError, match="absent: no such folder"):
        RecordingChain(settings, 1, tmp_path / "absent")
    with pytest.raises(UserError, match=f"{tmp_path.name}: holds no usable impulse response"):
        RecordingChain(settings, 1, tmp_path)
    (tmp_path / "rir.wav").write_bytes(b"no audio")
    with pytest.raises(UserError, match=r"rir\.wav: not a readable recording"):
        RecordingChain(settings, 1, tmp_path)
    soundfile.write(tmp_path / "rir.wav", np.zeros(100), RATE)
    with pytest.raises(UserError, match=r"rir\.wav: holds only zeros"):
        RecordingChain(settings, 1, tmp_path)
