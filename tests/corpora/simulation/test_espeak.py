"""espeak-ng through ctypes: the same words sound the same, independent of earlier utterances."""

import espeakng_loader
import numpy as np
import pytest

from afn.common import config
from afn.common.errors import UserError
from afn.corpora.simulation.espeak import Voice, speak
from afn.corpora.simulation.simulated import Simulated
from afn.corpora.simulation.speech import PHRASES

YAML = "conf/corpora/simulated.yaml"
MALE, FEMALE = Voice("en-us", "m3", 50, 170), Voice("en-gb-x-rp", "f2", 55, 150)


def test_every_voice_of_the_default_corpus_exists_and_repeats_itself(request):
    voices = config.load(Simulated, request.config.rootpath / YAML).voices
    cast = [Voice(accent, voices.variants[0], 50, 170) for accent in voices.accents]
    cast += [Voice(voices.accents[0], variant, 50, 170) for variant in voices.variants]
    first = [speak(PHRASES[1], voice) for voice in cast]
    again = [speak(PHRASES[1], voice) for voice in reversed(cast)]
    assert all(np.array_equal(a, b) for a, b in zip(first, reversed(again), strict=True))


def test_speech_lasts_as_long_as_people_take_and_differs_with_voice_pitch_rate_and_words():
    phrase = speak(PHRASES[6], MALE)
    assert 1.5 < len(phrase) / 16000 < 3.5
    assert 0.1 < np.abs(phrase).max() <= 1
    slower = speak(PHRASES[6], Voice("en-us", "m3", 50, 120))
    assert len(slower) > 1.2 * len(phrase)
    higher = speak(PHRASES[6], Voice("en-us", "m3", 80, 170))
    for other in (speak(PHRASES[6], FEMALE), speak(PHRASES[7], MALE), higher):
        assert len(other) != len(phrase) or not np.allclose(other, phrase)


@pytest.mark.parametrize(
    ("name", "complaint"), [("get_library_path", "cannot be loaded"), ("get_data_path", "cannot be started")]
)
def test_a_missing_library_or_its_data_is_one_line_with_the_fix(monkeypatch, tmp_path, name, complaint):
    monkeypatch.setattr(espeakng_loader, name, lambda: str(tmp_path / "libespeak-ng.so"))
    with pytest.raises(UserError, match=f"{complaint}.*pip install"):
        speak("hello", MALE)


@pytest.mark.parametrize(("accent", "variant"), [("en-us", "nobody"), ("nowhere", "m1")])
def test_an_unknown_voice_is_refused_by_name(accent, variant):
    with pytest.raises(UserError, match=rf"voice {accent}\+{variant}: espeak-ng has no such voice"):
        speak("hello", Voice(accent, variant, 50, 170))
