"""Data directories of one's own as a corpus."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from afn.common import config, paths
from afn.common.errors import UserError
from afn.corpora import own
from afn.corpora.datadir import Utterance
from afn.corpora.own import OwnCorpus


def make(directory: Path, *utterances: tuple[str, str]) -> Path:
    """A data directory with the two tables that are needed, and its recordings beside it."""
    directory.mkdir(parents=True)
    wavs = directory.parent / f"{directory.name}_wav"
    wavs.mkdir()
    for utt, _ in utterances:
        soundfile.write(str(wavs / f"{utt}.wav"), np.full(400, 0.1), 16000, subtype="PCM_16")
    (directory / "wav.scp").write_text("".join(f"{utt} {wavs}/{utt}.wav\n" for utt, _ in utterances))
    (directory / "utt2label").write_text("".join(f"{utt} {label}\n" for utt, label in utterances))
    return directory


@pytest.fixture
def directories(tmp_path: Path) -> dict[str, Path]:
    return {
        "train": make(tmp_path / "train", ("b_1", "spoof"), ("B_1", "genuine")),
        "eval": make(tmp_path / "eval", ("e_1", "spoof"), ("e_2", "genuine")),
    }


def refusal(directories: dict[str, Path]) -> str:
    with pytest.raises(UserError) as error:
        own.utterances(directories, say=[].append)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_two_needed_tables_suffice(directories, tmp_path):
    said = []
    found = own.utterances(directories, say=said.append)
    assert found["train"] == [
        Utterance("B_1", str(tmp_path / "train_wav/B_1.wav"), "B_1", "genuine"),
        Utterance("b_1", str(tmp_path / "train_wav/b_1.wav"), "b_1", "spoof"),
    ]
    assert list(found) == ["train", "eval"]
    assert [text.split(";")[0] for text in said] == [
        f"{subset}: no {table}" for subset in ("train", "eval") for table in ("utt2spk", "utt2cond")
    ]


def test_speakers_and_conditions_are_read_where_they_stand(directories):
    (directories["eval"] / "utt2spk").write_text("e_1 anna\ne_2 bert\n")
    (directories["eval"] / "utt2cond").write_text("e_1 E01 P02 R03\ne_2 - - -\n")
    found = own.utterances(directories, say=[].append)["eval"]
    assert [(u.speaker, *u.conditions.values()) for u in found] == [
        ("anna", "E01", "P02", "R03"),
        ("bert", "-", "-", "-"),
    ]


def test_a_relative_recording_starts_at_the_repository(directories, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    (directories["train"] / "wav.scp").write_text("b_1 train_wav/b_1.wav\nB_1 train_wav/../train_wav/B_1.wav\n")
    found = own.utterances(directories, say=[].append)["train"]
    assert [utterance.wav for utterance in found] == ["train_wav/B_1.wav", "train_wav/b_1.wav"]


def test_a_pipe_is_refused_and_not_run(directories, tmp_path):
    path = directories["eval"] / "wav.scp"
    path.write_text(f"e_1 touch {tmp_path}/ran |\ne_2 e_2.wav\n")
    message = refusal(directories)
    assert message.startswith(f"{directories['eval']}: utterance e_1: ")
    assert "a shell command that the author of the list would run here. Convert the recordings to wav" in message
    assert message.endswith("stage -2 with --allow-pipes.")
    assert not (tmp_path / "ran").exists()


def test_segments_are_refused(directories):
    (directories["train"] / "segments").write_text("b_1 rec 0 1\n")
    assert refusal(directories).startswith(
        f"{directories['train'] / 'segments'}: segments of recordings are not supported"
    )


@pytest.mark.parametrize("name", ["wav.scp", "utt2label"])
def test_a_needed_table_is_asked_for(directories, name):
    (directories["train"] / name).unlink()
    message = refusal(directories)
    assert message.startswith(f"{directories['train'] / name}: no such file. ")
    assert "wav.scp and utt2label" in message


def test_tables_that_disagree_are_refused(directories):
    (directories["train"] / "utt2label").write_text("b_1 spoof\n")
    assert "wav.scp and utt2label disagree about B_1" in refusal(directories)


def test_a_directory_that_is_not_there_is_named_with_its_key(directories, tmp_path):
    directories["dev"] = tmp_path / "nowhere"
    assert refusal(directories) == f"{tmp_path / 'nowhere'}: no such data directory. Correct corpus.dev."


def test_the_configuration_names_any_of_the_subsets(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = {"kind": "datadir", "name": "mine", "train": "~/train", "eval": "data/mine/eval"}
    assert config.build(OwnCorpus, settings, "own.yaml").inputs() == {
        "train": tmp_path / "train",
        "eval": paths.ROOT / "data/mine/eval",
    }
    with pytest.raises(UserError, match=r"own.yaml: train, dev, eval: none is given"):
        config.build(OwnCorpus, {"kind": "datadir", "name": "mine"}, "own.yaml")
