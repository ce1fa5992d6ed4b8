"""The script that downloads the spoken digits, against a server on this machine."""

import functools
import http.server
import io
import os
import subprocess
import tarfile
import threading

import pytest

from afn.common.paths import ROOT
from afn.corpora import digits

SCRIPT = ROOT / "utils" / "download_digits.sh"
SPEAKERS = {"en_US": [1, *range(3, 22)], "pt_BR": range(1, 22)}


def archive(left_out=""):
    """The repository as GitHub packs it, with recordings of a few bytes."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        names = [
            f"soundSamples/separated/{label}/{language}/{digit}/Voz{speaker}.wav"
            for label in ("live", "playback")
            for language, speakers in SPEAKERS.items()
            for digit in range(10)
            for speaker in speakers
        ]
        names += ["soundSamples/separated/live/en_US/0/Voz2.wav", "soundSamples/originalsWav/Voz1.wav", "README.md"]
        for name in names:
            if not left_out or left_out not in name:
                entry = tarfile.TarInfo(f"voiceSpoofingDetectionWavelet-0123abc/{name}")
                entry.size = 4
                tar.addfile(entry, io.BytesIO(b"RIFF"))
    return packed.getvalue()


@pytest.fixture
def served(tmp_path):
    """A folder that is served, and its address."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path / "served")
    (tmp_path / "served" / "archive").mkdir(parents=True)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield tmp_path / "served" / "archive" / "HEAD.tar.gz", f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def download(*arguments):
    return subprocess.run(
        ["bash", SCRIPT, *map(str, arguments)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        env=os.environ | {"FETCH_PAUSE": "0"},
    )  # fmt: skip


def test_the_recordings_are_downloaded_counted_and_found(served, tmp_path):
    packed, url = served
    packed.write_bytes(archive())
    result = download("--yes", "--base-url", url, tmp_path / "my digits")
    assert result.returncode == 0, result.stderr
    assert "GNU General Public License, version 3" in result.stdout
    assert "--corpus digits --set corpus.root=" in result.stdout
    assert [path.name for path in (tmp_path / "my digits").iterdir()] == ["soundSamples"]
    assert [path.name for path in (tmp_path / "my digits" / "soundSamples").iterdir()] == ["separated"]
    assert len(digits.recordings(tmp_path / "my digits")) == 2 * 410 + 1
    packed.unlink()
    assert download("--yes", "--base-url", url, tmp_path / "my digits").returncode == 0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (archive("playback/pt_BR/3/Voz7"), "409 of 410 recordings are there in both classes"),
        (archive("separated"), "has no soundSamples/separated"),
        (archive()[:2000], "digits.tar.gz: damaged. Delete it and run this again."),
        (None, "cannot be downloaded"),
    ],
)
def test_an_archive_that_is_not_the_corpus_is_one_error(served, tmp_path, content, reason):
    packed, url = served
    if content:
        packed.write_bytes(content)
    result = download("--yes", "--base-url", url, tmp_path / "digits")
    last = result.stderr.splitlines()[-1]
    assert result.returncode == 2 and last.startswith("download_digits.sh: error: ") and reason in last


def test_nothing_is_downloaded_without_agreement(tmp_path):
    result = download(tmp_path / "digits")
    assert result.returncode == 2 and "nobody is here to agree to the licence" in result.stderr
    assert not (tmp_path / "digits").exists()
