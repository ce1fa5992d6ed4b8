"""The download script, against a server on this machine with small archives of the official shape."""

import hashlib
import http.server
import io
import os
import pty
import re
import shutil
import stat
import subprocess
import threading
import zipfile

import pytest

from afn.common.paths import ROOT
from afn.corpora import asvspoof2017

SCRIPT = ROOT / "utils" / "download_asvspoof2017.sh"
RECORDINGS = {"train": ["T_1.wav", "T_2.wav"], "dev": ["D_1.wav"], "eval": ["E_1.wav", "E_2.wav", "E_3.wav"]}
DEV = "ASVspoof2017_V2_dev"


def recording(name):
    """Bytes that do not compress, so that a download can be cut."""
    return b"".join(hashlib.sha256(f"{name}{block}".encode()).digest() for block in range(1500))


def zipped(entries, **modes):
    """A zip file; `modes` gives an entry a Unix mode."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in entries.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = modes.get(name, stat.S_IFREG | 0o644) << 16
            file.writestr(info, data)
    return content.getvalue()


def archives(inside):
    """The archives by name; they hold their folder (`inside`) or bare files."""
    lines = {asvspoof2017.PROTOCOLS[s]: "".join(f"{n} x\r\n" for n in names) for s, names in RECORDINGS.items()}
    trees = {"protocol_V2": {name: text.encode() for name, text in lines.items()}}
    for subset, names in RECORDINGS.items():
        trees[asvspoof2017.RECORDINGS[subset]] = {name: recording(name) for name in names}
    return {
        tree: zipped({f"{tree}/{name}" if inside else name: data for name, data in entries.items()})
        for tree, entries in trees.items()
    }


class Server(http.server.ThreadingHTTPServer):
    """Serves `content` by bitstream, as its switches say; `asked` lists the requests and their Range."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        found = re.findall(r'^  "(\w+) ([0-9a-f-]{36})', SCRIPT.read_text(), re.MULTILINE)
        self.names = {bitstream: name for name, bitstream in found}
        self.content = archives(inside=True)
        self.asked = []
        self.ranges = True  # continue where Range asks for it
        self.pages = False  # answer at the first address with a page for browsers
        self.cut = {}  # break the next connection after so many bytes
        self.status = {}  # answer with these first
        self.options = ("--yes", "--base-url", f"http://127.0.0.1:{self.server_address[1]}")


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        form = re.fullmatch(r"/(bitstreams/([\w-]+)/download|server/api/core/bitstreams/([\w-]+)/content)", self.path)
        name = self.server.names.get((form[2] or form[3]) if form else "", "")
        asked = self.headers.get("Range")
        self.server.asked.append((name, asked))
        if self.server.status.get(name):
            return self.answer(self.server.status[name].pop(0), b"")
        if self.server.pages and form[2]:
            return self.answer(200, b"<html></html>", Content_Type="text/html; charset=utf-8")
        if name not in self.server.content:
            return self.answer(404, b"nothing")
        data, cut = self.server.content[name], self.server.cut.pop(name, None)
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and self.server.ranges else 0
        if not start:
            return self.answer(200, data, cut)
        return self.answer(206, data[start:], cut, Content_Range=f"bytes {start}-{len(data) - 1}/{len(data)}")

    def answer(self, status, body, cut=None, **headers):
        self.send_response(status)
        for key, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body[:cut])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Server() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "my corpus"


def download(*arguments, stdin=subprocess.DEVNULL):
    environment = os.environ | {"http_proxy": "http://127.0.0.1:9", "FETCH_PAUSE": "0"}
    command = ["bash", SCRIPT, *map(str, arguments)]
    return subprocess.run(command, stdin=stdin, capture_output=True, text=True, env=environment, timeout=120)


def done(result):
    assert result.returncode == 0, result.stderr
    return result.stdout


def refused(result, reason):
    last = result.stderr.splitlines()[-1]
    assert result.returncode == 2 and last.startswith("download_asvspoof2017.sh: error: ") and reason in last


def complete(folder):
    """Whether the corpus, and nothing else, is in the folder."""
    for subset, names in RECORDINGS.items():
        tree = folder / asvspoof2017.RECORDINGS[subset]
        assert {path.name: path.read_bytes() for path in tree.iterdir()} == {name: recording(name) for name in names}
    assert {path.name for path in (folder / "protocol_V2").iterdir()} == set(asvspoof2017.PROTOCOLS.values())
    return {path.name for path in folder.iterdir()} == {"protocol_V2", *asvspoof2017.RECORDINGS.values()}


@pytest.mark.parametrize(
    "inside", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["with their folders", "bare"]
)
def test_archives_are_fetched_checked_and_unpacked(server, folder, inside):
    server.content = archives(inside)
    said = done(download(*server.options, folder))
    assert complete(folder)
    assert "NonCommercial 4.0" in said and "10.7488/ds/2332" in said
    assert "warning: these are not the published protocols" in said
    server.asked.clear()
    shutil.rmtree(folder / DEV)
    done(download(*server.options, folder))
    assert server.asked == [(DEV, None)] and complete(folder)  # only what is missing
    shutil.rmtree(folder / DEV)
    (folder / f"{DEV}.zip").write_bytes(server.content[DEV])
    done(download(*server.options, folder))
    assert len(server.asked) == 1 and not complete(folder)  # the archive of the user is taken and kept
    assert (folder / f"{DEV}.zip").read_bytes() == server.content[DEV]


CONNECTIONS = {
    "a part of an earlier run": (lambda s, half: None, True, ["bytes=HALF-"]),
    "a connection that breaks": (lambda s, half: s.cut.update({DEV: half}), False, [None, "bytes=HALF-"]),
    "a server that cannot continue": (lambda s, half: setattr(s, "ranges", False), True, ["bytes=HALF-", None]),
    "a page for browsers first": (lambda s, half: setattr(s, "pages", True), False, [None, None]),
    "a server in trouble": (lambda s, half: s.status.update({DEV: [503, 429]}), False, [None, None, None]),
}


@pytest.mark.parametrize(("change", "part", "requests"), CONNECTIONS.values(), ids=CONNECTIONS)
def test_a_download_continues_or_is_tried_again(server, folder, change, part, requests):
    half = len(server.content[DEV]) // 2
    folder.mkdir()
    change(server, half)
    if part:
        (folder / f"{DEV}.zip.part").write_bytes(server.content[DEV][:half])
    done(download(*server.options, folder))
    asked = [asked and asked.replace(str(half), "HALF") for name, asked in server.asked if name == DEV]
    assert asked == requests and complete(folder)


def test_a_damaged_archive_is_downloaded_again_once(server, folder):
    folder.mkdir()
    (folder / f"{DEV}.zip").write_bytes(server.content[DEV][:20000])
    assert f"{DEV}.zip: damaged" in done(download(*server.options, folder)) and complete(folder)
    shutil.rmtree(folder / DEV)
    flipped = bytearray(server.content[DEV])
    flipped[len(flipped) // 2] ^= 1
    server.content[DEV] = bytes(flipped)
    refused(download(*server.options, folder), f"{DEV}.zip: damaged twice")
    assert not (folder / DEV).exists()


REFUSED = {
    "not there": (lambda s: s.content.pop("protocol_V2"), "protocol_V2.zip cannot be downloaded"),
    "a missing recording": (
        lambda s: s.content.update({DEV: zipped({f"{DEV}/D_2.wav": b"x"})}),
        f"{DEV}: 1 recordings are missing, D_1.wav first. Move that folder away",
    ),
}


@pytest.mark.parametrize(("change", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_had_is_one_error(server, folder, change, reason):
    change(server)
    refused(download(*server.options, folder), reason)


def test_an_archive_writes_nothing_outside_and_no_links(server, folder):
    evil = {"../evil.wav": stat.S_IFREG, f"{DEV}/../../evil.wav": stat.S_IFREG, f"{DEV}/link.wav": stat.S_IFLNK}
    entries = {f"{DEV}/D_1.wav": recording("D_1.wav"), **dict.fromkeys(evil, b"/etc/passwd")}
    server.content[DEV] = zipped(entries, **{name: kind | 0o644 for name, kind in evil.items()})
    download(*server.options, folder)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    assert (folder / DEV / "D_1.wav").is_file()
    assert not [path for path in folder.rglob("*") if path.is_symlink()]


@pytest.mark.parametrize("answer", [None, "yes\n", "no\n"])
def test_nothing_is_downloaded_without_agreement(server, folder, answer):
    if answer is None:
        refused(download(*server.options[1:], folder), "add --yes")
    else:
        keyboard, terminal = pty.openpty()
        os.write(keyboard, answer.encode())
        result = download(*server.options[1:], folder, stdin=terminal)
        os.close(keyboard)
        os.close(terminal)
        assert result.returncode == (0 if answer == "yes\n" else 2), result.stderr
        assert "NonCommercial" in result.stdout
    assert bool(server.asked) == folder.exists() == (answer == "yes\n")


MISTAKES = {
    "unknown option": (["--fast"], "unknown option: --fast"),
    "no address": (["--base-url"], "--base-url needs an address"),
    "http elsewhere": (["--yes", "--base-url", "http://example.org", "FOLDER"], "http://example.org/bitstreams/"),
    "a file": (["--yes", "--base-url", "file:///etc", "FOLDER"], "not an https address"),
    "a folder in a file": (["--yes", "--base-url", "https://x", f"{SCRIPT}/corpus"], "cannot be written"),
}


@pytest.mark.parametrize(("arguments", "reason"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line(folder, arguments, reason):
    refused(download(*(folder if argument == "FOLDER" else argument for argument in arguments)), reason)
    assert not list(folder.rglob("*.zip*"))


def test_the_names_and_hashes_are_those_of_the_corpus(server):
    text = SCRIPT.read_text()
    for subset, protocol in asvspoof2017.PROTOCOLS.items():
        assert re.search(rf'"{asvspoof2017.RECORDINGS[subset]} \S+ {protocol}"', text)
        assert f"\n{asvspoof2017.SHA256[subset]}  {protocol}\n" in text
    assert list(server.names.values()) == [asvspoof2017.PROTOCOL_FOLDER, *asvspoof2017.RECORDINGS.values()]
