"""Folders of the project's own: only there it writes and deletes."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from afn.common import owned
from afn.common.errors import UserError


@pytest.fixture
def folder(tmp_path):
    owned.claim(tmp_path / "data" / "mine", only=("config.yaml",))
    owned.claim(tmp_path / "data" / "mine" / "train")
    return tmp_path / "data" / "mine" / "train"


def test_a_new_or_empty_folder_is_claimed_also_again_and_after_an_interrupted_claim(tmp_path, folder):
    for name in ("empty", "interrupted"):
        (tmp_path / name).mkdir()
    (tmp_path / "interrupted" / f"{owned.TEMPORARY}1").write_text("afn out")
    for path in (folder, folder, tmp_path / "empty", tmp_path / "interrupted"):
        owned.claim(path)
        assert owned.is_ours(path)
    assert owned.remove(tmp_path / "interrupted") == [] and not (tmp_path / "interrupted").exists()


def test_a_folder_with_files_of_others_and_a_file_are_refused_and_left_alone(tmp_path):
    (tmp_path / "wav.scp").write_text("mine")
    (tmp_path / "notes").mkdir()
    with pytest.raises(UserError, match=r"contains notes and 1 more, which this project did not make.*another name:"):
        owned.claim(tmp_path)
    with pytest.raises(UserError, match="a file is where a folder belongs"):
        owned.claim(tmp_path / "wav.scp")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes", "wav.scp"]


def test_several_may_claim_a_folder_at_once(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        for name in range(100):
            list(pool.map(owned.claim, [tmp_path / str(name)] * 8))
    assert all(owned.is_ours(tmp_path / str(name)) for name in range(100))


def test_a_copy_is_the_users_and_a_tree_that_was_moved_is_ours(tmp_path, folder):
    for copy in (folder.with_name("train (copy)"), tmp_path / "data" / "other" / "train"):
        shutil.copytree(folder, copy)
        assert not owned.is_ours(copy)
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    assert all(owned.is_ours(tmp_path / "elsewhere" / name) for name in ("mine", "mine/train"))


def test_a_shared_folder_may_hold_other_files_but_none_of_our_names(tmp_path):
    (tmp_path / "corpus").mkdir()
    owned.claim(tmp_path, only=("config.yaml",))
    (tmp_path / "config.yaml").write_text("ours")
    assert owned.remove(tmp_path) == [tmp_path / "corpus"]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.yaml").write_text("the user's")
    with pytest.raises(UserError, match=r"contains config\.yaml, which"):
        owned.claim(tmp_path / "other", only=("config.yaml",))


def test_remove_deletes_a_folder_of_ours_only_and_says_what_it_leaves(folder):
    (folder / "spectrogram").mkdir()
    for name in ("spectrogram/feats.ark", "wav.scp", "README"):
        (folder / name).write_text("")
    assert owned.remove(folder, ("wav.scp", "spectrogram")) == [folder / "README"]
    assert not (folder / "wav.scp").exists()
    for _ in range(2):
        assert owned.remove(folder) == [] and not folder.exists()
    (folder.parent / "eval").mkdir()
    assert owned.remove(folder.parent / "eval") == [folder.parent / "eval"]
    assert (folder.parent / "eval").is_dir()


def test_remove_follows_no_link(tmp_path, folder):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "recording.wav").write_text("")
    (folder / "link").symlink_to(outside)
    assert owned.remove(folder) == []
    assert (outside / "recording.wav").exists()
    owned.claim(tmp_path / "place" / "train")
    (tmp_path / "train").symlink_to(tmp_path / "place" / "train")
    assert owned.remove(tmp_path / "train") == [tmp_path / "train"]
    assert (tmp_path / "place" / "train").is_dir()
