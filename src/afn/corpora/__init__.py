"""Corpora, and how they become Kaldi data directories.

A kind of corpus is one module with a settings class, derived from `CorpusKind`, and one entry in `Member`
(corpora/pool.py).
"""

from pathlib import Path

from afn.common.errors import UserError
from afn.common.labels import SUBSETS
from afn.corpora import recordings
from afn.corpora.kind import CorpusKind
from afn.corpora.pool import Member, Pool

Corpus = Member | Pool  # a YAML's `kind` chooses


def check_apart(corpus: CorpusKind, directory: Path) -> None:
    """Raise UserError if an input of `corpus` is, contains or lies in a folder that stage -2 writes in `directory`."""
    outputs = [directory / name for name in (*SUBSETS, *corpus.FOLDERS, recordings.FOLDER)]
    for name, given in corpus.inputs().items():
        try:
            source, targets = given.resolve(), {output: output.resolve() for output in outputs}
        except RuntimeError:  # a circular link: reported where the input is read
            continue
        for output, target in targets.items():
            if source.is_relative_to(target) or target.is_relative_to(source):
                how = "is" if source == target else "lies in" if source.is_relative_to(target) else "contains"
                raise UserError(
                    f"corpus.{name}: {given} {how} {output}, which stage -2 writes; nothing was changed. Choose "
                    f"another name: for the corpus, another --data, or another folder for the input."
                )
