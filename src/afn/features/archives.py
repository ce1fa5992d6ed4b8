"""Kaldi archives of feature matrices: `feats*.ark` with `feats.scp` and `utt2num_frames`.

kaldi_io reads and writes the binary format. The code around it never skips an utterance silently, runs no shell and
checks every key.
"""

import copy
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from afn.common import files, tables
from afn.common.errors import UserError

# kaldi_io prints a banner when KALDI_ROOT is unset and puts Kaldi's folders on PATH; this program needs neither.
_before = {name: os.environ.get(name) for name in ("KALDI_ROOT", "PATH")}
os.environ["KALDI_ROOT"] = os.sep
import kaldi_io  # noqa: E402

for _name, _value in _before.items():
    if _value is None:
        os.environ.pop(_name, None)
    else:
        os.environ[_name] = _value


ARCHIVE, INDEX, LENGTHS = "feats.ark", "feats.scp", "utt2num_frames"


class Entry(NamedTuple):
    """Where a matrix is in an archive, its size, and the SHA-256 of its content."""

    utt: str
    offset: int  # bytes
    frames: int
    width: int
    sha256: str


def pack(matrices: Iterable[tuple[str, np.ndarray]], ark: IO[bytes]) -> Iterator[Entry]:
    """Write `(utterance, float[T × D])` pairs to `ark`, opened "wb", as float32 and uncompressed.

    Raises UserError for a matrix that is empty, not finite, or of another width than those before, and for an utterance
    out of bytewise order.
    """
    last: Entry | None = None
    for utt, matrix in matrices:
        if not len(matrix):
            raise UserError(f"utterance {utt} is too short for one frame. Remove it from the list.")
        if not np.isfinite(matrix).all():
            raise UserError(f"utterance {utt}: its features are not finite. Remove it from the list.")
        matrix = np.ascontiguousarray(matrix, dtype="<f4")
        frames, width = matrix.shape
        entry = Entry(utt, ark.tell() + len(utt.encode()) + 1, frames, width, digest(matrix))
        _check_order(last, entry)
        kaldi_io.write_mat(ark, matrix, key=utt)
        yield entry
        last = entry


def digest(matrix: np.ndarray) -> str:
    """The SHA-256 of a float32[T × D]: of its bytes, little-endian in C order, followed by `T D` as text."""
    content = hashlib.sha256(np.ascontiguousarray(matrix, dtype="<f4").tobytes())
    content.update("{} {}".format(*matrix.shape).encode())
    return content.hexdigest()


def _check_order(last: Entry | None, entry: Entry) -> None:
    """UserError if `entry` is not after `last` in bytewise order, or has another width."""
    if last is None:
        return
    if entry.utt.encode() <= last.utt.encode():
        raise UserError(f"utterance {entry.utt} comes after {last.utt}. Sort the list bytewise (LC_ALL=C).")
    if entry.width != last.width:
        widths = f"{entry.width} values per frame, those before it have {last.width}"
        raise UserError(f"utterance {entry.utt}: {widths}. Remove it from the list.")


def write_lists(directory: Path, entries: Iterable[tuple[Entry, str]]) -> tuple[int, str]:
    """Write feats.scp and utt2num_frames of `(entry, archive)` pairs; feats.scp appears last.

    Returns how many there are, and the SHA-256 of all `utterance sha256` lines: the content of the features, wherever
    and in how many archives they are. Raises UserError as `pack` does.
    """
    count, content, last = 0, hashlib.sha256(), None
    with files.whole(directory / INDEX) as scp, files.whole(directory / LENGTHS) as lengths:
        for entry, archive in entries:
            _check_order(last, entry)
            last = entry
            scp.write(f"{entry.utt} {archive}:{entry.offset}\n")
            lengths.write(f"{entry.utt} {entry.frames}\n")
            content.update(f"{entry.utt} {entry.sha256}\n".encode())
            count += 1
    return count, content.hexdigest()


def write(directory: Path, matrices: Iterable[tuple[str, np.ndarray]], archive: str) -> int:
    """Write `(utterance, float[T × D])` pairs to feats.ark, feats.scp and utt2num_frames in `directory`.

    `archive` is the name of feats.ark inside feats.scp. Returns how many there are. Raises UserError as `pack` does;
    existing files are then left as they are.
    """
    with files.whole(directory / ARCHIVE, "wb") as ark:
        entries = list(pack(matrices, ark))
    return write_lists(directory, ((entry, archive) for entry in entries))[0]


class FeatureArchive(Mapping[str, np.ndarray]):
    """The matrices that a `feats.scp` lists, read one at a time: `archive[utt]` is float32[T × D].

    An archive is looked for beside the list first, for the folder may have been moved, then at the path as written;
    a relative path starts at `root` (Kaldi: the folder that a recipe is run in).
    """

    def __init__(self, scp: Path, root: Path):
        self.scp = scp
        self.places: dict[str, tuple[Path, int]] = {}
        paths: dict[str, Path] = {}
        for where, (utt, place) in tables.rows(scp, "utterance file.ark:offset", fix="Run stage -1.", blanks=True):
            if place.endswith("|"):
                raise UserError(f"{where}: a pipe would run a program. Copy the features to an archive first.")
            match = re.fullmatch(r"([^\0]+):(\d{1,18})", place)
            if not match:
                raise UserError(f"{where}: {place!r} is not `utterance file.ark:offset`. Write it with copy-feats.")
            name, offset = match.groups()
            if name not in paths:
                beside = scp.parent / Path(name).name
                paths[name] = beside if beside.is_file() else root / name
            self.places[utt] = (paths[name], int(offset))

    def only(self, utterances: Iterable[str]) -> "FeatureArchive":
        """A view of some of the utterances, in the order given. Raises UserError for one that the list lacks."""
        view = copy.copy(self)
        try:
            view.places = {utt: self.places[utt] for utt in utterances}
        except KeyError as missing:
            raise UserError(f"{self.scp}: no features of utterance {missing.args[0]}. Run stage -1 again.") from None
        return view

    def __getitem__(self, utt: str) -> np.ndarray:
        ark, offset = self.places[utt]
        where = f"{ark}:{offset} ({utt} of {self.scp})"
        try:
            with ark.open("rb") as file:
                key = f"{utt} ".encode()
                file.seek(max(offset - len(key), 0))
                if file.read(min(offset, len(key))) != key:
                    raise UserError(f"{where}: another utterance is at this place. Run stage -1 again.")
                return _matrix(file, where)
        except FileNotFoundError:
            raise UserError(f"{where}: no such archive. Run stage -1 again.") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)


def read(ark: Path) -> Iterator[tuple[str, np.ndarray]]:
    """The `(utterance, float[T × D])` pairs of an archive, in its own order."""
    yield from _read(ark, _matrix)


def read_vectors(ark: Path) -> Iterator[tuple[str, np.ndarray]]:
    """The `(key, float[D])` pairs of an archive of vectors, in its own order."""
    yield from _read(ark, lambda file, where: _checked(kaldi_io.read_vec_flt, file, where, 1))


def _read(ark: Path, value: Callable[[IO[bytes], str], np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    with ark.open("rb") as file:
        while True:
            try:
                key = kaldi_io.read_key(file)
            except (AssertionError, UnicodeDecodeError):
                raise UserError(f"{ark}: not a Kaldi archive. Write it again.") from None
            if key is None:
                return
            yield key, value(file, f"{ark} ({key})")


def _matrix(file: IO[bytes], where: str) -> np.ndarray:
    start = file.tell()
    header = file.read(5)
    file.seek(start)
    if header in (b"\0BCM2", b"\0BCM3"):
        raise UserError(f"{where}: Kaldi's compression CM2 or CM3 cannot be read. Run copy-feats --compress=false.")
    with np.errstate(over="ignore"):  # float64 beyond float32 becomes infinite, and is refused
        return _checked(lambda file: np.asarray(kaldi_io.read_mat(file), dtype=np.float32), file, where, 2)


def _checked(read: Callable[[IO[bytes]], np.ndarray], file: IO[bytes], where: str, dimensions: int) -> np.ndarray:
    """What `read` finds at the file's position. Every failure of kaldi_io becomes a UserError."""
    what = {1: "vector", 2: "matrix"}[dimensions]
    damaged = "The archive is damaged: write it again."
    try:
        found = read(file)
    except MemoryError:
        raise UserError(f"{where}: the header promises a {what} larger than memory. {damaged}") from None
    except Exception as error:  # assertions included
        raise UserError(f"{where}: no readable {what} ({type(error).__name__}). {damaged}") from None
    if found.ndim != dimensions or not found.size or not np.isfinite(found).all():
        raise UserError(f"{where}: not a {what} of finite values. {damaged}")
    return found
