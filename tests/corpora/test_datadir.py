"""Kaldi data directories: what is written is read back, and what contradicts itself is refused."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from afn.common.errors import UserError
from afn.corpora import datadir
from afn.corpora.datadir import Content, Utterance

GENUINE, REPLAYED = {"room": "-", "loud_speaker": "-"}, {"room": "E03", "loud_speaker": "P01"}
LISTED = [
    Utterance("b_2", "/corpora/a folder/b_2.wav", "M02", "spoof", REPLAYED),
    Utterance("B_1", "data/B_1.wav", "M01", "genuine", GENUINE),
    Utterance("a-1", "data/a\u2028b  c\x0cd.wav", "m10", "genuine", GENUINE),
    Utterance("b1", "data/b1.wav", "M02", "spoof", {"room": "E03", "loud_speaker": "P02"}),
    Utterance("é", "data/é.wav", "M01", "genuine", GENUINE),
]
BYTEWISE = ["B_1", "a-1", "b1", "b_2", "é"]  # LC_ALL=C: capitals, then digits before "_", then what is not ASCII


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    datadir.write(tmp_path / "dev", LISTED)
    return tmp_path / "dev"


def refusal(function, *arguments, **options) -> str:
    with pytest.raises(UserError) as error:
        function(*arguments, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_is_written_is_read_back_sorted_bytewise(directory):
    found = datadir.read(directory)
    assert [utterance.utt for utterance in found] == BYTEWISE
    assert set(found) == set(LISTED)


def test_the_tables_are_those_of_kaldi(directory):
    tables = {path.name: path.read_text().split("\n") for path in directory.iterdir()}
    assert sorted(tables) == ["spk2utt", "utt2cond", "utt2label", "utt2spk", "wav.scp"]
    assert tables["wav.scp"][3] == "b_2 /corpora/a folder/b_2.wav"
    assert tables["utt2spk"][3] == "b_2 M02"
    assert tables["spk2utt"] == ["M01 B_1 é", "M02 b1 b_2", "m10 a-1", ""]
    assert tables["utt2label"][:2] == ["B_1 genuine", "a-1 genuine"]
    assert tables["utt2cond"][::3] == ["#utt room loud_speaker", "b1 E03 P02", ""]


@pytest.mark.parametrize("name", ["utt2spk", "utt2label", "utt2cond"])
def test_tables_that_are_missing_or_disagree_are_named(directory, name):
    text = (directory / name).read_text()
    line = next(line for line in text.splitlines(keepends=True) if line.startswith("B_1"))
    for other, utt in ((text.replace(line, ""), "B_1"), (text + line.replace("B_1", "x_1"), "x_1")):
        (directory / name).write_text(other)
        message = refusal(datadir.read, directory, fix="Correct it.")
        assert message == f"{directory}: wav.scp and {name} disagree about {utt}. Correct it."
    (directory / name).unlink()
    assert refusal(datadir.read, directory) == f"{directory / name}: no such file. Run stage -2 first."


UNFIT = {
    "duplicate id": ({"utt": "b1"}, "listed twice"),
    "unknown label": ({"label": "fake"}, "'fake'. Use genuine or spoof"),
    "blank in an id": ({"utt": "a 1"}, "'a 1' contains white space"),
    "no speaker": ({"speaker": ""}, "'' contains white space or is empty"),
    "blank in a code": ({"conditions": {"room": "P 1", "loud_speaker": "-"}}, "'P 1' contains white space"),
    "other conditions": ({"conditions": {"room": "E1"}}, "have conditions of other names"),
    "a path for an id": ({"utt": "../a"}, "may not contain '/'"),
    "a pipe": ({"wav": "sph2pipe a.sph |"}, "a shell command that the author of the list would run here"),
    "two lines": ({"wav": "a.wav\nb c"}, "cannot be written into a wav.scp"),
    "no file": ({"wav": ""}, "cannot be written into a wav.scp"),
}


@pytest.mark.parametrize(("change", "reason"), UNFIT.values(), ids=UNFIT)
def test_what_a_data_directory_cannot_hold_is_not_written(tmp_path, change, reason):
    assert reason in refusal(datadir.write, tmp_path / "dev", [replace(LISTED[0], **change), *LISTED[1:]])
    assert not (tmp_path / "dev").exists()


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        ("B_1 E01 P02", ":1: 3 instead of 4 fields. Name the columns in a first line: #utt NAME …"),
        ("#utt room room", ":1: the same name for two columns"),
        ("#utt room", ":2: 3 instead of 2 fields. A line is `utt room`."),
    ],
)
def test_conditions_need_names(directory, first, reason):
    (directory / "utt2cond").write_text("".join(f"{line}\n" for line in [first, *(f"{u} a b" for u in BYTEWISE)]))
    assert refusal(datadir.read, directory).startswith(f"{directory / 'utt2cond'}{reason}")


def test_a_data_directory_without_conditions_is_read_back_and_one_without_utterances_refused(tmp_path):
    listed = [Utterance(name, f"{name}.wav", "s", "genuine") for name in "ab"]
    datadir.write(tmp_path, listed)
    assert (tmp_path / "utt2cond").read_text() == "#utt\na\nb\n"
    assert datadir.read(tmp_path) == listed
    assert "no utterances" in refusal(datadir.write, tmp_path, [])


@pytest.fixture
def recorded(tmp_path):
    """A data directory of two files with their content."""
    for name in "ab":
        (tmp_path / f"{name}.wav").write_text(f"sound of {name}")
    listed = [Utterance(name, str(tmp_path / f"{name}.wav"), "s", "genuine") for name in "ab"]
    datadir.write(tmp_path / "dev", [replace(u, content=Content.of(Path(u.wav))) for u in listed])
    return tmp_path / "dev"


def test_the_content_of_every_recording_is_a_table_whose_hash_does_not_know_of_times(recorded):
    hashes = {name: hashlib.sha256(f"sound of {name}".encode()).hexdigest() for name in "ab"}
    text = "".join(f"{name} {found}\n" for name, found in hashes.items())
    for _ in range(2):
        mtime_ns = (recorded.parent / "a.wav").stat().st_mtime_ns
        assert (recorded / "utt2hash").read_text().splitlines()[0] == f"a {hashes['a']} 10 {mtime_ns}"
        assert datadir.hashes(recorded)["a"] == Content(hashes["a"], 10, mtime_ns)
        assert datadir.recordings_hash(recorded) == hashlib.sha256(text.encode()).hexdigest()
        os.utime(recorded.parent / "a.wav", ns=(1, 1))
        assert datadir.changed(recorded, refresh=True) == []


def test_a_recording_that_was_replaced_or_removed_is_named(recorded):
    assert datadir.changed(recorded) == []
    (recorded.parent / "b.wav").write_text("sound of x")
    os.utime(recorded.parent / "b.wav", ns=(1, 1))
    assert datadir.changed(recorded) == ["b"]
    (recorded.parent / "a.wav").unlink()
    before = (recorded / "utt2hash").read_bytes()
    assert datadir.changed(recorded, refresh=True) == ["a", "b"]
    assert (recorded / "utt2hash").read_bytes() == before


def test_only_files_that_look_changed_are_read(recorded, monkeypatch):
    monkeypatch.setattr(datadir.hashlib, "sha256", None)
    assert datadir.changed(recorded) == []


def test_contents_of_other_utterances_are_refused(recorded):
    (recorded / "utt2hash").write_text((recorded / "utt2hash").read_text().splitlines()[0])
    assert "wav.scp and utt2hash disagree about b. Run stage -2 first." in refusal(datadir.changed, recorded)
    (recorded / "utt2hash").write_text("a 1 2 3\n")
    assert "utt2hash:1: not a line of `utt sha256 bytes mtime_ns`" in refusal(datadir.hashes, recorded)
