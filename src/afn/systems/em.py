"""Shared by the generative systems: the utterances to train on, and EM that reports and saves its progress."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from afn.common import files
from afn.common.errors import RETRAIN, UserError
from afn.common.progress import Progress
from afn.systems import checkpoints
from afn.systems.protocol import METRICS, TrainedOn
from afn.systems.subset import Subset

log = logging.getLogger("train")

SECONDS_BETWEEN_SAVES = 10.0


def pooled(trained_on: TrainedOn, train: Subset, dev: Subset) -> Subset:
    """The utterances to train on: of train, or of train and dev. UserError for a missing class or a shared id."""
    together = train
    if trained_on == "train+dev":
        if shared := sorted(train.labels.keys() & dev.labels.keys()):
            raise UserError(
                f"utterance {shared[0]}: in both train and dev ({len(shared)} utterances are). Give every utterance "
                "its own id, then run stage -2 again."
            )
        together = Subset(
            trained_on,
            {**train.labels, **dev.labels},
            {**train.features, **dev.features},
            {**train.speakers, **dev.speakers},
        )
    return together.both_classes()


class Learner:
    """Runs the EMs of one training. Each resumes an interrupted run and writes a row of metrics.csv per iteration.

    Args:
        directory: of the training; each part saves its model there, as <part>.pt.
    """

    def __init__(self, directory: Path):
        self.directory = directory
        self.traces: dict[str, list[float]] = {}

    def run(
        self,
        part: str,
        iterations: int,
        start: Callable[[], Any],
        restore: Callable[[dict[str, Any]], Any],
        fit: Callable[[Any, Callable[[Any], None]], Any],
    ) -> Any:
        """The trained model of a `part`: from `start`, or from `restore` of the saved state.

        `fit(model, after)` runs at most `iterations` of EM and calls `after(model)` after each. A model has `trace` and
        `state_dict`. Its ValueErrors become UserErrors.
        """
        path = self.directory / f"{part}.pt"
        saved = time.monotonic()

        def after(model: Any) -> None:
            nonlocal saved
            progress.advance(1, log_likelihood=model.trace[-1])
            if time.monotonic() - saved > SECONDS_BETWEEN_SAVES:
                self._keep(path, part, model)
                saved = time.monotonic()

        try:
            model = load(path, restore) if path.is_file() else start()
            with Progress(f"train {part}", iterations, "iterations") as progress:
                progress.advance(len(model.trace))
                fit(model, after)
        except ValueError as error:
            raise UserError(f"{part}: {error}") from None
        self._keep(path, part, model)
        last = f", mean log-likelihood {model.trace[-1]:.4f} nats per frame" if model.trace else ""
        log.info(f"{part}: {len(model.trace)} iterations{last}")
        return model

    def _keep(self, path: Path, part: str, model: Any) -> None:
        checkpoints.save(path, model.state_dict())
        self.traces[part] = model.trace
        rows = [
            {"part": name, "iteration": number, "log_likelihood": value}
            for name, trace in self.traces.items()
            for number, value in enumerate(trace, 1)
        ]
        files.write_csv(self.directory / METRICS, rows)


def load(path: Path, restore: Callable[[dict[str, Any]], Any]) -> Any:
    """`restore` of the state in `path`; UserError if that is not a state of this system."""
    state = checkpoints.load(path, torch.device("cpu"))
    try:
        return restore(state)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path}: not a model of this system ({error}). {RETRAIN}") from None
