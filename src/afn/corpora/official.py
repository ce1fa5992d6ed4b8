"""What the readers of published corpora share: the user's copy, its counts, and recordings that are missing."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from afn.common import files, paths
from afn.common.config import Settings
from afn.common.errors import UserError
from afn.common.labels import LABELS
from afn.corpora.datadir import Utterance

PART = "To use only what is there: corpus.allow_missing=true."

Say = Callable[[str], None]


class PublishedCorpus(Settings):
    """Settings of a published corpus that the user has a copy of."""

    name: str = Field(description="its folder under data/ and exp/")
    root: str = Field(description="the folder with your copy; a relative path starts at the repository")
    allow_missing: bool = Field(default=False, description="work with a part: say what is missing instead of stopping")
    systems: dict[str, Any] = Field(default={}, description="settings that systems take on this corpus, by their kind")

    FOLDERS: ClassVar[tuple[str, ...]] = ()

    @property
    def folder(self) -> Path:
        """The folder that `root` names."""
        return paths.user_path(self.root)

    def inputs(self) -> dict[str, Path]:
        return {"root": self.folder}

    def described(self, lists: Mapping[str, Path], recordings: Iterable[Path], **settings: Any) -> dict[str, Any]:
        """`identity()` for a corpus with these protocols; `recordings` are counted where some may be missing."""
        found = {"kind": self.kind, "name": self.name, **settings}  # type: ignore[attr-defined]
        if self.allow_missing:  # the recordings that are there may become more
            found["present"] = sum(1 for _ in recordings)
        return found | {"lists": {key: files.sha256(path) for key, path in lists.items()}}


def counted(listed: Iterable[Utterance]) -> Counter[str]:
    """The number of utterances of each class."""
    return Counter(utterance.label for utterance in listed)


def in_words(counts: Mapping[str, int]) -> str:
    """Counts of classes as `3 lines (1 genuine, 2 spoof)`."""
    return f"{sum(counts.values())} lines ({', '.join(f'{counts.get(label, 0)} {label}' for label in LABELS)})"


def check_counts(where: str | Path, found: str, wanted: str, fix: str, allow_missing: bool, say: Say) -> None:
    """Raise UserError, or with `allow_missing` warn, if what was `found` in a list is not what was published."""
    if found == wanted:
        return
    if not allow_missing:
        raise UserError(f"{where}: {found} instead of the published {wanted}. {fix} {PART}")
    say(f"warning: {where}: {found} instead of the published {wanted}; results are not comparable")


def present(
    subset: str,
    listed: Sequence[Utterance],
    folders: Sequence[Path],
    *,
    fix: str,
    part: str = PART,
    allow_missing: bool,
    say: Say,
) -> list[Utterance]:
    """The `listed` utterances with the paths of their recordings: all, or with `allow_missing` those that exist.

    Args:
        subset: its name, for messages.
        listed: `wav` is the bare name of a file.
        folders: where the files are; a file in two of them is an error.
        fix: how the user gets what is missing.
        part: how the user does without it.
        allow_missing: tell `say` of what is missing instead of raising UserError.
        say: is told of what the user should know.
    """
    wanted, places = {utterance.wav for utterance in listed}, dict[str, Path]()
    for folder in folders:
        for entry in folder.iterdir() if folder.is_dir() else ():
            if entry.name in wanted and places.setdefault(entry.name, folder) != folder:
                raise UserError(f"{entry}: is also in {places[entry.name]}. Remove one of the two copies.")
    found = [replace(u, wav=f"{paths.portable(places[u.wav])}/{u.wav}") for u in listed if u.wav in places]
    if len(found) < len(listed):
        first = next(u for u in listed if u.wav not in places)
        if not allow_missing:
            many = f"{len(listed) - len(found)} of the {len(listed)} of {subset} are missing"
            where = folders[0] / first.wav if folders else first.wav
            raise UserError(f"{where}: no such recording ({many}). {fix} {part}".rstrip())
        say(f"{subset}: {len(found) or 'none'} of {len(listed)} recordings present{'' if found else '; left out'}")
    return found


def kept(found: Mapping[str, list[Utterance]], where: Path, fix: str) -> dict[str, list[Utterance]]:
    """The subsets that are not empty. Raises UserError if all are."""
    if not any(found.values()):
        raise UserError(f"{where}: holds none of the recordings that are listed. {fix}")
    return {subset: listed for subset, listed in found.items() if listed}
