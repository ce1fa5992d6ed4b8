"""Scores of other corpora by the systems of one corpus: what stage 2 does with --eval-corpus.

    reads   data/<other>/{train,dev,eval}/                                the recordings, as stage -2 has prepared them
            exp/<corpus>/<system>/seed<k>/                                the trained seeds that stage 2 has averaged
    writes  exp/<corpus>/on_<other>/<system>/seed<k>/scores/<subset>.txt
            exp/<corpus>/on_<other>/<system>/scores/<subset>.txt          averaged over seeds

Features are computed from the recordings on the way, by the front end that the system was trained on. A part of a
subset is in memory at a time, and finished parts are kept until all are, so that an interrupted run goes on.
"""

import hashlib
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from afn.common import config, files, owned, parallel, record
from afn.common.paths import located
from afn.common.progress import Progress
from afn.corpora import datadir
from afn.experiment import extraction, locks, provenance, scoring
from afn.experiment.command_line import Stage, prepared
from afn.experiment.layout import Layout
from afn.experiment.provenance import Trained
from afn.features import front_end, parts
from afn.features.front_end import FrontEnd, KaldiFrontEnd
from afn.metrics import score_files
from afn.systems import registry
from afn.systems.protocol import System
from afn.systems.subset import Subset

PART = 256  # utterances scored together; a multiple of what systems score at once
PARTS = "parts"  # folder of finished parts


@dataclass(frozen=True)
class Scored:
    """What scores are of: trained seeds, how their features are computed, and the recordings of each subset."""

    seeds: Mapping[int, Trained]
    weights: Mapping[int, str]  # seed -> SHA-256
    recordings: Mapping[str, str]  # subset -> SHA-256
    averages: str  # what is averaged over seeds: sigmoids or scores

    @property
    def first(self) -> Trained:
        return next(iter(self.seeds.values()))

    def key(self, seed: int, subset: str) -> str:
        """A name for the scores of a seed on a subset: another one if anything that decides them changes."""
        decides = {"weights": self.weights[seed], "recordings": self.recordings[subset]}
        return hashlib.sha256(config.dump({**decides, "features": self.first.features}).encode()).hexdigest()[:16]

    def identity(self) -> dict[str, Any]:
        return {
            "weights": {str(seed): weights for seed, weights in self.weights.items()},
            "features": dict(self.first.features),
            "recordings": dict(self.recordings),
            "averages": self.averages,
        }


def score(here: Stage, other: str, jobs: int) -> None:
    """Score every subset of the corpus `other` with the seeds whose scores stage 2 has averaged, and average those.

    Raises UserError if `other` is not prepared, its recordings have changed since, or the system is not trained.
    """
    layout = replace(here.layout, corpus=other)
    subsets = prepared(layout)
    for subset in subsets:
        extraction.check_recordings(layout.subset(subset))
    wanted = _wanted(here, layout, subsets)
    out = here.layout.on(other) / here.system_name
    if here.current(out / "scores", wanted.identity()):
        print(f"score: {out} is up to date; --force computes it again")
        return
    owned.claim(out)
    with locks.hold(out):
        record.remove(out / "scores")
        runs = {subset: _score_subset(here, layout, subset, wanted, out, jobs) for subset in subsets}
        for subset, by_seed in runs.items():
            for seed, scores in by_seed.items():
                score_files.write(out / f"seed{seed}" / "scores" / f"{subset}.txt", scores)
            score_files.write(
                out / "scores" / f"{subset}.txt", scoring.averaged(list(by_seed.values()), wanted.averages, out)
            )
            print(f"score: wrote {out / 'scores' / f'{subset}.txt'}: {len(next(iter(by_seed.values())))} utterances")
        shutil.rmtree(out / PARTS, ignore_errors=True)
        record.write(out / "scores", {"identity": wanted.identity()})


def _wanted(here: Stage, layout: Layout, subsets: Iterable[str]) -> Scored:
    directory = here.layout.system(here.system_name)
    like = scoring.trained_seed(here, here.seeds[0])
    alike, _ = scoring.scored_alike(directory, like)
    seeds = {seed: provenance.read(folder) for seed, folder in alike.items()}
    systems = {seed: registry.build(of.settings, seed) for seed, of in seeds.items()}
    return Scored(
        seeds,
        {seed: files.sha256(system.weights(seeds[seed].directory)) for seed, system in systems.items()},
        {subset: datadir.recordings_hash(layout.subset(subset)) for subset in subsets},
        next(iter(systems.values())).averages,
    )


def _score_subset(
    here: Stage, layout: Layout, subset: str, wanted: Scored, out: Path, jobs: int
) -> dict[int, dict[str, float]]:
    """Seed -> utterance -> score of one subset, a part at a time."""
    listed = layout.subset(subset)
    labels = {utterance.utt: utterance.label for utterance in datadir.read(listed)}
    recordings = [(utt, str(located(wav))) for utt, wav in datadir.recordings(listed)]
    extract = front_end.from_description(wanted.first.features)
    found: dict[int, dict[str, float]] = {seed: {} for seed in wanted.seeds}
    systems: dict[int, System] = {}
    with Progress(f"score {layout.corpus} {subset}", len(recordings)) as progress:
        for number, part in enumerate(batched(recordings, PART), 1):
            kept = {seed: out / PARTS / f"{subset}-{number}-{wanted.key(seed, subset)}.txt" for seed in wanted.seeds}
            missing = [seed for seed, path in kept.items() if not path.is_file() or here.redo(path)]
            if missing:
                features = dict(_features(extract, part, jobs, out))
                one = Subset(subset, {utt: labels[utt] for utt in features}, features)
            for seed in missing:
                if seed not in systems:
                    systems[seed] = registry.build(wanted.seeds[seed].settings, seed)
                    systems[seed].load(wanted.seeds[seed].directory)
                score_files.write(kept[seed], systems[seed].score(one))
            for seed, path in kept.items():
                found[seed] |= score_files.read(path)
            progress.advance(len(part))
    return found


def _features(
    extract: FrontEnd, recordings: Sequence[tuple[str, str]], jobs: int, out: Path
) -> Iterable[tuple[str, np.ndarray]]:
    """`(utterance, float32[T × D])` of every `(utterance, wav file)`."""
    if isinstance(extract, KaldiFrontEnd):
        with TemporaryDirectory(prefix=files.SCRATCH, dir=out) as folder:
            return extract.extract(recordings, jobs, Path(folder))
    return parallel.ordered_map(partial(parts.features_of, extract), recordings, jobs)


def batched(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Lists of `size` items, the last one of what is left."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
