"""Stage -1 from a prepared corpus to archives: both backends, their choice, and what makes it extract again."""

import contextlib

import numpy as np
import pytest
import soundfile

from afn.common import record
from afn.common.paths import ROOT
from afn.experiment import locks
from afn.features.archives import FeatureArchive
from stages import Pipeline

UTTERANCES = ("g01_male_us", "g02_female_gb", "g03_short030", "g07_tiny250")
NATIVE = ("--set", "features.backend=native")


@pytest.fixture
def corpus(tmp_path, golden):
    """A pipeline whose corpus, the golden recordings, is prepared. `lists` and `features` are its folders."""
    lists = tmp_path / "mine"
    lists.mkdir()
    (lists / "wav.scp").write_text("".join(f"{utt} {golden / utt}.wav\n" for utt in UTTERANCES))
    (lists / "utt2label").write_text("".join(f"{utt} genuine\n" for utt in UTTERANCES))
    (tmp_path / "mine.yaml").write_text(f"kind: datadir\nname: mine\ndev: {lists}\n")
    pipeline = Pipeline(tmp_path, tmp_path / "mine.yaml")
    pipeline.run((-2,))
    pipeline.lists, pipeline.features = lists, pipeline.data / "mine" / "dev" / "spectrogram"
    return pipeline


def matrices(folder):
    return dict(FeatureArchive(folder / "feats.scp", ROOT))


@pytest.fixture
def said(corpus, capsys):
    """Extracts and returns what was printed: `said(*options)`."""

    def extract(*options):
        capsys.readouterr()
        corpus.run((-1,), *options)
        return capsys.readouterr().out

    return extract


def test_the_native_backend_gives_the_same_bytes_for_any_number_of_jobs(corpus):
    found = []
    for jobs in (1, 2):
        corpus.ended(-1, *NATIVE, "--force", "--nj", jobs)
        files = {path.name: path.read_bytes() for path in corpus.features.iterdir()}
        assert sorted(files) == [".afn", "config.yaml", "feats.1.ark", "feats.scp", "utt2num_frames"]
        found.append(files)
    shapes = [matrix.shape for matrix in matrices(corpus.features).values()]
    assert shapes == [(330, 257), (61, 257), (30, 257), (2, 257)]
    assert found[0] == found[1]


def test_auto_takes_kaldi_where_it_is_complete_and_says_so(corpus, said, golden, kaldi_installed):
    assert "4 utterances by the kaldi backend" in said()
    found = matrices(corpus.features)
    with np.load(golden / "kaldi_spectrogram.npz") as tables:
        for utt in UTTERANCES:  # the stand-in for apply-cmvn-sliding passes on what it is given
            np.testing.assert_array_equal(found[utt], tables[f"spec_nosnip/{utt}"])
    assert "4 utterances by the native backend" in said(*NATIVE)  # features of the other do not pass for these
    (kaldi_installed / "copy-feats").unlink()
    assert "is up to date (native backend)" in said()
    assert "copy-feats not found" in corpus.refused((-1,), "--set", "features.backend=kaldi")


def test_features_are_up_to_date_until_something_they_are_made_from_changes(corpus, said):
    assert "wrote" in said(*NATIVE)
    assert "is up to date (native backend)" in said(*NATIVE)
    assert "wrote" in said(*NATIVE, "--force")
    assert "wrote" in said(*NATIVE, "--set", "features.cmn_window=100")
    assert "wrote" in said(*NATIVE)
    (corpus.features / "feats.1.ark").unlink()
    assert "wrote" in said(*NATIVE)
    labels = corpus.lists / "utt2label"
    labels.write_text(labels.read_text().replace("g01_male_us genuine", "g01_male_us spoof"))
    corpus.run((-2,))
    assert "is up to date" in said(*NATIVE)  # features do not depend on labels
    for name in ("wav.scp", "utt2label"):
        table = corpus.lists / name
        table.write_text("".join(table.read_text().splitlines(keepends=True)[:3]))
    corpus.run((-2,))
    assert "3 utterances" in said(*NATIVE)


def test_the_name_of_the_folder_is_no_part_of_the_identity(corpus):
    for name in ("spectrogram", "other"):
        corpus.run((-1,), *NATIVE, "--set", f"features.name={name}")
    one, other = (record.read(corpus.features.parent / name) for name in ("spectrogram", "other"))
    assert one["identity"] == other["identity"] and one["content"] == other["content"]
    assert (one["schema"], one["execution"]) == (2, {"name": "spectrogram", "parts": 1})
    assert one["identity"]["features"]["cmn_window"] == 300


def test_a_folder_of_the_users_is_left_alone(corpus):
    corpus.features.mkdir()
    (corpus.features / "feats.ark").write_bytes(b"mine")
    assert "contains feats.ark" in corpus.refused((-1,), *NATIVE)
    assert [path.name for path in corpus.features.iterdir()] == ["feats.ark"]


def test_a_second_run_waits_for_the_first_and_finds_the_features_up_to_date(corpus, said, monkeypatch):
    hold, others = locks.hold, contextlib.ExitStack()
    others.enter_context(hold(corpus.features))

    def let_go(folder, patience=0.0):
        if patience:  # the run under test is waiting
            monkeypatch.setattr(locks, "hold", hold)
            others.close()
            corpus.run((-1,), *NATIVE)
        return hold(folder, patience)

    monkeypatch.setattr(locks, "hold", let_go)
    waiting, wrote, found = said(*NATIVE, "--set", "title=another system").splitlines()[-3:]
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
ADD_DELTAS = """
assert sys.argv[1:] == ["--delta-window=3", "--delta-order=2", "ark:-", "ark:-"], sys.argv
sys.stdout.buffer.write(sys.stdin.buffer.read())
"""


def test_mfcc_are_kaldis_or_none(corpus, said, kaldi_installed, kaldi_program):
    mfcc = ["--system", str(ROOT / "conf" / "kaldi" / "ivector_cosine_mfcc.yaml")]
    message = corpus.refused((-1,), *mfcc)
    assert "features.kind mfcc: compute-mfcc-feats not found" in message and "other features" in message
    kaldi_program(kaldi_installed, "compute-mfcc-feats", MFCC)
    assert "4 utterances by the kaldi backend" in said(*mfcc)
    folder = corpus.features.with_name("mfcc")
    found = matrices(folder)
    assert list(found) == list(UTTERANCES)
    assert all(matrix.shape == (3, 24) and np.ptp(matrix) == 71 for matrix in found.values())
    assert "--num-ceps=24" in (folder / "config.yaml").read_text()  # the options are a part of the record
    deltas = [*mfcc, "--set", "features.deltas=2", "--set", "features.cmn_window=300"]
    assert "add-deltas not found" in corpus.refused((-1,), *deltas)
    kaldi_program(kaldi_installed, "add-deltas", ADD_DELTAS)
    assert "4 utterances by the kaldi backend" in said(*deltas)


def test_an_utterance_that_fails_is_named_and_nothing_is_left_under_its_final_name(corpus):
    short = corpus.folder / "short.wav"
    soundfile.write(short, np.ones(60, np.int16), 16000)
    for name, line in (("wav.scp", f"short {short}\n"), ("utt2label", "short spoof\n")):
        with (corpus.lists / name).open("a") as table:
            table.write(line)
    corpus.run((-2,))
    assert "short.wav (short): 60 samples are too few" in corpus.refused((-1,), *NATIVE)
    assert [path.name for path in corpus.features.iterdir()] == [".afn"]
