"""Stage -1: recordings become features, by Kaldi where it is installed, else by our own Kaldi-exact extractor."""

import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

import errors
import locks
import record
import stage
from corpora import datadir
from features import archives, kaldi, kaldi_options, native
from layout import ROOT, located, portable
from progress import Progress
from systems.feature_settings import Features, Mfcc, Spectrogram
from systems.front_end import front_end, kaldi_commands

CONF = ROOT / "conf"


def main() -> None:
    parser = stage.arguments(__doc__)
    stage.add_jobs(parser)
    options = parser.parse_args()
    here = stage.from_arguments(options)
    settings = here.system.features
    backend = choose_backend(settings)
    for subset in stage.prepared(here):
        extract(here, subset, settings, backend, options.nj)


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


def extract(here: stage.Stage, subset: str, settings: Features, backend: str, jobs: int) -> None:
    """Write the features of one subset, unless they stand."""
    directory = here.layout.features(subset, settings.name)
    made_from = record.make(describe(settings, backend), {"corpus": here.layout.corpus_data / record.NAME})
    if record.stands(directory, made_from) and not here.force:
        print(f"extract: {directory} stands ({backend} backend); --force makes it anew")
        return
    with locks.hold(directory):
        record.remove(directory)
        recordings = [(u.utt, str(located(u.wav))) for u in datadir.read(here.layout.subset(subset))]
        if backend == "kaldi":
            directory.mkdir(parents=True, exist_ok=True)
            for left in directory.glob(f"{kaldi.SCRATCH}*"):  # by a run that was killed
                shutil.rmtree(left, ignore_errors=True)
            matrices = kaldi.extract(recordings, kaldi_commands(settings, CONF), jobs, directory)
        else:
            matrices = native.extract(recordings, front_end(settings, CONF), jobs)
        started = time.monotonic()
        matrices = counted(matrices, subset, len(recordings))
        written = archives.write(directory, matrices, portable(directory / "feats.ark"))
        if written != len(recordings):
            missing = f"{written} of {len(recordings)} utterances came out"
            raise errors.UserError(f"{directory}: {missing}; run stage -1 again")
        record.write(directory, made_from)
        seconds = time.monotonic() - started
        print(f"extract: wrote {directory}: {written} utterances by the {backend} backend in {seconds:.1f} s")


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


def counted(
    matrices: Iterator[tuple[str, np.ndarray]], subset: str, total: int
) -> Iterator[tuple[str, np.ndarray]]:
    with Progress(f"extract {subset}", total) as progress:
        for utterance in matrices:
            yield utterance
            progress.advance()


if __name__ == "__main__":
    errors.run(main)
