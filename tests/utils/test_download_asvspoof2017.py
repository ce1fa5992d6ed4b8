"""The download script as a whole, against a server on this machine with small archives of the official shape."""

import hashlib
import os
import pty
import re
import shutil
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from afn.common import paths
from afn.corpora import asvspoof2017

SCRIPT = paths.ROOT / "utils" / "download_asvspoof2017.sh"
UNPACKED = ["protocol_V2", *asvspoof2017.RECORDINGS.values()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "my corpus"


def download(*arguments: object, stdin: int = subprocess.DEVNULL, **environment: str) -> subprocess.CompletedProcess:
    env = {**os.environ, "PYTHON": sys.executable, "http_proxy": "http://127.0.0.1:9", **environment}
    command = ["bash", str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, stdin=stdin, capture_output=True, text=True, env=env, timeout=60)


def refused(result: subprocess.CompletedProcess, reason: str) -> None:
    assert result.returncode == 2
    assert reason in result.stderr
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stdout + result.stderr


@pytest.fixture
def assert_complete(folder, small):
    def check() -> None:
        for subset, names in small.recordings.items():
            tree = folder / asvspoof2017.RECORDINGS[subset]
            there = {path.name: path.read_bytes() for path in tree.iterdir()}
            assert there == {name: small.recording(name) for name in names}
        assert {path.name for path in (folder / "protocol_V2").iterdir()} == set(asvspoof2017.PROTOCOLS.values())
        assert (folder / "README_V2.txt").read_text() == "README_V2.txt of the corpus"
        assert sorted(path.name for path in folder.iterdir()) == sorted([*UNPACKED, *small.documents])

    return check


def test_a_fresh_download_is_verified_and_unpacked(server, folder, assert_complete):
    result = download("--yes", "--base-url", server.url, folder)
    assert result.returncode == 0, result.stderr
    assert_complete()
    assert "ASVspoof2017_V2_eval: 3 recordings" in result.stdout
    assert hashlib.sha256(server.content["ASVspoof2017_V2_eval"]).hexdigest() in result.stdout
    assert len(re.findall("^warning: ASVspoof2017_V2_.*not that of the published file", result.stdout, re.M)) == 3
    licence, _, rest = result.stdout.partition("protocol_V2.zip: fetching")
    assert "NonCommercial 4.0" in licence
    assert "10.7488/ds/2332" in licence
    assert rest.endswith("-2\n")


def test_what_is_complete_is_not_fetched_again(server, folder, assert_complete):
    download("--yes", f"--base-url={server.url}", folder)
    server.asked.clear()
    result = download("--yes", f"--base-url={server.url}", folder)
    assert result.returncode == 0, result.stderr
    assert server.asked == []
    assert result.stdout.count("stands already") == 4
    shutil.rmtree(folder / "ASVspoof2017_V2_dev")
    assert download("--yes", f"--base-url={server.url}", folder).returncode == 0
    assert server.asked == [("ASVspoof2017_V2_dev", None)]
    assert_complete()


def test_a_stopped_download_is_resumed(server, folder, assert_complete):
    half = len(server.content["ASVspoof2017_V2_train"]) // 2
    folder.mkdir()
    (folder / "ASVspoof2017_V2_train.zip.part").write_bytes(server.content["ASVspoof2017_V2_train"][:half])
    assert download("--yes", "--base-url", server.url, folder).returncode == 0
    assert ("ASVspoof2017_V2_train", f"bytes={half}-") in server.asked
    assert_complete()


def test_an_archive_fetched_by_hand_is_taken_and_kept_if_asked(server, folder):
    folder.mkdir()
    (folder / "ASVspoof2017_V2_dev.zip").write_bytes(server.content["ASVspoof2017_V2_dev"])
    assert download("--yes", "--keep-archives", "--base-url", server.url, folder).returncode == 0
    assert "ASVspoof2017_V2_dev" not in dict(server.asked)
    for name in UNPACKED:
        assert (folder / f"{name}.zip").read_bytes() == server.content[name]


def test_a_damaged_archive_is_fetched_anew_once(server, folder, assert_complete):
    whole = server.content["ASVspoof2017_V2_dev"]
    folder.mkdir()
    (folder / "ASVspoof2017_V2_dev.zip.part").write_bytes(b"x" * 20000)  # resumed, it will not fit together
    result = download("--yes", "--base-url", server.url, folder)
    assert result.returncode == 0, result.stderr
    assert "ASVspoof2017_V2_dev.zip: damaged" in result.stdout
    assert_complete()
    shutil.rmtree(folder / "ASVspoof2017_V2_dev")
    middle = len(whole) // 2
    server.content["ASVspoof2017_V2_dev"] = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    refused(download("--yes", "--base-url", server.url, folder), "ASVspoof2017_V2_dev.zip: damaged (")
    assert not [path for path in folder.iterdir() if "V2_dev" in path.name]


@pytest.mark.parametrize("arguments", [[], ["--keep-archives"]])
def test_nothing_is_fetched_without_agreement(server, folder, arguments):
    refused(download(*arguments, "--base-url", server.url, folder), "add --yes")
    assert server.asked == []
    assert not folder.exists()


@pytest.mark.parametrize(("answer", "code"), [("yes\n", 0), ("no\n", 2), ("\x04", 2)], ids=["yes", "no", "end of file"])
def test_somebody_at_a_terminal_is_asked(server, folder, answer, code):
    keyboard, terminal = pty.openpty()
    try:
        os.write(keyboard, answer.encode())
        result = download("--base-url", server.url, folder, stdin=terminal)
    finally:
        os.close(keyboard)
        os.close(terminal)
    assert result.returncode == code, result.stderr
    assert "NonCommercial" in result.stdout
    assert bool(server.asked) == folder.exists() == (code == 0)


MISTAKES = {
    "unknown option": (["--fast"], "unknown option --fast"),
    "two folders": (["--yes", "a", "b"], "one folder is enough, not: a b"),
    "no address": (["--base-url"], "--base-url needs an address"),
    "a nameless folder": (["--yes", ""], "the folder has no name"),
    "http elsewhere": (["--yes", "--base-url", "http://example.org", "FOLDER"], "http://example.org: not an https"),
    "a file": (["--yes", "--base-url", "file:///etc", "FOLDER"], "file:///etc: not an https address"),
    "no host": (["--yes", "--base-url", "https://", "FOLDER"], "https://: not an https address"),
    "no address at all": (["--yes", "--base-url", "https://[x", "FOLDER"], "not an https address"),
}


@pytest.mark.parametrize(("arguments", "reason"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line(folder, arguments, reason):
    refused(download(*(folder if argument == "FOLDER" else argument for argument in arguments)), reason)
    assert not folder.exists()


def test_help_needs_nothing():
    result = download("--help", PYTHON="/nowhere/python")
    assert result.returncode == 0
    assert "--base-url URL" in result.stdout


def test_an_unfit_python_is_named(folder):
    refused(download("--yes", folder, PYTHON="/nowhere/python"), "/nowhere/python is not a Python 3.11 or newer")


def test_a_folder_that_cannot_be_written_is_one_line(server, tmp_path):
    (tmp_path / "file").write_text("")
    refused(download("--yes", "--base-url", server.url, tmp_path / "file" / "corpus"), f"{tmp_path / 'file'}")


def test_a_full_disk_is_one_line(server, folder):
    folder.mkdir()
    (folder / "protocol_V2.zip.part").symlink_to("/dev/full")
    refused(download("--yes", "--base-url", server.url, folder), "protocol_V2.zip.part: No space left on device; make")


def test_a_folder_that_lacks_recordings_is_not_touched(server, folder):
    download("--yes", "--base-url", server.url, folder)
    (folder / "ASVspoof2017_V2_eval" / "E_2.wav").unlink()
    refused(download("--yes", "--base-url", server.url, folder), "1 of 3 recordings are missing, E_2.wav first; move ")
    assert (folder / "ASVspoof2017_V2_eval" / "E_1.wav").exists()


def test_missing_leaflets_are_a_warning(server, folder):
    del server.content["CHANGE_LOG_V2.txt"]
    result = download("--yes", "--base-url", server.url, folder)
    assert result.returncode == 0
    assert re.search("^warning: .*CHANGE_LOG_V2.txt cannot be fetched: the server says 404", result.stdout, re.M)


def test_a_certificate_that_nobody_vouches_for_is_refused(server, folder, assert_complete, tmp_path):
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=here"
    command = [*make.split(), "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = server.url.replace("http:", "https:")
    refused(download("--yes", "--base-url", url, folder), "its certificate is not to be trusted (self-signed")
    assert server.asked == []
    assert download("--yes", "--base-url", url, folder, SSL_CERT_FILE=str(certificate)).returncode == 0
    assert_complete()


EVIL = {
    "up": ("../evil.wav", stat.S_IFREG, "would leave the folder"),
    "up from inside": ("ASVspoof2017_V2_dev/../../evil.wav", stat.S_IFREG, "would leave the folder"),
    "absolute": ("/tmp/evil.wav", stat.S_IFREG, "would leave the folder"),
    "backslashes": ("..\\evil.wav", stat.S_IFREG, "has no safe name"),
    "a drive": ("C:evil.wav", stat.S_IFREG, "has no safe name"),
    "a link": ("ASVspoof2017_V2_dev/link", stat.S_IFLNK, "is not a plain file"),
    "a pipe": ("ASVspoof2017_V2_dev/pipe", stat.S_IFIFO, "is not a plain file"),
}


@pytest.mark.parametrize(("name", "kind", "reason"), EVIL.values(), ids=EVIL)
def test_an_archive_that_would_write_elsewhere_is_not_unpacked(server, folder, small, name, kind, reason):
    good = {"ASVspoof2017_V2_dev/D_1.wav": small.recording("D_1.wav")}
    server.content["ASVspoof2017_V2_dev"] = small.zipped(good | {name: b"/etc/passwd"}, **{name: kind | 0o644})
    refused(download("--yes", "--base-url", server.url, folder), f"the entry {name!r} {reason}; nothing was unpacked")
    kept = ["ASVspoof2017_V2_dev.zip", "ASVspoof2017_V2_train", "protocol_V2"]
    assert sorted(path.name for path in folder.iterdir()) == kept
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
