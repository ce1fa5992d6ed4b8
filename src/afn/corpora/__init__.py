"""Corpora, and how they become Kaldi data directories.

A kind of corpus is one module with a settings class that has the methods of `CorpusKind`, and one entry in `Member`
(corpora/pool.py).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Protocol

from afn.common.errors import UserError
from afn.common.labels import SUBSETS
from afn.corpora import recordings
from afn.corpora.datadir import Utterance
from afn.corpora.pool import Member, Pool

Corpus = Member | Pool  # a YAML's `kind` chooses


class CorpusKind(Protocol):
    """The settings of a corpus, and what stage -2 needs of it."""

    FOLDERS: ClassVar[tuple[str, ...]]  # below data/<corpus>, for recordings that the project makes

    @property
    def name(self) -> str:
        """Its folder under data/ and exp/."""

    @property
    def systems(self) -> dict[str, Any]:
        """Settings that systems take on this corpus."""

    def inputs(self) -> dict[str, Path]:
        """The user's files and folders that it reads, by the name of their setting."""

    def names_of_subsets(self) -> list[str]:
        """The subsets that `utterances` is expected to find, whose folders must be free before anything is written."""

    def identity(self) -> dict[str, Any]:
        """Everything that decides what the data directories contain, without paths; recordings by their names only."""

    def utterances(
        self, directory: Path, *, jobs: int, force: bool, allow_pipes: bool, say: Callable[[str], None]
    ) -> dict[str, list[Utterance]]:
        """The utterances of `train`, `dev` and `eval`; subsets may be absent. Their recordings are not read yet.

        Args:
            directory: data/<corpus>; recordings that the corpus makes go to FOLDERS below it.
            jobs: processes.
            force: make recordings again that are up to date.
            allow_pipes: run the pipes of a wav.scp.
            say: is told of what the user should know, a line each.
        """


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
