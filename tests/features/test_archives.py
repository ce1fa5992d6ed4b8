"""Kaldi archives: they read back as written, compressed ones as Kaldi reads them, and damage is never silent."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from afn.common.errors import UserError
from afn.common.paths import ROOT
from afn.features import archives

MATRICES = {f"u{i}": np.random.default_rng(i).normal(size=(i + 1, 4)).astype(np.float32) for i in range(5)}


@pytest.fixture
def written(tmp_path):
    archives.write(tmp_path, MATRICES.items(), "feats.ark")
    return tmp_path


def test_an_archive_reads_back_exactly(written):
    archive = archives.FeatureArchive(written / "feats.scp", written)
    assert list(archive) == list(MATRICES)
    for utt, matrix in MATRICES.items():
        assert archive[utt].dtype == np.float32
        np.testing.assert_array_equal(archive[utt], matrix)
    assert [utt for utt, _ in archives.read(written / "feats.ark")] == list(MATRICES)
    assert (written / "utt2num_frames").read_text() == "u0 1\nu1 2\nu2 3\nu3 4\nu4 5\n"


def test_the_bytes_are_kaldis(written):
    head = (written / "feats.ark").read_bytes()[:18]
    assert head == b"u0 \0BFM \x04\x01\0\0\0\x04\x04\0\0\0"[:18]


@pytest.mark.parametrize(
    ("matrices", "complaint"),
    [
        ([("b", np.ones((2, 3))), ("a", np.ones((2, 3)))], "Sort"),
        ([("a", np.ones((2, 3))), ("a", np.ones((2, 3)))], "Sort"),
        ([("a", np.ones((0, 3)))], "too short"),
        ([("a", np.ones((2, 3))), ("b", np.ones((2, 4)))], "utterance b"),
        ([("a", np.full((2, 3), np.nan))], "utterance a"),
    ],
)
def test_bad_matrices_are_refused_and_leave_existing_files_alone(written, matrices, complaint):
    before = (written / "feats.ark").read_bytes()
    with pytest.raises(UserError, match=complaint):
        archives.write(written, matrices, "feats.ark")
    assert (written / "feats.ark").read_bytes() == before
    assert sorted(p.name for p in written.iterdir()) == ["feats.ark", "feats.scp", "utt2num_frames"]


def test_an_archive_that_kaldi_compressed_reads_as_kaldi_reads_it(golden):
    with np.load(golden / "kaldi_compressed_cm.npz") as kaldis:
        ours = dict(archives.read(golden / "kaldi_compressed_cm.ark"))
        assert sorted(ours) == sorted(kaldis.files)
        for utt in kaldis.files:
            np.testing.assert_allclose(ours[utt], kaldis[utt], rtol=1e-5, atol=1e-5)


def test_compression_that_cannot_be_read_fails_loudly(golden):
    with pytest.raises(UserError, match="CM2"):
        list(archives.read(golden / "kaldi_compressed_cm2.ark"))


def test_a_folder_that_was_moved_is_read_where_it_is_now(written, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("moved") / "a|b [c] d"
    lines = (written / "feats.scp").read_text().replace(" feats.ark", f" {written}/feats.ark")
    (written / "feats.scp").write_text(lines)
    np.testing.assert_array_equal(archives.FeatureArchive(written / "feats.scp", ROOT)["u1"], MATRICES["u1"])
    written.rename(elsewhere)
    moved = archives.FeatureArchive(elsewhere / "feats.scp", ROOT)
    np.testing.assert_array_equal(moved["u1"], MATRICES["u1"])
    (elsewhere / "feats.scp").rename(tmp_path_factory.getbasetemp() / "feats.scp")  # the list alone
    (elsewhere / "feats.ark").rename(written.parent / "other.ark")
    lines = lines.replace(f"{written}/feats.ark", f"{written.parent}/other.ark")
    (tmp_path_factory.getbasetemp() / "feats.scp").write_text(lines)
    at_its_path = archives.FeatureArchive(tmp_path_factory.getbasetemp() / "feats.scp", ROOT)
    np.testing.assert_array_equal(at_its_path["u1"], MATRICES["u1"])


def test_the_hash_of_the_content_does_not_depend_on_archives_and_paths(tmp_path):
    def content(matrices, *archive_of):
        with (tmp_path / "ark").open("wb") as ark:
            entries = list(archives.pack(matrices.items(), ark))
        return archives.write_lists(tmp_path, zip(entries, archive_of, strict=True))

    two = {utt: MATRICES[utt] for utt in ("u1", "u2")}
    count, expected = content(two, "a.ark", "b.ark")
    assert (count, expected) == (2, content(two, "/x/c.ark", "/x/c.ark")[1])
    lines = "".join(
        f"{utt} {hashlib.sha256(matrix.astype('<f4').tobytes() + f'{len(matrix)} 4'.encode()).hexdigest()}\n"
        for utt, matrix in two.items()
    )
    assert expected == hashlib.sha256(lines.encode()).hexdigest()
    assert content({"u1": MATRICES["u1"], "u2": MATRICES["u3"][:3]}, "a", "a")[1] != expected
    # the same bytes in another shape
    assert archives.digest(np.zeros((2, 6), np.float32)) != archives.digest(np.zeros((3, 4), np.float32))


def test_importing_leaves_the_environment_alone_and_prints_nothing():
    code = "import os; b = dict(os.environ); import afn.features.archives; assert dict(os.environ) == b"
    environment = {k: v for k, v in os.environ.items() if k != "KALDI_ROOT"} | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
