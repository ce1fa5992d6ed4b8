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
    Utterance("a-1", "data/a-1.wav", "m10", "genuine", GENUINE),
    Utterance("b1", "data/b1.wav", "M02", "spoof", {"room": "E03", "loud_speaker": "P02"}),
    Utterance("é", "data/é.wav", "M01", "genuine", GENUINE),
]
BYTEWISE = ["B_1", "a-1", "b1", "b_2", "é"]  # LC_ALL=C: capitals, then digits before "_", then what is not ASCII


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    datadir.write(tmp_path / "dev", LISTED)
    return tmp_path / "dev"


def refusal(directory: Path, **options) -> str:
    with pytest.raises(UserError) as error:
        datadir.read(directory, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_is_written_is_read_back_sorted_bytewise(directory):
    found = datadir.read(directory)
    assert [utterance.utt for utterance in found] == BYTEWISE
    assert set(found) == set(LISTED)


def test_the_tables_are_those_of_kaldi(directory):
    assert (directory / "wav.scp").read_text().splitlines()[3] == "b_2 /corpora/a folder/b_2.wav"
    assert (directory / "utt2spk").read_text().splitlines()[3] == "b_2 M02"
    assert (directory / "spk2utt").read_text() == "M01 B_1 é\nM02 b1 b_2\nm10 a-1\n"
    assert (directory / "utt2label").read_text().splitlines()[:2] == ["B_1 genuine", "a-1 genuine"]
    assert (directory / "utt2cond").read_text().splitlines()[::3] == ["#utt room loud_speaker", "b1 E03 P02"]
    names = sorted(path.name for path in directory.iterdir())
    assert names == ["spk2utt", "utt2cond", "utt2label", "utt2spk", "wav.scp"]


def test_line_ends_a_byte_order_mark_and_blank_lines_do_not_matter(directory):
    for name in ("wav.scp", "utt2label", "utt2spk", "utt2cond"):
        text = (directory / name).read_text()
        (directory / name).write_bytes(b"\xef\xbb\xbf" + text.replace("\n", " \r\n").encode() + b"\r\n")
    assert set(datadir.read(directory)) == set(LISTED)


def test_unusual_separators_inside_a_file_name_are_kept(tmp_path):
    odd = replace(LISTED[0], wav="data/a\u2028b  c\x0cd.wav")
    datadir.write(tmp_path, [odd])
    assert datadir.read(tmp_path) == [odd]


@pytest.mark.parametrize("name", ["wav.scp", "utt2spk", "utt2label", "utt2cond"])
def test_a_missing_table_is_named_with_the_stage_to_run(directory, name):
    (directory / name).unlink()
    assert refusal(directory) == f"{directory / name}: no such file. Run stage -2 first."


@pytest.mark.parametrize("name", ["utt2spk", "utt2label", "utt2cond"])
@pytest.mark.parametrize("lacking", [True, False], ids=["lacking", "extra"])
def test_tables_that_disagree_name_the_utterance(directory, name, lacking):
    path = directory / name
    lines = path.read_text().splitlines(keepends=True)
    line = next(line for line in lines if line.startswith("B_1"))
    path.write_text(
        "".join(
            [line for line in lines if not line.startswith("B_1")] if lacking else [*lines, line.replace("B_1", "x_1")]
        )
    )
    message = refusal(directory, fix="Correct it.")
    assert message == f"{directory}: wav.scp and {name} disagree about {'B_1' if lacking else 'x_1'}. Correct it."


MALFORMED = {
    "duplicate": ("utt2spk", "B_1 M01", ":6: B_1 is in line 1 already"),
    "one field": ("utt2label", "x_1", ":6: 1 instead of 2 fields"),
    "few conditions": ("utt2cond", "x_1 E01", ":7: 2 instead of 3 fields. A line is `utt room loud_speaker`."),
}


@pytest.mark.parametrize(("name", "line", "reason"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_line_is_named(directory, name, line, reason):
    with (directory / name).open("a") as file:
        file.write(f"{line}\n")
    assert refusal(directory).startswith(f"{directory / name}{reason}")


def test_a_table_that_is_no_text_is_named(directory):
    (directory / "utt2spk").write_bytes(b"\xff\xfe")
    assert refusal(directory).startswith(f"{directory / 'utt2spk'}: not a UTF-8 text file")


UNFIT = {
    "duplicate id": ({"utt": "b1"}, "listed twice"),
    "unknown label": ({"label": "fake"}, "'fake'. Use genuine or spoof"),
    "blank in an id": ({"utt": "a 1"}, "'a 1' contains white space"),
    "no speaker": ({"speaker": ""}, "'' contains white space or is empty"),
    "blank in a code": ({"conditions": {"room": "P 1", "loud_speaker": "-"}}, "'P 1' contains white space"),
    "other conditions": ({"conditions": {"room": "E1"}}, "have conditions of other names"),
    "a path for an id": ({"utt": "../a"}, "may not contain '/'"),
    "a pipe": ({"wav": "sph2pipe a.sph |"}, "a shell command that the author of the list would run here"),
    "a pipe at the front": ({"wav": "|cat"}, "a shell command that the author of the list would run here"),
    "two lines": ({"wav": "a.wav\nb c"}, "cannot be written into a wav.scp"),
    "a blank at the end": ({"wav": "a.wav "}, "cannot be written into a wav.scp"),
    "no file": ({"wav": ""}, "cannot be written into a wav.scp"),
}


@pytest.mark.parametrize(("change", "reason"), UNFIT.values(), ids=UNFIT)
def test_what_a_data_directory_cannot_hold_is_not_written(tmp_path, change, reason):
    with pytest.raises(UserError) as error:
        datadir.write(tmp_path / "dev", [replace(LISTED[0], **change), *LISTED[1:]])
    assert reason in str(error.value)
    assert not (tmp_path / "dev").exists()


def test_no_utterances_are_an_error(tmp_path):
    with pytest.raises(UserError, match="no utterances"):
        datadir.write(tmp_path / "dev", [])


def test_speakers_and_conditions_are_filled_in_where_that_is_asked_for(directory):
    (directory / "utt2spk").unlink()
    (directory / "utt2cond").unlink()
    found = datadir.read(directory, fill=True)
    assert [(u.utt, u.speaker, u.conditions) for u in found] == [(utt, utt, {}) for utt in BYTEWISE]


def test_conditions_without_names_are_those_of_asvspoof_2017(directory):
    (directory / "utt2cond").write_text("".join(f"{utt} E01 P02 R03\n" for utt in BYTEWISE))
    found = datadir.read(directory)
    assert {str(u.conditions) for u in found} == {"{'environment': 'E01', 'playback': 'P02', 'recorder': 'R03'}"}


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        ("B_1 E01 P02", ":1: 3 instead of 4 fields. Name the columns in a first line: #utt NAME …"),
        ("#utt room room", ":1: the same name for two columns"),
    ],
)
def test_conditions_need_names(directory, first, reason):
    (directory / "utt2cond").write_text("".join(f"{line}\n" for line in [first, *(f"{u} a b" for u in BYTEWISE)]))
    assert refusal(directory).startswith(f"{directory / 'utt2cond'}{reason}")


def test_a_data_directory_without_conditions_is_read_back(tmp_path):
    listed = [Utterance(name, f"{name}.wav", "s", "genuine") for name in "ab"]
    datadir.write(tmp_path, listed)
    assert (tmp_path / "utt2cond").read_text() == "#utt\na\nb\n"
    assert datadir.read(tmp_path) == listed


@pytest.fixture
def recorded(tmp_path):
    """A data directory of two files with their content."""
    for name in "ab":
        (tmp_path / f"{name}.wav").write_text(f"sound of {name}")
    listed = [Utterance(name, str(tmp_path / f"{name}.wav"), "s", "genuine") for name in "ab"]
    datadir.write(tmp_path / "dev", [replace(u, content=Content.of(tmp_path / f"{u.utt}.wav")) for u in listed])
    return tmp_path / "dev"


def test_the_content_of_every_recording_is_a_table(recorded):
    line = (recorded / "utt2hash").read_text().splitlines()[0].split()
    stat = (recorded.parent / "a.wav").stat()
    assert line == ["a", hashlib.sha256(b"sound of a").hexdigest(), "10", str(stat.st_mtime_ns)]
    assert datadir.hashes(recorded)["a"] == Content.of(recorded.parent / "a.wav")


def test_the_hash_of_recordings_is_of_ids_and_contents_alone(recorded):
    text = "".join(f"{name} {hashlib.sha256(f'sound of {name}'.encode()).hexdigest()}\n" for name in "ab")
    assert datadir.recordings_hash(recorded) == hashlib.sha256(text.encode()).hexdigest()
    os.utime(recorded.parent / "a.wav", ns=(1, 1))
    datadir.changed(recorded, refresh=True)
    assert datadir.recordings_hash(recorded) == hashlib.sha256(text.encode()).hexdigest()


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


def test_another_time_of_the_same_content_is_no_change(recorded):
    os.utime(recorded.parent / "a.wav", ns=(1, 1))
    assert datadir.changed(recorded, refresh=True) == []
    assert datadir.hashes(recorded)["a"].mtime_ns == 1


def test_contents_of_other_utterances_are_refused(recorded):
    (recorded / "utt2hash").write_text((recorded / "utt2hash").read_text().splitlines()[0])
    with pytest.raises(UserError, match=r"wav.scp and utt2hash disagree about b. Run stage -2 first."):
        datadir.changed(recorded)
    (recorded / "utt2hash").write_text("a 1 2 3\n")
    with pytest.raises(UserError, match="utt2hash:1: not a line of `utt sha256 bytes mtime_ns`"):
        datadir.hashes(recorded)


def test_bona_fide_is_read_as_genuine_and_written_so(directory, tmp_path):
    path = directory / "utt2label"
    path.write_text(path.read_text().replace("genuine", "bonafide"))
    datadir.write(tmp_path / "again", datadir.read(directory))
    assert (tmp_path / "again" / "utt2label").read_text() == path.read_text().replace("bonafide", "genuine")
