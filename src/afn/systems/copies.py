"""Changed copies of the training recordings, for systems other than networks.

Networks change every recording again in each epoch (neural/loading.py). Other systems train on a fixed set: it has each
recording as it is and some copies, whose number decides the changes, as the epoch does for networks.
"""

import logging
import shutil
from collections import ChainMap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from afn.augment import Augmenter, Copies
from afn.common import parallel
from afn.common.paths import ROOT
from afn.common.progress import Progress
from afn.features import archives, front_end, parts
from afn.features.front_end import FrontEnd
from afn.systems.subset import Subset

FOLDER = "copies"  # of their features, in the folder of a training until it is finished
log = logging.getLogger("train")


@dataclass(frozen=True)
class Copier:
    """Extracts the features of changed copies; ids are `utterance/number`, which no utterance's own id can be.

    Args:
        augment: how copies are changed.
        seed: of the training.
        front_end: extracts their features.
        labels: of the recordings.
    """

    augment: Copies
    seed: int
    front_end: FrontEnd
    labels: dict[str, str]

    @property
    def sample_rate(self) -> int:
        return self.front_end.sample_rate

    def __call__(self, utt: str, samples: np.ndarray) -> np.ndarray:
        """int16[N] of a recording to float32[T × D] of its copy `utt`; in a worker process."""
        original, key = self._key(utt)
        changed, _ = Augmenter(self.augment, self.sample_rate)(samples, self.labels[original], key)
        return self.front_end(utt, changed)

    def label(self, copy: str) -> str:
        """The label of a copy: spoof if it was replayed."""
        utt, key = self._key(copy)
        return Augmenter(self.augment, self.sample_rate).label(self.labels[utt], key)

    def _key(self, copy: str) -> tuple[str, tuple[int, int, str]]:
        utt, _, number = copy.rpartition("/")
        return utt, (self.seed, int(number), utt)


def added(train: Subset, settings: Any, seed: int, directory: Path) -> Subset:
    """`train`, and the copies that `settings.train.augment` asks for, whose features are written into `directory`.

    A run that was interrupted resumes. The same bytes for any number of cores. UserError for unusable recordings.
    """
    augment = settings.augment
    if augment is None:
        return train
    extract = front_end.native(front_end.describe(settings.features, backend="native"))
    copier = Copier(augment, seed, extract, dict(train.labels))
    copies = {f"{utt}/{number}": utt for utt in train.utterances for number in range(1, augment.copies + 1)}
    copies = {copy: copies[copy] for copy in sorted(copies, key=str.encode)}
    folder = directory / FOLDER
    with Progress(f"augment {train.name}", len(copies)) as progress:
        recordings = ((copy, train.recordings[utt]) for copy, utt in copies.items())
        extraction = parts.Extraction(folder, copier, FOLDER)
        parts.extract(extraction, recordings, len(copies), parallel.default_jobs(), progress.advance)
    features = archives.FeatureArchive(folder / archives.INDEX, ROOT)
    labels = {copy: copier.label(copy) for copy in copies}
    replayed = sum(labels[copy] != train.labels[utt] for copy, utt in copies.items())
    log.info(f"{len(copies)} changed copies of {len(train.labels)} recordings; {replayed} genuine ones became replays")
    return Subset(
        train.name,
        {**train.labels, **labels},
        ChainMap(features, train.features),  # type: ignore[arg-type]  # it is not written to
        {**train.speakers, **{copy: train.speakers[utt] for copy, utt in copies.items() if utt in train.speakers}},
    )


def remove(directory: Path) -> None:
    """Remove the copies' features from the folder of a finished training."""
    shutil.rmtree(directory / FOLDER, ignore_errors=True)
