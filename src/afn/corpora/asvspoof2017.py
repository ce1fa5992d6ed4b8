"""ASVspoof 2017 Version 2.0: the official tree, read and checked.

    ROOT/protocol_V2/ASVspoof2017_V2_{train.trn,dev.trl,eval.trl}.txt
    ROOT/ASVspoof2017_V2_{train,dev,eval}/*.wav

A protocol line has seven columns: file name, genuine|spoof, speaker, phrase, environment, playback device and recording
device; the last three are `-` for genuine speech. The simulated corpus has the same form and is read by the same code.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from afn.common import files, labels, tables
from afn.common.errors import UserError
from afn.corpora.datadir import CONDITIONS, Conditions, Utterance
from afn.corpora.official import PART, PublishedCorpus, counted, in_words
from afn.corpora.official import present as with_files

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

    def names_of_subsets(self) -> list[str]:
        folders = {subset: self.folder / folder for subset, folder in RECORDINGS.items()}
        return [subset for subset in folders if not self.allow_missing or any(folders[subset].glob("*.wav"))]

    def identity(self) -> dict[str, Any]:
        identity: dict[str, Any] = {"kind": self.kind, "name": self.name, "allow_missing": self.allow_missing}
        if self.allow_missing:  # the recordings that are there may become more
            identity["present"] = {subset: sum(1 for _ in (self.folder / folder).glob("*.wav"))
                                   for subset, folder in RECORDINGS.items()}  # fmt: skip
        return identity | {"protocols": {key: files.sha256(path) for key, path in protocols(self.folder).items()}}

    def utterances(
        self, directory: Path, *, say: Callable[[str], None] = print, **options: Any
    ) -> dict[str, list[Utterance]]:
        return utterances(self.folder, official=True, allow_missing=self.allow_missing, say=say)


def protocols(root: Path) -> dict[str, Path]:
    """The protocol files that exist under `root`, by subset."""
    files_of = {subset: root / PROTOCOL_FOLDER / name for subset, name in PROTOCOLS.items()}
    return {subset: path for subset, path in files_of.items() if path.is_file()}


def utterances(
    root: Path,
    *,
    official: bool,
    allow_missing: bool = False,
    say: Callable[[str], None] = print,
) -> dict[str, list[Utterance]]:
    """The utterances of `train`, `dev` and `eval`, in the order of the protocols.

    With `official` the protocols must have the published counts; a hash that differs is reported through `say`. With
    `allow_missing`, recordings and protocols may be absent: `say` is told how many are there, and a subset without any
    is left out of the result.

    Raises UserError for a missing tree, Version 1 of the corpus, malformed protocols, other counts, and recordings that
    are missing.
    """
    found = _found(root, official, allow_missing, say)
    listed = {subset: read_protocol(path) for subset, path in found.items()}
    if official:
        for subset, path in found.items():
            _published(subset, path, listed[subset], say)
    present = {subset: _present(root, subset, listed[subset], official, allow_missing, say) for subset in found}
    present = {subset: chosen for subset, chosen in present.items() if chosen}
    if not present:
        raise UserError(f"{root}: holds none of the recordings that its protocols list. {_fix(official)}")
    return present


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


def _found(root: Path, official: bool, allow_missing: bool, say: Callable[[str], None]) -> dict[str, Path]:
    """`protocols(root)`, or a UserError that says why there are none, or too few."""
    if not root.is_dir():
        raise UserError(f"{root}: no such folder. {_fix(official)}")
    found = protocols(root)
    absent = [subset for subset in PROTOCOLS if subset not in found]
    if not absent:
        return found
    if old := _version_1(root):
        raise UserError(f"{old}: a protocol of ASVspoof 2017 Version 1. {GET_VERSION_2}")
    if not (found and allow_missing):
        path = root / PROTOCOL_FOLDER / PROTOCOLS[absent[0]]
        trees = [folder for folder in (*sorted(root.glob("*/")), root.resolve().parent) if protocols(folder)]
        raise UserError(f"{path}: no such protocol. {f'Did you mean {trees[0]}?' if trees else _fix(official)}")
    for subset in absent:
        say(f"{subset}: no protocol; left out")
    return found


def _version_1(root: Path) -> Path | None:
    """A protocol of Version 1 in `root` or up to two folders below, as its archives unpack."""
    candidates = (path for depth in ("", "*/", "*/*/") for path in sorted(root.glob(f"{depth}ASVspoof2017_*.tr*")))
    return next((path for path in candidates if VERSION_1.fullmatch(path.name)), None)


def _published(subset: str, path: Path, listed: list[Utterance], say: Callable[[str], None]) -> None:
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


def _present(
    root: Path, subset: str, listed: list[Utterance], official: bool, allow_missing: bool, say: Callable[[str], None]
) -> list[Utterance]:
    """Those of the `listed` utterances that have a file in the folder of the subset: all, unless `allow_missing`."""
    folder = root / RECORDINGS[subset]
    names = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    if extra := sorted(name for name in names - {u.wav for u in listed} if name.lower().endswith(".wav")):
        say(f"{subset}: {len(extra)} recordings that the protocol does not list are ignored ({extra[0]} …)")
    part = PART if official else ""
    return with_files(subset, listed, [folder], fix=_fix(official), part=part, allow_missing=allow_missing, say=say)


def _fix(official: bool) -> str:
    if official:
        return "Download it with utils/download_asvspoof2017.sh, or set corpus.root to your copy."
    return "Simulate the corpus again: stage -2 with --force."
