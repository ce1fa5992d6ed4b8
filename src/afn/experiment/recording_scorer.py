"""Single recordings through a trained experiment: read, extracted, cut into windows, scored, judged, drawn."""

import functools
import itertools
import math
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from afn.common.errors import UserError
from afn.common.paths import portable
from afn.common.progress import Progress
from afn.experiment import answers, finished
from afn.experiment.answers import EVEN, OnDev
from afn.experiment.finished import TrainedSystem
from afn.experiment.recordings import Recording, Window, cut, readable, starts
from afn.experiment.scoring import OUTPUTS
from afn.features import audio, front_end, nuisance
from afn.features.front_end import FrontEnd, KaldiFrontEnd, SpectrogramFrontEnd
from afn.metrics.dcf import DetectionCosts
from afn.systems import registry
from afn.systems.protocol import System
from afn.systems.subset import Subset

GUESSING = 0.4  # an EER from which on a system hardly separates the classes; 0.5 is chance
LONGEST_NAME = 230  # bytes of an utterance id in the name of a figure
LONG = 30.0  # s; a longer recording is cut into sections for systems that take any length
SECTION = 4.0  # s, about as long as utterances of the corpora
GROUP = 16  # windows scored at a time
SILENT = -60.0  # dBFS; speech is above it in every corpus that we know


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
    on_dev: OnDev | None  # None: unknown, `threshold` decides
    systems: dict[int, System]  # by seed
    extract: FrontEnd
    channel: int | None = None  # of a recording that has several
    costs: DetectionCosts = EVEN
    threshold: float | None = None  # decides instead of the Bayes threshold
    typical: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # percentiles of training data
    heatmaps: Path | None = None  # where figures go
    drawn: set[str] = field(default_factory=set)  # their names

    @property
    def first(self) -> System:
        return next(iter(self.systems.values()))

    def score(self, path: Path | str) -> float:
        """The score of a recording; higher = more genuine. UserError, naming it, where it cannot be scored."""
        return self._scored(path).score

    def answer(self, path: Path | str) -> dict[str, Any]:
        """All that `./run.sh score --json` says of a recording, by name. UserError as for `score`."""
        return self.row(self._scored(path))

    def _scored(self, path: Path | str) -> Recording:
        recording = self.prepare(Path(path))
        self.score_all([recording])
        return recording

    def attend(self, path: Path | str) -> Attention:
        """What the attention of the first seed does to a recording. UserError for a system without attention."""
        spectrogram = next(self.windows(self.prepare(Path(path)))).features
        found = self.first.attend(spectrogram)
        length = min(len(spectrogram), found.mask.shape[1])  # without the repetitions of a short recording
        return Attention(spectrogram.T[:, :length], found.mask[:, :length], found.filtered[:, :length], found.score)

    def prepare(self, path: Path) -> Recording:
        """Read a recording and compare it with the training data; UserError, naming it, if it cannot be used."""
        samples, changes = audio.convert(path, self.extract.sample_rate, self.channel)
        if samples.min() == samples.max():
            raise UserError(f"{path}: digital silence, all samples are {samples[0]}. Record it again.")
        recording = Recording(path, samples, self.extract.sample_rate, list(changes.values()))
        recording.warnings = self._unlike(recording)
        return recording

    def _unlike(self, recording: Recording) -> list[str]:
        """In what a recording is unlike the training data: one sentence, or none; of a long one, in the median."""
        step = round(LONG * recording.sample_rate)
        stretches = [recording.samples[at : at + step] for at in range(0, len(recording.samples), step)]
        measures = [nuisance.measure(stretch, recording.sample_rate) for stretch in stretches]
        found = {name: float(np.median([of[name] for of in measures])) for name in finished.JUDGED}
        found["duration"] = recording.duration
        odd = []
        for name, (low, high) in self.typical.items():
            if not low <= found[name] <= high:
                title, unit = nuisance.NUISANCES[name]
                odd.append(f"{title} {found[name]:.4g} {unit} (98 % of them: {low:.4g} to {high:.4g})")
        if odd:
            odd = [f"unlike the training data: {', '.join(odd)}"]
        if found["level"] < SILENT:
            odd.append(f"almost silent: level {found['level']:.0f} dBFS")
        return odd

    def windows(self, recording: Recording) -> Iterator[Window]:
        """The parts of a recording that get a score, each half a part after the one before; UserError, naming it.

        A network with a fixed width takes windows of it, of the features of the whole recording. A system that takes
        any length takes a short recording whole, and sections of a long one as if each were a recording.
        """
        try:
            yield from self._windows(recording)
        except UserError as error:
            raise UserError(f"{recording.path}: {error}") from None

    def _windows(self, recording: Recording) -> Iterator[Window]:
        frames, extract, rate = self.first.frames, self.extract, recording.sample_rate
        samples = recording.samples
        if frames and isinstance(extract, SpectrogramFrontEnd):
            total, shift = extract.frames(samples), extract.options.shift / rate
            places = starts(total, frames)
            found = cut(extract.stretches(recording.utt, samples), places, frames)
            for start, features in zip(places, found, strict=True):
                end = recording.duration if start == places[-1] else (start + frames) * shift
                yield Window(start * shift, end, features)
            return
        whole = recording.duration <= LONG or (frames and isinstance(extract, KaldiFrontEnd))
        size = len(samples) if whole else round(SECTION * rate)
        for first in starts(len(samples), size):
            features = extract(recording.utt, samples[first : first + size])
            second = min(size, len(samples)) / rate / len(features)  # of a row of features
            width = frames or len(features)
            for start in starts(len(features), width):
                end = min(start + width, len(features))
                yield Window(first / rate + start * second, first / rate + end * second, features[start:end])

    def score_all(self, recordings: list[Recording]) -> None:
        """Give every recording its score, the mean over its windows, a group of windows at a time."""
        pending = ((recording, window) for recording in recordings for window in self.windows(recording))
        name = f"{len(recordings)} files" if len(recordings) > 1 else readable(recordings[0].path.name)
        for recording in recordings:
            recording.spans, recording.runs, recording.scores = [], [], []
        total = math.ceil(sum(recording.duration for recording in recordings))
        with redirect_stdout(sys.stderr), Progress(f"score {name}", total, "s") as progress:  # stdout is for scores
            while group := list(itertools.islice(pending, GROUP)):
                features = {str(i): window.features for i, (_, window) in enumerate(group)}
                subset = Subset(name, dict.fromkeys(features, "unknown"), features)
                long = all(recording.duration > LONG for recording, _ in group)
                found = [(system.score_many if long else system.score)(subset) for system in self.systems.values()]
                for i, (recording, window) in enumerate(group):
                    recording.runs.append([scores[str(i)] for scores in found])
                    recording.spans.append((window.start, window.end))
                    recording.scores.append(self._averaged(recording.runs[-1]))
                    if recording.scores[-1] <= min(recording.scores):
                        recording.lowest = window
                done = sum(recording.spans[-1][1] for recording in recordings if recording.spans)
                progress.advance(int(done) - progress.n)
        for recording in recordings:
            recording.score = self._averaged([sum(run) / len(run) for run in zip(*recording.runs, strict=True)])

    def _averaged(self, runs: list[float]) -> float:
        """The score of seeds that gave `runs`, as stage 2 averages it; that of a single one is as it is."""
        output = OUTPUTS[self.first.averages]
        return runs[0] if len(runs) == 1 else sum(output(run) for run in runs) / len(runs)

    def _judged(self, score: float) -> dict[str, Any]:
        """What a score says of a recording: ratio, posterior at the prior of the costs, decision, and its limit."""
        calibration = self.on_dev.calibration if self.on_dev else None
        llr = calibration.llr(score) if calibration else None
        above = self.limit is not None and score > self.limit
        genuine = llr >= self.costs.threshold if self.threshold is None and llr is not None else above
        return {
            "score": score,
            "llr": llr,
            "p_replay": None if llr is None else answers.p_replay(llr, self.costs),
            "decision": "genuine" if genuine else "replayed",
            "threshold": self.limit,
        }

    @property
    def limit(self) -> float | None:
        """The score above which a recording is taken for genuine; None where all scores have the same ratio."""
        if self.threshold is not None:
            return self.threshold
        assert self.on_dev
        calibration = self.on_dev.calibration
        return calibration.score(self.costs.threshold) if calibration else self.on_dev.threshold

    def row(self, recording: Recording) -> dict[str, Any]:
        """What is known of a scored recording, as plain values by name."""
        several = len(recording.scores) > 1
        start, end = recording.lowest[:2] if several and recording.lowest else (None, None)
        return {
            "file": readable(recording.path),
            **self._judged(recording.score),
            "duration": recording.duration,
            "windows": len(recording.scores),
            "seconds": recording.seconds,
            "suspicious_start": start,
            "suspicious_end": end,
            "suspicious_score": min(recording.scores) if several else None,
            "heatmap": readable(recording.heatmap) if recording.heatmap else None,
            "warnings": recording.warnings,
            "notes": recording.notes,
        }

    def draw(self, recording: Recording) -> None:
        """Write the figure of a recording: its score over time if it has several windows, and the attention.

        The attention, as in stage 1, is that of the first seed, to the most suspicious window.
        """
        several, window = len(recording.scores) > 1, recording.lowest
        if not several and not self.first.attentive:
            return
        assert self.heatmaps is not None and window is not None
        from afn.experiment import score_plot  # matplotlib takes a second to import

        of = f"{self.experiment.title}, seed {self.experiment.seeds[0]}"
        decision = self._judged(recording.score)["decision"]
        heading = f"{recording.utt} · score {recording.score:+.2f}, {decision} · {of}"
        figure = self.heatmaps / self._unused(recording.utt)
        plot = functools.partial(
            score_plot.draw, seconds=recording.seconds, threshold=self.limit, suspicious=window[:2]
        )
        if self.first.attentive:
            self.first.draw_attention(figure, window.features, heading, plot if several else None)
        else:
            score_plot.write(figure, heading, plot)
        recording.heatmap = figure

    def _unused(self, utt: str) -> str:
        """A name for a figure: recordings of several folders may have the same id."""
        # A file's name has 255 bytes at most, with what it has while it is written.
        short = os.fsencode(utt)[:LONGEST_NAME].decode("utf-8", "ignore")
        names = (f"{short}{f'-{number}' if number > 1 else ''}.png" for number in itertools.count(1))
        name = next(name for name in names if name not in self.drawn)
        self.drawn.add(name)
        return name

    @property
    def meaning(self) -> str:
        """What a score says, in a line."""
        seeds, on_dev, costs = self.experiment.seeds, self.on_dev, self.costs
        calibrated = on_dev is not None and on_dev.calibration is not None
        of = "the system's score"
        if self.first.averages == "sigmoids":
            of = "the network's logit" if len(seeds) == 1 else "the sigmoid (0 to 1) of the network's logit"
        of += ", averaged over the seeds" if len(seeds) > 1 else ""
        said = [
            f"{self.experiment.title} ({portable(self.experiment.directory)}, seed{'s' * (len(seeds) > 1)} "
            f"{', '.join(map(str, seeds))}): the score is {of}",
            "higher = more genuine",
        ]
        if calibrated:
            said.append("llr is the natural log-likelihood ratio genuine : replayed, calibrated on dev")
            said.append(f"p_replay is for a prior of {costs.spoof:g}")
        if self.threshold is not None:
            said.append(f"genuine above the given threshold {self.threshold:+.4f}")
        elif calibrated:
            of_errors = f"C_miss {costs.miss:g} and C_fa {costs.false_alarm:g}"
            said.append(f"genuine from llr {costs.threshold:+.2f} on, the Bayes threshold of this prior, {of_errors}")
        elif on_dev:
            of_dev = "the threshold of the EER on dev, for it is not calibrated"
            said.append(f"genuine above {on_dev.threshold:+.4f}, {of_dev}")
        if on_dev:
            said.append(f"official EER on dev {100 * on_dev.eer:.2f} %")
            if on_dev.eer >= GUESSING:
                said.append("on dev it was no better than guessing, so do not rely on it")
            if getattr(self.experiment.first.settings, "trained_on", "train") != "train":
                said.append("it was trained on dev, so its ratios are overconfident")
        if self.experiment.simulated:
            said.append("it was trained on simulated replays, which say nothing about real ones")
        if self.experiment.card:
            said.append("what it can and cannot do: docs/model_card.md")
        return "; ".join(said)


def load(
    experiment: TrainedSystem,
    threshold: float | None = None,
    channel: int | None = None,
    figures: Path | None = None,
    costs: DetectionCosts = EVEN,
) -> Scorer:
    """An experiment, ready to score.

    Args:
        threshold: decides, by scores; by default the Bayes threshold of `costs`, by the ratios that dev has
            calibrated, and only the seeds that stage 2 has scored.
        channel: which channel to take of recordings that have several, 1 for the first.
        figures: the folder for figures, where they are wanted.
        costs: the prior of a replay, and the costs of errors.
    """
    if threshold is None:
        experiment = experiment.scored()
    for sentence in experiment.left_out:
        note(sentence)
    loaded = {seed: registry.build(of.settings, seed) for seed, of in experiment.trained.items()}
    first = next(iter(loaded.values()))
    on_dev = None
    try:
        on_dev = experiment.on_dev(first.averages)
    except UserError:
        if threshold is None:  # else dev may be unknown
            raise
    for seed, system in loaded.items():
        system.load(experiment.trained[seed].directory)
    if figures and not first.attentive:
        instead = "figures show scores over time, of long recordings"
        note(f"--heatmap: {experiment.title} has no attention to draw; {instead}")
    extract = extractor(experiment)
    return Scorer(experiment, on_dev, loaded, extract, channel, costs, threshold, experiment.typical, figures)


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


def note(text: str) -> None:
    print(f"note: {text}", file=sys.stderr, flush=True)
