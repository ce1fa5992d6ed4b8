"""A corpus of one's own: Kaldi data directories that already exist.

    kind: datadir
    name: mine
    train: /corpora/mine/train
    dev: /corpora/mine/dev
    eval: /corpora/mine/eval

Each directory holds `wav.scp` (id and file) and `utt2label` (id and `genuine` or `spoof`). `utt2spk` and `utt2cond`
(environment, playback device and recorder, or what its first line `#utt NAME …` names) are read if they exist; else
every utterance is its own speaker, and its conditions are unknown. With --allow-pipes a line of wav.scp may
be a pipe, `id program … |` (corpora/pipes.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from afn.common import files, paths
from afn.common.config import Settings
from afn.common.errors import UserError
from afn.common.labels import SUBSETS
from afn.corpora import datadir, pipes, recordings
from afn.corpora.datadir import Utterance

PIPED = "piped"  # the folder below data/<corpus> for what pipes put out
INPUTS = ("wav.scp", "utt2label", "utt2spk", "utt2cond")


class OwnCorpus(Settings):
    """A corpus in existing data directories; a subset that is not given does not exist."""

    kind: Literal["datadir"]
    name: str = Field(description="its folder under data/ and exp/")
    train: str | None = Field(None, description="a data directory; null: there is none")
    dev: str | None = Field(None, description="the same, for selection and calibration")
    eval: str | None = Field(None, description="the same, for the results")
    systems: dict[str, Any] = Field({}, description="settings that systems take on this corpus, by their kind")

    FOLDERS: ClassVar[tuple[str, ...]] = (PIPED,)

    @model_validator(mode="after")
    def _some_subset(self) -> Self:
        if not any((self.train, self.dev, self.eval)):
            raise ValueError("train, dev, eval: none is given; name at least one data directory")
        return self

    def inputs(self) -> dict[str, Path]:
        """The data directories that are given, by subset; `~` is expanded, a relative path starts at the repository."""
        given = {subset: getattr(self, subset) for subset in SUBSETS}
        return {subset: recordings.located(path) for subset, path in given.items() if path}

    def names_of_subsets(self) -> list[str]:
        return list(self.inputs())

    def identity(self) -> dict[str, Any]:
        lists = {f"{subset}/{table}": path
                 for subset, directory in self.inputs().items()
                 for table in INPUTS if (path := directory / table).is_file()}  # fmt: skip
        return {"kind": self.kind, "name": self.name, "lists": {key: files.sha256(lists[key]) for key in lists}}

    def utterances(
        self, directory: Path, *, allow_pipes: bool = False, say: Callable[[str], None] = print, **options: Any
    ) -> dict[str, list[Utterance]]:
        return utterances(self.inputs(), piped=directory / PIPED if allow_pipes else None, say=say)


def utterances(
    directories: Mapping[str, Path], *, piped: Path | None = None, say: Callable[[str], None] = print
) -> dict[str, list[Utterance]]:
    """The utterances of each subset, sorted bytewise by id.

    A relative path in a wav.scp starts at the repository. `say` is told what was filled in. `piped` is a folder for the
    output of the pipes in a wav.scp; without it pipes are refused.

    Raises UserError for missing, malformed or contradicting tables, for segments, and for pipes that are refused or
    fail.
    """
    found = {subset: _read(subset, directory, piped is not None, say) for subset, directory in directories.items()}
    if piped:
        found = {subset: pipes.run(listed, piped / subset, subset) for subset, listed in found.items()}
    return found


def _read(subset: str, directory: Path, allow_pipes: bool, say: Callable[[str], None]) -> list[Utterance]:
    if not directory.is_dir():
        raise UserError(f"{directory}: no such data directory. Correct corpus.{subset}.")
    if (segments := directory / "segments").exists():
        raise UserError(f"{segments}: segments of recordings are not supported. Cut them into separate files first.")
    fix = "A data directory of your own needs wav.scp and utt2label, for the same utterances."
    listed = datadir.read(directory, fill=True, pipes=allow_pipes, fix=fix)
    if not (directory / "utt2spk").exists():
        say(f"{subset}: no utt2spk; every utterance counts as its own speaker")
    if not (directory / "utt2cond").exists():
        say(f"{subset}: no utt2cond; conditions are unknown")
    return [u if datadir.is_pipe(u.wav) else replace(u, wav=paths.portable(recordings.located(u.wav))) for u in listed]
