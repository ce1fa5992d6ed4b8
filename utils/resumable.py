"""Fetch a file over https, going on where an earlier attempt was stopped. Needs Python's own library alone."""

import http.client
import ipaddress
import re
import shutil
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from afn.common.errors import UserError

TIMEOUT = 60  # seconds without a byte
ATTEMPTS = 6  # in a row without a byte of progress
PAUSE = 2.0  # seconds before the second attempt, doubled before each further one: a minute in all
CHUNK = 1 << 18  # bytes
MARGIN = 64 << 20  # bytes to leave free on the disk
SECONDS_BETWEEN_LINES = 15.0


class WrongAddressError(Exception):
    """The address answers, but not with the file."""


def say(text: str) -> None:
    print(text, flush=True)


def fetch(urls: Sequence[str], target: Path, pause: float = PAUSE) -> None:
    """Fetch `target` from the first of `urls` that serves it, going on from `target.part` where that stands.

    A broken connection and a server in trouble are tried again, after `pause` seconds and then ever longer. Raises
    UserError when the file cannot be had, or not be written.
    """
    partial = target.with_name(f"{target.name}.part")
    for url in urls:
        failures = 0
        while failures < ATTEMPTS:
            before = _size(partial)
            try:
                while not _transfer(url, partial):
                    partial.unlink()
                partial.replace(target)
                return
            except WrongAddressError as error:
                reason: object = error
                break
            except (OSError, http.client.HTTPException) as error:  # OSErrors of writing are UserErrors by now
                reason = getattr(error, "reason", None) or error
                if isinstance(reason, ssl.SSLCertVerificationError):
                    raise UserError(f"{url}: its certificate is not to be trusted ({reason.verify_message})") from None
            failures = 1 if _size(partial) > before else failures + 1
            if failures < ATTEMPTS:
                wait = pause * 2 ** (failures - 1)
                say(f"{target.name}: {reason}; trying again in {wait:g} s")
                time.sleep(wait)
    raise UserError(f"{url}: {target.name} cannot be fetched: {reason}; run this again later, it goes on from here")


def _transfer(url: str, partial: Path) -> bool:
    """Append to `partial` what it lacks of the file at `url`, or write it anew where the server cannot go on.

    False when `partial` turns out not to be a beginning of the file: then it must be removed first.
    """
    have = _size(partial)
    request = urllib.request.Request(url, headers={"User-Agent": "download_asvspoof2017"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = _opener(url).open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and have:  # nothing lies beyond what is here, or else it is too long
            total = re.fullmatch(r"bytes \*/(\d+)", error.headers.get("Content-Range", ""))
            return total is None or int(total[1]) == have
        if error.code < 500 and error.code not in (408, 429):
            raise WrongAddressError(f"the server says {error.code} {error.reason}") from None
        raise
    with response:
        if response.headers.get_content_type() == "text/html":
            raise WrongAddressError("the server sends a web page in its place")
        if response.status != 206:
            have = 0  # the server sends the whole file, whatever was asked for
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            return False
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        make_room(partial.parent, (total or have) - have)
        meter = _Meter(partial.stem, total)
        with opened(partial, "ab" if have else "wb") as file:
            while chunk := response.read(CHUNK):
                write(file, chunk, partial)
                have += len(chunk)
                meter.show(have)
        if total is not None and have < total:
            raise ConnectionError(f"the connection broke after {have} of {total} bytes")
    return True


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def check_address(url: str, origin: str | None = None) -> None:
    """Raise UserError unless `url` is https, or http to this machine (from this machine, if `origin` redirects)."""
    try:
        parts = urllib.parse.urlsplit(url)
        sound = bool(parts.hostname) and url.split() == [url] and (parts.port or True)
    except ValueError:
        sound = False
    if sound and parts.scheme == "https":
        return
    if sound and parts.scheme == "http" and _is_loopback(url) and (origin is None or _is_loopback(origin)):
        return
    raise UserError(f"{url}: not an https address; only https is safe to fetch from (http on this machine alone)")


def _is_loopback(url: str) -> bool:
    host = urllib.parse.urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to safe addresses only."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        check_address(newurl, req.full_url)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener(url: str) -> urllib.request.OpenerDirector:
    handlers = [_Redirects(), urllib.request.HTTPSHandler(context=ssl.create_default_context())]
    if _is_loopback(url):
        handlers.append(urllib.request.ProxyHandler({}))  # a proxy knows another machine by that name
    return urllib.request.build_opener(*handlers)


class _Meter:
    """Megabytes so far: a line that rewrites itself on a terminal, a plain one now and then in a log."""

    def __init__(self, name: str, total: int | None):
        self.name, self.of = name, f" of {total / 1e6:.1f}" if total else ""
        self.spoken = time.monotonic()

    def show(self, have: int) -> None:
        terminal, now = sys.stdout.isatty(), time.monotonic()
        if now - self.spoken >= (0.5 if terminal else SECONDS_BETWEEN_LINES):
            self.spoken = now
            print(f"{self.name}: {have / 1e6:.1f}{self.of} MB", end="\r" if terminal else "\n", flush=True)


def make_room(folder: Path, size: int) -> None:
    """Raise UserError unless `size` bytes fit on the disk of `folder`."""
    free = shutil.disk_usage(folder).free
    if size + MARGIN > free:
        raise UserError(f"{folder}: {size / 1e6:.0f} MB do not fit in the {free / 1e6:.0f} MB free; make room first")


def opened(path: Path, mode: str) -> IO[bytes]:
    """`path` for writing by `write`; raises UserError where that is refused."""
    try:
        return path.open(mode, buffering=0)  # an error shows at the write that caused it, not when the file is closed
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); choose another folder") from None


def write(file: IO[bytes], chunk: bytes, path: Path) -> None:
    """Write all of `chunk` to the `file` at `path`; raises UserError when the disk is full or fails."""
    rest = memoryview(chunk)
    try:
        while rest:
            rest = rest[file.write(rest) :]
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; make room and run this again, it goes on from here") from None
