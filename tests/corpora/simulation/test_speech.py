"""Speakers: synthetic voices and folders of real recordings."""

import numpy as np
import pytest
import soundfile

from afn.augment.random_streams import stream
from afn.common.errors import UserError
from afn.corpora.simulation.speech import Recorded, Synthetic, Voices, spoken_part

VOICES = Voices(
    accents=["en-us", "en-029"], variants=["m1", "m2", "f1"], pitch=(40, 60), rate=(150, 180), variation=0.05
)


def tone(seconds, rate, hertz=300.0):
    t = np.arange(int(seconds * rate)) / rate
    return 0.3 * np.sin(2 * np.pi * hertz * t) * (1 + 0.5 * np.sin(2 * np.pi * 4 * t))


@pytest.fixture
def folder(tmp_path):
    for k, (rate, suffix) in enumerate([(16000, "wav"), (44100, "flac"), (8000, "wav"), (48000, "WAV")]):
        speaker = tmp_path / f"speaker{k}"
        speaker.mkdir()
        stereo = np.stack([tone(3 + k, rate, 200 + 100 * k), np.zeros((3 + k) * rate)], axis=1)
        soundfile.write(speaker / f"a.{suffix}", stereo, rate)
    (tmp_path / "empty").mkdir()
    (tmp_path / "readme.txt").write_text("not a speaker")
    return tmp_path


def test_every_synthetic_speaker_is_another_voice_and_variants_come_once_before_any_comes_again():
    cast = Synthetic(VOICES, 1, 6).cast
    assert len({(voice.accent, voice.variant) for voice in cast}) == 6
    assert len({voice.variant for voice in cast[:3]}) == 3
    assert cast == Synthetic(VOICES, 1, 6).cast != Synthetic(VOICES, 2, 6).cast


def test_a_synthetic_speaker_does_not_say_a_phrase_twice_alike():
    source = Synthetic(VOICES, 1, 2)
    one, two, three = (source.utter(0, 3, stream(1, name)) for name in ("a", "b", "a"))
    assert np.array_equal(one, three)
    assert len(one) != len(two) or not np.allclose(one, two)
    assert np.sqrt((one**2).mean()) == pytest.approx(1)


def test_recorded_speakers_of_any_rate_and_suffix_are_cut_to_the_durations_asked_for(folder):
    source = Recorded(folder, (1.0, 1.5), 1, 4)
    lengths, pitches = [], []
    for speaker in range(4):
        samples = source.utter(speaker, 0, stream(1, speaker))
        lengths.append(len(samples) / 16000)
        pitches.append(np.abs(np.fft.rfft(samples)).argmax() / lengths[-1])
    assert all(0.9 < length <= 1.5 for length in lengths)
    assert np.allclose(sorted(pitches), [200, 300, 400, 500], atol=5)


def test_silence_around_speech_is_cut_off():
    samples = np.concatenate([np.zeros(8000), tone(1, 16000), np.zeros(4000)])
    assert len(spoken_part(samples, "x")) == pytest.approx(16000, abs=160)


@pytest.mark.parametrize(
    ("samples", "count", "complaint"),
    [
        (None, 1, r"bad\.wav: "),
        (np.zeros(16000), 1, r"bad\.wav: holds no speech"),
        (tone(3, 16000), 2, "holds 1 speakers .* 2 were asked"),
    ],
    ids=["undecodable", "silent", "too few"],
)
def test_speech_that_cannot_be_used_is_named(tmp_path, samples, count, complaint):
    (tmp_path / "one").mkdir()
    (tmp_path / "one/bad.wav").write_bytes(b"not audio at all")
    if samples is not None:
        soundfile.write(tmp_path / "one/bad.wav", samples, 16000)
    with pytest.raises(UserError, match=complaint):
        Recorded(tmp_path, (1.0, 1.5), 1, count).utter(0, 0, stream(1))
    with pytest.raises(UserError, match="nowhere: no such folder"):
        Recorded(tmp_path / "nowhere", (1.0, 1.5), 1, 1)
