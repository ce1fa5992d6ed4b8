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
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from afn.common import config, files, owned, parallel, record
from afn.common.paths import located
from afn.common.progress import Progress
from afn.corpora import datadir
from afn.experiment import extraction, locks, provenance, scoring
from afn.experiment.command_line import Stage, prepared
from afn.features import front_end, parts
from afn.features.front_end import FrontEnd
from afn.metrics import score_files
from afn.systems import registry
from afn.systems.protocol import System
from afn.systems.subset import Subset

PART = 256  # utterances scored together; a multiple of what systems score at once
UNIT = 16  # of these, recordings whose features a worker computes at once
PARTS = "parts"  # folder of finished parts


def score(here: Stage, other: str, jobs: int) -> None:
    """Score every subset of the corpus `other` with the seeds whose scores stage 2 has averaged, and average those.

    Raises UserError if `other` is not prepared, its recordings have changed since, or the system is not trained.
    """
    layout = replace(here.layout, corpus=other)
    subsets = prepared(layout)
    for subset in subsets:
        extraction.check_recordings(layout.subset(subset))
    own = here.layout.system(here.system_name)
    seeds, _ = provenance.alike(own, scoring.scored(own), scoring.trained_seed(here, here.seeds[0]))
    systems = {seed: registry.build(trained.settings, seed) for seed, trained in seeds.items()}
    averages = next(iter(systems.values())).averages
    identity: dict[str, Any] = {
        "weights": {str(seed): files.sha256(of.weights(seeds[seed].directory)) for seed, of in systems.items()},
        "features": dict(next(iter(seeds.values())).features),
        "recordings": {subset: datadir.recordings_hash(layout.subset(subset)) for subset in subsets},
        "averages": averages,
    }
    out = here.layout.on(other) / here.system_name
    if here.current(out / "scores", identity):
        print(f"score: {out} is up to date; --force computes it again")
        return
    owned.claim(out)
    with locks.hold(out):
        record.remove(out / "scores")
        for seed, system in systems.items():
            system.load(seeds[seed].directory)
        extract = front_end.from_description(identity["features"])
        parts_of = out / PARTS / hashlib.sha256(config.dump(identity).encode()).hexdigest()[:16]
        runs = {
            subset: _score_subset(here, layout.subset(subset), systems, extract, parts_of, jobs) for subset in subsets
        }
        for subset, by_seed in runs.items():
            for seed, scores in by_seed.items():
                score_files.write(out / f"seed{seed}" / "scores" / f"{subset}.txt", scores)
            averaged = scoring.averaged(list(by_seed.values()), averages, out)
            score_files.write(out / "scores" / f"{subset}.txt", averaged)
            print(f"score: wrote {out / 'scores' / f'{subset}.txt'}: {len(averaged)} utterances")
        shutil.rmtree(out / PARTS, ignore_errors=True)
        record.write(out / "scores", {"identity": identity})


def _score_subset(
    here: Stage, listed: Path, systems: Mapping[int, System], extract: FrontEnd, parts_of: Path, jobs: int
) -> dict[int, dict[str, float]]:
    """Seed -> utterance -> score of the data directory `listed`, a part at a time, kept in `parts_of`."""
    labels = {utterance.utt: utterance.label for utterance in datadir.read(listed)}
    recordings = [(utt, str(located(wav))) for utt, wav in datadir.recordings(listed)]
    found: dict[int, dict[str, float]] = {seed: {} for seed in systems}
    with Progress(f"score {listed.parent.name} {listed.name}", len(recordings)) as progress:
        for start in range(0, len(recordings), PART):
            part = recordings[start : start + PART]
            kept = {seed: parts_of / f"{listed.name}-{start // PART + 1}-seed{seed}.txt" for seed in systems}
            missing = [seed for seed, path in kept.items() if not path.is_file() or here.redo(path)]
            if missing:
                units = (part[at : at + UNIT] for at in range(0, len(part), UNIT))
                found_by = parallel.ordered_map(partial(parts.features_of, extract), units, jobs)
                features = {utt: matrix for unit in found_by for utt, matrix in unit.items()}
                one = Subset(listed.name, {utt: labels[utt] for utt in features}, features)
            for seed in missing:
                score_files.write(kept[seed], systems[seed].score(one))
            for seed, path in kept.items():
                found[seed] |= score_files.read(path)
            progress.advance(len(part))
    return found
