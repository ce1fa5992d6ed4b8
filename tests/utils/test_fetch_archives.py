"""Archives: verified, and unpacked whole or not at all."""

import io
import os
import zipfile
from pathlib import Path

import pytest

from afn.common.errors import UserError
from afn.corpora import asvspoof2017


@pytest.fixture
def unpack(archives, tmp_path):
    """Unpack the bytes of a development archive beside a protocol that lists D_1.wav."""
    (tmp_path / "protocol_V2").mkdir()
    (tmp_path / "protocol_V2" / asvspoof2017.PROTOCOLS["dev"]).write_bytes(b"\xef\xbb\xbfD_1.wav x\r\n\r\n")

    def run(content: bytes) -> str:
        (tmp_path / "ASVspoof2017_V2_dev.zip").write_bytes(content)
        try:
            return archives.unpack(tmp_path / "ASVspoof2017_V2_dev.zip", "ASVspoof2017_V2_dev")
        finally:
            assert not (tmp_path / ".ASVspoof2017_V2_dev.tmp").exists()

    run.tree = tmp_path / "ASVspoof2017_V2_dev"
    return run


@pytest.mark.parametrize("inside", [True, False], ids=["with its folder", "bare"])
def test_an_archive_holds_its_folder_or_bare_files(unpack, small, inside):
    assert unpack(small.shape(inside)["ASVspoof2017_V2_dev"]) == "1 recordings"
    assert [path.name for path in unpack.tree.iterdir()] == ["D_1.wav"]


def test_what_a_stopped_run_left_is_replaced(unpack, small):
    stage = unpack.tree.with_name(".ASVspoof2017_V2_dev.tmp")
    stage.mkdir()
    (stage / "D_9.wav").write_text("half")
    unpack(small.shape(inside=False)["ASVspoof2017_V2_dev"])
    assert [path.name for path in unpack.tree.iterdir()] == ["D_1.wav"]


def test_an_archive_that_lacks_a_recording_is_not_unpacked(unpack, small):
    with pytest.raises(UserError, match=r"ASVspoof2017_V2_dev: 1 of 1 recordings are missing, D_1.wav first; remove "):
        unpack(small.zipped({"ASVspoof2017_V2_dev/D_2.wav": b"x"}))
    assert not unpack.tree.exists()


def test_an_entry_that_stands_twice_is_refused(unpack):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file, pytest.warns(UserWarning, match="Duplicate"):
        file.writestr("D_1.wav", "one")
        file.writestr("D_1.wav", "two")
    with pytest.raises(UserError, match="'D_1.wav' stands there twice"):
        unpack(content.getvalue())


def broken(content: bytes) -> dict[str, bytes]:
    middle = len(content) // 2
    return {
        "cut short": content[:middle],
        "a flipped bit": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        "no zip": b"<html></html>",
        "nothing": b"",
    }


@pytest.mark.parametrize("damage", ["cut short", "a flipped bit", "no zip", "nothing"])
def test_damage_is_recognised(unpack, archives, small, damage):
    with pytest.raises(archives.DamagedError):
        unpack(broken(small.shape()["ASVspoof2017_V2_dev"])[damage])
    assert not unpack.tree.exists()


def test_the_names_and_hashes_are_those_of_the_corpus(archives):
    for subset, protocol in asvspoof2017.PROTOCOLS.items():
        assert archives.PROTOCOLS[asvspoof2017.RECORDINGS[subset]] == protocol
        assert archives.SHA256[protocol] == asvspoof2017.SHA256[subset]
    assert list(archives.ARCHIVES) == [asvspoof2017.PROTOCOL_FOLDER, *asvspoof2017.RECORDINGS.values()]


@pytest.mark.skipif("REAL_DATA" not in os.environ, reason="REAL_DATA, a folder with asvspoof2017/ in it, is not set")
def test_the_published_protocols_pass_without_a_warning(archives, capsys):
    tree = Path(os.environ["REAL_DATA"]) / "asvspoof2017" / "protocol_V2"
    assert archives.verify("protocol_V2", tree, tree.parent, "mend it") == "3 protocols"
    assert capsys.readouterr().out == ""
