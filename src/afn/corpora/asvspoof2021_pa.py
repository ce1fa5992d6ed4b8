"""ASVspoof 2021, physical access: evaluation data only. Train on ASVspoof 2019 PA and score this corpus.

    ROOT/[ASVspoof2021_PA_eval_part0{0..6}/]ASVspoof2021_PA_eval/flac/*.flac
    ROOT/keys/PA/CM/trial_metadata.txt          from PA-keys-full.tar.gz

A line of the key has twelve columns: speaker, file, room, microphone of the verifier, distance from the talker (D, bona
fide) or the attacker (d) to the verifier, the attacker's room, microphone, replay device and distance to the talker,
bonafide|spoof, notrim|trim, and eval|progress|hidden. `track` selects the trials; the hidden ones are two tracks,
with and without their silences.
"""

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from afn.common import labels, tables
from afn.common.errors import UserError
from afn.common.paths import user_path
from afn.corpora.datadir import Conditions, Utterance
from afn.corpora.kind import Say
from afn.corpora.published import PublishedCorpus

LINE = "speaker file room microphone distance room microphone device distance bonafide|spoof notrim|trim subset"
COLUMNS = (
    "room",
    "asv_microphone",
    "distance",
    "attacker_room",
    "attacker_microphone",
    "replay_device",
    "attacker_distance",
)
TRACKS = {"eval": ("eval",), "progress": ("progress",), "hidden1": ("hidden", "notrim"), "hidden2": ("hidden", "trim")}
COUNTS = {"eval": 721332, "progress": 87048, "hidden1": 67365, "hidden2": 67365}  # utterances of each track
KEY = "trial_metadata.txt"
PLACES = ("keys/PA/CM", "PA/CM", "CM", "")  # of the key below a folder
FIX = f"Take keys/PA/CM/{KEY} of PA-keys-full.tar.gz (https://www.asvspoof.org/index2021.html)."
HINTS = {  # number of columns -> which other file it is
    1: f"This is the list of names, without labels. {FIX}",
    8: f"This is a key of another track (LA). {FIX}",
    13: f"This is a key of another track (DF). {FIX}",
}
GET = "Get the archives ASVspoof2021_PA_eval_part00 to 06, or set corpus.root to the folder that holds them."


class ASVspoof2021PA(PublishedCorpus):
    """One track of ASVspoof 2021, physical access; it becomes the subset `eval`."""

    kind: Literal["asvspoof2021_pa"]
    root: str | list[str] = Field(  # type: ignore[assignment]
        description="the folder with your copy, or a list: the parts of the archive"
    )
    track: Literal["eval", "progress", "hidden1", "hidden2"] = Field(
        default="eval", description="the trials; hidden1: silences kept, hidden2: silences trimmed"
    )
    keys: str | None = Field(
        default=None, description="the key with the labels, or a folder above it; null: it is in root"
    )
    asv_scores: str | None = Field(
        default=None, description="the folder keys/PA/ASV of speaker verification scores, for the t-DCF; null: none"
    )

    FIX: ClassVar[str] = GET

    @property
    def folder(self) -> Path:
        return self.roots[0]

    @property
    def roots(self) -> list[Path]:
        return [user_path(root) for root in ([self.root] if isinstance(self.root, str) else self.root)]

    def inputs(self) -> dict[str, Path]:
        roots = {"root" if len(self.roots) == 1 else f"root[{i}]": root for i, root in enumerate(self.roots)}
        return roots | ({"keys": user_path(self.keys)} if self.keys else {})

    def names_of_subsets(self) -> list[str]:
        return ["eval"]

    def key(self) -> Path:
        """The key with the labels. Raises UserError if it or a folder of `root` is missing."""
        if absent := [root for root in self.roots if not root.is_dir()]:
            raise UserError(f"{absent[0]}: no such folder. {GET}")
        folders = [user_path(self.keys)] if self.keys else self.roots
        for folder in folders:
            for path in (folder, *(folder / place / KEY for place in PLACES)):
                if path.is_file():
                    return path
        raise UserError(f"{folders[0] / PLACES[0] / KEY}: no such key. {FIX} Or set corpus.keys to it.")

    def recordings(self) -> list[Path]:
        """The folders with recordings: of the whole tree, of its parts, or both."""
        forms = ("flac/", "ASVspoof2021_PA_eval/flac/", "*/ASVspoof2021_PA_eval/flac/")
        return sorted({path for root in self.roots for form in forms for path in root.glob(form)})

    def identity(self) -> dict[str, Any]:
        recordings = (path for folder in self.recordings() for path in folder.glob("*.flac"))
        return self.described({"eval": self.key()}, recordings, track=self.track)

    def utterances(self, directory: Path, *, say: Say = print, **options: Any) -> dict[str, list[Utterance]]:
        key, folders = self.key(), self.recordings()
        if not folders:
            raise UserError(f"{self.folder}: no folder ASVspoof2021_PA_eval/flac in it. {GET}")
        listed = read_key(key, self.track)
        counts = f"{len(listed)} lines", f"{COUNTS[self.track]} lines"
        self.check_counts(f"{key}: track {self.track}", *counts, say, FIX)
        return self.kept({"eval": self.present("eval", listed, folders, say)})


def read_key(path: Path, track: str) -> list[Utterance]:
    """The trials of a track, in the order of the key; `wav` is the bare file name.

    Raises UserError, which names file and line, for a key of another form or track, and for a duplicate.
    """
    conditions, listed, files = Conditions(COLUMNS), [], set[str]()
    for where, fields in tables.rows(path, LINE, fix=FIX, unique=False, hints=HINTS):
        speaker, file, *codes, label, trim, subset = fields
        if label in ("target", "nontarget"):
            raise UserError(f"{where}: label {label!r}: this is the key of the speaker verifier. {FIX}")
        if trim not in ("notrim", "trim") or subset not in ("eval", "progress", "hidden"):
            raise UserError(f"{where}: {trim} {subset} instead of notrim|trim and eval|progress|hidden. {FIX}")
        if TRACKS[track] != (subset, trim)[: len(TRACKS[track])]:
            continue
        if file in files:
            raise UserError(f"{where}: {file} is listed twice. {FIX}")
        files.add(file)
        listed.append(Utterance(file, f"{file}.flac", speaker, labels.parse(label, where), conditions.of(codes)))
    return listed
