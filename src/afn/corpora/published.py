"""What the readers of published corpora share: the user's copy, its counts, and recordings that are missing."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from afn.common import files, paths
from afn.common.errors import UserError
from afn.common.labels import LABELS
from afn.corpora.datadir import Utterance
from afn.corpora.kind import CorpusKind, Say

PART = "To use only what is there: corpus.allow_missing=true."


class PublishedCorpus(CorpusKind):
    """Settings of a published corpus that the user has a copy of."""

    root: str = Field(description="the folder with your copy; a relative path starts at the repository")
    allow_missing: bool = Field(default=False, description="work with a part: say what is missing instead of stopping")

    FIX: ClassVar[str]  # how the user gets what is missing

    @property
    def folder(self) -> Path:
        """The folder that `root` names."""
        return paths.user_path(self.root)

    def inputs(self) -> dict[str, Path]:
        return {"root": self.folder}

    def described(self, lists: Mapping[str, Path], recordings: Iterable[Path], **settings: Any) -> dict[str, Any]:
        """`identity()` for a corpus with these protocols; `recordings` are counted where some may be missing."""
        found = {"kind": self.kind, "name": self.name, **settings}
        if self.allow_missing:  # the recordings that are there may become more
            found["present"] = sum(1 for _ in recordings)
        return found | {"lists": {key: files.sha256(path) for key, path in lists.items() if path.is_file()}}

    def existing(self, lists: Mapping[str, Path], say: Say, fix: str = "") -> dict[str, Path]:
        """The lists that exist. Raises UserError if one is missing, or with `allow_missing` if all are."""
        if not self.folder.is_dir():
            raise UserError(f"{self.folder}: no such folder. {self.FIX}")
        absent = [part for part, path in lists.items() if not path.is_file()]
        if len(absent) == len(lists) or (absent and not self.allow_missing):
            raise UserError(f"{lists[absent[0]]}: no such file. {fix or self.FIX}")
        for part in absent:
            say(f"{part}: no {lists[part].name}; left out")
        return {part: path for part, path in lists.items() if part not in absent}

    def check_counts(self, where: str | Path, found: str, wanted: str, say: Say, fix: str = "") -> None:
        """Raise UserError, or with `allow_missing` warn, if what was `found` in a list is not what was published."""
        if found == wanted:
            return
        if not self.allow_missing:
            raise UserError(f"{where}: {found} instead of the published {wanted}. {fix or self.FIX} {PART}")
        say(f"warning: {where}: {found} instead of the published {wanted}; results are not comparable")

    def present(self, subset: str, listed: Sequence[Utterance], folders: Sequence[Path], say: Say) -> list[Utterance]:
        """The `listed` utterances with the paths of their recordings: all, or with `allow_missing` those that exist.

        `wav` is the bare name of a file in one of the `folders`. Raises UserError for a file that is in two of them.
        """
        wanted, places = {utterance.wav for utterance in listed}, dict[str, Path]()
        for folder in folders:
            for entry in folder.iterdir() if folder.is_dir() else ():
                if entry.name in wanted and places.setdefault(entry.name, folder) != folder:
                    raise UserError(f"{entry}: is also in {places[entry.name]}. Remove one of the two copies.")
        found = [replace(u, wav=f"{paths.portable(places[u.wav])}/{u.wav}") for u in listed if u.wav in places]
        if len(found) < len(listed):
            first = next(u for u in listed if u.wav not in places)
            if not self.allow_missing:
                many = f"{len(listed) - len(found)} of the {len(listed)} of {subset} are missing"
                raise UserError(f"{folders[0] / first.wav}: no such recording ({many}). {self.FIX} {PART}")
            say(f"{subset}: {len(found) or 'none'} of {len(listed)} recordings present{'' if found else '; left out'}")
        return found

    def kept(self, found: Mapping[str, list[Utterance]]) -> dict[str, list[Utterance]]:
        """The subsets that are not empty. Raises UserError if all are."""
        if not any(found.values()):
            raise UserError(f"{self.folder}: holds none of the recordings that are listed. {self.FIX}")
        return {subset: listed for subset, listed in found.items() if listed}


def counted(listed: Iterable[Utterance]) -> Counter[str]:
    """The number of utterances of each class."""
    return Counter(utterance.label for utterance in listed)


def in_words(counts: Mapping[str, int]) -> str:
    """Counts of classes as `3 lines (1 genuine, 2 spoof)`."""
    return f"{sum(counts.values())} lines ({', '.join(f'{counts.get(label, 0)} {label}' for label in LABELS)})"
