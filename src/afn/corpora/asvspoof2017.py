"""ASVspoof 2017 Version 2.0: the official tree, read and checked.

    ROOT/protocol_V2/ASVspoof2017_V2_{train.trn,dev.trl,eval.trl}.txt
    ROOT/ASVspoof2017_V2_{train,dev,eval}/*.wav

A protocol line has seven columns: file name, genuine|spoof, speaker, phrase, environment, playback device and recording
device; the last three are `-` for genuine speech. Generated corpora have the same form.
"""

import re
from pathlib import Path
from typing import Any, ClassVar, Literal

from afn.common import files, labels, tables
from afn.common.errors import UserError
from afn.corpora.datadir import CONDITIONS, Conditions, Utterance
from afn.corpora.kind import Say
from afn.corpora.published import PublishedCorpus, counted, in_words

PROTOCOL_FOLDER = "protocol_V2"
PROTOCOLS = {
    "train": "ASVspoof2017_V2_train.trn.txt",
    "dev": "ASVspoof2017_V2_dev.trl.txt",
    "eval": "ASVspoof2017_V2_eval.trl.txt",
}
RECORDINGS = {subset: f"ASVspoof2017_V2_{subset}" for subset in PROTOCOLS}
LINE = "file genuine|spoof speaker phrase environment playback recorder"

# The lines of the published protocols, and the files' own hashes.
COUNTS = {
    "train": {"genuine": 1507, "spoof": 1507},
    "dev": {"genuine": 760, "spoof": 950},
    "eval": {"genuine": 1298, "spoof": 12008},
}
SHA256 = {
    "train": "6a84217c6f65146283ab81e39588b4c6e111cc08e193521dda4e99e0137651c8",
    "dev": "7ef3740cb4377b5d0f621da1f9c3679569cfa575a9056b711c6bf34e982c15d8",
    "eval": "fbb281ba8195ce6272b6a3aaaeb6c41086349e808a3ad88e1dcfad2575db5557",
}

# Version 1, of the challenge itself, lists 2 more recordings of training and 914 more of evaluation.
VERSION_1 = re.compile(r"ASVspoof2017_(train\.trn|dev\.trl|eval\.trl)(\.txt)?")
VERSION_1_COUNTS = {"train": 3016, "eval": 14220}
GET_VERSION_2 = "Get Version 2.0 with utils/download_asvspoof2017.sh, or set corpus.root to your copy."
FETCH_PROTOCOL = "Download the protocol again."


class ASVspoof2017(PublishedCorpus):
    """The official corpus in the folder `root`; with `allow_missing`, as much of it as is there."""

    kind: Literal["asvspoof2017"]

    FIX: ClassVar[str] = "Download it with utils/download_asvspoof2017.sh, or set corpus.root to your copy."

    def names_of_subsets(self) -> list[str]:
        folders = {subset: self.folder / folder for subset, folder in RECORDINGS.items()}
        return [subset for subset in folders if not self.allow_missing or any(folders[subset].glob("*.wav"))]

    def identity(self) -> dict[str, Any]:
        identity: dict[str, Any] = {"kind": self.kind, "name": self.name, "allow_missing": self.allow_missing}
        if self.allow_missing:  # the recordings that are there may become more
            identity["present"] = {subset: sum(1 for _ in (self.folder / folder).glob("*.wav"))
                                   for subset, folder in RECORDINGS.items()}  # fmt: skip
        lists = {subset: path for subset, path in protocols(self.folder).items() if path.is_file()}
        return identity | {"protocols": {subset: files.sha256(path) for subset, path in lists.items()}}

    def utterances(self, directory: Path, *, say: Say = print, **options: Any) -> dict[str, list[Utterance]]:
        """The utterances in the order of the protocols, which must have the published counts.

        Raises UserError also for Version 1 of the corpus.
        """
        found = {}
        for subset, path in self._protocols(say).items():
            listed, folder = read_protocol(path), self.folder / RECORDINGS[subset]
            _check_published(subset, path, listed, say)
            names = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
            if extra := sorted(n for n in names - {u.wav for u in listed} if n.lower().endswith(".wav")):
                say(f"{subset}: {len(extra)} recordings that the protocol does not list are ignored ({extra[0]} …)")
            found[subset] = self.present(subset, listed, [folder], say)
        return self.kept(found)

    def _protocols(self, say: Say) -> dict[str, Path]:
        """The protocols, or a UserError that says why there are none, or too few."""
        lists = protocols(self.folder)
        if not all(path.is_file() for path in lists.values()) and (old := _version_1(self.folder)):
            raise UserError(f"{old}: a protocol of ASVspoof 2017 Version 1. {GET_VERSION_2}")
        near = [folder for folder in (*sorted(self.folder.glob("*/")), self.folder.resolve().parent)
                if any(path.is_file() for path in protocols(folder).values())]  # fmt: skip
        return self.existing(lists, say, f"Did you mean {near[0]}?" if near else "")


def protocols(root: Path) -> dict[str, Path]:
    """Where the protocol of each subset should be under `root`."""
    return {subset: root / PROTOCOL_FOLDER / name for subset, name in PROTOCOLS.items()}


def read_protocol(path: Path) -> list[Utterance]:
    """The lines of a protocol, in their order; `wav` holds the bare file name, `utt` the same without `.wav`.

    Raises UserError, naming file and line, for missing columns, unknown labels, duplicates and unusable file names.
    """
    hints = {2: f"A list without labels is Version 1's evaluation list. {GET_VERSION_2}"}
    listed, conditions = [], Conditions(CONDITIONS)
    for where, fields in tables.rows(path, LINE, fix=FETCH_PROTOCOL, hints=hints):
        name, label, speaker, _phrase, *codes = fields
        utt = name.removesuffix(".wav")
        if utt in ("", name) or "/" in name or "\\" in name:
            raise UserError(f"{where}: {name!r} is not the bare name of a .wav file. {FETCH_PROTOCOL}")
        listed.append(Utterance(utt, name, speaker, labels.parse(label, where), conditions.of(codes)))
    return listed


def _version_1(root: Path) -> Path | None:
    """A protocol of Version 1 in `root` or up to two folders below, as its archives unpack."""
    candidates = (path for depth in ("", "*/", "*/*/") for path in sorted(root.glob(f"{depth}ASVspoof2017_*.tr*")))
    return next((path for path in candidates if VERSION_1.fullmatch(path.name)), None)


def _check_published(subset: str, path: Path, listed: list[Utterance], say: Say) -> None:
    """Raise UserError unless the protocol has the published counts; `say` when only its hash differs."""
    counts = counted(listed)
    if counts != COUNTS[subset]:
        old = len(listed) == VERSION_1_COUNTS.get(subset)
        raise UserError(
            f"{path}: {in_words(counts)} instead of Version 2.0's {in_words(COUNTS[subset])}. "
            + (f"This is Version 1. {GET_VERSION_2}" if old else FETCH_PROTOCOL)
        )
    if (found := files.sha256(path)) != SHA256[subset]:
        say(f"warning: {path}: sha256 {found} differs from the published file's; its counts agree, continuing")
