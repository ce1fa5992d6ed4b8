"""What a corpus is, and how it becomes Kaldi data directories."""

import shutil
from pathlib import Path
from typing import Any

from afn.common import config, record
from afn.corpora import asvspoof2017, own
from afn.corpora.asvspoof2017 import ASVspoof2017
from afn.corpora.datadir import Utterance
from afn.corpora.own import OwnCorpus
from afn.corpora.simulation import simulated
from afn.corpora.simulation.simulated import Simulated

Corpus = ASVspoof2017 | OwnCorpus | Simulated


def utterances(
    corpus: Corpus, directory: Path, jobs: int, anew: bool = False, allow_pipes: bool = False
) -> dict[str, list[Utterance]]:
    """The utterances of `train`, `dev` and `eval`, their recordings checked; a subset that is not there is left out.

    A simulated corpus is made first, in `directory`/simulated, by `jobs` processes; what stands there is kept unless
    `anew`. Copies of official recordings that had to be converted lie in `directory`/copies, what the pipes of a
    wav.scp put out (only with `allow_pipes`) in `directory`/piped.
    """
    if isinstance(corpus, OwnCorpus):
        return own.utterances(corpus.directories, piped=directory / "piped" if allow_pipes else None)
    if isinstance(corpus, ASVspoof2017):
        return asvspoof2017.utterances(
            corpus.folder, official=True, allow_missing=corpus.allow_missing, copies=directory / "copies"
        )
    tree = directory / "simulated"
    if anew:
        shutil.rmtree(tree, ignore_errors=True)
    simulated.generate(corpus, tree, jobs)
    return asvspoof2017.utterances(tree, official=False)


def made_from(corpus: Corpus) -> dict[str, Any]:
    """The record of a prepared corpus: its settings, and the lists and protocols it is read from."""
    if isinstance(corpus, Simulated):
        return record.make({"name": corpus.name, **simulated.identity(corpus)})
    settings = config.plain(corpus)
    del settings["systems"]  # not the corpus, but what systems do with it
    if isinstance(corpus, OwnCorpus):
        lists = {f"{subset}/{table}": directory / table
                 for subset, directory in corpus.directories.items()
                 for table in ("wav.scp", "utt2label", "utt2spk", "utt2cond")}  # fmt: skip
        return record.make(settings, {name: path for name, path in lists.items() if path.is_file()})
    if corpus.allow_missing:  # what is there may grow
        settings["present"] = {subset: sum(1 for _ in (corpus.folder / folder).glob("*.wav"))
                               for subset, folder in asvspoof2017.RECORDINGS.items()}  # fmt: skip
    return record.make(settings, asvspoof2017.protocols(corpus.folder))
