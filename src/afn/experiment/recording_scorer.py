"""One's own recordings through a trained experiment: read, extracted, cut into windows, scored, drawn."""

import math
import os
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from afn import systems
from afn.common.errors import UserError
from afn.common.paths import portable
from afn.experiment import scoring
from afn.experiment.finished import Threshold, Trained
from afn.features import conversion, recorded
from afn.features.native import FrontEnd
from afn.report.plots import plain
from afn.systems.neural import heatmaps
from afn.systems.subset import Subset


@dataclass
class Recording:
    """A recording on its way: its features in windows, float32[T × D] each, what was done to it, then its score."""

    path: Path
    windows: list[np.ndarray]
    notes: list[str]
    count: int = 0  # of the windows there were
    score: float = math.nan
    heatmap: Path | None = None

    @property
    def utt(self) -> str:
        """The utterance id, which seeds the dither: the file's name without its ending, as a corpus has it."""
        return readable(self.path.stem)


@dataclass
class Scorer:
    """A trained experiment, loaded. Several seeds score as stage 2 averages them."""

    experiment: Trained
    threshold: Threshold
    systems: dict[int, systems.System]  # by seed
    extract: FrontEnd
    channel: int | None = None  # of a recording that has several
    heatmaps: Path | None = None  # where figures go
    drawn: set[str] = field(default_factory=set)  # their names

    @property
    def first(self) -> systems.System:
        return next(iter(self.systems.values()))

    def prepare(self, path: Path) -> Recording:
        """Read and extract a recording; UserError, naming it, where that cannot be done."""
        samples, notes = conversion.read(path, self.extract.sample_rate, self.channel)
        recording = Recording(path, [], notes)
        try:
            features = self.extract(recording.utt, samples)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
        frames = getattr(self.first, "frames", None)  # only networks have a width
        recording.windows = windows(features, frames if isinstance(frames, int) else len(features))
        recording.count = len(recording.windows)
        if recording.count > 1:
            notes.append(f"{len(features)} frames: the mean score of {recording.count} windows of {frames}")
        return recording

    def score(self, recordings: list[Recording]) -> None:
        """Give every recording its score: over its windows the mean."""
        features = {f"{r}-{w}": x for r, recording in enumerate(recordings) for w, x in enumerate(recording.windows)}
        subset = Subset(f"{len(recordings)} files", dict.fromkeys(features, "unknown"), features)
        with redirect_stdout(sys.stderr):  # progress; stdout is for scores
            runs = [system.score(subset) for system in self.systems.values()]
        for r, recording in enumerate(recordings):
            ids = [f"{r}-{w}" for w in range(recording.count)]
            recording.score = averaged(self.first, [sum(run[i] for i in ids) / len(ids) for run in runs])

    def draw(self, recording: Recording) -> None:
        """Write the figure of stage 1 for a recording; of a long one, for its first window."""
        spectrogram = recording.windows[0]
        mask, filtered, _ = self.first.attend(spectrogram)
        length = min(len(spectrogram), mask.shape[1])
        mask, filtered = mask[:, :length], filtered[:, :length]
        limits = float(np.quantile(mask, 0.005)), float(np.quantile(mask, 0.995))
        of = f"{plain(self.experiment.title)}, seed {self.experiment.seeds[0]}"
        title = f"{plain(recording.utt)} · score {recording.score:+.2f}, {self.decision(recording)} · {of}"
        recording.heatmap = self.heatmaps / self._unused(recording.utt)
        heatmaps.draw_utterance(recording.heatmap, spectrogram.T[:, :length], mask, filtered, title, limits)
        if recording.count > 1:
            recording.notes.append(f"the heatmap shows the first {length} frames")

    def _unused(self, utt: str) -> str:
        """A name for a figure: recordings of several folders may have the same id."""
        name, number = f"{utt}.png", 1
        while name in self.drawn:
            number += 1
            name = f"{utt}-{number}.png"
        self.drawn.add(name)
        return name

    def decision(self, recording: Recording) -> str:
        return "genuine" if recording.score > self.threshold.value else "replayed"

    @property
    def meaning(self) -> str:
        """What a score says, in a line."""
        seeds, of = self.experiment.seeds, "the system's own"
        if self.first.averaged == "sigmoids":
            of = "the network's logit" if len(seeds) == 1 else "the sigmoid (0 to 1) of the network's logit"
        if len(seeds) > 1:
            of += ", averaged over the seeds"
        text = (
            f"{self.experiment.title} ({portable(self.experiment.directory)}, seed{'s' * (len(seeds) > 1)} "
            f"{', '.join(map(str, seeds))}): the score is {of}; higher = more genuine, but no calibrated probability; "
            "above the threshold a recording is taken for genuine"
        )
        if self.threshold.eer is not None:
            text += f" (official EER on dev {100 * self.threshold.eer:.2f} %)"
        if self.experiment.simulated:
            text += "; it learnt from simulated replays, which say nothing about real ones"
        return text


def load(experiment: Trained, threshold: float | None, channel: int | None, figures: Path | None) -> Scorer:
    """An experiment, ready to score.

    Args:
        experiment: a trained one.
        threshold: decides; by default the threshold of the EER on dev, and only the seeds that stage 2 has scored.
        channel: which channel to take of recordings that have several, 1 for the first.
        figures: the folder for heatmaps, where they are wanted.
    """
    if threshold is None:
        experiment = experiment.scored()
    loaded = {seed: systems.build(experiment.settings[seed], seed) for seed in experiment.seeds}
    first = loaded[experiment.seeds[0]]
    decide = on_dev(experiment, first) if threshold is None else Threshold(threshold)
    for seed, system in loaded.items():
        system.load(experiment.seed(seed))
    if figures and first.picture != "neural":
        note(f"--heatmap: {experiment.title} has no attention to look at; there are no figures")
        figures = None
    return Scorer(experiment, decide, loaded, front_end(experiment), channel, figures)


def on_dev(experiment: Trained, system: systems.System) -> Threshold:
    """The threshold of the EER on dev of the score that `averaged` gives to the experiment's seeds."""
    runs = {seed: experiment.dev_scores(seed) for seed in experiment.seeds}
    utterances = runs[experiment.seeds[0]].keys()
    for seed, run in runs.items():
        if odd := run.keys() ^ utterances:
            raise UserError(f"{experiment.seed(seed)}: {min(odd)} of dev is not scored by every seed; choose a --seed")
    return experiment.threshold({u: averaged(system, [run[u] for run in runs.values()]) for u in utterances})


def averaged(system: systems.System, runs: list[float]) -> float:
    """The score of seeds that gave `runs`, as stage 2 averages it; that of a single one is as it is."""
    output = scoring.OUTPUTS[system.averaged]
    return runs[0] if len(runs) == 1 else sum(output(run) for run in runs) / len(runs)


def front_end(experiment: Trained) -> FrontEnd:
    """The extraction that the experiment was trained on; says on stderr where it cannot be the very same."""
    description, same = experiment.features()
    if not same:
        note(
            f"the features that {portable(experiment.directory)} learnt from no longer stand in "
            f"{portable(experiment.layout.corpus_data)}; they are taken to be what conf/ says now"
        )
    if recorded.by_kaldi(description):
        theirs = recorded.KaldiFrontEnd(description)
        try:
            theirs.require()
            return theirs
        except UserError as error:
            ours = recorded.front_end(description)  # or an error, where there is none for these features
            note(f"Kaldi extracted the features of training; our own extractor stands in ({error})")
            return ours
    return recorded.front_end(description)


def windows(features: np.ndarray, frames: int) -> list[np.ndarray]:
    """float32[T × D] in windows of `frames` rows, half overlapping, the last ending with it; whole if T <= frames."""
    if len(features) <= frames:
        return [features]
    last = len(features) - frames
    return [features[start : start + frames] for start in [*range(0, last, max(frames // 2, 1)), last]]


def note(text: str) -> None:
    print(f"note: {text}", file=sys.stderr, flush=True)


def readable(path: Path | str) -> str:
    """A path as text that can be written in UTF-8, whatever bytes the name holds."""
    return os.fsencode(path).decode("utf-8", "replace")
