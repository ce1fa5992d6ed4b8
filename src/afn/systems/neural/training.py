"""The training recipe of Lai et al. (ICASSP 2019), as their repository runs it; it can be resumed at any time.

Adam with AMSGrad on the binary cross-entropy, batches of 4. After every epoch the learning rate follows the dev loss,
and the weights with the lowest dev EER so far are kept. A recipe may replace parts of it (settings.py): random crops,
augmentation, balanced classes, weight decay, a one-cycle schedule, averaged weights.
"""

import logging
import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, update_bn

from afn.common import files, parallel
from afn.common.errors import RETRAIN, UserError
from afn.common.progress import Progress
from afn.features.front_end import FrontEnd
from afn.metrics.eer import linear_roc_eer
from afn.systems import checkpoints
from afn.systems import device as devices
from afn.systems.neural.batches import Resident, Tiled, shuffled
from afn.systems.neural.inference import for_scoring
from afn.systems.neural.loading import Examples, Varied, ahead
from afn.systems.neural.settings import Training
from afn.systems.protocol import METRICS
from afn.systems.subset import in_order

LAST, BEST = "last.pt", "best.pt"
NORMALISED = 2000  # utterances from which batch norm of averaged weights learns its statistics


@dataclass
class Position:
    """How far training has come. With weights, optimiser and scheduler it is all that resuming needs."""

    epoch: int = 1  # the current one
    step: int = 0  # its finished batches
    loss: float = 0.0  # sum over the utterances of those batches
    seconds: float = 0.0  # spent on them
    best_eer: float = math.inf  # percent
    best_epoch: int = 0
    stale: int = 0  # epochs since the best
    history: list[dict[str, float]] = field(default_factory=list)  # a row of metrics.csv per epoch

    def finished(self, recipe: Training) -> bool:
        return self.epoch > recipe.epochs or self.stale >= recipe.patience


class Trainer:
    """Trains `model` on `train` by `recipe`, selects on `dev`, writes into `directory` and resumes from there.

    Args:
        model: the network; the caller has seeded its initial weights.
        train, dev: labelled spectrograms, each with both classes.
        recipe: the YAML's `train`.
        seed: decides the order of the batches and what a step samples.
        directory: for metrics.csv and the checkpoints LAST and BEST.
        front_end: extracts the features of augmented recordings.
    """

    def __init__(
        self,
        model: nn.Module,
        train: Tiled,
        dev: Tiled,
        recipe: Training,
        seed: int,
        directory: Path,
        front_end: FrontEnd | None = None,
    ):
        self.log = logging.getLogger("train")
        self.recipe, self.seed, self.directory = recipe, seed, directory
        self.device = devices.choose()
        self.precision = devices.resolved(recipe.precision, self.device)
        self.model = devices.placed(model, self.device)
        self.forward = torch.compile(self.model) if recipe.compile else self.model
        self.train: Tiled | Resident | Varied
        frames = recipe.crop or train.frames
        if frames and (recipe.crop or recipe.augment):
            examples = Examples(seed, frames, train.bins, recipe.augment, front_end)
            self.train = Varied(train.subset, examples, parallel.default_jobs())
        else:
            self.train = self._placed(train)
        self.dev = self._placed(dev)
        self.classes = [np.flatnonzero(train.targets == of).tolist() for of in (0, 1)]
        self.optimiser = adam(self.model, recipe)
        self.scheduler = schedule(self.optimiser, recipe, recipe.epochs * len(self._order(1)))
        self.average = averaged(self.model, recipe.averaging) if recipe.averaging else None
        self.position = Position()

    def run(self) -> None:
        """Train to the end, from the last checkpoint if there is one."""
        self._resume()
        while not self.position.finished(self.recipe):
            self._epoch()
            self._select()
        at = self.position
        self.log.info(f"best dev EER {at.best_eer:.2f} % in epoch {at.best_epoch} of {len(at.history)}")

    def step(self, inputs: Tensor, targets: Tensor) -> float:
        """One step of the optimiser on a batch; returns the batch's mean loss before it.

        `inputs` is Tensor[B × 1 × D × frames], `targets` Tensor[B], 1 = genuine.
        """
        self.optimiser.zero_grad(set_to_none=True)
        with devices.arithmetic(self.device, self.precision):
            logits = self.forward(inputs.to(self.device))
        targets = targets.to(logits.device)
        loss = functional.binary_cross_entropy_with_logits(logits.to(targets.dtype), targets, reduction="sum")
        loss = loss / len(targets)
        loss.backward()
        self.optimiser.step()
        if self.recipe.one_cycle is not None:
            self.scheduler.step()
        if self.average is not None:
            self.average.update_parameters(self.model)
        value = loss.item()
        if not math.isfinite(value):
            raise UserError(
                f"{self.directory}: the loss became {value} in epoch {self.position.epoch}. Lower train.learning_rate, "
                "then train again with --force."
            )
        return value

    def _order(self, epoch: int) -> list[list[int]]:
        """The batches of an epoch; an index of more than an utterance is of its repetition."""
        balanced, strata = (self.classes if wanted else () for wanted in (self.recipe.balanced, self.recipe.stratified))
        return shuffled(len(self.train.utterances), self.recipe.batch_size, self.seed, epoch, balanced, strata)

    def _loaded(self, order: list[list[int]], epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of `order`, read before the step needs them."""
        if isinstance(self.train, Varied):
            made = self.train.batches(order, epoch)
            return ((torch.from_numpy(inputs), torch.from_numpy(targets)) for inputs, targets in ahead(made))
        count = len(self.train.utterances)
        batches = map(self.train.batch, ([index % count for index in batch] for batch in order))
        return batches if isinstance(self.train, Resident) else ahead(batches)

    def _epoch(self) -> None:
        """Train on every utterance once, after the batches that are already done."""
        at = self.position
        order = self._order(at.epoch)
        saved = started = time.monotonic()
        before = at.seconds
        self.model.train()
        done = sum(len(batch) for batch in order[: at.step])
        with Progress(f"seed {self.seed}, epoch {at.epoch}", sum(map(len, order))) as progress:
            progress.advance(done)
            for inputs, targets in self._loaded(order[at.step :], at.epoch):
                self._seed_sampling()
                at.loss += self.step(inputs, targets) * len(targets)
                at.step += 1
                done += len(targets)
                at.seconds = before + time.monotonic() - started
                progress.advance(len(targets), loss=at.loss / done)
                if time.monotonic() - saved > 60 * self.recipe.checkpoint_minutes:
                    self._save()
                    saved = time.monotonic()

    def _seed_sampling(self) -> None:
        """Let what comes next (dropout) depend on its place in the training alone: a resumed run samples the same."""
        at = self.position
        torch.manual_seed(int(np.random.SeedSequence([self.seed, at.epoch, at.step]).generate_state(1)[0]))

    def _select(self) -> None:
        """End the epoch: dev loss and EER, learning rate, best weights, checkpoint."""
        at = self.position
        self._normalise()
        logits = self._dev_logits()
        targets = self.dev.targets.cpu().numpy()
        # -log sigmoid(z) for genuine, -log(1 - sigmoid(z)) for spoof
        dev_loss = float(np.mean(np.logaddexp(0, np.where(targets == 1, -logits, logits))))
        eer = 100 * linear_roc_eer(logits[targets == 1], logits[targets == 0])
        count = sum(map(len, self._order(at.epoch)))
        row = {
            "epoch": at.epoch,
            "train_loss": at.loss / count,
            "dev_loss": dev_loss,
            "dev_eer": eer,
            "learning_rate": self.optimiser.param_groups[0]["lr"],
            "seconds": round(at.seconds, 2),
            "utterances_per_second": round(count / max(at.seconds, 1e-9), 3),
        }
        at.history.append(row)
        self.log.info(
            f"epoch {at.epoch}: train loss {row['train_loss']:.4f}, dev loss {dev_loss:.4f}, dev EER {eer:.2f} %, "
            f"learning rate {row['learning_rate']:g}, {row['utterances_per_second']:.2f} utt/s"
        )
        if self.recipe.one_cycle is None:
            self.scheduler.step(dev_loss)
        at.stale += 1
        if eer < at.best_eer or self.recipe.one_cycle is not None:
            at.best_eer, at.best_epoch, at.stale = eer, at.epoch, 0
            best = {"model": self.result.state_dict(), "epoch": at.epoch, "dev_eer": eer}
            checkpoints.save(self.directory / BEST, best)
        at.epoch, at.step, at.loss, at.seconds = at.epoch + 1, 0, 0.0, 0.0
        self._save()

    def _normalise(self) -> None:
        """Give averaged weights their own statistics of batch norm: those of training are of other weights."""
        if self.average is None:
            return
        self._seed_sampling()
        epoch = self.position.epoch
        order = self._order(epoch)[: -(-NORMALISED // self.recipe.batch_size)]
        label = f"seed {self.seed}, epoch {epoch}, batch norm"
        with devices.arithmetic(self.device, self.precision), Progress(label, sum(map(len, order))) as progress:

            def passing() -> Iterator[Tensor]:
                for inputs, targets in self._loaded(order, epoch):
                    yield inputs
                    progress.advance(len(targets))

            update_bn(passing(), self.result, self.device)

    @property
    def result(self) -> nn.Module:
        """The network that is selected: with averaged weights, where the recipe has them."""
        return self.model if self.average is None else self.average.module

    def _dev_logits(self) -> np.ndarray:
        """The logit of every dev utterance, float64[U]."""
        batches = (
            ([self.dev.utterances[i] for i in indices], self.dev.batch(indices)[0])
            for indices in in_order(len(self.dev), scoring_batch(self.device, self.dev.frames))
        )
        scored = scores(for_scoring(self.result), batches, self.device, f"seed {self.seed}, dev", len(self.dev))
        return np.array([logit for _, logit in scored])

    def _placed(self, tiled: Tiled) -> Tiled | Resident:
        """The subset on the GPU if its features fit into a quarter of the free memory; else it is read in batches."""
        if self.device.type != "cuda" or tiled.frames is None:
            return tiled
        resident = tiled.resident(self.device, devices.room_for_features(self.device))
        if resident is None:
            self.log.info(f"{tiled.subset.name}: too large for the GPU's memory, read one batch at a time")
        return resident or tiled

    def _save(self) -> None:
        # The table first: a run killed between the two does the epoch again, and writes its row again.
        files.write_csv(self.directory / METRICS, self.position.history)
        state = {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "position": asdict(self.position),
        }
        if self.average is not None:
            state["average"] = self.average.state_dict()
        checkpoints.save(self.directory / LAST, state)

    def _resume(self) -> None:
        path = self.directory / LAST
        if not path.is_file():
            return
        state = checkpoints.load(path, torch.device("cpu"))
        try:
            self.model.load_state_dict(state["model"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.scheduler.load_state_dict(state["scheduler"])
            if self.average is not None:
                self.average.load_state_dict(state["average"])
            self.position = Position(**state["position"])
        except (AttributeError, LookupError, TypeError, ValueError, RuntimeError) as error:
            reason = checkpoints.first_line(error)
            raise UserError(f"{path}: not a checkpoint of this network ({reason}). {RETRAIN}") from None
        at = self.position
        if not at.finished(self.recipe):
            self.log.info(f"resuming from {path}: epoch {at.epoch}, batch {at.step + 1}")


def scores(
    model: nn.Module, batches: Iterable[tuple[list[str], Tensor]], device: torch.device, label: str, total: int
) -> Iterable[tuple[str, float]]:
    """`(utterance, logit)` for batches of `(utterances, Tensor[B × 1 × D × frames])`; higher = more genuine."""
    model.eval()
    with Progress(f"score {label}", total) as progress, torch.inference_mode():
        for utterances, inputs in batches:
            logits = model(inputs.to(device)).double().tolist()
            yield from zip(utterances, logits, strict=True)
            progress.advance(len(utterances))


def scoring_batch(device: torch.device, frames: int | None) -> int:
    """Utterances scored at a time. One on a CPU: as fast, and a score cannot depend on its neighbours.

    On a GPU their maps take less memory than a training step of four. One if they have several lengths (no `frames`).
    """
    return 1 if device.type == "cpu" or frames is None else 16


def adam(model: nn.Module, recipe: Training) -> torch.optim.Adam:
    """Adam, or AdamW where the recipe has a weight decay."""
    if recipe.weight_decay is None:
        return torch.optim.Adam(model.parameters(), recipe.learning_rate, amsgrad=recipe.amsgrad)
    return torch.optim.AdamW(
        model.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay, amsgrad=recipe.amsgrad
    )


def schedule(optimiser: torch.optim.Optimizer, recipe: Training, steps: int) -> Any:
    """What sets the learning rate: the dev loss after every epoch, or one cycle over all `steps`.

    The cycle rises linearly and falls as a cosine (Smith and Topin 2019, "Super-convergence").
    """
    if recipe.one_cycle is None:
        return torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimiser, factor=recipe.lr_factor, patience=recipe.lr_patience
        )
    top = max(recipe.one_cycle * steps, 1)

    def rate(step: int) -> float:
        fallen = (step - top) / max(steps - top, 1)
        return (step + 1) / (top + 1) if step < top else (1 + math.cos(math.pi * fallen)) / 2

    return torch.optim.lr_scheduler.LambdaLR(optimiser, rate)


def averaged(model: nn.Module, decay: float) -> AveragedModel:
    """A moving average of the weights of `model`; of fewer than 1 / (1 - decay) steps, their mean."""

    def mean(average: Tensor, now: Tensor, steps: Tensor | int) -> Tensor:
        return torch.lerp(average, now, max(1 - decay, 1 / (1 + float(steps))))

    return AveragedModel(model, avg_fn=mean)
