"""Recordings of any kind as 16-bit samples at the rate of training."""

import os

import numpy as np
import pytest
import soundfile

from afn.common.errors import UserError
from afn.features import audio

RATE = 16000


@pytest.fixture
def written(tmp_path):
    def write(samples, rate=RATE, subtype="PCM_16", name="a.wav"):
        soundfile.write(tmp_path / name, samples, rate, subtype=subtype)
        return tmp_path / name

    return write


def tone(rate, seconds=0.5, frequency=1000, amplitude=0.5):
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)


def speech(golden):
    return audio.read(golden / "g02_female_gb.wav", RATE)


def test_what_stage_minus_1_reads_passes_untouched(golden):
    samples, notes = audio.convert(golden / "g02_female_gb.wav", RATE)
    np.testing.assert_array_equal(samples, speech(golden))
    assert samples.dtype == np.int16 and notes == []


@pytest.mark.parametrize(
    ("subtype", "name"), [("PCM_16", "a.flac"), ("PCM_24", "a.wav"), ("FLOAT", "a.wav"), ("DOUBLE", "a.wav")]
)
def test_every_format_that_holds_the_same_samples_gives_them(golden, written, subtype, name):
    samples, notes = audio.convert(written(speech(golden) / 32768, subtype=subtype, name=name), RATE)
    np.testing.assert_array_equal(samples, speech(golden))
    assert notes == ([] if subtype == "PCM_16" else [f"{subtype} samples rounded to 16 bits"])


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_another_rate_is_resampled_with_a_note(written, rate):
    samples, notes = audio.convert(written(tone(rate), rate), RATE)
    wanted = 32768 * tone(RATE)
    assert len(samples) == len(wanted)
    inner = slice(800, -800)  # the ends ring
    assert np.abs(samples[inner] - wanted[inner]).max() < 2
    assert f"{rate} Hz resampled to 16000 Hz" in notes[0]
    assert ("nothing above 4000 Hz" in notes[0]) == (rate == 8000)


def test_what_a_lower_rate_cannot_hold_is_filtered_out(written):
    samples, _ = audio.convert(written(tone(48000, frequency=10000), 48000), RATE)
    assert np.abs(samples[800:-800]).max() < 2


def test_of_several_channels_one_is_chosen(golden, written):
    path = written(np.stack([speech(golden), speech(golden)[::-1]], axis=1))
    with pytest.raises(UserError, match=r"a\.wav: has 2 channels. Choose one with --channel N"):
        audio.convert(path, RATE)
    for channel, wanted in ((1, speech(golden)), (2, speech(golden)[::-1])):
        samples, notes = audio.convert(path, RATE, channel)
        np.testing.assert_array_equal(samples, wanted)
        assert notes == [f"channel {channel} of 2"]
    with pytest.raises(UserError, match="has 2 channels. Correct --channel 3"):
        audio.convert(path, RATE, 3)


def test_channel_1_of_one_is_the_recording(golden):
    samples, notes = audio.convert(golden / "g02_female_gb.wav", RATE, 1)
    np.testing.assert_array_equal(samples, speech(golden))
    assert notes == []
    with pytest.raises(UserError, match="has one channel. Correct --channel 2"):
        audio.convert(golden / "g02_female_gb.wav", RATE, 2)


def test_what_exceeds_full_scale_is_clipped_with_a_note(written):
    wave = np.append(np.zeros(300), [0.5, 1.5, -2.0, 1.0])
    samples, notes = audio.convert(written(wave, subtype="FLOAT"), RATE)
    assert samples[300:].tolist() == [16384, 32767, -32768, 32767]
    assert "2 samples clipped" in notes


def test_floats_on_another_scale_are_refused(golden, written):
    with pytest.raises(UserError, match=r"a\.wav: \d+ of 9680 samples exceed full scale"):
        audio.convert(written(speech(golden).astype(float), subtype="FLOAT"), RATE)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_no_numbers_are_refused(written, value):
    path = written(np.array([0.0, value, 0.1]), subtype="FLOAT")
    with pytest.raises(UserError, match=r"a\.wav: holds samples that are NaN or infinite"):
        audio.convert(path, RATE)


@pytest.mark.parametrize("name", ["a.raw", "a.txt", "pipe.wav", "folder.wav"])
def test_names_that_mislead_are_refused(tmp_path, name):
    path = tmp_path / name
    if name.startswith("a"):
        path.write_bytes(bytes(1000))
    elif name.startswith("pipe"):
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(UserError, match=rf"{name}: not a (readable recording|plain file)"):
        audio.convert(path, RATE)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "an empty file"), (b"RIFF and nothing", "not a readable recording"), (None, "no such recording")],
)
def test_what_is_no_recording_is_refused_by_name(tmp_path, content, reason):
    path = tmp_path / "b.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=rf"b\.wav: {reason}"):
        audio.convert(path, RATE)


def test_an_empty_recording_is_refused(written):
    with pytest.raises(UserError, match=r"a\.wav: holds no samples"):
        audio.convert(written(np.zeros(0), rate=44100), RATE)


@pytest.mark.parametrize("rate", [8000, 44100])
def test_a_recording_that_was_cut_short_is_refused_at_any_rate(written, rate):
    path = written(np.stack([tone(rate)] * 2, axis=1), rate=rate)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(UserError, match=r"a\.wav: holds \d+ of the \d+ bytes its header promises. Get the file again"):
        audio.convert(path, RATE, channel=1)
