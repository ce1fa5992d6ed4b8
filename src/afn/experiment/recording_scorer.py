"""Single recordings through a trained experiment: read, extracted, cut into windows, scored, drawn."""

import math
import os
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from afn.common.errors import UserError
from afn.common.paths import portable
from afn.experiment import finished
from afn.experiment.finished import Threshold, TrainedSystem
from afn.experiment.scoring import OUTPUTS
from afn.features import audio, front_end
from afn.features.front_end import FrontEnd
from afn.systems import registry
from afn.systems.protocol import System
from afn.systems.subset import Subset

GUESSING = 0.4  # an EER from which on a system hardly separates the classes; 0.5 is chance
LONGEST_NAME = 230  # bytes of an utterance id in the name of a figure; a file's name has 255 at most


@dataclass
class Recording:
    """A recording that is being scored: its features in windows, float32[T × D] each, notes on it, then its score."""

    path: Path
    windows: list[np.ndarray]
    notes: list[str]
    count: int = 0  # of the windows there were
    score: float = math.nan
    heatmap: Path | None = None

    @property
    def utt(self) -> str:
        """The utterance id, which seeds the dither: the file's name without its ending, as in a corpus."""
        return readable(self.path.stem)


class Attention(NamedTuple):
    """What the attention does to a recording (its first window); the frequency comes first in every array."""

    spectrogram: np.ndarray  # S, float32[bins × T]
    mask: np.ndarray  # A, float32[bins × T]
    filtered: np.ndarray  # S*, float32[bins × T]
    score: float  # of the window


@dataclass
class Scorer:
    """A trained experiment, loaded. Several seeds score as stage 2 averages them."""

    experiment: TrainedSystem
    threshold: Threshold
    systems: dict[int, System]  # by seed
    extract: FrontEnd
    channel: int | None = None  # of a recording that has several
    heatmaps: Path | None = None  # where figures go
    drawn: set[str] = field(default_factory=set)  # their names

    @property
    def first(self) -> System:
        return next(iter(self.systems.values()))

    def score(self, path: Path | str) -> float:
        """The score of a recording; higher = more genuine. UserError, naming it, where it cannot be scored."""
        recording = self.prepare(Path(path))
        self.score_all([recording])
        return recording.score

    def attend(self, path: Path | str) -> Attention:
        """What the attention of the first seed does to a recording. UserError for a system without attention."""
        return self._attend(self.prepare(Path(path)).windows[0])

    def _attend(self, spectrogram: np.ndarray) -> Attention:
        found = self.first.attend(spectrogram)
        length = min(len(spectrogram), found.mask.shape[1])  # without the repetitions of a short recording
        return Attention(spectrogram.T[:, :length], found.mask[:, :length], found.filtered[:, :length], found.score)

    def prepare(self, path: Path) -> Recording:
        """Read and extract a recording; UserError, naming it, where that cannot be done."""
        samples, changes = audio.convert(path, self.extract.sample_rate, self.channel)
        if samples.min() == samples.max():
            raise UserError(f"{path}: digital silence, all samples are {samples[0]}. Record it again.")
        recording = Recording(path, [], list(changes.values()))
        try:
            features = self.extract(recording.utt, samples)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
        frames = self.first.frames
        recording.windows = windows(features, frames or len(features))
        recording.count = len(recording.windows)
        if recording.count > 1:
            recording.notes.append(f"{len(features)} frames: the mean score of {recording.count} windows of {frames}")
        return recording

    def score_all(self, recordings: list[Recording]) -> None:
        """Give every recording its score: the mean over its windows."""
        features = {f"{r}-{w}": x for r, recording in enumerate(recordings) for w, x in enumerate(recording.windows)}
        subset = Subset(f"{len(recordings)} files", dict.fromkeys(features, "unknown"), features)
        with redirect_stdout(sys.stderr):  # progress; stdout is for scores
            runs = [system.score(subset) for system in self.systems.values()]
        for r, recording in enumerate(recordings):
            ids = [f"{r}-{w}" for w in range(recording.count)]
            recording.score = self._averaged([sum(run[i] for i in ids) / len(ids) for run in runs])

    def _averaged(self, runs: list[float]) -> float:
        """The score of seeds that gave `runs`, as stage 2 averages it; that of a single one is as it is."""
        output = OUTPUTS[self.first.averages]
        return runs[0] if len(runs) == 1 else sum(output(run) for run in runs) / len(runs)

    def draw(self, recording: Recording) -> None:
        """Write the figure of stage 1 for a recording; of a long one, for its first window."""
        assert self.heatmaps is not None
        of = f"{self.experiment.title}, seed {self.experiment.seeds[0]}"
        heading = f"{recording.utt} · score {recording.score:+.2f}, {self.decision(recording)} · {of}"
        figure = self.heatmaps / self._unused(recording.utt)
        self.first.draw_attention(figure, recording.windows[0], heading)
        recording.heatmap = figure
        if recording.count > 1:
            recording.notes.append(f"the heatmap shows the first {len(recording.windows[0])} frames")

    def _unused(self, utt: str) -> str:
        """A name for a figure: recordings of several folders may have the same id."""
        name, number = f"{_short(utt)}.png", 1
        while name in self.drawn:
            number += 1
            name = f"{_short(utt)}-{number}.png"
        self.drawn.add(name)
        return name

    def decision(self, recording: Recording) -> str:
        return "genuine" if recording.score > self.threshold.value else "replayed"

    @property
    def meaning(self) -> str:
        """What a score says, in a line."""
        seeds, of = self.experiment.seeds, "the system's score"
        if self.first.averages == "sigmoids":
            of = "the network's logit" if len(seeds) == 1 else "the sigmoid (0 to 1) of the network's logit"
        if len(seeds) > 1:
            of += ", averaged over the seeds"
        text = (
            f"{self.experiment.title} ({portable(self.experiment.directory)}, seed{'s' * (len(seeds) > 1)} "
            f"{', '.join(map(str, seeds))}): the score is {of}; higher = more genuine, but not a calibrated "
            "probability; above the threshold a recording is taken for genuine"
        )
        if self.threshold.eer is not None:
            text += f" (official EER on dev {100 * self.threshold.eer:.2f} %)"
            if self.threshold.eer >= GUESSING:
                text += "; on dev it was no better than guessing, so do not rely on it"
        if self.experiment.simulated:
            text += "; it was trained on simulated replays, which say nothing about real ones"
        return text


def load(
    experiment: TrainedSystem,
    threshold: float | None = None,
    channel: int | None = None,
    figures: Path | None = None,
) -> Scorer:
    """An experiment, ready to score.

    Args:
        experiment: a trained one.
        threshold: decides; by default the threshold of the EER on dev, and only the seeds that stage 2 has scored.
        channel: which channel to take of recordings that have several, 1 for the first.
        figures: the folder for heatmaps, where they are wanted.
    """
    if threshold is None:
        experiment = experiment.scored()
    for sentence in experiment.left_out:
        note(sentence)
    loaded = {seed: registry.build(of.settings, seed) for seed, of in experiment.trained.items()}
    first = next(iter(loaded.values()))
    decide = experiment.threshold(first.averages) if threshold is None else Threshold(threshold)
    for seed, system in loaded.items():
        system.load(experiment.trained[seed].directory)
    if figures and not first.attentive:
        note(f"--heatmap: {experiment.title} has no attention to draw; there are no figures")
        figures = None
    return Scorer(experiment, decide, loaded, extractor(experiment), channel, figures)


def at(folder: Path | str, channel: int | None = None) -> Scorer:
    """The trained experiment in `folder` (exp/<corpus>/<system>, or a seed<k> in it), ready to score."""
    return load(finished.at(Path(folder)), channel=channel)


def extractor(experiment: TrainedSystem) -> FrontEnd:
    """The extraction that the experiment was trained on; says on stderr where it cannot be the same."""
    description = experiment.first.features
    try:
        return front_end.from_description(description)
    except UserError as error:
        if description.get("backend") != "kaldi":
            raise
        ours = front_end.native(description)  # or an error, where there is none for these features
        note(f"Kaldi extracted the features of training; our extractor takes its place ({error})")
        return ours


def windows(features: np.ndarray, frames: int) -> list[np.ndarray]:
    """float32[T × D] in windows of `frames` rows, half overlapping, the last ending with it; whole if T <= frames."""
    if len(features) <= frames:
        return [features]
    last = len(features) - frames
    return [features[start : start + frames] for start in [*range(0, last, max(frames // 2, 1)), last]]


def _short(name: str) -> str:
    """A name of which a file's name can be made, with a number, an ending, and what it has while it is written."""
    return os.fsencode(name)[:LONGEST_NAME].decode("utf-8", "ignore")


def note(text: str) -> None:
    print(f"note: {text}", file=sys.stderr, flush=True)


def readable(path: Path | str) -> str:
    """A path as text that can be written in UTF-8; bytes of a name that are not UTF-8 are replaced."""
    return os.fsencode(path).decode("utf-8", "replace")
