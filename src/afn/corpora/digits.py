"""Spoken digits, live and played back: real replays that anyone can download (utils/download_digits.sh).

    ROOT/soundSamples/separated/{live,playback}/{en_US,pt_BR}/DIGIT/VozSPEAKER.wav     the authors' repository
    ROOT/{genuine,spoof}/{en_US,pt_BR}_SPEAKER/DIGIT.flac                              the same, sorted by speaker

41 speakers said ten digits once. Playbacks are softer and shorter, and both classes were cut by hand: systems that see
the absolute level have an easy task (docs/corpora.md).
"""

import hashlib
import re
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from afn.common import paths
from afn.common.errors import UserError
from afn.common.labels import GENUINE, SPOOF
from afn.corpora import splits
from afn.corpora.datadir import Conditions, Utterance
from afn.corpora.kind import Say
from afn.corpora.published import PublishedCorpus

FORMS = (  # a recording below one of the folders of each form
    (
        ("soundSamples/separated", ""),
        re.compile(r"(?P<label>live|playback)/(?P<language>\w+)/(?P<digit>\d)/Voz(?P<speaker>\d+)\.(wav|flac)"),
    ),
    (("",), re.compile(r"(?P<label>genuine|spoof)/(?P<language>\w+)_(?P<speaker>\d+)/(?P<digit>\d)\.(wav|flac)")),
)
NAMES = {GENUINE: "live", SPOOF: "playback"}  # in utterance ids
SPEAKERS = {"train": 20, "dev": 10, "eval": 11}
RECORDINGS = 820
FIX = "Get them with utils/download_digits.sh, or set corpus.root to your copy."

Key = tuple[str, int, int, str]  # language, speaker, digit, label


class Digits(PublishedCorpus):
    """The spoken digits, divided by speaker with both languages in every subset."""

    kind: Literal["digits"]
    seed: int = Field(default=1, description="of the division of the speakers into train, dev and eval")

    FIX: ClassVar[str] = FIX

    def identity(self) -> dict[str, Any]:
        names = "".join(f"{key}\n" for key in sorted(recordings(self.folder)))
        listed = hashlib.sha256(names.encode()).hexdigest()
        return {"kind": self.kind, "name": self.name, "seed": self.seed, "recordings": listed}

    def utterances(self, directory: Path, *, say: Say = print, **options: Any) -> dict[str, list[Utterance]]:
        found = recordings(self.folder)
        of_both = {key[:2] for key in found if key[3] == GENUINE} & {key[:2] for key in found if key[3] == SPOOF}
        if alone := sorted({key[:2] for key in found} - of_both):  # the repository holds a speaker who was not replayed
            say(f"speakers with recordings of one class are left out: {', '.join(_speaker(*who) for who in alone)}")
        found = {key: path for key, path in found.items() if key[:2] in of_both}
        if not found:
            raise UserError(f"{self.folder}: holds no recordings of digits in both classes. {FIX}")
        counts = (len(found), len(of_both)), (RECORDINGS, sum(SPEAKERS.values()))
        there, wanted = (f"{recordings} recordings of {speakers} speakers" for recordings, speakers in counts)
        self.check_counts(self.folder, there, wanted, say)
        groups: dict[str, list[str]] = {}
        for language, number in sorted(of_both):
            groups.setdefault(language, []).append(_speaker(language, number))
        subset_of = splits.by_speaker(groups, SPEAKERS, self.seed)
        conditions = Conditions(("language", "digit"))
        subsets: dict[str, list[Utterance]] = {subset: [] for subset in SPEAKERS}
        for (language, number, digit, label), path in sorted(found.items()):
            speaker, codes = _speaker(language, number), conditions.of((language, str(digit)))
            utterance = Utterance(f"{speaker}_{digit}_{NAMES[label]}", paths.portable(path), speaker, label, codes)
            subsets[subset_of[speaker]].append(utterance)
        return subsets


def recordings(root: Path) -> dict[Key, Path]:
    """The recordings below `root`, in either form. Raises UserError if there are none, or some in each form."""
    if not root.is_dir():
        raise UserError(f"{root}: no such folder. {FIX}")
    found: list[dict[Key, Path]] = []
    for folders, form in FORMS:
        of_form: dict[Key, Path] = {}
        for folder in (root / name for name in folders):
            for path in sorted(folder.glob("*/*/**/*.*")) if not of_form else ():
                if match := form.fullmatch(path.relative_to(folder).as_posix()):
                    label = GENUINE if match["label"] in ("live", GENUINE) else SPOOF
                    of_form[match["language"], int(match["speaker"]), int(match["digit"]), label] = path
        found.append(of_form)
    if all(found):
        examples = " and ".join(str(next(iter(of_form.values()))) for of_form in found)
        raise UserError(f"{root}: holds the corpus in two layouts ({examples}). Remove one of the two.")
    return found[0] or found[1]


def _speaker(language: str, number: int) -> str:
    return f"{language}_{number:02d}"
