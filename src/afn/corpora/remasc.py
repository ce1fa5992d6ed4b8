"""ReMASC: genuine and replayed voice commands, recorded by microphone arrays (https://arxiv.org/abs/1904.03365).

    ROOT/{core,eval}/meta.csv    id, type, speaker, environment, position, source recorder, playback, recorder, seconds
    ROOT/{core,eval}/data/ID.wav

`eval` is used as it is. The corpus has no development set: `core` is divided by speaker into train and dev. Source
recordings (type 1), which were played back and not recorded by an array, are left out.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from afn.common.config import Share
from afn.common.errors import UserError
from afn.common.labels import GENUINE, SPOOF
from afn.corpora import published, splits
from afn.corpora.datadir import UNKNOWN, Conditions, Utterance
from afn.corpora.kind import Say
from afn.corpora.published import PublishedCorpus

COLUMNS = ("id", "type", "speaker", "environment", "position", "source", "playback", "recorder", "seconds")
TYPES = {"1": None, "2": GENUINE, "3": SPOOF}
ENVIRONMENTS = {"1": "outdoor", "2": "indoor_1", "3": "indoor_2", "4": "vehicle"}
CONDITIONS = ("environment", "position", "source_recorder", "playback")
CHANNELS = {1: 2, 2: 4, 3: 6, 4: 7}  # of each recorder: AIY, ReSpeaker 4, ReSpeaker v2, Amlogic
COUNTS = {  # of each recorder, core and eval together
    1: {GENUINE: 1473, SPOOF: 6873},
    2: {GENUINE: 2452, SPOOF: 8212},
    3: {GENUINE: 2159, SPOOF: 7941},
    4: {GENUINE: 2365, SPOOF: 8311},
}
FIX = "Get ReMASC (https://github.com/YuanGongND/ReMASC), or set corpus.root to the folder that holds core/ and eval/."


class ReMASC(PublishedCorpus):
    """One recorder and channel of ReMASC."""

    kind: Literal["remasc"]
    recorder: Literal[1, 2, 3, 4] = Field(description="1 AIY, 2 ReSpeaker 4, 3 ReSpeaker v2, 4 Amlogic")
    channel: Annotated[int, Field(ge=1)] = Field(default=1, description="of the recorder's 2, 4, 6 or 7 microphones")
    dev: Share = Field(default=0.3, description="share of the speakers of core that become dev")
    seed: int = Field(default=1, description="of the division of the speakers")

    FIX: ClassVar[str] = FIX

    @model_validator(mode="after")
    def _known_channel(self) -> Self:
        if self.channel > CHANNELS[self.recorder]:
            raise ValueError(f"channel: {self.channel} must be at most {CHANNELS[self.recorder]} for this recorder")
        return self

    @property
    def lists(self) -> dict[str, Path]:
        """Where the list of each part of the corpus should be."""
        return {part: self.folder / part / "meta.csv" for part in ("core", "eval")}

    def names_of_subsets(self) -> list[str]:
        return [*(("train", "dev") if self.lists["core"].is_file() else ()), "eval"]

    def identity(self) -> dict[str, Any]:
        chosen = {"recorder": self.recorder, "channel": self.channel, "dev": self.dev, "seed": self.seed}
        wavs = (w for path in self.lists.values() if path.is_file() for w in path.parent.glob("data/*.wav"))
        return self.described(self.lists, wavs, **chosen)

    def utterances(self, directory: Path, *, say: Say = print, **options: Any) -> dict[str, list[Utterance]]:
        listed = {part: list(self._read(part, path)) for part, path in self.existing(self.lists, say).items()}
        counts = published.counted(u for part in listed.values() for u in part), COUNTS[self.recorder]
        found, wanted = map(published.in_words, counts)
        self.check_counts(f"{self.folder}: recorder {self.recorder}", found, wanted, say)
        folders = {part: [path.parent / "data"] for part, path in self.lists.items()}
        present = self.kept({part: self.present(part, of, folders[part], say) for part, of in listed.items()})
        if core := present.pop("core", None):
            speakers = sorted({utterance.speaker for utterance in core})
            subset_of = splits.by_speaker({"": speakers}, {"train": 1 - self.dev, "dev": self.dev}, self.seed)
            divided = {subset: [u for u in core if subset_of[u.speaker] == subset] for subset in ("train", "dev")}
            present = {**divided, **present}
        return present

    def _read(self, part: str, path: Path) -> Iterator[Utterance]:
        """The genuine and replayed recordings of the recorder; `wav` is the bare file name."""
        conditions, seen = Conditions(CONDITIONS), set[str]()
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, row in enumerate(csv.reader(file, skipinitialspace=True), 1):
                where, fields = f"{path}:{number}", [field.strip() for field in row]
                if not any(fields):
                    continue
                if len(fields) != len(COLUMNS) or fields[1] not in TYPES:
                    raise UserError(f"{where}: not a line of {len(COLUMNS)} columns: {', '.join(COLUMNS)}. {FIX}")
                name, kind, speaker, environment, *codes, recorder, _ = fields
                label = TYPES[kind]
                if label is None or recorder != str(self.recorder):
                    continue
                if name in seen:
                    raise UserError(f"{where}: recording {name} is listed twice. {FIX}")
                seen.add(name)
                known = [UNKNOWN if code == "-1" else code for code in codes]
                codes = [ENVIRONMENTS.get(environment, environment), *known]
                who, of = f"{part}_{name}", conditions.of(codes)
                yield Utterance(who, f"{name}.wav", f"speaker_{speaker}", label, of, channel=self.channel)
