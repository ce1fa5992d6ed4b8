"""A server on this machine with small archives of the official shape, for the download script."""

import hashlib
import http.server
import io
import re
import stat
import threading
import zipfile
from types import ModuleType, SimpleNamespace

import pytest

from afn.common import paths
from afn.corpora import asvspoof2017

RECORDINGS = {"train": ["T_1.wav", "T_2.wav"], "dev": ["D_1.wav"], "eval": ["E_1.wav", "E_2.wav", "E_3.wav"]}
DOCUMENTS = ["README_V2.txt", "CHANGE_LOG_V2.txt", "Instructions_V2.txt"]


@pytest.fixture
def resumable(monkeypatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(paths.ROOT / "utils"))
    import resumable

    return resumable


@pytest.fixture
def archives(monkeypatch, resumable) -> ModuleType:
    import fetch_archives

    return fetch_archives


def zipped(entries: dict[str, bytes], **modes: int) -> bytes:
    """A zip file; `modes` gives an entry a Unix mode."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in entries.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = modes.get(name, stat.S_IFREG | 0o644) << 16
            file.writestr(info, data)
    return content.getvalue()


def recording(name: str) -> bytes:
    """Bytes that do not compress, so that an archive is longer than a chunk or two of the network."""
    return b"".join(hashlib.sha256(f"{name}{block}".encode()).digest() for block in range(1500))


def shape(inside: bool = True) -> dict[str, bytes]:
    """The archives and leaflets by name; the archives hold their folder, or (not `inside`) bare files."""
    lines = {asvspoof2017.PROTOCOLS[s]: "".join(f"{n} x\r\n" for n in names) for s, names in RECORDINGS.items()}
    trees = {"protocol_V2": {name: text.encode() for name, text in lines.items()}}
    for subset, names in RECORDINGS.items():
        trees[asvspoof2017.RECORDINGS[subset]] = {name: recording(name) for name in names}
    content: dict[str, bytes] = {name: f"{name} of the corpus".encode() for name in DOCUMENTS}
    for tree, entries in trees.items():
        top = {"__MACOSX/._x": b"what a Mac adds"} | ({f"{tree}/": b""} if inside else {})
        content[tree] = zipped(top | {f"{tree}/{name}" if inside else name: data for name, data in entries.items()})
    return content


class Server(http.server.ThreadingHTTPServer):
    """Serves `content` by bitstream id, as its switches say; `asked` lists what was asked for."""

    daemon_threads = True

    def __init__(self, ids: dict[str, str]):
        super().__init__(("127.0.0.1", 0), Handler)
        self.ids = {bitstream: name for name, bitstream in ids.items()}
        self.content = shape()
        self.asked: list[tuple[str, str | None]] = []
        self.ranges = True  # go on where Range asks for it
        self.pages = False  # answer at the first address with a page for browsers
        self.elsewhere = ""  # redirect there
        self.cut: dict[str, int] = {}  # break the next connection after so many bytes, once
        self.status: dict[str, list[int]] = {}  # answer with these first
        self.unsized = False  # do not say how long the files are
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        form = re.fullmatch(r"/(bitstreams/([\w-]+)/download|server/api/core/bitstreams/([\w-]+)/content)", self.path)
        name = self.server.ids.get((form[2] or form[3]) if form else "", "")
        asked = self.headers.get("Range")
        self.server.asked.append((name, asked))
        if self.server.elsewhere:
            return self.answer(302, b"", {"Location": self.server.elsewhere + self.path})
        if self.server.status.get(name):
            return self.answer(self.server.status[name].pop(0), b"")
        if name not in self.server.content:
            return self.answer(404, b"nothing")
        if self.server.pages and form[2]:
            return self.answer(200, b"<html></html>", {"Content-Type": "text/html; charset=utf-8"})
        data = self.server.content[name]
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and self.server.ranges else 0
        if start and start >= len(data):
            return self.answer(416, b"", {"Content-Range": f"bytes */{len(data)}"})
        headers = {"Content-Type": "application/zip"}
        if asked and self.server.ranges:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        status = 206 if "Content-Range" in headers else 200
        return self.answer(status, data[start:], headers, self.server.cut.pop(name, None))

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None, cut: int | None = None) -> None:
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        if not self.server.unsized:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(archives):
    server = Server(archives.ARCHIVES | archives.DOCUMENTS)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def small() -> SimpleNamespace:
    """The small corpus: file names by subset, the bytes of a recording, the archives, and how to make others."""
    return SimpleNamespace(recordings=RECORDINGS, documents=DOCUMENTS, recording=recording, shape=shape, zipped=zipped)
