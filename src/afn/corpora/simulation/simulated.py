"""The simulated corpus: genuine and replayed speech made here, in the very form of ASVspoof 2017 V2.

It lets everything run without the real recordings. Results on it say nothing about ASVspoof.
"""

from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal

import numpy as np

from afn.common import config, files
from afn.common.errors import UserError
from afn.common.parallel import ordered_map
from afn.common.progress import Progress
from afn.corpora.asvspoof2017 import PROTOCOL_FOLDER, PROTOCOLS, RECORDINGS
from afn.corpora.recordings import SAMPLE_RATE, located
from afn.corpora.simulation import source_audio
from afn.corpora.simulation.acoustics import Acoustics, Chain
from afn.corpora.simulation.plan import Subset, Trial, parts, plan
from afn.corpora.simulation.random_streams import Range, between, check_range, stream
from afn.corpora.simulation.speech import Recorded, Synthetic, Voices
from afn.features import audio

SETTINGS = "settings.yaml"  # beside the recordings: what they were made with


@dataclass(frozen=True)
class Simulated:
    """A corpus that is made: genuine and replayed speech in simulated or measured rooms; ranges are [least, most]."""

    kind: Literal["simulated"]
    name: str  # its folder under data/ and exp/
    seed: int  # another seed: other voices, rooms, devices and positions
    train: Subset
    dev: Subset
    eval: Subset
    voices: Voices  # who speaks, unless `speech` is given
    silence: Range  # s before and after the speech
    durations: Range  # s, of utterances cut from real speech
    acoustics: Acoustics
    speech: str | None = None  # a folder of real speakers, a folder each, with wav or flac files; null: synthetic ones
    impulse_responses: str | None = None  # a folder of measured rooms and devices; null: simulated ones
    systems: dict[str, Any] = field(default_factory=dict)  # settings that systems take on this corpus

    def __post_init__(self):
        check_range("silence", self.silence, 0, 5)
        check_range("durations", self.durations, 0.5, 30)
        for name, subset in self.subsets.items():
            for configuration in subset.configurations:
                for code, known in zip(parts(configuration), self.acoustics.codes, strict=True):
                    if code not in known:
                        raise ValueError(f"{name}.configurations: {configuration}: acoustics does not describe {code}")

    @property
    def subsets(self) -> dict[str, Subset]:
        return {name: getattr(self, name) for name in PROTOCOLS}


class Studio:
    """Makes the utterances of a corpus, one at a time, each a function of the settings and its id alone."""

    def __init__(self, corpus: Simulated):
        self.corpus = corpus
        speakers = sum(subset.speakers for subset in corpus.subsets.values())
        if corpus.speech is None:
            self.speech = Synthetic(corpus.voices, corpus.seed, speakers, SAMPLE_RATE)
        else:
            self.speech = Recorded(located(corpus.speech), corpus.durations, corpus.seed, speakers, SAMPLE_RATE)
        measured = None if corpus.impulse_responses is None else located(corpus.impulse_responses)
        self.chain = Chain(corpus.acoustics, corpus.seed, SAMPLE_RATE, measured)

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


def generate(corpus: Simulated, root: Path, jobs: int = 1) -> None:
    """Make the corpus below `root`, a tree and protocols of ASVspoof 2017 V2's form, with `jobs` processes.

    Recordings that stand are kept if they were made with the same settings, else made anew; the protocols are written
    last; neither `jobs` nor an interruption changes a byte. Raises UserError when `root` holds recordings that were not
    made here, and for unusable speech or responses.
    """
    studio = Studio(corpus)  # finds fault with voices and folders before anything is written
    planned = trials(corpus)
    _claim(root, corpus)
    wavs = {trial: wav_path(root, name, trial.utt) for name, subset in planned.items() for trial in subset}
    missing = [trial for trial, wav in wavs.items() if not wav.exists()]
    with Progress("simulating speech and replays", len(wavs)) as progress:
        progress.advance(len(wavs) - len(missing))
        for trial, samples in zip(missing, ordered_map(studio.make, missing, jobs), strict=True):
            audio.write(wavs[trial], samples, SAMPLE_RATE)
            progress.advance()
    for name, subset in planned.items():
        files.write_text(protocol_path(root, name), "".join(f"{trial.protocol}\n" for trial in subset))


def wav_path(root: Path, subset: str, utt: str) -> Path:
    return root / RECORDINGS[subset] / f"{utt}.wav"


def protocol_path(root: Path, subset: str) -> Path:
    return root / PROTOCOL_FOLDER / PROTOCOLS[subset]


def _claim(root: Path, corpus: Simulated) -> None:
    """Leave below `root` only recordings made with these settings, and write the settings there."""
    settings = config.dump(identity(corpus))
    record = root / SETTINGS
    standing = [wav for subset in PROTOCOLS for wav in (root / RECORDINGS[subset]).glob("*.wav")]
    standing += [path for subset in PROTOCOLS if (path := protocol_path(root, subset)).exists()]
    if record.exists() and record.read_text(encoding="utf-8") == settings:
        return
    if standing and not record.exists():
        raise UserError(f"{root}: holds recordings that were not simulated here; name another folder for the corpus")
    for path in standing:
        path.unlink()
    files.write_text(record, settings)


def identity(corpus: Simulated) -> dict[str, Any]:
    """The settings that the recordings depend on, and the files of real material by name and size."""
    identity = {key: value for key, value in config.plain(corpus).items() if key not in ("name", "systems")}
    for key in ("speech", "impulse_responses"):
        if folder := identity.pop(key):
            folder = located(folder)
            identity[key] = {str(path.relative_to(folder)): path.stat().st_size for path in source_audio.below(folder)}
    return identity
