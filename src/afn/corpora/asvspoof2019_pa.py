"""ASVspoof 2019, physical access: the official tree (https://doi.org/10.7488/ds/2555).

    ROOT/PA/ASVspoof2019_PA_cm_protocols/ASVspoof2019.PA.cm.{train.trn,dev.trl,eval.trl}.txt
    ROOT/PA/ASVspoof2019_PA_{train,dev,eval}/flac/*.flac

A protocol line is `SPEAKER FILE ENVIRONMENT ATTACK bonafide|spoof`. The folders of dev and eval also hold enrolment
recordings of the speaker verifier; the protocols do not list them, so they are not trials.
"""

import re
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from afn.common import labels, tables
from afn.common.errors import UserError
from afn.common.labels import GENUINE
from afn.corpora import published
from afn.corpora.datadir import UNKNOWN, Conditions, Utterance
from afn.corpora.kind import Say
from afn.corpora.published import PublishedCorpus

PROTOCOLS = {
    "train": "ASVspoof2019.PA.cm.train.trn.txt",
    "dev": "ASVspoof2019.PA.cm.dev.trl.txt",
    "eval": "ASVspoof2019.PA.cm.eval.trl.txt",
}
LINE = "speaker file environment attack bonafide|spoof"
COUNTS = {
    "train": {"genuine": 5400, "spoof": 48600},
    "dev": {"genuine": 5400, "spoof": 24300},
    "eval": {"genuine": 18090, "spoof": 116640},
}
ENVIRONMENT = re.compile("[abc]{3}")  # room size, reverberation time, distance from talker to verifier
ATTACK = re.compile("[ABC]{2}")  # distance from attacker to talker, quality of the replay device
COLUMNS = (
    "environment",
    "attack",
    "room_size",
    "reverberation",
    "talker_distance",
    "attacker_distance",
    "device_quality",
)
FIX = "Get PA.zip of https://doi.org/10.7488/ds/2555, or set corpus.root to the folder that holds PA/."


class ASVspoof2019PA(PublishedCorpus):
    """ASVspoof 2019, physical access, in the folder `root`."""

    kind: Literal["asvspoof2019_pa"]
    asv_scores: str | None = Field(
        default=None,
        description="the folder or file of the organisers' speaker verification scores, for the t-DCF; null: none",
    )

    FIX: ClassVar[str] = FIX

    @property
    def tree(self) -> Path:
        """The folder PA/ in `root`, or `root` itself where that is PA/."""
        return self.folder / "PA" if (self.folder / "PA").is_dir() else self.folder

    @property
    def protocols(self) -> dict[str, Path]:
        """Where the protocol of each subset should be."""
        return {subset: self.tree / "ASVspoof2019_PA_cm_protocols" / name for subset, name in PROTOCOLS.items()}

    def recordings(self, subset: str) -> Path:
        return self.tree / f"ASVspoof2019_PA_{subset}" / "flac"

    def names_of_subsets(self) -> list[str]:
        return [subset for subset, path in self.protocols.items() if not self.allow_missing or path.is_file()]

    def identity(self) -> dict[str, Any]:
        folders = [self.recordings(subset) for subset, path in self.protocols.items() if path.is_file()]
        return self.described(self.protocols, (wav for folder in folders for wav in folder.glob("*.flac")))

    def utterances(self, directory: Path, *, say: Say = print, **options: Any) -> dict[str, list[Utterance]]:
        other = [*self.folder.glob("LA/"), *self.folder.glob("ASVspoof2019_LA_*/")]
        of_la = "This is LA, logical access; this corpus is PA, physical access. " if other else ""
        found = {}
        for subset, path in self.existing(self.protocols, say, of_la + self.FIX).items():
            listed = read_protocol(path)
            counts = published.in_words(published.counted(listed)), published.in_words(COUNTS[subset])
            self.check_counts(path, *counts, say)
            found[subset] = self.present(subset, listed, [self.recordings(subset)], say)
        return self.kept(found)


def read_protocol(path: Path) -> list[Utterance]:
    """The lines of a protocol, in their order; `wav` is the bare file name.

    Raises UserError, which names file and line, for a line of another form, an unknown label or code, and a duplicate.
    """
    conditions, files = Conditions(COLUMNS), set[str]()
    listed = []
    for where, (speaker, file, environment, attack, label) in tables.rows(path, LINE, fix=FIX, unique=False):
        parsed = labels.parse(label, where)
        if not ENVIRONMENT.fullmatch(environment):
            raise UserError(f"{where}: environment {environment!r} is not three letters a-c. {FIX}")
        if not (attack == UNKNOWN if parsed == GENUINE else ATTACK.fullmatch(attack)):
            raise UserError(f"{where}: attack {attack!r} of a {label} recording. It is two letters A-C, or -. {FIX}")
        if file in files:
            raise UserError(f"{where}: {file} is listed twice. {FIX}")
        files.add(file)
        codes = (environment, attack, *environment, *(attack if parsed != GENUINE else (UNKNOWN, UNKNOWN)))
        listed.append(Utterance(file, f"{file}.flac", speaker, parsed, conditions.of(codes)))
    return listed
