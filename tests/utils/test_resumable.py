"""Fetching one file: resumed, begun anew, tried again, or refused."""

from types import SimpleNamespace

import pytest

from afn.common.errors import UserError


@pytest.fixture
def fetch(resumable, server, archives, tmp_path, monkeypatch):
    """Fetch the training archive; `fetch.target` is where to, `fetch.part` where it grows."""
    name = "ASVspoof2017_V2_train"
    monkeypatch.setattr(resumable, "ATTEMPTS", 3)
    urls = archives.addresses(f"{server.url}/", archives.ARCHIVES[name])
    target = tmp_path / f"{name}.zip"

    def run() -> list[str | None]:
        """The Range headers that the server saw; the file is then whole."""
        resumable.fetch(urls, target, pause=0.001)
        assert target.read_bytes() == server.content[name]
        assert not run.part.exists()
        return [asked for _, asked in server.asked]

    run.target, run.part, run.whole = target, tmp_path / f"{name}.zip.part", server.content[name]
    run.half = len(run.whole) // 2
    return run


def test_a_broken_connection_is_resumed_where_it_broke(server, fetch):
    server.cut["ASVspoof2017_V2_train"] = fetch.half
    assert fetch() == [None, f"bytes={fetch.half}-"]


def test_a_server_that_ignores_ranges_is_read_from_the_start(server, fetch):
    server.ranges = False
    fetch.part.write_bytes(b"x" * fetch.half)
    assert fetch() == [f"bytes={fetch.half}-"]


def test_a_complete_part_is_not_fetched_again(fetch):
    fetch.part.write_bytes(fetch.whole)
    assert fetch() == [f"bytes={len(fetch.whole)}-"]


def test_a_part_that_is_too_long_is_begun_anew(fetch):
    fetch.part.write_bytes(fetch.whole + b"x")
    assert fetch() == [f"bytes={len(fetch.whole) + 1}-", None]


def test_a_file_of_unknown_length_is_read_to_its_end(server, fetch):
    server.unsized = True
    assert fetch() == [None]


def test_a_page_for_browsers_leads_to_the_other_address(server, fetch):
    server.pages = True
    assert fetch() == [None, None]


@pytest.mark.parametrize("status", [408, 429, 503])
def test_a_server_in_trouble_is_asked_again(server, fetch, status):
    server.status["ASVspoof2017_V2_train"] = [status] * 2
    assert fetch() == [None, None, None]


@pytest.mark.parametrize(
    ("status", "requests"), [(404, 2), (503, 6)], ids=["not there: both addresses", "in trouble: three times each"]
)
def test_what_cannot_be_had_is_one_error(server, fetch, status, requests):
    server.status["ASVspoof2017_V2_train"] = [status] * 9
    with pytest.raises(UserError, match=r"ASVspoof2017_V2_train.zip cannot be fetched: .*; run this again"):
        fetch()
    assert len(server.asked) == requests
    assert not fetch.target.exists()


def test_a_redirect_to_an_unsafe_address_is_not_followed(server, fetch):
    server.elsewhere = "http://example.org"
    with pytest.raises(UserError, match="http://example.org/bitstreams/.*: not an https address"):
        fetch()


SAFE = {
    ("https://datashare.ed.ac.uk", None): True,
    ("http://datashare.ed.ac.uk", None): False,
    ("http://localhost:80/x", None): True,
    ("http://[::1]/x", None): True,
    ("http://127.0.0.1.example.org", None): False,
    ("http://127.0.0.1", "https://datashare.ed.ac.uk"): False,  # a redirect into this machine
    ("https://elsewhere.org", "https://datashare.ed.ac.uk"): True,
    ("ftp://127.0.0.1", None): False,
    ("https://a b", None): False,
    ("https://a:b", None): False,
}


@pytest.mark.parametrize(("addresses", "safe"), SAFE.items(), ids=str)
def test_only_https_is_safe_and_http_to_this_machine(resumable, addresses, safe):
    if safe:
        resumable.check_address(*addresses)
    else:
        with pytest.raises(UserError, match="not an https address"):
            resumable.check_address(*addresses)


def test_a_file_that_does_not_fit_is_not_begun(server, fetch, resumable, monkeypatch):
    monkeypatch.setattr(resumable.shutil, "disk_usage", lambda _: SimpleNamespace(free=resumable.MARGIN + 10))
    with pytest.raises(UserError, match="0 MB do not fit in the 67 MB free"):
        fetch()
    assert not fetch.part.exists()
