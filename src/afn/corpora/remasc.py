"""ReMASC: genuine and replayed voice commands, recorded by microphone arrays (https://arxiv.org/abs/1904.03365).

    ROOT/{core,eval}/meta.csv    id, type, speaker, environment, position, source recorder, playback, recorder, seconds
    ROOT/{core,eval}/data/ID.wav

`eval` is used as it is. The corpus has no development set: `core` is divided by speaker into train and dev. Source
recordings (type 1), which were played back and not recorded by an array, are left out.
"""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from afn.common.config import Share
from afn.common.errors import UserError
from afn.common.labels import GENUINE, SPOOF
from afn.corpora import official, splits
from afn.corpora.datadir import UNKNOWN, Conditions, Utterance
from afn.corpora.official import PublishedCorpus

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

    @model_validator(mode="after")
    def _known_channel(self) -> Self:
        if self.channel > CHANNELS[self.recorder]:
            raise ValueError(f"channel: {self.channel} must be at most {CHANNELS[self.recorder]} for this recorder")
        return self

    def meta(self, part: str) -> Path:
        return self.folder / part / "meta.csv"

    def names_of_subsets(self) -> list[str]:
        return [*(("train", "dev") if self.meta("core").is_file() else ()), "eval"]

    def identity(self) -> dict[str, Any]:
        chosen = {"recorder": self.recorder, "channel": self.channel, "dev": self.dev, "seed": self.seed}
        lists = {part: path for part in ("core", "eval") if (path := self.meta(part)).is_file()}
        return self.described(
            lists, (wav for part in lists for wav in (self.folder / part / "data").glob("*.wav")), **chosen
        )

    def utterances(
        self, directory: Path, *, say: Callable[[str], None] = print, **options: Any
    ) -> dict[str, list[Utterance]]:
        absent = [part for part in ("core", "eval") if not self.meta(part).is_file()]
        if len(absent) == 2 or (absent and not self.allow_missing):
            raise UserError(f"{self.meta(absent[0])}: no such file. {FIX}")
        for part in absent:
            say(f"{part}: no meta.csv; left out")
        listed = {part: list(self._read(part)) for part in ("core", "eval") if part not in absent}
        counts = official.in_words(official.counted([u for part in listed.values() for u in part]))
        wanted, where = official.in_words(COUNTS[self.recorder]), f"{self.folder}: recorder {self.recorder}"
        options = {"fix": FIX, "allow_missing": self.allow_missing, "say": say}
        official.check_counts(where, counts, wanted, **options)
        found = {}
        for part, of_part in listed.items():
            found[part] = official.present(part, of_part, [self.folder / part / "data"], **options)
        found = official.kept(found, self.folder, FIX)
        if core := found.pop("core", None):
            speakers = sorted({utterance.speaker for utterance in core})
            subset_of = splits.by_speaker({"": speakers}, {"train": 1 - self.dev, "dev": self.dev}, self.seed)
            divided = {subset: [u for u in core if subset_of[u.speaker] == subset] for subset in ("train", "dev")}
            found = {**divided, **found}
        return found

    def _read(self, part: str) -> Iterator[Utterance]:
        """The genuine and replayed recordings of the recorder; `wav` is the bare file name."""
        conditions, seen = Conditions(CONDITIONS), set[str]()
        path = self.meta(part)
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
