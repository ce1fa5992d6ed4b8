"""Augmentation: every change does what its settings say, and the key decides everything."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from afn.augment import Augmentation, Augmenter, masked
from afn.augment.random_streams import stream
from afn.common import config
from afn.common.errors import UserError
from afn.common.paths import ROOT
from afn.features import audio

RATE = 16000
NEVER = {"probability": 0.0}
DRY = {"probability": 0.0, "reverberation": [0.3, 0.3], "direct": [9, 9], "delay": [0, 0], "damping": [4000, 4000]}
QUIET = {"probability": 0.0, "snr": [20, 20], "tilt": [0, 0]}
RECORDER = {"room": DRY, "microphone": {}, "noise": QUIET}
SPEAKER = {"high_pass": {"probability": 1.0, "frequency": [1000, 1000], "order": [4, 4]}}
CHANNEL = {"recording": RECORDER, "covert": RECORDER, "loudspeaker": SPEAKER, "level": [-30, -30]}
EVERYTHING = {
    "silence": {"probability": 0.5, "seconds": [0, 0.5]},
    "replay": 0.5,
    "record": 0.5,
    "channel": CHANNEL | {"level": [-40, -14]},
    "filter": {"low_pass": {"probability": 0.5, "frequency": [3000, 7900], "order": [2, 8]}},
    "noise": {"probability": 0.5, "snr": [10, 50], "tilt": [0, 2]},
    "gain": {"probability": 0.5, "decibels": [-20, 20]},
    "clipping": {"probability": 0.5, "share": [0.001, 0.01]},
    "codec": {"probability": 0.5, "names": ["mulaw", "gsm", "opus", "vorbis", "mp3"], "compression": [0.5, 0.99]},
}


@pytest.fixture(scope="module")
def recording():
    """White noise of 1 s, 0.3 s of faint noise before it and 0.2 s after it."""
    rng = stream(1, "recording")
    levels = np.repeat([3.0, 3000.0, 3.0], [4800, 16000, 3200])
    return np.round(levels * rng.standard_normal(24000)).astype(np.int16)


def augmented(samples, settings, label="genuine", key=(1, 1, "a")):
    return Augmenter(config.build(Augmentation, settings, "test"), RATE)(samples, label, key)


def spectrum(samples):
    """Power at whole Hz of the second with the speech."""
    return np.abs(np.fft.rfft(samples[4800:20800].astype(float))) ** 2


def test_without_settings_nothing_changes(recording):
    samples, label = augmented(recording, {})
    assert np.array_equal(samples, recording) and label == "genuine"
    off = {name: part | NEVER for name, part in EVERYTHING.items() if name in ("silence", "gain", "clipping", "codec")}
    assert np.array_equal(augmented(recording, off | {"noise": QUIET, "filter": {}})[0], recording)


def test_the_key_decides_and_neither_order_nor_earlier_calls(recording):
    settings = config.build(Augmentation, EVERYTHING, "test")
    keys = [(seed, epoch, utt) for seed in (1, 2) for epoch in (1, 2) for utt in ("a", "b")]
    first, again = Augmenter(settings, RATE), Augmenter(settings, RATE)
    made = {key: first(recording, "genuine", key) for key in keys}
    for key in reversed(keys):
        samples, label = again(recording, "genuine", key)
        assert samples.dtype == np.int16 and samples.tobytes() == made[key][0].tobytes() and label == made[key][1]
    assert len({samples.tobytes() for samples, _ in made.values()}) == len(keys)


def test_a_replay_makes_genuine_speech_spoof_and_a_new_recording_keeps_the_class(recording):
    replay, record = ({name: 1.0, "channel": CHANNEL} for name in ("replay", "record"))
    for settings, label, expected, filtered in (
        (replay, "genuine", "spoof", True),
        (replay, "spoof", "spoof", None),
        (record, "genuine", "genuine", False),
        (record, "spoof", "spoof", False),
    ):
        samples, found = augmented(recording, settings, label)
        assert found == expected
        if filtered is None:
            assert np.array_equal(samples, recording)
            continue
        power = spectrum(samples)
        assert (power[:500].sum() < 0.01 * power[2000:2500].sum()) == filtered
        assert 20 * np.log10(samples[4800:20800].std() / 32768) == pytest.approx(-30, abs=0.2)
    labels = [augmented(recording, {"replay": 0.3, "channel": CHANNEL}, key=(1, k))[1] for k in range(60)]
    assert 8 < labels.count("spoof") < 30


def test_measured_responses_take_their_share_of_the_channel(recording, tmp_path):
    audio.write(tmp_path / "mic.wav", np.full(16, 20000, np.int16), RATE)  # a low-pass
    channel = CHANNEL | {"recording": RECORDER | {"microphone": {"measured": 1.0}}}
    settings = {"record": 1.0, "channel": channel}
    powers = []
    for folders in ({}, {"impulse_responses": str(tmp_path)}, {"impulse_responses": [str(tmp_path)]}):
        samples, _ = augmented(recording, settings | folders)
        powers.append(spectrum(samples)[4000:].sum() / spectrum(samples)[:500].sum())
    assert powers[0] > 3 and powers[1] == powers[2] < 0.3
    computed, _ = augmented(recording, settings | {"channel": CHANNEL})
    assert np.array_equal(computed, augmented(recording, settings)[0])  # without any response


@pytest.mark.parametrize("seconds", [0.1, 0.5])
def test_silence_is_cut_or_added_until_it_has_the_length_asked_for(recording, seconds):
    samples, _ = augmented(recording, {"silence": {"probability": 1.0, "seconds": [seconds, seconds]}})
    assert len(samples) == pytest.approx(RATE * (1 + 2 * seconds), abs=0.05 * RATE)
    loud = np.flatnonzero(np.abs(samples) > 300)
    assert loud[0] == pytest.approx(seconds * RATE, abs=500)
    assert samples[: loud[0] - 500].std() == pytest.approx(3, rel=0.3)  # no digital zeros


@pytest.mark.parametrize(("decibels", "expected"), [(-20, -20), (6, 6), (60, None)])
def test_gain_changes_the_level_up_to_full_scale(recording, decibels, expected):
    samples, _ = augmented(recording, {"gain": {"probability": 1.0, "decibels": [decibels, decibels]}})
    if expected is None:
        assert np.abs(samples.astype(int)).max() == round(0.98 * 32768)
    else:
        assert 20 * np.log10(samples.std() / recording.std()) == pytest.approx(expected, abs=0.01)


def test_noise_has_the_ratio_asked_for(recording):
    samples, _ = augmented(recording, {"noise": {"probability": 1.0, "snr": [20, 20], "tilt": [0, 0]}})
    added = samples.astype(float) - recording
    assert 20 * np.log10(recording[4800:20800].std() / added.std()) == pytest.approx(20, abs=0.2)


def test_clipping_cuts_the_share_asked_for(recording):
    samples, _ = augmented(recording, {"clipping": {"probability": 1.0, "share": [0.01, 0.01]}})
    peak = np.abs(samples).max()
    assert np.mean(np.abs(samples) == peak) == pytest.approx(0.01, abs=0.001)


@pytest.mark.parametrize(("name", "narrow"), [(n, n in ("mulaw", "gsm")) for n in EVERYTHING["codec"]["names"]])
def test_codecs_keep_length_and_place_and_what_their_band_holds(recording, name, narrow):
    settings = {"codec": {"probability": 1.0, "names": [name], "compression": [0.3, 0.3]}}
    samples, _ = augmented(recording, settings)
    assert len(samples) == len(recording) and not np.array_equal(samples, recording)
    agreement = np.fft.irfft(np.fft.rfft(samples.astype(float)) * np.fft.rfft(recording.astype(float)).conj())
    assert agreement.argmax() == 0  # no delay
    power = spectrum(samples)
    assert power[500:3000].mean() == pytest.approx(spectrum(recording)[500:3000].mean(), rel=0.3)
    assert (power[4500:6000].mean() < 0.01 * power[500:3000].mean()) == narrow


def test_masks_put_the_mean_of_each_bin_into_frames_and_bins():
    features = stream(1).standard_normal((100, 40)).astype(np.float32)
    before, means = features.copy(), features.mean(axis=0)
    settings = {
        "time_masks": {"count": [1, 1], "width": [10, 10]},
        "frequency_masks": {"count": [2, 2], "width": [1, 90]},
    }
    settings = config.build(Augmentation, settings, "test")
    made = [masked(features, settings, (1, epoch, "a")) for epoch in range(30)]
    assert np.array_equal(features, before) and len({m.tobytes() for m in made}) == 30
    assert np.array_equal(made[3], masked(features, settings, (1, 3, "a")))
    for found in made:
        changed = found != features
        assert np.all(found[changed] == np.broadcast_to(means, found.shape)[changed])
        bins, frames = changed.all(axis=0), changed.all(axis=1)
        assert frames.sum() == 10 and 1 <= bins.sum() <= 40
        assert not changed[np.ix_(~frames, ~bins)].any()
    assert np.array_equal(masked(features, Augmentation(), (1,)), features)


def test_the_block_in_the_docs_can_be_used_with_the_channel_of_the_corpus(recording):
    root = Path(__file__).parents[2]
    block = (root / "docs/randomised.md").read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    settings = yaml.safe_load(block)["train"]["augment"]
    assert {augmented(recording, settings, key=(1, k))[1] for k in range(20)} == {"genuine", "spoof"}


@pytest.mark.parametrize("samples", [np.zeros(8000, np.int16), np.ones(200, np.int16), np.full(8000, -32768, np.int16)])
def test_any_recording_can_be_augmented(samples):
    for k in range(20):
        made, _ = augmented(samples, EVERYTHING, key=(1, k))
        assert len(made) >= len(samples) / 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"replay": 0.5}, r"augment: channel: is missing, and replay needs it\. Add it\."),
        ({"replay": 1.5}, r"augment: replay: 1\.5 must be at most 1"),
        ({"gain": {"probability": 1.0, "decibels": [6, -6]}}, r"gain\.decibels: \[6, -6\] must be in ascending order"),
        ({"codec": {"probability": 1.0, "names": ["opsu"], "compression": [0, 0]}}, r"codec\.names.*Did you mean opus"),
        ({"nois": None}, r"unknown key nois\. Did you mean noise\?"),
    ],
)
def test_unusable_settings_are_refused_in_one_line(settings, message):
    with pytest.raises(UserError, match=message) as error:
        config.build(Augmentation, settings, "augment")
    assert "\n" not in str(error.value)


def test_a_channel_may_be_that_of_a_corpus(tmp_path):
    block = config.read(ROOT / "conf" / "corpora" / "randomised.yaml")["channel"]
    assert Augmentation(record=0.5, channel="randomised") == Augmentation(record=0.5, channel=block)
    own = tmp_path / "own.yaml"
    own.write_text(json.dumps({"channel": CHANNEL}))
    assert Augmentation(channel=str(own)) == Augmentation(channel=CHANNEL)
    with pytest.raises(ValueError, match="digits.yaml: has no channel. Name a corpus"):
        Augmentation(channel="digits")
    with pytest.raises(ValueError, match="other.yaml: no such file"):
        Augmentation(channel="other")
