"""The download scripts, against a server on this machine with small archives of the official shapes."""

import hashlib
import http.server
import io
import os
import pty
import re
import shutil
import stat
import subprocess
import tarfile
import threading
import zipfile

import pytest

from afn.common.paths import ROOT
from afn.corpora import asvspoof2017, digits

ASVSPOOF, DIGITS = (ROOT / "utils" / f"download_{name}.sh" for name in ("asvspoof2017", "digits"))
RECORDINGS = {"train": ["T_1.wav", "T_2.wav"], "dev": ["D_1.wav"], "eval": ["E_1.wav", "E_2.wav", "E_3.wav"]}
BITSTREAMS = dict(re.findall(r'^  "(\w+) ([0-9a-f-]{36})', ASVSPOOF.read_text(), re.MULTILINE))  # by archive
ADDRESSES = {name: f"/bitstreams/{number}/download" for name, number in BITSTREAMS.items()}
DEV = "ASVspoof2017_V2_dev"
AT, ELSE_AT = ADDRESSES[DEV], f"/server/api/core/bitstreams/{BITSTREAMS[DEV]}/content"


class Server(http.server.ThreadingHTTPServer):
    """Serves `content` by path, as its switches say; `asked` lists the requests: path and Range."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = {}
        self.asked = []
        self.ranges = True  # continue where Range asks for it
        self.cut = {}  # break the next connection after so many bytes
        self.status = {}  # answer with these first
        self.options = ("--yes", "--base-url", f"http://127.0.0.1:{self.server_address[1]}")


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        server, asked = self.server, self.headers.get("Range")
        server.asked.append((self.path, asked))
        if server.status.get(self.path):
            return self.answer(server.status[self.path].pop(0), b"")
        if self.path not in server.content:
            return self.answer(404, b"nothing")
        data, cut = server.content[self.path], server.cut.pop(self.path, None)
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and server.ranges else 0
        if not start:
            return self.answer(200, data, cut)
        return self.answer(206, data[start:], cut, Content_Range=f"bytes {start}-{len(data) - 1}/{len(data)}")

    def answer(self, status, body, cut=None, **headers):
        self.send_response(status)
        kind = "text/html; charset=utf-8" if body.startswith(b"<html>") else "application/octet-stream"
        for key, value in (headers | {"Content-Length": str(len(body)), "Content-Type": kind}).items():
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


def download(*arguments, script=ASVSPOOF, stdin=subprocess.DEVNULL):
    environment = os.environ | {"http_proxy": "http://127.0.0.1:9", "FETCH_PAUSE": "0"}
    command = ["bash", script, *map(str, arguments)]
    return subprocess.run(command, stdin=stdin, capture_output=True, text=True, env=environment, timeout=120)


def done(result):
    assert result.returncode == 0, result.stderr
    return result.stdout


def refused(result, reason):
    last = result.stderr.splitlines()[-1]
    assert result.returncode == 2 and last.startswith(f"{result.args[1].name}: error: ") and reason in last


# ASVspoof 2017


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


def archives(inside=True):
    """The archives by address; they hold their folder (`inside`) or bare files."""
    lines = {asvspoof2017.PROTOCOLS[s]: "".join(f"{n} x\r\n" for n in names) for s, names in RECORDINGS.items()}
    trees = {"protocol_V2": {name: text.encode() for name, text in lines.items()}}
    for subset, names in RECORDINGS.items():
        trees[asvspoof2017.RECORDINGS[subset]] = {name: recording(name) for name in names}
    return {
        ADDRESSES[tree]: zipped({f"{tree}/{name}" if inside else name: data for name, data in entries.items()})
        for tree, entries in trees.items()
    }


@pytest.fixture
def asvspoof(server):
    server.content = archives()
    return server


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
    assert server.asked == [(AT, None)] and complete(folder)  # only what is missing
    shutil.rmtree(folder / DEV)
    (folder / f"{DEV}.zip").write_bytes(server.content[AT])
    done(download(*server.options, folder))
    assert len(server.asked) == 1 and not complete(folder)  # the archive of the user is taken and kept
    assert (folder / f"{DEV}.zip").read_bytes() == server.content[AT]


CONNECTIONS = {
    "a part of an earlier run": (lambda s, half: None, True, ["bytes=HALF-"]),
    "a connection that breaks": (lambda s, half: s.cut.update({AT: half}), False, [None, "bytes=HALF-"]),
    "a server that cannot continue": (lambda s, half: setattr(s, "ranges", False), True, ["bytes=HALF-", None]),
    "a page for browsers first": (
        lambda s, half: s.content.update({ELSE_AT: s.content[AT], AT: b"<html></html>"}),
        False,
        [None, None],
    ),
    "a server in trouble": (lambda s, half: s.status.update({AT: [503, 429]}), False, [None, None, None]),
}


@pytest.mark.parametrize(("change", "part", "requests"), CONNECTIONS.values(), ids=CONNECTIONS)
def test_a_download_continues_or_is_tried_again(asvspoof, folder, change, part, requests):
    content = asvspoof.content[AT]
    half = len(content) // 2
    folder.mkdir()
    change(asvspoof, half)
    if part:
        (folder / f"{DEV}.zip.part").write_bytes(content[:half])
    done(download(*asvspoof.options, folder))
    asked = [asked and asked.replace(str(half), "HALF") for path, asked in asvspoof.asked if path in (AT, ELSE_AT)]
    assert asked == requests and complete(folder)


def test_a_damaged_archive_is_downloaded_again_once(asvspoof, folder):
    folder.mkdir()
    (folder / f"{DEV}.zip").write_bytes(asvspoof.content[AT][:20000])
    assert f"{DEV}.zip: damaged" in done(download(*asvspoof.options, folder)) and complete(folder)
    shutil.rmtree(folder / DEV)
    flipped = bytearray(asvspoof.content[AT])
    flipped[len(flipped) // 2] ^= 1
    asvspoof.content[AT] = bytes(flipped)
    refused(download(*asvspoof.options, folder), f"{DEV}.zip: damaged twice")
    assert not (folder / DEV).exists()


LACKING = {
    "not there": (lambda s: s.content.pop(ADDRESSES["protocol_V2"]), "protocol_V2.zip cannot be downloaded"),
    "a missing recording": (
        lambda s: s.content.update({AT: zipped({f"{DEV}/D_2.wav": b"x"})}),
        f"{DEV}: 1 recordings are missing, D_1.wav first. Move that folder away",
    ),
}


@pytest.mark.parametrize(("change", "reason"), LACKING.values(), ids=LACKING)
def test_what_cannot_be_had_is_one_error(asvspoof, folder, change, reason):
    change(asvspoof)
    refused(download(*asvspoof.options, folder), reason)


def test_an_archive_writes_nothing_outside_and_no_links(asvspoof, folder):
    evil = {"../evil.wav": stat.S_IFREG, f"{DEV}/../../evil.wav": stat.S_IFREG, f"{DEV}/link.wav": stat.S_IFLNK}
    entries = {f"{DEV}/D_1.wav": recording("D_1.wav"), **dict.fromkeys(evil, b"/etc/passwd")}
    asvspoof.content[AT] = zipped(entries, **{name: kind | 0o644 for name, kind in evil.items()})
    download(*asvspoof.options, folder)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    assert (folder / DEV / "D_1.wav").is_file()
    assert not [path for path in folder.rglob("*") if path.is_symlink()]


@pytest.mark.parametrize("answer", [None, "yes\n", "no\n"])
def test_nothing_is_downloaded_without_agreement(asvspoof, folder, answer):
    if answer is None:
        for script in (ASVSPOOF, DIGITS):
            refused(download(*asvspoof.options[1:], folder, script=script), "nobody is here to agree to the licence")
    else:
        keyboard, terminal = pty.openpty()
        os.write(keyboard, answer.encode())
        result = download(*asvspoof.options[1:], folder, stdin=terminal)
        os.close(keyboard)
        os.close(terminal)
        assert result.returncode == (0 if answer == "yes\n" else 2), result.stderr
        assert "NonCommercial" in result.stdout
    assert bool(asvspoof.asked) == folder.exists() == (answer == "yes\n")


MISTAKES = {
    "unknown option": (["--fast"], "unknown option: --fast"),
    "no address": (["--base-url"], "--base-url needs an address"),
    "http elsewhere": (["--yes", "--base-url", "http://example.org", "FOLDER"], "http://example.org/bitstreams/"),
    "a file": (["--yes", "--base-url", "file:///etc", "FOLDER"], "not an https address"),
    "a folder in a file": (["--yes", "--base-url", "https://x", f"{ASVSPOOF}/corpus"], "cannot be written"),
}


@pytest.mark.parametrize(("arguments", "reason"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line(folder, arguments, reason):
    refused(download(*(folder if argument == "FOLDER" else argument for argument in arguments)), reason)
    assert not list(folder.rglob("*.zip*"))


def test_the_names_and_hashes_are_those_of_the_corpus():
    text = ASVSPOOF.read_text()
    for subset, protocol in asvspoof2017.PROTOCOLS.items():
        assert re.search(rf'"{asvspoof2017.RECORDINGS[subset]} \S+ {protocol}"', text)
        assert f"\n{asvspoof2017.SHA256[subset]}  {protocol}\n" in text
    assert list(BITSTREAMS) == [asvspoof2017.PROTOCOL_FOLDER, *asvspoof2017.RECORDINGS.values()]


# The spoken digits

SPEAKERS = {"en_US": [1, *range(3, 22)], "pt_BR": range(1, 22)}
ARCHIVE = "/archive/HEAD.tar.gz"


def packed(left_out="nothing"):
    """The repository as GitHub packs it, with recordings of a few bytes."""
    names = [
        f"soundSamples/separated/{label}/{language}/{digit}/Voz{speaker}.wav"
        for label in ("live", "playback")
        for language, speakers in SPEAKERS.items()
        for digit in range(10)
        for speaker in speakers
    ]
    names += ["soundSamples/separated/live/en_US/0/Voz2.wav", "soundSamples/originalsWav/Voz1.wav", "README.md"]
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for name in names:
            if left_out not in name:
                entry = tarfile.TarInfo(f"voiceSpoofingDetectionWavelet-0123abc/{name}")
                entry.size = 4
                tar.addfile(entry, io.BytesIO(b"RIFF"))
    return content.getvalue()


def test_the_digits_are_downloaded_counted_and_found(server, folder):
    server.content[ARCHIVE] = packed()
    said = done(download(*server.options, folder, script=DIGITS))
    assert "GNU General Public License, version 3" in said and "--corpus digits --set corpus.root=" in said
    assert [path.name for path in folder.iterdir()] == ["soundSamples"]
    assert [path.name for path in (folder / "soundSamples").iterdir()] == ["separated"]
    assert len(digits.recordings(folder)) == 2 * 410 + 1
    server.content.clear()
    done(download(*server.options, folder, script=DIGITS))


NOT_DIGITS = {
    "a recording too few": (packed("playback/pt_BR/3/Voz7"), "409 of 410 recordings are there in both classes"),
    "another repository": (packed("separated"), "has no soundSamples/separated"),
    "half of it": (packed()[:2000], "digits.tar.gz: damaged. Delete it and run this again."),
    "a page": (b"<html></html>", "cannot be downloaded"),
}


@pytest.mark.parametrize(("content", "reason"), NOT_DIGITS.values(), ids=NOT_DIGITS)
def test_an_archive_that_is_not_the_digits_is_one_error(server, folder, content, reason):
    server.content[ARCHIVE] = content
    refused(download(*server.options, folder, script=DIGITS), reason)
