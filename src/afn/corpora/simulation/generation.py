"""What generated corpora share: recordings and protocols in the form of ASVspoof 2017 V2."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from afn.augment import source_audio
from afn.common import config, files, owned, paths
from afn.common.labels import SUBSETS
from afn.common.parallel import ordered_map
from afn.common.paths import user_path
from afn.common.progress import Progress
from afn.corpora import asvspoof2017
from afn.corpora.asvspoof2017 import PROTOCOL_FOLDER, PROTOCOLS, RECORDINGS
from afn.corpora.datadir import Utterance
from afn.corpora.kind import CorpusKind
from afn.corpora.recordings import SAMPLE_RATE
from afn.corpora.simulation.plan import LETTERS
from afn.features import audio

TREE = "simulated"  # the folder below data/<corpus> for the recordings and protocols
SETTINGS = "settings.yaml"  # beside the recordings: the settings they were made with
SOURCES = ("speech", "impulse_responses")  # settings that name folders of real source audio
UNIT = 8  # recordings that a worker generates at a time


class AnyTrial(Protocol):
    """One utterance to be generated."""

    @property
    def utt(self) -> str:
        """Its id."""

    @property
    def protocol(self) -> str:
        """Its line of the official protocol: seven columns."""


Studio = Callable[[Any], np.ndarray]  # makes the recording int16[N] of a trial


class Generated(CorpusKind):
    """Base class of corpora whose recordings are computed."""

    FOLDERS: ClassVar[tuple[str, ...]] = (TREE,)

    @property
    def subsets(self) -> dict[str, Any]:
        """The settings of each subset."""
        return {name: getattr(self, name) for name in SUBSETS}

    def folders(self) -> dict[str, list[Path]]:
        """The folders of real source audio that are given, by the name of their setting."""
        given = {name: paths for name in SOURCES if (paths := getattr(self, name))}
        lists = {name: [paths] if isinstance(paths, str) else paths for name, paths in given.items()}
        return {name: [user_path(path) for path in paths] for name, paths in lists.items()}

    @abstractmethod
    def trials(self) -> Mapping[str, Sequence[AnyTrial]]:
        """Every utterance by subset, in the order of the protocols."""

    @abstractmethod
    def studio(self) -> Studio:
        """Makes recordings, each a function of the settings and its trial; UserError for unusable source audio."""

    def inputs(self) -> dict[str, Path]:
        return {
            name if len(folders) == 1 else f"{name}[{k}]": folder
            for name, folders in self.folders().items()
            for k, folder in enumerate(folders)
        }

    def identity(self) -> dict[str, Any]:
        return {"name": self.name, **self.recipe()}

    def recipe(self) -> dict[str, Any]:
        """The settings that the recordings depend on, and the files of real source audio by name and size."""
        recipe = {key: value for key, value in config.plain(self).items() if key not in ("name", "systems")}
        for name in SOURCES:
            listed = [
                {str(path.relative_to(folder)): path.stat().st_size for path in source_audio.below(folder)}
                for folder in self.folders().get(name, ())
            ]
            recipe[name] = listed[0] if len(listed) == 1 else listed
            if not listed:
                del recipe[name]
        return recipe

    def utterances(
        self, directory: Path, *, jobs: int = 1, force: bool = False, **options: Any
    ) -> dict[str, list[Utterance]]:
        root = directory / TREE
        generate(self, root, jobs, force)
        listed = {subset: asvspoof2017.read_protocol(protocol_path(root, subset)) for subset in SUBSETS}
        folders = {subset: paths.portable(root / RECORDINGS[subset]) for subset in SUBSETS}
        return {subset: [replace(u, wav=f"{folders[subset]}/{u.wav}") for u in of] for subset, of in listed.items()}


def generate(corpus: Generated, root: Path, jobs: int = 1, force: bool = False) -> None:
    """Generate the corpus below `root`, a tree and protocols of ASVspoof 2017 V2's form, with `jobs` processes.

    Existing recordings are kept if they were made with the same settings (unless `force`), else generated again; the
    protocols are written last; neither `jobs` nor an interruption changes a byte. Raises UserError when the project did
    not make the folder `root`, and for unusable speech or responses.
    """
    studio = corpus.studio()  # refuses unknown voices and missing folders before anything is written
    planned: Mapping[str, Sequence[AnyTrial]] = corpus.trials()
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


def _write(studio: Studio, unit: list[tuple[AnyTrial, Path]]) -> int:
    """Write the recordings of a unit of work. Returns how many."""
    for trial, wav in unit:
        audio.write(wav, studio(trial), SAMPLE_RATE)
    return len(unit)


def wav_path(root: Path, subset: str, utt: str) -> Path:
    return root / RECORDINGS[subset] / f"{utt}.wav"


def protocol_path(root: Path, subset: str) -> Path:
    return root / PROTOCOL_FOLDER / PROTOCOLS[subset]


def _keep_only_current(root: Path, corpus: Generated, force: bool) -> None:
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
