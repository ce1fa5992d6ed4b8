"""Recordings: only 16 kHz mono 16-bit PCM passes, everything else is named."""

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
