"""Stage 3 on made-up scores, and a reader of its page."""

from html.parser import HTMLParser

import pytest

import made_up_corpus

VOID = {"meta", "img", "line", "circle"}  # the last two as `<line .../>`


class Reader(HTMLParser):
    """Reads a page, and fails where an element is not closed in its turn."""

    def __init__(self, page):
        super().__init__()
        self.open, self.rows, self.grey = [], [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def row(self, title):
        """The cells of the first row that begins with `title`."""
        return next(row for row in self.rows if row and row[0].startswith(title))

    def handle_starttag(self, tag, attributes):
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.grey.append("grey" in (dict(attributes).get("class") or "").split())

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += f" {data}" if self.rows[-1][-1] else data


@pytest.fixture
def main(monkeypatch, capsys, tmp_path):
    """Run stage 3 within this process, with the rows of `tmp_path`/conf and no figures; returns its stdout."""
    return made_up_corpus.runner(monkeypatch, capsys, tmp_path, drawn=False)


@pytest.fixture
def tree(tmp_path):
    return made_up_corpus.two_systems(tmp_path)


@pytest.fixture
def read_page():
    """Reads the text of a page: `read_page(html).rows` are the rows of all its tables."""
    return Reader
