"""Kaldi archives of feature matrices: `feats.ark` with `feats.scp` and `utt2num_frames`.

kaldi_io does the binary format. Around it: nothing is skipped silently, no shell is run, every key is checked.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from afn.common import files
from afn.common.errors import UserError

# kaldi_io prints a banner when KALDI_ROOT is unset and puts Kaldi's folders on PATH; neither concerns this program.
_before = {name: os.environ.get(name) for name in ("KALDI_ROOT", "PATH")}
os.environ["KALDI_ROOT"] = os.sep
import kaldi_io  # noqa: E402

for _name, _value in _before.items():
    if _value is None:
        os.environ.pop(_name, None)
    else:
        os.environ[_name] = _value


ARCHIVE, INDEX, LENGTHS = "feats.ark", "feats.scp", "utt2num_frames"
MEBIBYTE = 1 << 20


class Entry(NamedTuple):
    """Where a matrix lies in an archive, and its size."""

    utt: str
    offset: int  # bytes
    frames: int
    width: int


class Writer:
    """An archive that is being written: `ark` takes the matrices, `enter` puts them on its lists."""

    def __init__(self, ark: IO[bytes], scp: IO[str], lengths: IO[str], archive: str):
        self.ark, self.scp, self.lengths, self.archive = ark, scp, lengths, archive
        self.count, self.last, self.width = 0, "", None

    def enter(self, entry: Entry) -> None:
        """UserError for one out of bytewise order, or of another width than those before."""
        self.width = entry.width if self.width is None else self.width
        if self.count and entry.utt.encode() <= self.last.encode():
            raise UserError(f"utterance {entry.utt} comes after {self.last}; sort the list bytewise (LC_ALL=C)")
        if entry.width != self.width:
            raise UserError(f"utterance {entry.utt}: has {entry.width} values a frame, those before it {self.width}")
        self.scp.write(f"{entry.utt} {self.archive}:{entry.offset}\n")
        self.lengths.write(f"{entry.utt} {entry.frames}\n")
        self.count, self.last = self.count + 1, entry.utt


@contextmanager
def writing(directory: Path, archive: str) -> Iterator[Writer]:
    """feats.ark, feats.scp and utt2num_frames of `directory`, whole or not at all; the list appears last.

    `archive` is the name of feats.ark inside feats.scp.
    """
    with (
        files.whole(directory / INDEX) as scp,
        files.whole(directory / LENGTHS) as lengths,
        files.whole(directory / ARCHIVE, "wb") as ark,
    ):
        yield Writer(ark, scp, lengths, archive)


def write(
    directory: Path,
    matrices: Iterable[tuple[str, np.ndarray]],
    archive: str,
    done: Callable[[int], None] = lambda count: None,
) -> int:
    """Write `(utterance, float[T × D])` pairs to `directory`, float32 and uncompressed; return how many.

    The pairs must come in bytewise order of their utterances, have one width D, and hold finite values and at least one
    frame: UserError names the first that does not. `done` is called with 1 after each.
    """
    with writing(directory, archive) as writer:
        for entry in pack(matrices, writer.ark):
            writer.enter(entry)
            done(1)
    return writer.count


def pack(matrices: Iterable[tuple[str, np.ndarray]], ark: IO[bytes]) -> Iterator[Entry]:
    """Write `(utterance, float[T × D])` pairs to `ark`, opened "wb"; UserError for one that is empty or not finite."""
    for utt, matrix in matrices:
        if not len(matrix):
            raise UserError(f"utterance {utt} is too short for one frame; take it out")
        if not np.isfinite(matrix).all():
            raise UserError(f"utterance {utt}: its features are not finite")
        offset = ark.tell() + len(utt.encode()) + 1
        kaldi_io.write_mat(ark, np.ascontiguousarray(matrix, dtype=np.float32), key=utt)
        yield Entry(utt, offset, *matrix.shape)


def join(directory: Path, parts: Iterable[Path], archive: str) -> int:
    """Put the archives that `write` has left in `parts` together in `directory`, byte for byte as of one `write`.

    They follow each other in the order of their utterances. Returns how many utterances there are.
    """
    count = 0
    with writing(directory, archive) as writer:
        for part in parts:
            before = writer.ark.tell()
            with (part / ARCHIVE).open("rb") as one:
                shutil.copyfileobj(one, writer.ark, MEBIBYTE)
            with (part / LENGTHS).open(encoding="utf-8", newline="\n") as one:
                shutil.copyfileobj(one, writer.lengths)
            with (part / INDEX).open(encoding="utf-8", newline="\n") as one:
                for line in one:
                    place, _, offset = line.rpartition(":")
                    writer.scp.write(f"{place.partition(' ')[0]} {archive}:{before + int(offset)}\n")
                    count += 1
    return count


class FeatureArchive(Mapping[str, np.ndarray]):
    """The matrices that a `feats.scp` lists, read one at a time: `archive[utt]` is float32[T × D].

    Relative names in the list are relative to `root` (Kaldi: the folder a recipe is run in).
    """

    def __init__(self, scp: Path, root: Path):
        self.scp = scp
        self.places: dict[str, tuple[Path, int]] = {}
        try:
            lines = scp.read_text(encoding="utf-8-sig").splitlines()
        except FileNotFoundError:
            raise UserError(f"{scp}: no such file; run stage -1 first") from None
        except UnicodeDecodeError:
            raise UserError(f"{scp}: not a text file; run stage -1 again") from None
        for number, line in enumerate(lines, 1):
            where = f"{scp}:{number}"
            if "|" in line:
                raise UserError(f"{where}: a pipe would run a program; copy the features to an archive first")
            match = re.fullmatch(r"(\S+)\s+([^\0]+):(\d{1,18})\s*", line)
            if not match:
                raise UserError(f"{where}: {line!r} is not `utterance file.ark:offset`; write the list with copy-feats")
            utt, name, offset = match.groups()
            if utt in self.places:
                raise UserError(f"{where}: {utt} stands here a second time; take one out")
            self.places[utt] = (root / name, int(offset))

    def __getitem__(self, utt: str) -> np.ndarray:
        ark, offset = self.places[utt]
        where = f"{ark}:{offset} ({utt} of {self.scp})"
        try:
            with ark.open("rb") as file:
                key = f"{utt} ".encode()
                file.seek(max(offset - len(key), 0))
                if file.read(min(offset, len(key))) != key:
                    raise UserError(f"{where}: this place holds another utterance; run stage -1 again")
                return _matrix(file, where)
        except FileNotFoundError:
            raise UserError(f"{where}: no such archive; run stage -1 again") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)


def read(ark: Path) -> Iterator[tuple[str, np.ndarray]]:
    """The `(utterance, float[T × D])` pairs of an archive, in its own order."""
    yield from _read(ark, _matrix)


def read_vectors(ark: Path) -> Iterator[tuple[str, np.ndarray]]:
    """The `(key, float[D])` pairs of an archive of vectors, in its own order."""
    yield from _read(ark, _vector)


def _read(ark: Path, value: Callable[[IO[bytes], str], np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    with ark.open("rb") as file:
        while True:
            try:
                key = kaldi_io.read_key(file)
            except (AssertionError, UnicodeDecodeError):
                raise UserError(f"{ark}: not a Kaldi archive") from None
            if key is None:
                return
            yield key, value(file, f"{ark} ({key})")


def _vector(file: IO[bytes], where: str) -> np.ndarray:
    try:
        vector = kaldi_io.read_vec_flt(file)
    except Exception as error:
        raise UserError(f"{where}: no readable vector ({type(error).__name__}); the archive is damaged") from None
    if vector.ndim != 1 or not np.isfinite(vector).all():
        raise UserError(f"{where}: not a vector of finite values; the archive is damaged")
    return vector


def _matrix(file: object, where: str) -> np.ndarray:
    """The matrix at the file's position; kaldi_io's many ways to fail, bare assertions included, become one line."""
    start = file.tell()
    header = file.read(5)
    file.seek(start)
    if header in (b"\0BCM2", b"\0BCM3"):
        raise UserError(f"{where}: Kaldi's compression CM2 or CM3; write it anew with copy-feats --compress=false")
    try:
        matrix = kaldi_io.read_mat(file)
    except MemoryError:
        raise UserError(f"{where}: the matrix claims to be larger than memory; the archive is damaged") from None
    except Exception as error:
        raise UserError(f"{where}: no readable matrix ({type(error).__name__}); the archive is damaged") from None
    with np.errstate(over="ignore"):  # float64 beyond float32 becomes infinite, and is refused
        matrix = np.asarray(matrix, dtype=np.float32)
    if matrix.ndim != 2 or not matrix.size or not np.isfinite(matrix).all():
        raise UserError(f"{where}: not a matrix of finite values; the archive is damaged")
    return matrix
