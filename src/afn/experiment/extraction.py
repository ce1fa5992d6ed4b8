"""Stage -1: recordings become features, by Kaldi where it is installed, else by our own Kaldi-exact extractor."""

import time
from dataclasses import asdict
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from afn.common import errors, record
from afn.common.paths import ROOT, located, portable
from afn.common.progress import Progress
from afn.corpora import datadir
from afn.experiment import command_line, locks, shards
from afn.features import archives, kaldi, kaldi_options, native
from afn.features.front_end import front_end, kaldi_commands
from afn.features.settings import Features, Mfcc, Spectrogram

CONF = ROOT / "conf"


def main() -> None:
    parser = command_line.arguments(__doc__)
    command_line.add_jobs(parser)
    shards.add_option(parser)
    options = parser.parse_args()
    here = command_line.from_arguments(options)
    settings = here.system.features
    backend = choose_backend(settings)
    for subset in command_line.prepared(here):
        extract(here, subset, settings, backend, options.nj, options.shard)


def choose_backend(settings: Features) -> str:
    """`kaldi` or `native`, as the settings ask; `auto` takes Kaldi where all its programs are found."""
    if isinstance(settings, Mfcc):
        kaldi.require(kaldi_commands(settings, CONF))
        return "kaldi"
    if not isinstance(settings, Spectrogram):
        return "native"  # Kaldi has no such features
    if settings.backend == "kaldi":
        kaldi.require()
    if settings.backend != "auto":
        return settings.backend
    return "kaldi" if len(kaldi.find()) == len(kaldi.PROGRAMS) else "native"


def extract(
    here: command_line.Stage,
    subset: str,
    settings: Features,
    backend: str,
    jobs: int,
    shard: shards.Shard | None = None,
) -> None:
    """Write the features of one subset, or a shard of them, unless they stand; put shards together if all stand."""
    directory = here.layout.features(subset, settings.name)
    made_from = record.make(describe(settings, backend), {"corpus": here.layout.corpus_data / record.NAME})
    if record.stands(directory, made_from) and not here.force:
        print(f"extract: {directory} stands ({backend} backend); --force makes it anew")
        return
    join = partial(joined, directory)
    if not here.force and shards.merge(directory, made_from, join):
        return
    work = shard.folder(directory) if shard else directory
    if shard and record.stands(work, shard.record(made_from)) and not here.force:
        print(f"extract: {work} stands; other shards are missing")
        return
    with locks.hold(work):
        record.remove(work)
        listed = here.layout.subset(subset)
        count = sum(1 for _ in datadir.recordings(listed))
        first, end = shard.bounds(count) if shard else (0, count)
        count = end - first
        recordings = ((utt, str(located(wav))) for utt, wav in islice(datadir.recordings(listed), first, end))
        archive, started = portable(work / "feats.ark"), time.monotonic()
        with Progress(f"extract {subset}", count) as progress:
            if backend == "kaldi":
                matrices = kaldi.extract(list(recordings), kaldi_commands(settings, CONF), jobs, work)
                written = archives.write(work, matrices, archive, progress.advance)
            else:
                front = front_end(settings, CONF)
                written = native.write(work, recordings, front, jobs, archive, progress.advance)
        if written != count:
            missing = f"{written} of {count} utterances came out"
            raise errors.UserError(f"{work}: {missing}; run stage -1 again")
        record.write(work, shard.record(made_from) if shard else made_from)
        seconds = time.monotonic() - started
        print(f"extract: wrote {work}: {written} utterances by the {backend} backend in {seconds:.1f} s")
    if shard:
        shards.merge(directory, made_from, join)
    else:
        shards.clear(directory)


def joined(directory: Path, parts: list[Path]) -> None:
    """Put the archives of shards together."""
    count = archives.join(directory, parts, portable(directory / "feats.ark"))
    print(f"extract: wrote {directory}: {count} utterances of {len(parts)} shards")


def describe(settings: Features, backend: str) -> dict[str, Any]:
    """The complete configuration of the features: what their record holds."""
    description = asdict(settings) | {"backend": backend}
    if backend == "native":
        description["extractor"] = native.VERSION
    if not isinstance(settings, Spectrogram | Mfcc):
        return description
    if backend == "kaldi" or isinstance(settings, Mfcc):
        return description | {"options": kaldi_options.lines(CONF / settings.conf)}
    return description | {"options": asdict(kaldi_options.read(CONF / settings.conf))}


if __name__ == "__main__":
    errors.run(main)
