"""Recordings: only 16 kHz mono 16-bit PCM passes, everything else is named."""

import os

import numpy as np
import pytest
import soundfile

from afn.common.errors import UserError
from afn.features import audio

WAVE = (1000 * np.sin(np.arange(1600) / 10)).astype(np.int16)


def test_samples_come_back_exactly(tmp_path):
    soundfile.write(tmp_path / "a.wav", WAVE, 16000)
    np.testing.assert_array_equal(audio.read(tmp_path / "a.wav", 16000), WAVE)
    assert audio.inspect(tmp_path / "a.wav", 16000) == 1600


@pytest.mark.parametrize(
    ("wave", "rate", "subtype", "complaint"),
    [
        (WAVE, 8000, "PCM_16", "8000 Hz instead of 16000 Hz"),
        (np.stack([WAVE, WAVE], 1), 16000, "PCM_16", "2 channels"),
        (WAVE, 16000, "PCM_U8", "PCM_U8"),
        (WAVE / 32768, 16000, "FLOAT", "FLOAT"),
        (WAVE[:0], 16000, "PCM_16", "no samples"),
    ],
)
@pytest.mark.parametrize("function", [audio.read, audio.inspect])
def test_other_forms_are_refused(tmp_path, function, wave, rate, subtype, complaint):
    soundfile.write(tmp_path / "a.wav", wave, rate, subtype=subtype)
    with pytest.raises(UserError, match=rf"a\.wav.*{complaint}"):
        function(tmp_path / "a.wav", 16000)


@pytest.mark.parametrize(
    ("content", "complaint"), [(b"", "empty"), (b"RIFF", "not a readable"), (b"hello" * 99, "not a readable")]
)
@pytest.mark.parametrize("function", [audio.read, audio.inspect])
def test_what_is_no_recording_is_refused(tmp_path, function, content, complaint):
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(UserError, match=complaint):
        function(tmp_path / "a.wav", 16000)
    with pytest.raises(UserError, match="no such recording"):
        function(tmp_path / "none.wav", 16000)


def test_source_audio_is_the_first_channel_unrounded_at_the_rate_asked_for(tmp_path):
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(22050) / 44100)
    soundfile.write(tmp_path / "a.wav", np.stack([tone, -tone], 1), 44100, subtype="DOUBLE")
    np.testing.assert_array_equal(audio.source(tmp_path / "a.wav", 44100), tone)
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(8000) / 16000)
    found = audio.source(tmp_path / "a.wav", 16000)
    assert len(found) == len(expected)
    np.testing.assert_allclose(found[500:-500], expected[500:-500], atol=1e-6)


@pytest.mark.parametrize(("samples", "complaint"), [([np.nan], "NaN or infinite"), ([], "no samples")])
def test_unusable_source_audio_is_named(tmp_path, samples, complaint):
    soundfile.write(tmp_path / "a.wav", np.array(samples), 8000, subtype="FLOAT")
    with pytest.raises(UserError, match=rf"a\.wav: holds .*{complaint}"):
        audio.source(tmp_path / "a.wav", 16000)


def test_a_name_that_is_not_utf_8_is_read(tmp_path):
    soundfile.write(tmp_path / "a.wav", WAVE, 16000)
    odd = tmp_path / os.fsdecode(b"J\xfcrgen.wav")
    (tmp_path / "a.wav").rename(odd)
    np.testing.assert_array_equal(audio.read(odd, 16000), WAVE)
