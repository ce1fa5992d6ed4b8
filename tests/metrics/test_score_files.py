import numpy as np
import pytest

from afn.common.errors import UserError
from afn.metrics import score_files


def file_of(tmp_path, content):
    path = tmp_path / "eval.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_written_file_gives_back_the_same_numbers(tmp_path):
    written = {"b": 0.1 + 0.2, "a": -1 / 3, "B": 5e-324, "é": 1.7976931348623157e308, "c": np.float32(0.1)}
    score_files.write(tmp_path / "deep" / "eval.txt", written)
    assert score_files.read(tmp_path / "deep" / "eval.txt") == {utt: float(score) for utt, score in written.items()}
    score_files.write(tmp_path / "eval.txt", {"é": 1, "a": 2, "B": 3, "a_1": 4.5, "a-1": 5})  # sorted bytewise
    assert (tmp_path / "eval.txt").read_text() == "B 3.0\na 2.0\na-1 5.0\na_1 4.5\né 1.0\n"


@pytest.mark.parametrize("unfit", [{"a": 1.0, "b": np.nan}, {"b": np.inf}, {}, {"a b": 1.0}, {"": 1.0}])
def test_what_could_not_be_read_again_is_not_written(tmp_path, unfit):
    with pytest.raises(UserError):
        score_files.write(tmp_path / "eval.txt", unfit)
    assert not any(tmp_path.iterdir())


def test_byte_order_mark_windows_line_ends_tabs_and_empty_lines_are_accepted(tmp_path):
    path = file_of(tmp_path, "\ufeffa\t1.5\r\n\r\n  b   -2e-3 \r\nc +.5")
    assert score_files.read(path) == {"a": 1.5, "b": -0.002, "c": 0.5}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a 1\nb 2 3\n", r"eval\.txt:2: 3 instead of 2 fields"),
        ("a 1\n\nb\n", r"eval\.txt:3: 1 instead of 2 fields"),
        ("a 1_000\n", r"eval\.txt:1: '1_000' is not a finite number"),
        ("a 1\nb nan\n", r"eval\.txt:2: 'nan' is not a finite number"),
        ("a 1e999\n", r"eval\.txt:1: '1e999' is not a finite number"),
        ("a 1\nb 2\na 1\n", r"eval\.txt:3: a is in line 1 already"),
        ("\n", "the file is empty"),
        (b"a 1\n\xff\xfe 2\n", "not a UTF-8 text file"),
    ],
)
def test_malformed_files_are_refused_by_line(tmp_path, content, message):
    with pytest.raises(UserError, match=message):
        score_files.read(file_of(tmp_path, content))


def test_join_separates_the_classes_and_names_what_is_missing_and_what_is_too_much():
    genuine, spoof = score_files.join({"c": 3.0, "b": 2.0, "a": 1.0}, {"a": "spoof", "b": "genuine", "c": "spoof"})
    assert (genuine.tolist(), spoof.tolist()) == ([2.0], [1.0, 3.0])
    labels = {"c": "genuine", "B": "spoof", "d": "spoof"}
    with pytest.raises(UserError, match=r"mine: no score for B \(and 1 more\);"):
        score_files.join({"c": 1.0}, labels, "mine")
    with pytest.raises(UserError, match=r"scores: no label in theirs for e;"):
        score_files.join({"c": 1.0, "B": 1.0, "d": 1.0, "e": 1.0}, labels, labels_name="theirs")
    with pytest.raises(UserError, match=r"no score for d and no label in labels for e \(and 1 more\);"):
        score_files.join({"c": 1.0, "B": 1.0, "f": 1.0, "e": 1.0}, labels)
