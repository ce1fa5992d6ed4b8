"""The simulated corpus: genuine and replayed speech generated here, in the form of ASVspoof 2017 V2.

It lets everything run without the real recordings. Results on it say nothing about ASVspoof.
"""

from collections.abc import Callable
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from afn.augment import source_audio
from afn.augment.random_streams import between, stream
from afn.common import config, files, owned
from afn.common.config import Range, Settings
from afn.common.labels import SUBSETS
from afn.common.parallel import ordered_map
from afn.common.progress import Progress
from afn.corpora import asvspoof2017
from afn.corpora.asvspoof2017 import PROTOCOL_FOLDER, PROTOCOLS, RECORDINGS
from afn.corpora.datadir import Utterance
from afn.corpora.recordings import SAMPLE_RATE, located
from afn.corpora.simulation.acoustics import Acoustics, RecordingChain
from afn.corpora.simulation.plan import LETTERS, SubsetPlan, Trial, parts, plan
from afn.corpora.simulation.speech import Recorded, Synthetic, Voices
from afn.features import audio

TREE = "simulated"  # the folder below data/<corpus> for the recordings and protocols
SETTINGS = "settings.yaml"  # beside the recordings: the settings they were made with
UNIT = 8  # recordings that a worker generates at a time


class Simulated(Settings):
    """A generated corpus: genuine and replayed speech in simulated or measured rooms; ranges are [least, most]."""

    kind: Literal["simulated"]
    name: str = Field(description="its folder under data/ and exp/")
    seed: int = Field(description="another seed: other voices, rooms, devices and positions")
    train: SubsetPlan
    dev: SubsetPlan
    eval: SubsetPlan
    voices: Voices = Field(description="who speaks, unless `speech` is given")
    silence: Range[Annotated[float, Field(ge=0, le=5)]] = Field(description="s before and after the speech")
    durations: Range[Annotated[float, Field(ge=0.5, le=30)]] = Field(
        description="s, of utterances cut from real speech"
    )
    acoustics: Acoustics
    speech: str | None = Field(
        default=None, description="a folder of real speech, wav or flac, a folder each speaker; null: none"
    )
    impulse_responses: str | None = Field(
        default=None, description="a folder of measured rooms and devices; null: simulated ones"
    )
    systems: dict[str, Any] = Field(default={}, description="settings that systems take on this corpus, by their kind")

    FOLDERS: ClassVar[tuple[str, ...]] = (TREE,)

    @model_validator(mode="after")
    def _codes_are_known(self) -> Self:
        for name, subset in self.subsets.items():
            for configuration in subset.configurations:
                for code, known in zip(parts(configuration), self.acoustics.codes, strict=True):
                    if code not in known:
                        raise ValueError(f"{name}.configurations: {configuration}: acoustics does not describe {code}")
        return self

    @property
    def subsets(self) -> dict[str, SubsetPlan]:
        return {name: getattr(self, name) for name in SUBSETS}

    def inputs(self) -> dict[str, Path]:
        """The folders of real source audio that are given."""
        given = {"speech": self.speech, "impulse_responses": self.impulse_responses}
        return {name: located(path) for name, path in given.items() if path}

    def names_of_subsets(self) -> list[str]:
        return list(SUBSETS)

    def identity(self) -> dict[str, Any]:
        return {"name": self.name, **self.recipe()}

    def recipe(self) -> dict[str, Any]:
        """The settings that the recordings depend on, and the files of real source audio by name and size."""
        recipe = {key: value for key, value in config.plain(self).items() if key not in ("name", "systems")}
        for name in ("speech", "impulse_responses"):
            if recipe[name] is None:
                del recipe[name]
        for name, folder in self.inputs().items():
            found = source_audio.below(folder)
            recipe[name] = {str(path.relative_to(folder)): path.stat().st_size for path in found}
        return recipe

    def utterances(
        self, directory: Path, *, jobs: int, force: bool = False, say: Callable[[str], None] = print, **options: Any
    ) -> dict[str, list[Utterance]]:
        generate(self, directory / TREE, jobs, force)
        return asvspoof2017.utterances(directory / TREE, official=False, say=say)


class Studio:
    """Generates the utterances of a corpus, one at a time, each a function of the settings and its id alone."""

    def __init__(self, corpus: Simulated):
        self.corpus = corpus
        speakers = sum(subset.speakers for subset in corpus.subsets.values())
        self.speech: Synthetic | Recorded
        if corpus.speech is None:
            self.speech = Synthetic(corpus.voices, corpus.seed, speakers, SAMPLE_RATE)
        else:
            self.speech = Recorded(located(corpus.speech), corpus.durations, corpus.seed, speakers, SAMPLE_RATE)
        measured = None if corpus.impulse_responses is None else located(corpus.impulse_responses)
        self.chain = RecordingChain(corpus.acoustics, corpus.seed, SAMPLE_RATE, measured)

    def make(self, trial: Trial) -> np.ndarray:
        """The recording of `trial`: int16[N]."""
        rng = stream(self.corpus.seed, trial.utt, "speech")
        before, after = (round(between(rng, self.corpus.silence) * SAMPLE_RATE) for _ in range(2))
        spoken = self.speech.utter(trial.speaker, trial.phrase, rng)
        return self.chain.record(np.pad(spoken, (before, after)), slice(before, before + len(spoken)), trial)


def trials(corpus: Simulated) -> dict[str, list[Trial]]:
    """Every utterance by subset, in the order of the protocols; speakers are numbered through train, dev and eval."""
    firsts = accumulate((subset.speakers for subset in corpus.subsets.values()), initial=0)
    return {
        name: plan(name, subset, first, corpus.acoustics.microphones, corpus.seed)
        for (name, subset), first in zip(corpus.subsets.items(), firsts, strict=False)
    }


def generate(corpus: Simulated, root: Path, jobs: int = 1, force: bool = False) -> None:
    """Generate the corpus below `root`, a tree and protocols of ASVspoof 2017 V2's form, with `jobs` processes.

    Existing recordings are kept if they were made with the same settings (unless `force`), else generated again; the
    protocols are written last; neither `jobs` nor an interruption changes a byte. Raises UserError when the project did
    not make the folder `root`, and for unusable speech or responses.
    """
    studio = Studio(corpus)  # refuses unknown voices and missing folders before anything is written
    planned = trials(corpus)
    owned.claim(root)
    _keep_only_current(root, corpus, force)
    wavs = {trial: wav_path(root, name, trial.utt) for name, subset in planned.items() for trial in subset}
    missing = [(trial, wav) for trial, wav in wavs.items() if not wav.exists()]
    units = [missing[start : start + UNIT] for start in range(0, len(missing), UNIT)]
    with Progress("simulating speech and replays", len(wavs)) as progress:
        progress.advance(len(wavs) - len(missing))
        for written in ordered_map(partial(_write, studio), units, jobs):
            progress.advance(written)
    for name, subset in planned.items():
        files.write_text(protocol_path(root, name), "".join(f"{trial.protocol}\n" for trial in subset))


def _write(studio: Studio, unit: list[tuple[Trial, Path]]) -> int:
    """Write the recordings of a unit of work. Returns how many."""
    for trial, wav in unit:
        audio.write(wav, studio.make(trial), SAMPLE_RATE)
    return len(unit)


def wav_path(root: Path, subset: str, utt: str) -> Path:
    return root / RECORDINGS[subset] / f"{utt}.wav"


def protocol_path(root: Path, subset: str) -> Path:
    return root / PROTOCOL_FOLDER / PROTOCOLS[subset]


def _keep_only_current(root: Path, corpus: Simulated, force: bool) -> None:
    """Delete the generated recordings and protocols below `root` unless they were made with these settings."""
    settings = config.dump(corpus.recipe())
    record = root / SETTINGS
    if not force and record.exists() and record.read_text(encoding="utf-8") == settings:
        return
    for subset, letter in LETTERS.items():
        for wav in (root / RECORDINGS[subset]).glob(f"{letter}_[0-9]*.wav"):
            wav.unlink()
        protocol_path(root, subset).unlink(missing_ok=True)
    files.write_text(record, settings)
