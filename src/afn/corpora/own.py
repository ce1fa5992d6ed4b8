"""A corpus of one's own: data directories as Kaldi has them, or a folder of recordings and a table of labels.

    kind: datadir                                   kind: datadir
    name: mine                                      name: mine
    train: /corpora/mine/train                      audio: /corpora/mine/wav
    dev: /corpora/mine/dev                          labels: /corpora/mine/labels.csv
    eval: /corpora/mine/eval                        split: [0.5, 0.2, 0.3]

A data directory holds `wav.scp` (id and file) and `utt2label` (id and `genuine` or `spoof`). `segments` (id, recording,
start, end), `utt2spk` and `utt2cond` (the columns that its first line `#utt NAME …` names) are read if they exist;
without them every utterance is its own speaker, without conditions. With --allow-pipes a line of wav.scp may be a pipe,
`id program … |` (corpora/pipes.py). The table is described in corpora/label_table.py.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from afn.common import files, paths
from afn.common.errors import UserError
from afn.common.labels import SUBSETS
from afn.corpora import datadir, label_table, pipes, splits
from afn.corpora.datadir import Utterance
from afn.corpora.kind import CorpusKind, Say

PIPED = "piped"  # the folder below data/<corpus> for what pipes put out
INPUTS = ("wav.scp", "utt2label", "utt2spk", "utt2cond", "segments")
Shares = Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=3, max_length=3)]


class OwnCorpus(CorpusKind):
    """A corpus of the user's: a data directory for each subset, or one table of labels."""

    kind: Literal["datadir"]
    train: str | None = Field(default=None, description="a data directory; null: there is none")
    dev: str | None = Field(default=None, description="the same, for selection and calibration")
    eval: str | None = Field(default=None, description="the same, for the results")
    labels: str | None = Field(default=None, description="instead: a CSV or TSV file with columns file, label, …")
    audio: str | None = Field(default=None, description="where the files in labels start; null: the folder of labels")
    split: Shares | None = Field(
        default=None, description="shares of the speakers in train, dev and eval; null: by the column subset, else eval"
    )
    seed: int = Field(default=1, description="of split")
    channel: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="of recordings with several, 1 for the first; null: several are an error"
    )

    FOLDERS: ClassVar[tuple[str, ...]] = (PIPED,)

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        directories = any((self.train, self.dev, self.eval))
        if not directories and not self.labels:
            raise ValueError("train, dev, eval: none is given; name a data directory, or a table with labels: FILE")
        if directories and self.labels:
            raise ValueError("labels: given beside train, dev or eval; keep one of the two forms")
        if not self.labels and (self.audio or self.split):
            raise ValueError("audio, split: they need a table; name it with labels: FILE")
        if self.split and not sum(self.split):
            raise ValueError("split: all shares are 0; give one that is larger")
        return self

    def inputs(self) -> dict[str, Path]:
        """What is given, by its key; `~` is expanded, a relative path starts at the repository."""
        given = {key: getattr(self, key) for key in (*SUBSETS, "labels", "audio")}
        return {key: paths.user_path(path) for key, path in given.items() if path}

    def names_of_subsets(self) -> list[str]:
        return list(SUBSETS) if self.labels else list(self.inputs())

    def identity(self) -> dict[str, Any]:
        inputs = self.inputs()
        lists = {f"{key}/{table}": path
                 for key, directory in inputs.items() if key in SUBSETS
                 for table in INPUTS if (path := directory / table).is_file()}  # fmt: skip
        if "labels" in inputs and inputs["labels"].is_file():
            lists["labels"] = inputs["labels"]
        given = {key: value for key in ("split", "channel") if (value := getattr(self, key)) is not None}
        if self.split:
            given["seed"] = self.seed
        return {"kind": self.kind, "name": self.name, **given,
                "lists": {key: files.sha256(path) for key, path in lists.items()}}  # fmt: skip

    def utterances(
        self, directory: Path, *, allow_pipes: bool = False, say: Say = print, **options: Any
    ) -> dict[str, list[Utterance]]:
        """The utterances of each subset; `say` is told what was filled in. Without `allow_pipes`, pipes are refused.

        Raises UserError for missing, malformed or contradicting tables, and for pipes that are refused or fail.
        """
        if self.labels:
            return self._from_table(say)
        found = {}
        for subset, folder in self.inputs().items():
            listed = _read(subset, folder, allow_pipes, say)
            if allow_pipes:  # of several segments of a recording, it runs once
                first = {u.wav: u for u in reversed(listed)}
                ran = pipes.run(list(first.values()), directory / PIPED / subset, subset)
                wavs = dict(zip(first, (u.wav for u in ran), strict=True))
                listed = [replace(u, wav=wavs[u.wav]) for u in listed]
            found[subset] = [replace(u, channel=self.channel) for u in listed]
        return datadir.same_conditions(found)

    def _from_table(self, say: Say) -> dict[str, list[Utterance]]:
        path = self.inputs()["labels"]
        audio = self.inputs().get("audio", path.parent)
        if not audio.is_dir():
            raise UserError(f"{audio}: no such folder. Correct corpus.audio.")
        table = label_table.read(path, audio, self.channel)
        if "speaker" not in table.columns:
            say(f"{path.name}: no column speaker; every recording counts as its own speaker")
        subsets: list[str] = table.subsets
        if self.split and "subset" in table.columns:
            raise UserError(f"{path}: has a column subset, and corpus.split is given. Remove one of the two.")
        if self.split:
            classes: dict[str, set[str]] = {}
            for u in table.utterances:
                classes.setdefault(u.speaker, set()).add(u.label)
            groups: dict[str, list[str]] = {}  # speakers of one class are divided as those of the other
            for speaker, of_speaker in classes.items():
                groups.setdefault(" ".join(sorted(of_speaker)), []).append(speaker)
            subset_of = splits.by_speaker(groups, dict(zip(SUBSETS, self.split, strict=True)), self.seed)
            subsets = [subset_of[u.speaker] for u in table.utterances]
        elif "subset" not in table.columns:
            say(f"{path.name}: no column subset; all recordings are eval (corpus.split divides them)")
            subsets = ["eval"] * len(table.utterances)
        pairs = list(zip(subsets, table.utterances, strict=True))
        found = {subset: [u for of, u in pairs if of == subset] for subset in SUBSETS}
        return {subset: listed for subset, listed in found.items() if listed}


def _read(subset: str, directory: Path, allow_pipes: bool, say: Say) -> list[Utterance]:
    """The utterances of a data directory of the user's, sorted bytewise by id."""
    if not directory.is_dir():
        raise UserError(f"{directory}: no such data directory. Correct corpus.{subset}.")
    fix = "A data directory of your own needs wav.scp and utt2label, for the same utterances."
    listed = datadir.read(directory, fill=True, pipes=allow_pipes, fix=fix)
    if not (directory / "utt2spk").exists():
        say(f"{subset}: no utt2spk; every utterance counts as its own speaker")
    if not (directory / "utt2cond").exists():
        say(f"{subset}: no utt2cond; conditions are unknown")
    return [u if datadir.is_pipe(u.wav) else replace(u, wav=paths.portable(paths.user_path(u.wav))) for u in listed]
