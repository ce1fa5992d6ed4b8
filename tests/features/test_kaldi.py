"""The kaldi backend at the process boundary: stand-ins for Kaldi's programs that check how they are called."""

import stat
import sys
from pathlib import Path

import numpy as np
import pytest

from errors import UserError
from features import archives, kaldi

UTTERANCES = ("g01_male_us", "g02_female_gb", "g03_short030", "g07_tiny250")

# What each program must be told; each plays back or passes on what Kaldi itself would write.
# A C++ program dies of a broken pipe; Python's default is an exception.
HEAD = f"""#!{sys.executable}
import signal, sys
from pathlib import Path
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
here = Path(__file__).parent
"""
COMPUTE = """
config, rspecifier, wspecifier = sys.argv[1:]
assert config == "--config=" + str(here / "spectrogram.conf"), config
assert rspecifier.startswith("scp:") and wspecifier == "ark:-"
import numpy as np
tables = np.load(here / "tables.npz")
for line in Path(rspecifier[4:]).read_text().splitlines():
    utt, wav = line.split(" ", 1)
    if not Path(wav).exists():
        print("WARNING (compute-spectrogram-feats) cannot open " + wav, file=sys.stderr)
        continue
    matrix = np.ascontiguousarray(tables["spec_nosnip/" + utt])
    rows, columns = (int(n).to_bytes(4, "little") for n in matrix.shape)
    sys.stdout.buffer.write(utt.encode() + b" \\0BFM \\4" + rows + b"\\4" + columns + matrix.tobytes())
"""
PASS_ON = """
assert sys.argv[1:] == {arguments}, sys.argv
sys.stdout.buffer.write(sys.stdin.buffer.read())
"""
COPY = """
compress, rspecifier, wspecifier = sys.argv[1:]
assert (compress, rspecifier) == ("--compress=false", "ark:-") and wspecifier.startswith("ark:")
Path(wspecifier[4:]).write_bytes(sys.stdin.buffer.read())
"""


@pytest.fixture
def installed(tmp_path, golden, monkeypatch):
    """A KALDI_ROOT with the three programs."""
    folder = tmp_path / "kaldi" / "src" / "featbin"
    folder.mkdir(parents=True)
    (folder / "tables.npz").write_bytes((golden / "kaldi_spectrogram.npz").read_bytes())
    (folder / "spectrogram.conf").write_text("--snip-edges=false\n")
    cmvn = ["--norm-vars=false", "--center=true", "--cmn-window=300", "ark:-", "ark:-"]
    install(folder, "compute-spectrogram-feats", COMPUTE)
    install(folder, "apply-cmvn-sliding", PASS_ON.format(arguments=cmvn))
    install(folder, "copy-feats", COPY)
    monkeypatch.setenv("KALDI_ROOT", str(tmp_path / "kaldi"))
    return folder


def install(folder: Path, program: str, code: str) -> None:
    path = folder / program
    path.write_text(HEAD + code)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def extract(folder, golden, tmp_path, jobs=1, recordings=None):
    recordings = recordings or [(utt, str(golden / f"{utt}.wav")) for utt in UTTERANCES]
    return list(kaldi.extract(recordings, folder / "spectrogram.conf", 300, False, jobs, tmp_path))


@pytest.mark.parametrize("jobs", [1, 3, 9])
def test_kaldis_matrices_come_back_in_order(installed, golden, tmp_path, jobs):
    results = extract(installed, golden, tmp_path, jobs)
    assert [utt for utt, _ in results] == list(UTTERANCES)
    with np.load(golden / "kaldi_spectrogram.npz") as tables:
        for utt, matrix in results:
            np.testing.assert_array_equal(matrix, tables[f"spec_nosnip/{utt}"])
    assert [p.name for p in tmp_path.iterdir()] == ["kaldi"]  # no scratch left


def test_they_fit_our_archives(installed, golden, tmp_path):
    out = tmp_path / "out"
    assert archives.write(out, extract(installed, golden, tmp_path), "feats.ark") == len(UTTERANCES)


def test_file_names_pass_through_no_shell(installed, golden, tmp_path):
    name = tmp_path / "a $(touch PWNED) 'b'; touch PWNED.wav"
    name.write_bytes((golden / "g03_short030.wav").read_bytes())
    assert len(extract(installed, golden, tmp_path, recordings=[("g03_short030", str(name))])) == 1
    assert not list(tmp_path.rglob("PWNED"))


def test_an_utterance_that_kaldi_leaves_out_is_an_error(installed, golden, tmp_path):
    recordings = [("g02_female_gb", str(golden / "g02_female_gb.wav")), ("g03_short030", str(tmp_path / "none.wav"))]
    with pytest.raises(UserError, match=r"1 of 2.*g03_short030.*cannot open"):
        extract(installed, golden, tmp_path, recordings=recordings)


@pytest.mark.parametrize("program", kaldi.PROGRAMS)
def test_the_program_that_fails_is_named_with_its_last_words(installed, golden, tmp_path, program):
    install(installed, program, 'print("ERROR (it) out of luck", file=sys.stderr); sys.exit(1)')
    with pytest.raises(UserError, match=f"{program} ended with exit code 1.*out of luck"):
        extract(installed, golden, tmp_path)


def test_missing_programs_are_named(installed, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert set(kaldi.find()) == set(kaldi.PROGRAMS)
    (installed / "copy-feats").unlink()
    assert set(kaldi.find()) == set(kaldi.PROGRAMS) - {"copy-feats"}
    with pytest.raises(UserError, match="copy-feats not found"):
        kaldi.require()
