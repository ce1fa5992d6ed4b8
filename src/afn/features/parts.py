"""Features of a list of recordings, extracted in parts: `feats.<n>.ark`, as Kaldi has them, and one `feats.scp`.

How many parts there are depends on the number of recordings alone, so that any machine writes the same bytes. A part is
written by one unit of parallel work. An interrupted extraction resumes by the files `feats.<n>.index`, which are there
until all parts are complete.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from afn.common import files, parallel
from afn.common.errors import UserError
from afn.common.paths import portable
from afn.features import archives, audio
from afn.features.front_end import FrontEnd, KaldiFrontEnd

PARTS = 32  # to aim at: enough for many cores; each costs the start of Kaldi's programs, where these are used
SIZES = (8, 256)  # recordings in a part, at least and at most; Kaldi's features of a part are held in memory


class Part(NamedTuple):
    """One unit of work: some `(utterance, wav file)` and their number, from 1."""

    number: int
    recordings: list[tuple[str, str]]


class Written(NamedTuple):
    """What an extraction has written."""

    utterances: int
    parts: int
    content: str  # SHA-256, as `archives.write_lists` has it


def archive(directory: Path, number: int) -> Path:
    """The archive of a part."""
    return directory / f"feats.{number}.ark"


def _index(directory: Path, number: int) -> Path:
    return directory / f"feats.{number}.index"


@dataclass(frozen=True)
class Extraction:
    """Extracts a part; in a worker process.

    Parts that exist are kept if `made_by` is the same and they are not older than `since` (ns since 1970).
    """

    directory: Path
    front_end: FrontEnd
    made_by: str
    since: int = 0

    def __call__(self, part: Part) -> int:
        """Write the archive and the index of a part. Returns the number of its utterances."""
        ark, index = archive(self.directory, part.number), _index(self.directory, part.number)
        if not self._complete(ark, index):
            with files.whole(ark, "wb") as file:
                scratch = self.directory / f"{files.SCRATCH}{part.number}"
                entries = list(archives.pack(matrices(self.front_end, part.recordings, scratch), file))
                size = file.tell()
            lines = [f"{self.made_by} {size}", *(" ".join(map(str, entry)) for entry in entries)]
            files.write_text(index, "".join(f"{line}\n" for line in lines))
        return len(part.recordings)

    def _complete(self, ark: Path, index: Path) -> bool:
        try:
            with index.open(encoding="utf-8") as file:
                made_by, size = file.readline().split()
            return (made_by, int(size)) == (self.made_by, ark.stat().st_size) and (
                index.stat().st_mtime_ns >= self.since
            )
        except (FileNotFoundError, ValueError):
            return False


def matrices(
    front_end: FrontEnd, recordings: Iterable[tuple[str, str]], scratch: Path
) -> Iterator[tuple[str, np.ndarray]]:
    """`(utterance, wav file)` to `(utterance, float32[T × D])`; Kaldi's temporary files go below `scratch`.

    UserError, with both, for an unusable recording.
    """
    if isinstance(front_end, KaldiFrontEnd):
        yield from front_end.extract(list(recordings), scratch)
        return
    for utt, wav in recordings:
        samples = audio.read(wav, front_end.sample_rate)
        try:
            yield utt, front_end(utt, samples)
        except UserError as error:
            raise UserError(f"{wav} ({utt}): {error}") from None


def features_of(front_end: FrontEnd, recordings: Sequence[tuple[str, str]]) -> dict[str, np.ndarray]:
    """The features of a few recordings, utterance -> float32[T × D]; the work of a worker process."""
    with TemporaryDirectory() as scratch:
        return dict(matrices(front_end, recordings, Path(scratch)))


def extract(
    extraction: Extraction,
    recordings: Iterable[tuple[str, str]],
    count: int,
    jobs: int,
    done: Callable[[int], None] = lambda count: None,
) -> Written:
    """Write the features of `count` recordings, `(utterance, wav file)` in bytewise order; feats.scp appears last.

    The folder must be the project's own: other archives `feats*.ark` in it are removed. `done` is called with the
    number of utterances of each part, in order. The same bytes for any number of jobs.

    Raises UserError for an unusable recording, with its name; parts that are complete stay.
    """
    directory = extraction.directory
    directory.mkdir(parents=True, exist_ok=True)
    for name in (archives.INDEX, archives.LENGTHS):
        (directory / name).unlink(missing_ok=True)
    work = split(recordings, count)
    for utterances in parallel.ordered_map(extraction, work, jobs):
        done(utterances)
    parts = -(-count // part_size(count))
    utterances, content = archives.write_lists(directory, _entries(directory, parts))
    if utterances != count:
        raise UserError(f"{directory}: {utterances} of {count} utterances. Run stage -1 again.")
    kept = {path(directory, number) for number in range(1, parts + 1) for path in (archive, _index)}
    for path in (*directory.glob("feats*.ark"), *directory.glob("feats.*.index")):
        if path not in kept:
            path.unlink()
    return Written(utterances, parts, content)


def clear(directory: Path) -> None:
    """Remove what is needed only until the features have their record."""
    for path in directory.glob("feats.*.index"):
        path.unlink()


def part_size(count: int) -> int:
    """How many of `count` recordings a part has; the last one may have fewer."""
    least, most = SIZES
    return min(most, max(least, -(-count // PARTS)))


def split(recordings: Iterable[tuple[str, str]], count: int) -> Iterator[Part]:
    """The parts of `count` recordings, as they are asked for."""
    recordings, number = iter(recordings), 0
    while part := list(islice(recordings, part_size(count))):
        number += 1
        yield Part(number, part)


def _entries(directory: Path, parts: int) -> Iterator[tuple[archives.Entry, str]]:
    """The entries of all parts, with the archive as feats.scp names it."""
    for number in range(1, parts + 1):
        name = portable(archive(directory, number))
        with _index(directory, number).open(encoding="utf-8") as file:
            next(file)
            for line in file:
                utt, offset, frames, width, sha256 = line.split()
                yield archives.Entry(utt, int(offset), int(frames), int(width), sha256), name
