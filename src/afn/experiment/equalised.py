"""Eval without silence at its ends and at one level, as another corpus: what stage 3 tests systems on with --audit.

reads   data/<corpus>/eval/
writes  data/<corpus>_equalised/{eval,equalised}/                   the data directory, the recordings
        exp/<corpus>/on_<corpus>_equalised/<system>/                scores, as those of any other corpus
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from afn.common import owned, parallel, record
from afn.common.errors import UserError
from afn.common.paths import located, portable
from afn.common.progress import Progress
from afn.corpora import datadir
from afn.corpora.datadir import Utterance
from afn.corpora.kind import CorpusKind
from afn.corpora.recordings import SAMPLE_RATE
from afn.experiment import other_corpora, preparation, provenance
from afn.experiment.command_line import Stage
from afn.experiment.layout import Layout
from afn.experiment.results_tree import Experiment
from afn.features import audio, nuisance

SUBSET = "eval"


def name(corpus: str) -> str:
    """The name of the equalised corpus."""
    return f"{corpus}_equalised"


class Equalised(CorpusKind):
    """The equalised recordings of the corpus in `of`."""

    kind: str = "equalised"
    of: Layout

    FOLDERS: ClassVar[tuple[str, ...]] = ("equalised",)

    def inputs(self) -> dict[str, Path]:
        return {}

    def names_of_subsets(self) -> list[str]:
        return [SUBSET]

    def identity(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "removed": ["silence", "offset", "level"],
            "recordings": datadir.recordings_hash(self.of.subset(SUBSET)),
        }

    def utterances(self, directory: Path, *, jobs: int = 1, **options: Any) -> dict[str, list[Utterance]]:
        folder = directory / self.FOLDERS[0]
        owned.claim(folder)
        listed = datadir.read(self.of.subset(SUBSET))
        found = []
        with Progress("equalising", len(listed)) as progress:
            for utterance in parallel.ordered_map(partial(_equalise, folder), listed, jobs):
                found.append(utterance)
                progress.advance()
        return {SUBSET: found}


def _corpus(of: Layout) -> Equalised:
    return Equalised(name=name(of.corpus), of=of)


def _equalise(folder: Path, utterance: Utterance) -> Utterance:
    wav = folder / f"{utterance.utt}.wav"
    samples = audio.read(located(utterance.wav), SAMPLE_RATE)
    audio.write(wav, nuisance.equalised(samples, SAMPLE_RATE), SAMPLE_RATE)
    return replace(utterance, wav=portable(wav))


def current(layout: Layout) -> bool:
    """Whether the equalised recordings of a corpus are made from its eval recordings of now."""
    return record.current(layout.data / name(layout.corpus), _corpus(layout).identity())


def score(here: Stage, experiments: Iterable[Experiment], jobs: int) -> None:
    """Score the equalised recordings with every system whose scores are averaged; says which could not be scored.

    Raises UserError if the corpus has no eval set, or its recordings cannot be read.
    """
    if not here.layout.subset(SUBSET).is_dir():
        raise UserError(f"{here.layout.subset(SUBSET)}: no such folder. --audit needs a corpus with an eval set.")
    corpus = _corpus(here.layout)
    preparation.prepare(corpus, replace(here.layout, corpus=corpus.name), jobs=jobs, force=here.force)
    for experiment in experiments:
        if not experiment.averaged_seeds:
            continue
        seed = experiment.averaged_seeds[0]
        try:
            settings = provenance.read(here.layout.seed(experiment.name, seed)).settings
            system = replace(here, system_name=experiment.name, system=settings, seeds=(seed,))
            other_corpora.score(system, corpus.name, jobs)
        except UserError as error:
            print(f"audit: {experiment.title}: {error}")
