"""espeak-ng through ctypes: the same words sound the same, whatever was said before."""

import espeakng_loader
import numpy as np
import pytest

from afn.common import config
from afn.common.errors import UserError
from afn.corpora.simulation import espeak
from afn.corpora.simulation.espeak import Voice, speak
from afn.corpora.simulation.simulated import Simulated
from afn.corpora.simulation.speech import PHRASES

YAML = "conf/corpora/simulated.yaml"
MALE, FEMALE = Voice("en-us", "m3", 50, 170), Voice("en-gb-x-rp", "f2", 55, 150)


def test_a_voice_says_a_phrase_the_same_whatever_was_said_before():
    first = speak(PHRASES[0], FEMALE, 16000)
    for _ in range(3):
        speak(PHRASES[4], MALE, 16000)
    assert np.array_equal(speak(PHRASES[0], FEMALE, 16000), first)


def test_every_voice_of_the_default_corpus_exists_and_repeats_itself(request):
    voices = config.load(Simulated, request.config.rootpath / YAML).voices
    cast = [Voice(accent, voices.variants[0], 50, 170) for accent in voices.accents]
    cast += [Voice(voices.accents[0], variant, 50, 170) for variant in voices.variants]
    first = [speak(PHRASES[1], voice, 16000) for voice in cast]
    again = [speak(PHRASES[1], voice, 16000) for voice in reversed(cast)]
    assert all(np.array_equal(a, b) for a, b in zip(first, reversed(again), strict=True))


def test_a_failure_does_not_leave_the_library_behind():
    first = speak(PHRASES[0], FEMALE, 16000)
    for voice in (Voice("en-us", "nobody", 50, 170), Voice("nowhere", "m1", 50, 170)):
        with pytest.raises(UserError):
            speak(PHRASES[4], voice, 16000)
    speak(PHRASES[4], MALE, 16000)
    assert np.array_equal(speak(PHRASES[0], FEMALE, 16000), first)


def test_speech_lasts_as_long_as_people_take_and_differs_with_voice_pitch_rate_and_words():
    phrase = speak(PHRASES[6], MALE, 16000)
    assert 1.5 < len(phrase) / 16000 < 3.5
    assert 0.1 < np.abs(phrase).max() <= 1
    slower = speak(PHRASES[6], Voice("en-us", "m3", 50, 120), 16000)
    assert len(slower) > 1.2 * len(phrase)
    higher = speak(PHRASES[6], Voice("en-us", "m3", 80, 170), 16000)
    for other in (speak(PHRASES[6], FEMALE, 16000), speak(PHRASES[7], MALE, 16000), higher):
        assert len(other) != len(phrase) or not np.allclose(other, phrase)


def test_an_unknown_voice_is_refused_by_name():
    with pytest.raises(UserError, match=r"voice en-us\+nobody: espeak-ng has no such voice"):
        speak("hello", Voice("en-us", "nobody", 50, 170), 16000)
    with pytest.raises(UserError, match=r"voice nowhere\+m1: espeak-ng has no such voice"):
        speak("hello", Voice("nowhere", "m1", 50, 170), 16000)


def test_a_missing_library_is_one_line_with_the_mend(monkeypatch, tmp_path):
    monkeypatch.setattr(espeakng_loader, "get_library_path", lambda: str(tmp_path / "libespeak-ng.so"))
    with pytest.raises(UserError, match="cannot be loaded.*pip install"):
        speak("hello", MALE, 16000)


def test_a_library_without_its_functions_is_one_line_with_the_mend(monkeypatch):
    monkeypatch.setitem(espeak.SIGNATURES, "espeak_Absent", (None, []))
    with pytest.raises(UserError, match="cannot be used.*pip install"):
        speak("hello", MALE, 16000)


def test_missing_voice_data_is_one_line_with_the_mend(monkeypatch, tmp_path):
    monkeypatch.setattr(espeakng_loader, "get_data_path", lambda: str(tmp_path))
    with pytest.raises(UserError, match="cannot be started.*pip install"):
        speak("hello", MALE, 16000)
