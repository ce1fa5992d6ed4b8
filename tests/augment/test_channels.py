"""Random recording channels: every part does what its settings say, and a key decides everything."""

import numpy as np
import pytest

from afn.augment import channels, signals
from afn.augment.channels import (
    Channel,
    ChannelChain,
    ChannelDevice,
    ChannelNoise,
    Curve,
    Edge,
    Recorder,
    Resonances,
    Room,
    Saturation,
)
from afn.augment.effects import Codec, GainControl, Suppression
from afn.augment.random_streams import stream

RATE = 16000
DRY = Room(probability=0.0, reverberation=(0.3, 0.3), direct=(10, 10), delay=(0.0, 0.0), damping=(8000, 8000))
SILENT = ChannelNoise(probability=0.0, snr=(20, 20), tilt=(0, 0))
CLEAN = Recorder(room=DRY, microphone=ChannelDevice(), noise=SILENT)
OFF = Channel(recording=CLEAN, covert=CLEAN, loudspeaker=ChannelDevice(), level=(-30.0, -30.0))
FULL = Channel(
    recording=Recorder(
        room=DRY.replace(probability=0.8, measured=0.3),
        microphone=ChannelDevice(resonances=Resonances(count=(0, 3), gain=6, sharpness=(1, 4)), measured=0.3),
        noise=ChannelNoise(probability=1.0, snr=(5, 45), tilt=(0, 2)),
    ),
    covert=CLEAN.replace(noise=SILENT.replace(probability=0.5)),
    loudspeaker=ChannelDevice(
        high_pass=Edge(probability=1.0, frequency=(80, 800), order=(1, 4)),
        low_pass=Edge(probability=0.6, frequency=(4000, 7900), order=(2, 8)),
        curve=Curve(deviation=(1, 4), octaves=(0.3, 1)),
        saturation=Saturation(probability=0.8, drive=(0.05, 1), shapes=["soft", "hard"]),
    ),
    level=(-40, -14),
)


@pytest.fixture(scope="module")
def speech():
    """White noise with pauses for speech: its loudness is that of the loud parts."""
    samples = stream(1, "speech").standard_normal(2 * RATE)
    samples[:4000] = samples[20000:24000] = 0
    return samples


def played(device, sound, seed=0):
    return ChannelChain(OFF.replace(loudspeaker=device), RATE).replayed(sound, (seed,))


def response(device, frequencies, seed=0):
    """dB at `frequencies` (Hz)."""
    impulse = np.zeros(RATE)
    impulse[0] = 1
    return 20 * np.log10(np.abs(np.fft.rfft(played(device, impulse, seed)))[np.asarray(frequencies, int)])


def decibels(ratio):
    return 10 * np.log10(ratio)


def test_the_key_decides_and_neither_order_nor_earlier_calls(speech):
    responses = {"room": [np.array([1.0, 0.5])], "microphone": [np.array([0.5, 1.0])]}
    keys = [(seed, utt, label) for seed in (1, 2) for utt in ("a", "b") for label in ("genuine", "spoof")]
    first, again = ChannelChain(FULL, RATE, responses), ChannelChain(FULL, RATE, responses)
    made = {key: first(speech, key[2], key[:2]).tobytes() for key in keys}
    assert all(again(speech, key[2], key[:2]).tobytes() == made[key] for key in reversed(keys))
    assert len(set(made.values())) == len(keys)


def test_without_the_detour_of_a_replay_both_classes_are_the_same(speech):
    same = FULL.replace(covert=CLEAN, loudspeaker=ChannelDevice())
    genuine, spoof = (ChannelChain(same, RATE)(speech, label, (1, "a")) for label in ("genuine", "spoof"))
    assert np.array_equal(genuine, spoof)


def test_with_every_part_off_only_the_level_changes(speech):
    recording = ChannelChain(OFF, RATE)(speech, "spoof", (1,)).astype(float)
    assert np.abs(recording / np.abs(recording).max() - speech / np.abs(speech).max()).max() < 1e-3
    assert recording.dtype == float and ChannelChain(OFF, RATE)(speech, "genuine", (1,)).dtype == np.int16


@pytest.mark.parametrize("level", [-40.0, -20.0])
def test_the_level_is_that_of_the_speech_without_pauses(speech, level):
    recording = ChannelChain(OFF.replace(level=(level, level)), RATE)(3 * speech, "genuine", (1,))
    loud = recording[4000:20000].astype(float)
    assert 20 * np.log10(signals.rms(loud) / 32768) == pytest.approx(level, abs=0.1)


def test_loud_peaks_turn_the_recording_down_instead_of_clipping():
    peaks = np.full(RATE, 0.1)
    peaks[::1000] = 1.0
    recording = ChannelChain(OFF.replace(level=(-6.0, -6.0)), RATE)(peaks, "genuine", (1,))
    assert np.abs(recording).max() == round(0.98 * 32768)


@pytest.mark.parametrize("snr", [5.0, 30.0])
def test_the_signal_to_noise_ratio_is_the_one_asked_for(speech, snr):
    noisy = CLEAN.replace(noise=ChannelNoise(probability=1.0, snr=(snr, snr), tilt=(0, 0)))
    recording = ChannelChain(OFF.replace(recording=noisy), RATE)(speech, "genuine", (1,)).astype(float)
    noise, loud = recording[:4000], recording[4000:20000]
    assert decibels((np.mean(loud**2) - np.mean(noise**2)) / np.mean(noise**2)) == pytest.approx(snr, abs=0.7)


@pytest.mark.parametrize("seconds", [0.2, 0.8])
def test_reverberation_decays_in_the_time_asked_for_and_has_the_energy_asked_for(seconds):
    room = DRY.replace(probability=1.0, reverberation=(seconds, seconds), delay=(0.01, 0.01))
    heard = channels.reverberation(room, stream(1), RATE)
    tail = heard[161:]
    assert heard[0] == 1 and not heard[1:160].any()
    assert decibels(1 / np.sum(tail**2)) == pytest.approx(10, abs=0.1)
    decay = decibels(np.cumsum(tail[::-1] ** 2)[::-1] / np.sum(tail**2))
    early, late = np.argmax(decay < -5), np.argmax(decay < -25)  # Schroeder's integral, T20
    assert 3 * (late - early) / RATE == pytest.approx(seconds, rel=0.15)
    dark = channels.reverberation(room.replace(damping=(500.0, 500.0)), stream(1), RATE)
    power = [np.abs(np.fft.rfft(r[1:], RATE)) ** 2 for r in (heard, dark)]
    assert power[1][4000:].sum() / power[1].sum() < 0.2 * power[0][4000:].sum() / power[0].sum()


@pytest.mark.parametrize("order", [1, 4])
def test_band_edges_lie_where_asked_and_fall_as_steeply_as_asked(order):
    low = Edge(probability=1.0, frequency=(200, 200), order=(order, order))
    band = response(
        ChannelDevice(high_pass=low, low_pass=low.replace(frequency=(3000.0, 3000.0))), [50, 200, 900, 3000]
    )
    assert band == pytest.approx([-6.02 * order * 2, -3, 0, -3], abs=0.6)
    none = low.replace(probability=0.0)
    assert response(ChannelDevice(high_pass=none, low_pass=none), [20, 7900]) == pytest.approx([0, 0])


def test_resonances_are_as_many_and_as_high_as_asked():
    frequencies = range(50, 7200)
    of = {n: ChannelDevice(resonances=Resonances(count=(n, n), gain=8, sharpness=(2, 2))) for n in (0, 1, 4)}
    found = {n: [response(device, frequencies, seed) for seed in range(20)] for n, device in of.items()}
    for count in (0, 1):
        assert np.abs(found[count]).max() == pytest.approx(8 * count, abs=1)
    spread = {n: np.std(found[n], axis=1).mean() for n in (1, 4)}
    assert spread[4] > 1.6 * spread[1]


def test_curves_deviate_as_asked_and_do_not_delay():
    device = ChannelDevice(curve=Curve(deviation=(4.0, 4.0), octaves=(0.5, 0.5)))
    octaves = np.geomspace(60, 7800, 200)
    heights = np.array([response(device, octaves, seed) for seed in range(30)])
    assert heights.std() == pytest.approx(4 * np.sqrt(2 / 3), rel=0.2)  # between the points it is lower
    impulse = np.zeros(2000)
    impulse[0] = 1
    assert np.abs(played(device, impulse)).argmax() == 0


@pytest.mark.parametrize(
    ("shape", "second", "third"), [("soft", False, True), ("hard", False, True), ("uneven", True, True)]
)
def test_saturation_adds_its_harmonics_and_none_when_off(shape, second, third):
    tone = np.sin(2 * np.pi * 500 * np.arange(RATE) / RATE)
    saturation = Saturation(probability=1.0, drive=(1.0, 1.0), shapes=[shape])
    for probability in (1.0, 0.0):
        device = ChannelDevice(saturation=saturation.replace(probability=probability))
        power = np.abs(np.fft.rfft(played(device, tone)))
        assert (power[1000] > 0.01 * power[500]) == (second and probability == 1)
        assert (power[1500] > 0.01 * power[500]) == (third and probability == 1)


def test_measured_responses_replace_the_random_ones_in_their_share():
    device = ChannelDevice(resonances=Resonances(count=(5, 5), gain=8, sharpness=(3, 3)), measured=0.5)
    echo = np.zeros(200)
    echo[[0, 100]] = 1.0, 0.5
    chain = ChannelChain(OFF.replace(loudspeaker=device), RATE, {"loudspeaker": [echo]})
    impulse = np.zeros(2000)
    impulse[0] = 1
    used = [np.allclose(chain.replayed(impulse, (k,))[:200], echo) for k in range(60)]
    assert 15 < sum(used) < 45
    assert not np.allclose(played(device.replace(measured=1.0), impulse)[:200], echo)  # there is none


def test_digital_silence_becomes_noise_or_stays():
    zeros = np.zeros(8000)
    assert not ChannelChain(OFF, RATE)(zeros, "spoof", (1,)).any()
    assert ChannelChain(FULL, RATE)(zeros, "spoof", (1,)).any()


def through_recorder(sound, **parts):
    return ChannelChain(OFF.replace(recording=CLEAN.replace(**parts)), RATE)(sound, "genuine", (1, "a")).astype(float)


def test_the_microphone_colours_ambient_noise_and_the_output_all_noise(speech):
    noise = ChannelNoise(probability=1.0, snr=(10, 10), tilt=(0, 0))
    narrow = ChannelDevice(low_pass=Edge(probability=1.0, frequency=(2000, 2000), order=(20, 20)))
    for parts, colored in (
        ({"ambient": noise, "microphone": narrow}, True),
        ({"noise": noise, "microphone": narrow}, False),
        ({"noise": noise, "output": narrow}, True),
    ):
        power = np.abs(np.fft.rfft(through_recorder(speech, **parts)[:4000])) ** 2
        assert (power[1000:].mean() < 0.01 * power[:400].mean()) == colored


def test_hum_has_the_frequency_of_the_mains(speech):
    noise = ChannelNoise(probability=1.0, snr=(10, 10), tilt=(0, 0), hum=1.0)
    power = np.abs(np.fft.rfft(through_recorder(speech, noise=noise)[:4000], RATE)) ** 2
    highest = int(power.argmax())
    assert min(highest % 50, -highest % 50, highest % 60, -highest % 60) <= 1
    assert power.max() > 50 * np.median(power)


def test_suppression_turns_down_noise_between_words_and_keeps_speech(speech):
    parts = {"noise": ChannelNoise(probability=1.0, snr=(20, 20), tilt=(0, 0))}
    before, after = (
        through_recorder(speech, suppression=Suppression(probability=p, reduction=(15, 15)), **parts)
        for p in (0.0, 1.0)
    )
    pause, loud = (20 * np.log10(after[s].std() / before[s].std()) for s in (slice(500, 3500), slice(5000, 19000)))
    assert -15.5 < pause < -5 and abs(loud) < 1.5


@pytest.mark.parametrize("compression", [0.0, 0.5])
def test_gain_control_removes_its_share_of_differences_in_level(compression):
    sound = stream(1).standard_normal(2 * RATE) * np.repeat([1.0, 0.1], RATE)
    control = GainControl(probability=1.0, seconds=(0.05, 0.05), compression=(compression, compression))
    recording = through_recorder(sound, gain_control=control)
    difference = 20 * np.log10(recording[4000:16000].std() / recording[20000:].std())
    assert difference == pytest.approx(20 * (1 - compression), abs=1)


def test_a_codec_of_the_recorder_limits_its_band(speech):
    codec = Codec(probability=1.0, names=["mulaw"], compression=(0, 0))
    power = np.abs(np.fft.rfft(through_recorder(speech, codec=codec))) ** 2
    assert power[9000:].mean() < 0.01 * power[1000:6000].mean()


def test_conditions_are_those_of_the_recording(speech):
    noises = {name: ChannelNoise(probability=0.6, snr=(15, 30), tilt=(0, 0)) for name in ("ambient", "noise")}
    chain = ChannelChain(OFF.replace(recording=CLEAN.replace(**noises), level=(-60.0, -30.0)), RATE)
    for k in range(20):
        found, recording = chain.conditions((k,)), chain(speech, "genuine", (k,)).astype(float)
        noise, loud = np.mean(recording[:4000] ** 2), np.mean(recording[4000:20000] ** 2)
        assert found["level"] - 0.3 < decibels(loud / 32768**2) < found["level"] + 2  # loud pauses count
        if np.isfinite(found["snr"]):
            assert decibels((loud - noise) / noise) == pytest.approx(found["snr"], abs=1)
        else:
            assert noise == 0
