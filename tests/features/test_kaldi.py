"""The kaldi backend at the process boundary: stand-ins for the programs (tests/conftest.py) check their calls."""

import numpy as np
import pytest
import soundfile

from afn.common.errors import UserError
from afn.features import kaldi

UTTERANCES = ("g01_male_us", "g02_female_gb", "g03_short030", "g07_tiny250")

SPECTROGRAM = {"kind": "spectrogram", "cmn_window": 300, "norm_vars": False}


def extract(folder, golden, tmp_path, recordings=None):
    recordings = recordings or [(utt, str(golden / f"{utt}.wav")) for utt in UTTERANCES]
    commands = kaldi.commands_for(SPECTROGRAM, folder / "spectrogram.conf")
    return list(kaldi.extract(recordings, commands, tmp_path))


def test_kaldis_matrices_come_back_in_order(kaldi_installed, golden, tmp_path):
    results = extract(kaldi_installed, golden, tmp_path)
    assert [utt for utt, _ in results] == list(UTTERANCES)
    with np.load(golden / "kaldi_spectrogram.npz") as tables:
        for utt, matrix in results:
            np.testing.assert_array_equal(matrix, tables[f"spec_nosnip/{utt}"])
    assert [p.name for p in tmp_path.iterdir()] == ["kaldi"]  # no scratch left


def test_file_names_pass_through_no_shell(kaldi_installed, golden, tmp_path):
    name = tmp_path / "a $(touch PWNED) 'b'; touch PWNED.wav"
    name.write_bytes((golden / "g03_short030.wav").read_bytes())
    assert len(extract(kaldi_installed, golden, tmp_path, recordings=[("g03_short030", str(name))])) == 1
    assert not list(tmp_path.rglob("PWNED"))


def test_of_a_flac_file_kaldi_reads_a_wav_copy(kaldi_installed, golden, tmp_path, kaldi_program):
    wav = golden / "g03_short030.wav"
    soundfile.write(tmp_path / "a.flac", soundfile.read(wav, dtype="int16")[0], 16000)
    same = f"import wave; assert wave.open(wav).readframes(9999) == wave.open({str(wav)!r}).readframes(9999), wav"
    seen = "wav = Path(sys.argv[2].removeprefix('scp:')).read_text().split()[1]"
    kaldi_program(kaldi_installed, "compute-spectrogram-feats", f"{seen}\n{same}\nsys.exit('the same samples')")
    with pytest.raises(UserError, match="the same samples"):
        extract(kaldi_installed, golden, tmp_path, recordings=[("g03_short030", str(tmp_path / "a.flac"))])


def test_an_utterance_that_kaldi_leaves_out_is_an_error(kaldi_installed, golden, tmp_path):
    recordings = [("g02_female_gb", str(golden / "g02_female_gb.wav")), ("g03_short030", str(tmp_path / "none.wav"))]
    with pytest.raises(UserError, match=r"1 of 2.*g03_short030.*cannot open"):
        extract(kaldi_installed, golden, tmp_path, recordings=recordings)


@pytest.mark.parametrize("program", kaldi.PROGRAMS)
def test_the_program_that_fails_is_named_with_its_last_words(kaldi_installed, kaldi_program, golden, tmp_path, program):
    kaldi_program(kaldi_installed, program, 'print("ERROR (it) out of luck", file=sys.stderr); sys.exit(1)')
    with pytest.raises(UserError, match=f"{program} ended with exit code 1.*out of luck"):
        extract(kaldi_installed, golden, tmp_path)


def test_missing_programs_are_named(kaldi_installed, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert set(kaldi.find()) == set(kaldi.PROGRAMS)
    (kaldi_installed / "copy-feats").unlink()
    assert set(kaldi.find()) == set(kaldi.PROGRAMS) - {"copy-feats"}
    with pytest.raises(UserError, match="copy-feats not found"):
        kaldi.require()
