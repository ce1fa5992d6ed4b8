"""What the generative systems share: the utterances they learn from, and EM that shows and keeps its progress."""

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
    """The utterances to learn from: of train, or of train and dev. UserError unless both classes are there."""
    together = train
    if trained_on == "train+dev":
        if shared := sorted(train.labels.keys() & dev.labels.keys()):
            raise UserError(
                f"utterance {shared[0]} is in train and in dev, as are {len(shared) - 1} others. Give every "
                "utterance a different id, then run stage -2 again."
            )
        together = Subset(
            trained_on,
            {**train.labels, **dev.labels},
            {**train.features, **dev.features},
            {**train.speakers, **dev.speakers},
        )
    return together.both_classes()


class Learner:
    """Runs the EMs of one training: each goes on where an interrupted run left it, and leaves a row of metrics.csv an
    iteration.

    Args:
        directory: of the training; each part keeps its model there, as <part>.pt.
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
        """The trained model of a `part`: begun by `start`, or by `restore` from the state that stands.

        `fit(model, after)` runs at most `iterations` of EM and calls `after(model)` after each. A model is what has
        `trace` and `state_dict`. Its ValueErrors become UserErrors.
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
        last = f", mean log-likelihood {model.trace[-1]:.4f} nats a frame" if model.trace else ""
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
    """What `restore` makes of the state in `path`; UserError where it is not one of this system."""
    state = checkpoints.load(path, torch.device("cpu"))
    try:
        return restore(state)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path}: not a model of this system ({error}). {RETRAIN}") from None
