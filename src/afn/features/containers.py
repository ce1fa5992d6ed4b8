"""What kind of audio file a file is, and whether all of it is there, from its structure alone.

Decoders take a file that was cut short for a shorter recording, or estimate the length of an MP3 file. So the structure
is read here before anything is decoded. Sources: RIFF/WAVE (Microsoft, IBM 1991), RF64 (EBU Tech 3306), AIFF-C (Apple
1991), Ogg (RFC 3533), frame headers of ISO/IEC 11172-3 and 13818-3, and the Xing and VBRI tags.
"""

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Literal, NamedTuple

from afn.common.errors import UserError

FETCH = "Get the file again."
CONVERT = "Convert it to wav or flac."
# Endings of files that `examine` knows, looked for in folders
SUFFIXES = (
    *(".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".aif", ".aiff", ".aifc", ".au", ".caf"),
    *(".rf64", ".sph", ".m4a", ".mp4", ".3gp", ".aac", ".webm", ".amr", ".wma", ".spx"),
)
STREAMED = 0x7FFFF000  # bytes; a header with this length or more was written by a program that did not know it
JUNK = 1 << 16  # bytes between a tag and the first MP3 frame, at most

# kbit/s by (MPEG version 1?, layer), indices 1 to 14
_LOW = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
BITRATES = {
    (True, 1): tuple(range(32, 449, 32)),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): _LOW,
    (False, 3): _LOW,
}
RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # Hz by version bits


class Container(NamedTuple):
    """What `examine` has found."""

    name: str
    by_ffmpeg: bool = False  # a format that libsndfile lacks
    frames: tuple[int, int] | None = None  # where the MPEG frames lie, in bytes
    samples: int | None = None  # what these frames hold, per channel
    rate: int | None = None  # Hz
    unfinished: bool = False  # the header does not tell how long the recording is


def examine(path: Path) -> Container:
    """What kind of audio file `path` is.

    Raises:
        UserError: the file is cut short or damaged, or in no format that is read.
        OSError: it cannot be opened.
    """
    with path.open("rb") as file:
        start = _after_id3(file)
        file.seek(start)
        head = file.read(64)
        if not head:
            raise UserError(f"{path}: {'holds nothing but a tag' if start else 'an empty file'}. {FETCH}")
        if head[:4] in (b"RIFF", b"RIFX", b"RF64") and head[8:12] == b"WAVE":
            return _wave(path, file, "big" if head[:4] == b"RIFX" else "little")
        if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
            return _aiff(path, file)
        if head[:4] == b"OggS":
            _check_ogg(path, file)
            coding = {b"Speex": "speex", b"\x7fFLAC": "flac in ogg"}.get(head[28:33], "ogg")
            return Container(coding, by_ffmpeg=coding != "ogg")
        if head[:4] == b".snd":
            data, length = struct.unpack(">II", head[4:12].ljust(8, b"\0"))
            file.seek(data)
            return Container("au", unfinished=_check_samples(path, file, length, path.stat().st_size - data, 1, True))
        if head[:4] == b"NIST":
            return _sphere(path, file)
        if head[:4] == b"caff":
            return _caf(path, file)
        if head[:4] == b"fLaC":
            return Container("flac")  # its decoder notices
        if name := _foreign(head):
            return Container(name, by_ffmpeg=True)
        if start or head[0] == 0xFF:
            file.seek(0)
            if found := _mpeg(path, file.read(), start):
                return found
    known = "wav, flac, ogg, opus, mp3 or aiff; m4a, aac, webm or amr"
    raise UserError(f"{path}: not a readable recording (it does not begin like {known}). {CONVERT}")


def _foreign(head: bytes) -> str | None:
    """The name of a format that ffmpeg decodes and libsndfile does not."""
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide"):
        return "m4a or mp4"
    if head[:2] == b"\xff\xf1" or head[:2] in (b"\xff\xf0", b"\xff\xf8", b"\xff\xf9") or head[:4] == b"ADIF":
        return "aac"
    names = {b"\x1a\x45\xdf\xa3": "webm", b"#!AM": "amr", b"\x30\x26\xb2\x75": "wma"}
    return names.get(head[:4])


def cut(path: Path | str, there: int, promised: int, what: str) -> UserError:
    """The error for a file that holds `there` of the bytes or samples that its header promises."""
    return UserError(f"{path}: holds {there} of the {promised} {what} its header promises. {FETCH}")


# RIFF, AIFF and CAF: chunks of an id, a length and data; in the first two they begin at even places


def _chunks(file: IO[bytes], header: str, place: int = 12, even: bool = True) -> Iterator[tuple[bytes, int, int]]:
    """`(id, length, place of its data)` of the chunks of a file, of which the first begins at `place`."""
    size = struct.calcsize(header)
    while place < 1 << 40:  # a damaged length may lead anywhere
        file.seek(place)
        if len(content := file.read(size)) < size:
            return
        name, length = struct.unpack(header, content)
        yield name, length, place + size
        place += size + length + length % 2 * even


def _wave(path: Path, file: IO[bytes], order: Literal["little", "big"]) -> Container:
    size, block, length64 = path.stat().st_size, 1, None
    for name, length, place in _chunks(file, ">4sI" if order == "big" else "<4sI"):
        if name == b"ds64":  # RF64: its lengths of 64 bits
            length64 = int.from_bytes(file.read(16)[8:], "little")
        elif name == b"fmt ":
            block = max(int.from_bytes(file.read(14)[12:14], order), 1)
        elif name == b"data":
            if length64 is not None and length == 0xFFFFFFFF:
                length = length64
            unfinished = _check_samples(path, file, length, size - place, block, length64 is None)
            return Container("wav", unfinished=unfinished)
    return Container("wav")  # without samples: libsndfile says so


def _check_samples(path: Path, file: IO[bytes], length: int, there: int, block: int, short: bool) -> bool:
    """Whether a chunk of samples of `length` bytes, of which `there` are in the file, is of unknown length."""
    if length == 0 and there > 0 and not _is_chunk(file.read(8)):
        raise UserError(
            f"{path}: its header was not finished: it promises no samples, but {there} bytes follow. Record it again, "
            f"or repair the header."
        )
    if length >= (STREAMED if short else 1 << 62):
        if there % block:
            raise UserError(f"{path}: ends within a sample. {FETCH}")
        return True
    if there < length:
        raise cut(path, there, length, "bytes")
    return False


def _is_chunk(header: bytes) -> bool:
    return header[:4].isascii() and header[:4].decode().isprintable()


def _aiff(path: Path, file: IO[bytes]) -> Container:
    size = path.stat().st_size
    for name, length, place in _chunks(file, ">4sI"):
        if name == b"SSND":
            _check_samples(path, file, max(length - 8, 0), size - place - 8, 1, True)
    return Container("aiff")


def _caf(path: Path, file: IO[bytes]) -> Container:
    for name, length, place in _chunks(file, ">4sQ", 8, even=False):
        if name == b"data":
            there = path.stat().st_size - place
            return Container("caf", unfinished=_check_samples(path, file, length, there, 1, False))
    return Container("caf")


def _sphere(path: Path, file: IO[bytes]) -> Container:
    """The header of NIST's SPHERE has its length in the second line, then `channel_count -i 1` and the like."""
    file.seek(0)
    header = file.read(1024)
    length = re.match(rb"NIST_1A\n *(\d+)\n", header)
    named = {name: int(value) for name, value in re.findall(rb"^(\w+) -i (\d+)$", header, re.MULTILINE)}
    promised = named.get(b"sample_count", 0) * named.get(b"sample_n_bytes", 0) * named.get(b"channel_count", 1)
    if length and (there := path.stat().st_size - int(length[1])) < promised:
        raise cut(path, max(there, 0), promised, "bytes")
    return Container("sphere")


# Ogg: pages, the last of which says that it is the last


def _check_ogg(path: Path, file: IO[bytes]) -> None:
    """Raise UserError for a file whose last page is missing or incomplete, or whose pages have a gap."""
    size, place, last, following = path.stat().st_size, 0, False, dict[int, int]()
    while place < size:
        file.seek(place)
        header = file.read(27)
        if header[:4] != b"OggS" and last:
            break  # a tag of another program
        segments = file.read(header[26]) if len(header) == 27 else b""
        if header[:4] != b"OggS"[: len(header)] or len(header) < 27 or len(segments) < header[26]:
            raise UserError(f"{path}: cut short or damaged at byte {place} of {size}. {FETCH}")
        serial, number = struct.unpack("<II", header[14:22])
        if number != following.get(serial, number):
            raise UserError(f"{path}: damaged, pages are missing before byte {place}. {FETCH}")
        following[serial] = number + 1
        last = bool(header[5] & 4)
        place += 27 + len(segments) + sum(segments)
    if place > size or not last:
        raise UserError(f"{path}: cut short, its last page is missing. {FETCH}")


# MPEG audio: frames one after another, between tags


class Frame(NamedTuple):
    """The header of an MPEG audio frame."""

    kind: tuple[int, int, int]  # version bits, layer, sampling rate in Hz: the same in all frames
    length: int  # bytes, header included
    samples: int  # per channel
    mono: bool


def frame(header: bytes) -> Frame | None:
    """The frame that begins with these four bytes, if one does."""
    if len(header) < 4 or header[0] != 0xFF or header[1] < 0xE0:
        return None
    version, layer, index = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3), header[2] >> 4
    if version == 1 or layer == 4 or index in (0, 15) or header[2] >> 2 & 3 == 3:
        return None  # reserved values, and a bit rate that is not given
    rate, first = RATES[version][header[2] >> 2 & 3], version == 3
    bits, padding = 1000 * BITRATES[first, layer][index - 1], header[2] >> 1 & 1
    samples = 384 if layer == 1 else 576 if layer == 3 and not first else 1152
    length = 4 * (12 * bits // rate + padding) if layer == 1 else samples // 8 * bits // rate + padding
    return Frame((version, layer, rate), length, samples, header[3] >> 6 == 3)


def _mpeg(path: Path, content: bytes, start: int) -> Container | None:
    """The frames of an MP3 (or layer I or II) file, all of which must be there; None if these are no such frames."""
    start, first = _first_frame(content, start)
    if first is None:
        return None
    place, count = start, 0
    while place < len(content):
        found = frame(content[place : place + 4])
        if found and found.kind == first.kind:
            if place + found.length > len(content):
                raise UserError(f"{path}: cut short, its last frame is incomplete. {FETCH}")
            place, count = place + found.length, count + 1
        elif content[place : place + 3] == b"ID3":
            place += _id3_length(content[place : place + 10])
        elif _first_frame(content, place, first.kind)[1]:
            raise UserError(f"{path}: damaged at byte {place} of {len(content)}. {FETCH}")
        else:
            break  # a tag of another kind
    if place < len(content) and content[place] == 0xFF and len(content) - place < 4:
        raise UserError(f"{path}: cut short, its last frame is incomplete. {FETCH}")
    promised = _promised(content[start : start + first.length], first)
    if promised is not None:
        count -= 1  # the frame of the promise holds no samples
        if count < promised - 1:  # some programs count that frame
            raise cut(path, count, promised, "frames")
    return Container("mp3", frames=(start, place), samples=count * first.samples, rate=first.kind[2])


def _first_frame(content: bytes, start: int, kind: tuple[int, int, int] | None = None) -> tuple[int, Frame | None]:
    """Where the first frame begins that another one, or the end, follows."""
    place = start
    while (place := content.find(b"\xff", place, start + JUNK)) >= 0:
        found = frame(content[place : place + 4])
        if found and kind in (None, found.kind):
            after = place + found.length
            following = frame(content[after : after + 4])
            if (following and following.kind == found.kind) or (after >= len(content) and place == start):
                return place, found
        place += 1
    return start, None


def _promised(content: bytes, first: Frame) -> int | None:
    """How many frames the Xing or VBRI tag in the first frame promises."""
    side = {
        (True, False): 32,
        (True, True): 17,
        (False, False): 17,
        (False, True): 9,
    }  # by (version 1?, mono), in bytes
    tag = 4 + side[first.kind[0] == 3, first.mono]
    if content[tag : tag + 4] in (b"Xing", b"Info"):
        has_count = len(content) >= tag + 12 and content[tag + 7] & 1
        return int.from_bytes(content[tag + 8 : tag + 12], "big") if has_count else None
    if content[36:40] == b"VBRI" and len(content) >= 54:
        return int.from_bytes(content[50:54], "big")
    return None


def _after_id3(file: IO[bytes]) -> int:
    """Where an ID3v2 tag at the beginning ends, 0 if there is none."""
    place = 0
    while (header := file.read(10))[:3] == b"ID3" and len(header) == 10:
        place += _id3_length(header)
        file.seek(place)
    return place


def _id3_length(header: bytes) -> int:
    """The length in bytes of an ID3v2 tag, from its first ten bytes: seven bits in each of the last four."""
    length = 0
    for byte in header[6:10]:
        length = length << 7 | byte & 0x7F
    return 10 + length + (10 if header[5] & 0x10 else 0)
