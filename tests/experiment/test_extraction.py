"""Stage -1 from a prepared corpus to archives: both backends, their choice, and what makes it extract again."""

import contextlib
import sys

import numpy as np
import pytest
import soundfile

import extract
import prepare
from afn.common import errors, record
from afn.common.paths import ROOT
from afn.experiment import locks
from afn.features.archives import FeatureArchive

UTTERANCES = ("g01_male_us", "g02_female_gb", "g03_short030", "g07_tiny250")


@pytest.fixture
def corpus(tmp_path, golden):
    """A YAML of a corpus of one's own: the golden recordings."""
    directory = tmp_path / "mine"
    directory.mkdir()
    (directory / "wav.scp").write_text("".join(f"{utt} {golden / utt}.wav\n" for utt in UTTERANCES))
    (directory / "utt2label").write_text("".join(f"{utt} genuine\n" for utt in UTTERANCES))
    (tmp_path / "mine.yaml").write_text(f"kind: datadir\nname: mine\ndev: {directory}\n")
    return tmp_path / "mine.yaml"


def run(main, corpus, *arguments):
    folder = corpus.parent
    sys.argv = [main.__module__, "--corpus", str(corpus), "--data", str(folder / "data"), "--exp", str(folder / "exp")]
    sys.argv += arguments
    main()


@pytest.fixture(autouse=True)
def own_arguments(monkeypatch):
    monkeypatch.setattr(sys, "argv", sys.argv)


def features(corpus):
    directory = corpus.parent / "data" / "mine" / "dev" / "spectrogram"
    return directory, dict(FeatureArchive(directory / "feats.scp", ROOT))


def test_the_native_backend_gives_the_same_bytes_for_any_number_of_jobs(corpus):
    run(prepare.main, corpus)
    found = []
    for jobs in ("1", "2"):
        run(extract.main, corpus, "--set", "features.backend=native", "--nj", jobs, "--force")
        directory, matrices = features(corpus)
        assert sorted(path.name for path in directory.iterdir()) == [
            ".afn",
            "config.yaml",
            "feats.1.ark",
            "feats.scp",
            "utt2num_frames",
        ]
        found.append({path.name: path.read_bytes() for path in directory.iterdir()})
        assert [matrix.shape for matrix in matrices.values()] == [(330, 257), (61, 257), (30, 257), (2, 257)]
        assert all(np.abs(matrix.mean(axis=0)).max() < 2 for matrix in matrices.values())
    assert found[0] == found[1]


def test_auto_takes_kaldi_where_it_is_complete_and_says_so(corpus, golden, kaldi_installed, capsys):
    run(prepare.main, corpus)
    run(extract.main, corpus, "--nj", "2")
    assert "4 utterances by the kaldi backend" in capsys.readouterr().out
    _, matrices = features(corpus)
    with np.load(golden / "kaldi_spectrogram.npz") as tables:
        for utt in UTTERANCES:  # the stand-in for apply-cmvn-sliding passes on what it is given
            np.testing.assert_array_equal(matrices[utt], tables[f"spec_nosnip/{utt}"])
    (kaldi_installed / "copy-feats").unlink()
    run(extract.main, corpus)
    assert "4 utterances by the native backend" in capsys.readouterr().out
    with pytest.raises(errors.UserError, match="copy-feats not found"):
        run(extract.main, corpus, "--set", "features.backend=kaldi")


def test_features_are_up_to_date_until_something_they_are_made_from_changes(corpus, capsys):
    def again(*arguments):
        capsys.readouterr()
        run(extract.main, corpus, "--set", "features.backend=native", *arguments)
        return capsys.readouterr().out

    run(prepare.main, corpus)
    assert "wrote" in again()
    assert "is up to date (native backend)" in again()
    assert "wrote" in again("--force")
    assert "wrote" in again("--set", "features.cmn_window=100")
    assert "wrote" in again()
    directory, _ = features(corpus)
    (directory / "feats.1.ark").unlink()
    assert "wrote" in again()
    with (corpus.parent / "mine" / "utt2label").open("r+") as labels:
        labels.write("g01_male_us spoof  ")
    run(prepare.main, corpus)
    assert "is up to date" in again()  # features do not depend on labels
    for name in ("wav.scp", "utt2label"):
        table = corpus.parent / "mine" / name
        table.write_text("".join(table.read_text().splitlines(keepends=True)[:3]))
    run(prepare.main, corpus)
    assert "3 utterances" in again()


def test_the_name_of_the_folder_is_no_part_of_the_identity(corpus):
    run(prepare.main, corpus)
    for name in ("spectrogram", "other"):
        run(extract.main, corpus, "--set", "features.backend=native", "--set", f"features.name={name}")
    one, other = (record.read(features(corpus)[0].parent / name) for name in ("spectrogram", "other"))
    assert one["identity"] == other["identity"] and one["content"] == other["content"]
    assert (one["schema"], one["execution"]) == (2, {"name": "spectrogram", "parts": 1})
    assert one["identity"]["features"]["cmn_window"] == 300


def test_a_folder_of_the_users_is_left_alone(corpus):
    run(prepare.main, corpus)
    mine = corpus.parent / "data" / "mine" / "dev" / "spectrogram"
    mine.mkdir()
    (mine / "feats.ark").write_bytes(b"mine")
    with pytest.raises(errors.UserError, match=r"contains feats\.ark"):
        run(extract.main, corpus, "--set", "features.backend=native")
    assert [path.name for path in mine.iterdir()] == ["feats.ark"]


def test_a_second_run_waits_for_the_first_and_finds_the_features_up_to_date(corpus, capsys, monkeypatch):
    def first_ends():
        run(extract.main, corpus, "--set", "features.backend=native")

    run(prepare.main, corpus)
    directory = corpus.parent / "data" / "mine" / "dev" / "spectrogram"
    hold, others = locks.hold, contextlib.ExitStack()
    others.enter_context(hold(directory))

    def let_go(folder, patience=0.0):
        if patience:  # the run under test is waiting
            monkeypatch.setattr(locks, "hold", hold)
            others.close()
            first_ends()
        return hold(folder, patience)

    monkeypatch.setattr(locks, "hold", let_go)
    run(extract.main, corpus, "--set", "features.backend=native", "--set", "title=another system")
    waiting, wrote, found = capsys.readouterr().out.splitlines()[-3:]
    assert waiting.endswith("another run extracts these features. Waiting for it.")
    assert "wrote" in wrote and "is up to date" in found


MFCC = """
config, rspecifier, wspecifier = sys.argv[1:]
assert "--num-ceps=24" in Path(config[9:]).read_text() and wspecifier == "ark:-"
import struct
for line in Path(rspecifier[4:]).read_text().splitlines():
    values = struct.pack("<72f", *range(len(line), len(line) + 72))
    rows, columns = (n.to_bytes(4, "little") for n in (3, 24))
    sys.stdout.buffer.write(line.split()[0].encode() + b" \\0BFM \\4" + rows + b"\\4" + columns + values)
"""
PASS_ON = """
assert sys.argv[1:] == {arguments}, sys.argv
sys.stdout.buffer.write(sys.stdin.buffer.read())
"""


def test_mfcc_are_kaldis_or_none(corpus, kaldi_installed, kaldi_program, capsys):
    mfcc = ["--system", str(ROOT / "conf" / "kaldi" / "ivector_cosine_mfcc.yaml"), "--nj", "2"]
    run(prepare.main, corpus)
    with pytest.raises(errors.UserError, match="features.kind mfcc: compute-mfcc-feats not found.*other features"):
        run(extract.main, corpus, *mfcc)
    kaldi_program(kaldi_installed, "compute-mfcc-feats", MFCC)
    run(extract.main, corpus, *mfcc)
    assert "4 utterances by the kaldi backend" in capsys.readouterr().out
    directory = corpus.parent / "data" / "mine" / "dev" / "mfcc"
    matrices = dict(FeatureArchive(directory / "feats.scp", ROOT))
    assert list(matrices) == list(UTTERANCES)
    assert all(matrix.shape == (3, 24) and np.ptp(matrix) == 71 for matrix in matrices.values())
    assert "--num-ceps=24" in (directory / "config.yaml").read_text()  # the options are a part of the record
    deltas = ["--set", "features.deltas=2", "--set", "features.cmn_window=300"]
    with pytest.raises(errors.UserError, match="add-deltas not found"):
        run(extract.main, corpus, *mfcc, *deltas)
    arguments = ["--delta-window=3", "--delta-order=2", "ark:-", "ark:-"]
    kaldi_program(kaldi_installed, "add-deltas", PASS_ON.format(arguments=arguments))
    run(extract.main, corpus, *mfcc, *deltas)
    assert "4 utterances by the kaldi backend" in capsys.readouterr().out


def test_an_utterance_that_fails_is_named_and_nothing_is_left_under_its_final_name(corpus):
    short = corpus.parent / "short.wav"
    soundfile.write(short, np.ones(60, np.int16), 16000)
    for name, line in (("wav.scp", f"short {short}\n"), ("utt2label", "short spoof\n")):
        table = corpus.parent / "mine" / name
        table.write_text(table.read_text() + line)
    run(prepare.main, corpus)
    with pytest.raises(errors.UserError, match=r"short\.wav \(short\): 60 samples are too few"):
        run(extract.main, corpus, "--set", "features.backend=native")
    directory = corpus.parent / "data" / "mine" / "dev" / "spectrogram"
    assert [path.name for path in directory.iterdir()] == [".afn"]
