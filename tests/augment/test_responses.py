"""Measured responses: which files of a folder are used, and as what."""

from pathlib import Path

import pytest

from afn.augment import responses


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("IR_PhoneFrontMic.wav", "microphone"),
        ("MIC2.wav", "microphone"),
        ("studio_mic.wav", "microphone"),
        ("Loudspeaker2.wav", "loudspeaker"),
        ("SimRoom1_far.wav", "room"),
        ("dynamic_speaker.wav", "loudspeaker"),
        ("dynamic.wav", None),
        ("rooms/dynamic.wav", "room"),
        ("rooms/mics/a.wav", "microphone"),
    ],
)
def test_words_in_names_say_what_a_response_is(name, role):
    assert responses.role(Path(name)) == role


def test_the_name_of_the_folder_counts_for_all_files_that_say_nothing(tmp_path):
    folder = tmp_path / "micirp"
    folder.mkdir()
    for name in ("Altec_639.wav", "Beomic_1000.wav", "Telefunken_Dynamic.wav", "booth_speaker.wav"):
        (folder / name).touch()
    found = {role: [path.name for path in paths] for role, paths in responses.files(folder).items()}
    assert found.pop("loudspeaker") == ["booth_speaker.wav"]
    assert found == {"microphone": ["Altec_639.wav", "Beomic_1000.wav", "Telefunken_Dynamic.wav"]}
