"""Stage -1 from a prepared corpus to archives: both backends, their choice, and what makes features anew."""

import sys

import numpy as np
import pytest

from afn.common import errors
from afn.common.paths import ROOT
from afn.experiment import extraction, preparation
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
    run(preparation.main, corpus)
    archives = []
    for jobs in ("1", "2"):
        run(extraction.main, corpus, "--set", "features.backend=native", "--nj", jobs, "--force")
        directory, matrices = features(corpus)
        archives.append((directory / "feats.ark").read_bytes())
        assert [matrix.shape for matrix in matrices.values()] == [(330, 257), (61, 257), (30, 257), (2, 257)]
        assert all(np.abs(matrix.mean(axis=0)).max() < 2 for matrix in matrices.values())
    assert archives[0] == archives[1]


def test_auto_takes_kaldi_where_it_is_complete_and_says_so(corpus, golden, kaldi_installed, capsys):
    run(preparation.main, corpus)
    run(extraction.main, corpus, "--nj", "2")
    assert "4 utterances by the kaldi backend" in capsys.readouterr().out
    _, matrices = features(corpus)
    with np.load(golden / "kaldi_spectrogram.npz") as tables:
        for utt in UTTERANCES:  # the stand-in for apply-cmvn-sliding passes on what it is given
            np.testing.assert_array_equal(matrices[utt], tables[f"spec_nosnip/{utt}"])
    (kaldi_installed / "copy-feats").unlink()
    run(extraction.main, corpus)
    assert "4 utterances by the native backend" in capsys.readouterr().out
    with pytest.raises(errors.UserError, match="copy-feats not found"):
        run(extraction.main, corpus, "--set", "features.backend=kaldi")


def test_features_stand_until_something_they_are_made_from_changes(corpus, capsys):
    def again(*arguments):
        capsys.readouterr()
        run(extraction.main, corpus, "--set", "features.backend=native", *arguments)
        return capsys.readouterr().out

    run(preparation.main, corpus)
    assert "wrote" in again()
    assert "stands" in again()
    assert "wrote" in again("--force")
    assert "wrote" in again("--set", "features.cmn_window=100")
    assert "wrote" in again()
    with (corpus.parent / "mine" / "utt2label").open("r+") as labels:
        labels.write("g01_male_us spoof  ")
    run(preparation.main, corpus)
    assert "wrote" in again()


def test_kaldi_and_native_agree_on_what_stands(corpus, kaldi_installed, capsys):
    run(preparation.main, corpus)
    run(extraction.main, corpus)
    run(extraction.main, corpus, "--set", "features.backend=native")
    assert capsys.readouterr().out.count("wrote") == 3  # one backend's features are not taken for the other's


MFCC = """
config, rspecifier, wspecifier = sys.argv[1:]
assert config.endswith("/conf/mfcc.conf") and wspecifier == "ark:-"
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
    run(preparation.main, corpus)
    with pytest.raises(errors.UserError, match="features.kind mfcc: compute-mfcc-feats not found; .*other features"):
        run(extraction.main, corpus, *mfcc)
    kaldi_program(kaldi_installed, "compute-mfcc-feats", MFCC)
    run(extraction.main, corpus, *mfcc)
    assert "4 utterances by the kaldi backend" in capsys.readouterr().out
    directory = corpus.parent / "data" / "mine" / "dev" / "mfcc"
    matrices = dict(FeatureArchive(directory / "feats.scp", ROOT))
    assert list(matrices) == list(UTTERANCES)
    assert all(matrix.shape == (3, 24) and np.ptp(matrix) == 71 for matrix in matrices.values())
    assert "--num-ceps=24" in (directory / "config.yaml").read_text()  # the options are a part of the record
    slopes = ["--set", "features.deltas=2", "--set", "features.cmn_window=300"]
    with pytest.raises(errors.UserError, match="add-deltas not found"):
        run(extraction.main, corpus, *mfcc, *slopes)
    arguments = ["--delta-window=3", "--delta-order=2", "ark:-", "ark:-"]
    kaldi_program(kaldi_installed, "add-deltas", PASS_ON.format(arguments=arguments))
    run(extraction.main, corpus, *mfcc, *slopes)
    assert "4 utterances by the kaldi backend" in capsys.readouterr().out


def test_an_utterance_that_fails_is_named_and_nothing_is_left_under_its_final_name(corpus, golden):
    run(preparation.main, corpus)
    table = corpus.parent / "data" / "mine" / "dev" / "wav.scp"
    table.write_text(table.read_text().replace("g03_short030.wav", "gone.wav"))
    with pytest.raises(errors.UserError, match=r"gone\.wav: no such recording"):
        run(extraction.main, corpus, "--set", "features.backend=native")
    assert not list((corpus.parent / "data" / "mine" / "dev" / "spectrogram").glob("*"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[::-1], r"wav\.scp:2: g\S+ is out of bytewise order"),
        (lambda lines: [lines[0], *lines], r"wav\.scp:2: g\S+ is out of bytewise order, or stands here a second time"),
        (lambda lines: [*lines, "z program |\n"], "is a pipe"),
        (lambda lines: [], "no utterances"),
    ],
)
def test_a_list_that_stage_2_would_not_have_written_is_refused_before_any_work(corpus, change, message, monkeypatch):
    run(preparation.main, corpus)
    table = corpus.parent / "data" / "mine" / "dev" / "wav.scp"
    table.write_text("".join(change(table.read_text().splitlines(keepends=True))))
    monkeypatch.setattr(extraction.native, "write", None)
    with pytest.raises(errors.UserError, match=message):
        run(extraction.main, corpus, "--set", "features.backend=native")


def test_what_a_killed_run_of_kaldi_left_is_taken_away(corpus, kaldi_installed):
    run(preparation.main, corpus)
    left = corpus.parent / "data" / "mine" / "dev" / "spectrogram" / ".scratch-abc"
    left.mkdir(parents=True)
    (left / "0.ark").write_bytes(b"half")
    run(extraction.main, corpus, "--set", "features.backend=kaldi", "--nj", "2")
    assert not [path.name for path in left.parent.glob(".*")]
