"""Evolution of recurrent networks over raw waveforms, resumable after every generation.

Source: Valenti et al., Odyssey 2018: NEAT, fitness by ease of classification, on a new random mini-batch in every
generation. Every few generations the fittest networks are tested on dev. The one with the lowest EER of all generations
is the grand champion.
"""

import csv
import json
import logging
import math
import random
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import neat
import numpy as np

from afn.common import files
from afn.common.errors import RETRAIN, UserError
from afn.common.progress import Progress
from afn.metrics.eer import linear_roc_eer
from afn.systems.evolving import fitness, genomes, populations, rnn
from afn.systems.evolving.genomes import Genome
from afn.systems.evolving.settings import Evolution
from afn.systems.protocol import METRICS
from afn.systems.subset import Subset

LAST, BEST = "last.json", "best.json"
FITNESS = {"eoc": fitness.fitness, "eer": fitness.eer_fitness}

log = logging.getLogger("train")


@dataclass
class EvolutionState:
    """The state of evolution. With the population it is all that resuming needs."""

    champion_eer: float = math.inf  # percent, on dev
    champion_generation: int = 0
    history: list[dict[str, float | None]] = field(default_factory=list)  # a row of metrics.csv per generation


class Evolver:
    """Evolves networks on `train` by `recipe`, selects on `dev`, writes into `directory` and resumes from there.

    Args:
        config: of neat-python; it counts nodes, so that two evolutions cannot share one.
        rate: samples per second, Hz.
        seed: decides everything that is random.
    """

    def __init__(
        self, config: neat.Config, train: Subset, dev: Subset, recipe: Evolution, rate: int, seed: int, directory: Path
    ):
        self.config, self.recipe, self.rate, self.seed, self.directory = config, recipe, rate, seed, directory
        self.train = [train.features[utt].ravel() for utt in train.utterances]
        self.genuine = train.both_classes().genuine
        fewest = min(self.genuine.sum(), (~self.genuine).sum())
        if recipe.batch is not None and fewest < recipe.batch // 2:
            raise UserError(
                f"train.batch: {recipe.batch} takes half of each class, but train has {fewest} of one. Lower it."
            )
        self.dev = rnn.blocks([dev.features[utt].ravel() for utt in dev.utterances])
        self.dev_genuine = dev.both_classes().genuine
        self.position = EvolutionState()
        self.population: neat.Population  # from `run` on

    def run(self) -> None:
        """Evolve to the last generation, from the last checkpoint if there is one."""
        if (self.directory / LAST).is_file():
            self._resume()
        else:
            random.seed(self._generator(0).bytes(16))
            self.population = neat.Population(self.config)
        with Progress("evolve", self.recipe.generations, "generations") as progress:
            progress.advance(self.population.generation)
            while self.population.generation < self.recipe.generations:
                self.population.run(self._evaluate, 1)  # then the offspring replace the population
                self._save()
                row = self.position.history[-1]
                shown = ("best_fitness", "mean_fitness", "species", "champion_eer")
                progress.advance(1, **{name: value for name in shown if (value := row[name]) is not None})
        at = self.position
        log.info(f"grand champion of generation {at.champion_generation}: dev EER {at.champion_eer:.2f} %")

    def _evaluate(self, evaluated: list[tuple[int, Genome]], config: neat.Config) -> None:
        """Compute the fitness of every genome, and add a row to the history."""
        started = time.monotonic()
        number = self.population.generation + 1
        generator = self._generator(number)
        waveforms, genuine = self._batch(generator)
        networks = [genomes.network(genome, config) for _, genome in evaluated]
        scores = rnn.scores(networks, rnn.blocks(waveforms))
        values = FITNESS[self.recipe.fitness](scores, genuine)
        for (_, genome), value in zip(evaluated, values, strict=True):
            genome.fitness = float(value)
        order = np.argsort(-values, kind="stable")
        eer = None
        if number % self.recipe.validate_every == 0 or number in (1, self.recipe.generations):
            eer = self._validate(number, [(evaluated[i][1], networks[i]) for i in order[: self.recipe.validated]])
        nodes, connections = evaluated[order[0]][1].size()
        row = {
            "generation": number,
            "best_fitness": float(values.max()),
            "mean_fitness": float(values.mean()),
            "species": len(self.population.species.species),
            "nodes": nodes,
            "connections": connections,
            "dev_eer": eer,
            "champion_eer": self.position.champion_eer,
            "seconds": round(time.monotonic() - started, 3),
        }
        self.position.history.append(row)
        if eer is not None:
            log.info(
                f"generation {number}: fitness {row['best_fitness']:.4f}, mean {row['mean_fitness']:.4f}, "
                f"{row['species']} species, dev EER {eer:.2f} %, champion's {row['champion_eer']:.2f} %"
            )
        # The random stream of reproduction depends on the generation alone, so that a resumed run is the same.
        random.seed(generator.bytes(16))

    def _batch(self, generator: np.random.Generator) -> tuple[list[np.ndarray], np.ndarray]:
        """The waveforms float32[N] of one generation, and which of them are genuine, bool[utterances]."""
        places = np.arange(len(self.train))
        if self.recipe.batch is not None:
            of_class = [places[self.genuine == wanted] for wanted in (True, False)]
            places = np.concatenate([generator.choice(of, self.recipe.batch // 2, replace=False) for of in of_class])
        length = None if self.recipe.crop is None else max(1, round(self.recipe.crop * self.rate))
        waveforms = [self.train[place] for place in places]
        if length is not None:
            begins = [int(generator.integers(max(len(waveform) - length, 0) + 1)) for waveform in waveforms]
            waveforms = [waveform[begin : begin + length] for waveform, begin in zip(waveforms, begins, strict=True)]
        return waveforms, self.genuine[places]

    def _validate(self, number: int, fittest: list[tuple[Genome, rnn.Network]]) -> float:
        """The lowest dev EER of the fittest, in percent; saves its genome if it is the lowest of all generations."""
        scores = rnn.scores([network for _, network in fittest], self.dev)
        eers = [100 * linear_roc_eer(row[self.dev_genuine], row[~self.dev_genuine]) for row in scores]
        best = int(np.argmin(eers))
        if eers[best] < self.position.champion_eer:
            self.position.champion_eer, self.position.champion_generation = eers[best], number
            champion = {"generation": number, "dev_eer": eers[best], "genome": genomes.plain(fittest[best][0])}
            files.write_text(self.directory / BEST, json.dumps(champion, indent=1) + "\n")
        return eers[best]

    def _generator(self, number: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, number])

    def _save(self) -> None:
        files.write_csv(self.directory / METRICS, self.position.history)
        # Last: a run killed before this repeats the generation and writes the same files.
        state = {"position": vars(self.position), "population": populations.plain(self.population)}
        files.write_text(self.directory / LAST, json.dumps(state) + "\n")

    def _resume(self) -> None:
        path = self.directory / LAST
        state = read(path)
        try:
            self.population = populations.from_plain(state["population"], self.config)
            self.position = EvolutionState(**state["position"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UserError(f"{path}: not a checkpoint of this system ({error!r}). {RETRAIN}") from None
        if self.population.generation < self.recipe.generations:
            log.info(f"resuming from {path}: generation {self.population.generation + 1}")


def champion(path: Path, config: neat.Config) -> Genome:
    """The genome of the grand champion in `path`; UserError if the file holds none."""
    content = read(path)
    try:
        return genomes.from_plain(content["genome"], config)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path}: not a network of this system ({error!r}). {RETRAIN}") from None


def history(directory: Path) -> list[dict[str, float | None]]:
    """The rows of a training's metrics.csv, an empty cell as None; no rows without the file."""
    path = directory / METRICS
    if not path.is_file():
        return []
    rows = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
    return [{name: float(cell) if cell else None for name, cell in row.items()} for row in rows]


def read(path: Path) -> Any:
    """The content of a JSON file of a training; UserError if it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file. Run stage 0 first.") from None
    except ValueError as error:
        raise UserError(f"{path}: not a JSON file ({error}). {RETRAIN}") from None
