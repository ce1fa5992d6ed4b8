"""Text tables: what is accepted, and what is refused with file and line."""

import pytest

from afn.common import labels, tables
from afn.common.errors import UserError


@pytest.fixture
def written(tmp_path):
    def write(content):
        (tmp_path / "table").write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path / "table"

    return write


def test_byte_order_mark_line_ends_tabs_and_empty_lines_do_not_matter(written):
    path = written("\ufeffa\t1 \r\n\r\n  b   2\r\nc 3")
    assert tables.table(path, "utt speaker") == {"a": ["1"], "b": ["2"], "c": ["3"]}


def test_the_last_field_may_contain_blanks_where_that_is_allowed(written):
    path = written("a /my music/a  b.wav \n")
    assert tables.table(path, "utt file", blanks=True) == {"a": ["/my music/a  b.wav"]}
    with pytest.raises(UserError, match=r"table:1: 4 instead of 2 fields\. A line is `utt file`\."):
        tables.table(path, "utt file")


def test_a_first_field_twice_is_refused_unless_it_is_no_key(written):
    path = written("a 1\n\na 2\n")
    with pytest.raises(UserError, match="table:3: a is in line 1 already"):
        tables.table(path, "utt speaker")
    assert [row.fields for row in tables.rows(path, "utt speaker", unique=False)] == [["a", "1"], ["a", "2"]]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("\n \n", r"table: the file is empty\. Make it\."),
        (b"\xef\xbb\xbf", r"table: the file is empty\. Make it\."),
        ("a 1\n".encode("utf-16"), r"table: not a UTF-8 text file\. Make it\."),
        ("a 1 2\n", r"table:1: 3 instead of 2 fields\. An old list\."),
    ],
)
def test_what_is_no_table_is_refused(written, tmp_path, content, complaint):
    with pytest.raises(UserError, match=complaint):
        list(tables.rows(written(content), "utt speaker", fix="Make it.", hints={3: "An old list."}))
    with pytest.raises(UserError, match=r"absent: no such file\. Make it\."):
        tables.table(tmp_path / "absent", "utt speaker", fix="Make it.")
    with pytest.raises(UserError, match="is a directory, not a file"):
        tables.table(tmp_path, "utt speaker")


def test_only_finite_decimal_numbers_are_numbers():
    for text in ("nan", "-Inf", "1e999", "1_000", "0x1", "2,5", "٢", "one"):
        with pytest.raises(UserError, match="t:1: '.*' is not a finite number"):
            tables.number(text, "t:1")
    assert tables.number("+2.", "t:1") == 2 and tables.number("-.1e1", "t:1") == -1


def test_bona_fide_is_read_as_genuine(written):
    path = written("a genuine\nb bonafide\nc bona-fide\nd bona_fide\ne spoof\n")
    assert list(labels.read(path).values()) == ["genuine"] * 4 + ["spoof"]
    with pytest.raises(UserError, match=r"table:1: unknown label 'Spoof'\. Write genuine \(or bonafide\) or spoof\."):
        labels.read(written("a Spoof\n"))
