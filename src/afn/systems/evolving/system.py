"""Evolved recurrent networks over the raw waveform: the row Evolving RNN."""

from pathlib import Path
from typing import Any

import neat
import numpy as np

from afn.common import files
from afn.common.errors import UserError
from afn.common.paths import ROOT
from afn.common.progress import Progress
from afn.systems import copies
from afn.systems.evolving import evolution, genomes, rnn
from afn.systems.evolving.settings import Evolving
from afn.systems.protocol import Chosen, System
from afn.systems.subset import Subset

NEAT = "neat.conf"  # in a training's directory
UTTERANCES = 8 * rnn.LANES  # scored at a time: enough to use every core, few enough for the memory


class EvolvingSystem(System):
    """A network evolved by `evolution.Evolver`; the score is the mean of its score output, 0…1, higher = more genuine.

    Args:
        settings: the row's YAML.
        seed: decides everything that is random in evolution.
    """

    settings: Evolving
    at_once = UTTERANCES
    figures = "the evolved network"

    def __init__(self, settings: Evolving, seed: int):
        super().__init__(settings, seed)
        self.config: neat.Config  # these three: from `load` on
        self.genome: genomes.Genome
        self.network: rnn.Network
        self.history: list[dict[str, Any]] = []  # a row per generation, for figures

    def fit(self, train: Subset, dev: Subset, directory: Path) -> None:
        # A copy: the trained network depends on it, and conf/ may change.
        files.write_text(directory / NEAT, (ROOT / "conf" / self.settings.neat).read_text(encoding="utf-8"))
        self.config = genomes.configuration(directory / NEAT, self.settings.train.population)
        rate = self.settings.features.sample_rate
        train = copies.added(train, self.settings, self.seed, directory)
        evolution.Evolver(self.config, train, dev, self.settings.train, rate, self.seed, directory).run()
        copies.remove(directory)

    def weights(self, directory: Path) -> Path:
        return directory / evolution.BEST

    def load(self, directory: Path) -> None:
        if not (directory / NEAT).is_file():
            raise UserError(f"{directory / NEAT}: no such file. Run stage 0 first.")
        self.config = genomes.configuration(directory / NEAT, self.settings.train.population)
        self.genome = evolution.champion(self.weights(directory), self.config)
        self.network = genomes.network(self.genome, self.config)
        self.history = evolution.history(directory)

    def score(self, subset: Subset) -> dict[str, float]:
        """The mean of the score output over the samples at which the gate is open; 0.5 if it never is."""
        found: dict[str, float] = {}
        with Progress(f"score {subset.name}", len(subset.utterances)) as progress:
            for begin in range(0, len(subset.utterances), UTTERANCES):
                utterances = subset.utterances[begin : begin + UTTERANCES]
                blocks = rnn.blocks([subset.features[utt].ravel() for utt in utterances])
                scores = rnn.scores([self.network], blocks)[0]
                found |= zip(utterances, scores.tolist(), strict=True)
                progress.advance(len(utterances))
        return found

    @classmethod
    def identity(cls, settings: Evolving) -> dict[str, Any]:
        found = super().identity(settings)
        path = ROOT / "conf" / settings.neat
        genomes.configuration(path, settings.train.population)  # reports mistakes in it before anything is written
        found["files"] = {**found.get("files", {}), "neat": files.sha256(path)}
        return found

    def draw(self, chosen: Chosen, out: Path) -> bool:
        from afn.systems.evolving import figures  # matplotlib takes a second to import

        figures.draw(self, chosen, out)
        return True

    def trace(self, features: np.ndarray) -> np.ndarray:
        """Gate and score output after every sample of an utterance, float[N × 1]: float64[N × 2]."""
        return rnn.trace(self.network, features.ravel())


SYSTEM = EvolvingSystem
