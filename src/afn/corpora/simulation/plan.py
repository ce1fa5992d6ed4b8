"""The plan of a simulated corpus: for every utterance its speaker, phrase, room, microphone and replay devices."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import Field, PositiveInt

from afn.augment.random_streams import deal, stream
from afn.common.config import Settings
from afn.common.labels import GENUINE, SPOOF

T = TypeVar("T")

Configuration = Annotated[str, Field(pattern="^E[0-9]{2}P[0-9]{2}R[0-9]{2}$")]
LETTERS = {"train": "T", "dev": "D", "eval": "E"}  # of the file names: T_1000001 ...
SHUFFLED = ("eval",)  # genuine and spoof interleaved; the others list the genuine first, as the real corpus does
PHRASES = 10


class SubsetPlan(Settings):
    """Size of one subset: utterances by class, speakers, and its replay configurations (as E01P01R01)."""

    genuine: PositiveInt = Field(description="utterances")
    spoof: PositiveInt = Field(description="replayed utterances")
    speakers: PositiveInt = Field(description="no other subset has them")
    configurations: list[Configuration] = Field(
        min_length=1, description="environment, playback device, recorder, as E01P01R01; `acoustics` describes them"
    )


@dataclass(frozen=True)
class Trial:
    """One utterance to be generated; `speaker`, `phrase` and `microphone` count from 0, speakers through all subsets.

    `room` is where the microphone hears it: the environment of a replay, any such environment for genuine speech.
    `hideout` is where a replay was covertly recorded. Replay columns are `-` for genuine speech.
    """

    utt: str
    label: str
    speaker: int
    phrase: int
    room: str
    microphone: int
    hideout: str = "-"
    playback: str = "-"
    recorder: str = "-"

    @property
    def protocol(self) -> str:
        """The utterance's line of the official protocol: seven columns."""
        environment = self.room if self.label == SPOOF else "-"
        who = f"{self.utt}.wav {self.label} M{self.speaker + 1:04d} S{self.phrase + 1:02d}"
        return f"{who} {environment} {self.playback} {self.recorder}"


def parts(configuration: str) -> tuple[str, str, str]:
    """Environment, playback and recorder of a configuration: `E01P01R02` -> E01, P01, R02."""
    return configuration[:3], configuration[3:6], configuration[6:]


def plan(subset: str, sizes: SubsetPlan, first_speaker: int, microphones: int, seed: int) -> list[Trial]:
    """The utterances of a subset in the order of its protocol; speakers count from `first_speaker`.

    Within either class every speaker, phrase, configuration and microphone comes equally often (once more at most), and
    both classes take their rooms and microphones from the same lists: none of these distinguishes the classes.
    """
    configurations = [parts(configuration) for configuration in sizes.configurations]
    rooms = sorted({environment for environment, _, _ in configurations})
    speakers = range(first_speaker, first_speaker + sizes.speakers)
    lists: tuple[Sequence[Any], ...] = (speakers, range(PHRASES), configurations, range(microphones), rooms)
    listed = []
    for label, count in ((GENUINE, sizes.genuine), (SPOOF, sizes.spoof)):
        rng = stream(seed, "plan", subset, label)
        dealt = [deal(rng, items, count) for items in lists]
        for speaker, phrase, (room, playback, recorder), microphone, hideout in zip(*dealt, strict=True):
            replay = (hideout, playback, recorder) if label == SPOOF else ()
            listed.append((label, speaker, phrase, room, microphone, *replay))
    return [Trial(utt, *of) for utt, of in numbered(subset, listed, seed)]


def numbered(subset: str, listed: list[T], seed: int) -> list[tuple[str, T]]:
    """The utterances of a subset with their ids, in the order of its protocol: T_1000001, …"""
    if subset in SHUFFLED:
        listed = [listed[k] for k in stream(seed, "plan", subset, "order").permutation(len(listed))]
    return [(f"{LETTERS[subset]}_{1000001 + k}", of) for k, of in enumerate(listed)]
