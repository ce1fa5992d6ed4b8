"""What all corpora have in common: the settings that their YAMLs share, and what stage -2 asks of them."""

from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from afn.common.config import FolderName, Settings
from afn.common.labels import SUBSETS
from afn.corpora.datadir import Utterance

Say = Callable[[str], None]  # is told of what the user should know, a line each


class CorpusKind(Settings):
    """Base class of the settings of a corpus."""

    kind: str
    name: FolderName = Field(description="its folder under data/ and exp/")
    systems: dict[str, dict[str, Any]] = Field(
        default={}, description="settings that systems take on this corpus, by their kind"
    )

    FOLDERS: ClassVar[tuple[str, ...]] = ()  # below data/<corpus>, for recordings that the project makes

    @abstractmethod
    def inputs(self) -> dict[str, Path]:
        """The user's files and folders that it reads, by the name of their setting."""

    def names_of_subsets(self) -> list[str]:
        """The subsets that `utterances` is expected to find, whose folders must be free before anything is written."""
        return list(SUBSETS)

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """Everything that decides what the data directories contain, without paths; recordings by their names only."""

    @abstractmethod
    def utterances(
        self, directory: Path, *, jobs: int = 1, force: bool = False, allow_pipes: bool = False, say: Say = print
    ) -> dict[str, list[Utterance]]:
        """The utterances of `train`, `dev` and `eval`; subsets may be absent. Their recordings are not read yet.

        `directory` is data/<corpus>; recordings that the corpus makes go to FOLDERS below it, by `jobs` processes;
        `force` makes those again that are up to date. `allow_pipes` runs the pipes of a wav.scp.
        """
