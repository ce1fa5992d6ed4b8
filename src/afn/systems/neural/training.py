"""The training recipe of Lai et al. (ICASSP 2019), as their repository runs it, resumable at any instant.

Adam with AMSGrad on the binary cross-entropy, batches of 4; after every epoch the learning rate follows the dev loss,
and the weights with the lowest dev EER so far are kept.
"""

import io
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

from afn.common import files, paths
from afn.common.errors import ANEW, UserError
from afn.common.progress import Progress
from afn.metrics.eer import linear_roc_eer
from afn.systems import device as devices
from afn.systems.neural import distributed
from afn.systems.neural.batches import Resident, Tiled, in_order, shuffled
from afn.systems.neural.captured import captured
from afn.systems.neural.inference import for_scoring
from afn.systems.neural.recomputation import Recomputing
from afn.systems.settings import Training

LAST, BEST = "last.pt", "best.pt"


@dataclass
class Position:
    """How far training has come; with weights, optimiser and scheduler, all that going on needs."""

    epoch: int = 1  # the one under way
    step: int = 0  # batches of it that are done
    loss: float = 0.0  # sum over the utterances of those batches
    seconds: float = 0.0  # spent on them
    best_eer: float = math.inf  # percent
    best_epoch: int = 0
    stale: int = 0  # epochs since the best
    history: list[dict[str, float]] = field(default_factory=list)  # a row of metrics.csv an epoch

    def finished(self, recipe: Training) -> bool:
        return self.epoch > recipe.epochs or self.stale >= recipe.patience


class Trainer:
    """Trains `model` on `train` by `recipe`, selecting on `dev`; writes into `directory` and goes on from there.

    `seed` decides the order of the batches; the caller has seeded the initial weights. Several processes may train
    together (systems/distributed.py): all of them run the same Trainer, the first one writes.
    """

    def __init__(self, model: nn.Module, train: Tiled, dev: Tiled, recipe: Training, seed: int, directory: Path):
        self.log = logging.getLogger(f"train.seed{seed}")
        self.device = devices.choose()
        self.model = devices.placed(model, self.device)
        self.group = distributed.group()
        self.recomputing = self.device.type == "cpu" if recipe.recompute == "auto" else recipe.recompute
        wrapped = Recomputing if self.recomputing else lambda model: model
        self.graph = self.part = wrapped(self.model)
        self.full: nn.Module | None = None  # the same for full batches, captured
        if self.group.size > 1:
            self.graph = self.part = wrapped(distributed.for_shares(self.model, self.device, True))
            if not recipe.synchronised_batch_norm:  # each process by the statistics of its part
                self.part = wrapped(distributed.for_shares(self.model, self.device, False))
        if self.device.type == "cuda":
            train = self._resident(train, devices.storage(self.device, recipe.precision))
            dev = self._resident(dev, torch.float32)
        self.train, self.dev, self.recipe, self.seed, self.directory = train, dev, recipe, seed, directory
        self.optimiser = torch.optim.Adam(model.parameters(), recipe.learning_rate, amsgrad=recipe.amsgrad)
        self.scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self.optimiser, factor=recipe.lr_factor, patience=recipe.lr_patience
        )
        self.position = Position()

    def _resident(self, tiled: Tiled, dtype: torch.dtype) -> Tiled | Resident:
        resident = tiled.resident(self.device, dtype, devices.room_for_features(self.device))
        if resident is not None:
            return resident
        self.log.info(f"{tiled.subset.name}: too large for the GPU's memory; read a batch at a time")
        return tiled

    def run(self) -> None:
        """Train to the end, or on to the end from where an earlier run was interrupted."""
        for _ in self.turns():
            pass

    def turns(self) -> Iterator[None]:
        """The same in turns: after each the device has work whose result nobody waits for yet (systems/turns.py)."""
        self._resume()
        self._capture()
        while not self.position.finished(self.recipe):
            yield from self._epoch()
            yield from self._select()
        at = self.position
        self.log.info(f"best dev EER {at.best_eer:.2f} % in epoch {at.best_epoch} of {len(at.history)}")

    def _epoch(self) -> Iterator[None]:
        """Train on every utterance once, beginning after the batches that are done."""
        at = self.position
        batches = shuffled(len(self.train), self.recipe.batch_size, self.seed, at.epoch)
        saved = started = time.monotonic()
        before = at.seconds
        self.graph.train()
        self.part.train()
        done = sum(len(batch) for batch in batches[: at.step])
        with Progress(f"seed {self.seed}, epoch {at.epoch}", len(self.train)) as progress:
            progress.advance(done)
            for batch in batches[at.step :]:
                # Whatever a step draws depends on its place alone, so that a resumed run draws the same.
                torch.manual_seed(int(np.random.SeedSequence([self.seed, at.epoch, at.step]).generate_state(1)[0]))
                loss = self._launch(*self._share(batch), len(batch))
                yield
                at.loss += self._value(loss) * len(batch)
                at.step += 1
                done += len(batch)
                at.seconds = before + time.monotonic() - started
                progress.advance(len(batch), loss=at.loss / done)
                if time.monotonic() - saved > 60 * self.recipe.checkpoint_minutes:
                    self._save()
                    saved = time.monotonic()

    def _capture(self) -> None:
        """On a GPU, where one process trains: full batches pass through CUDA graphs."""
        if self.device.type != "cuda" or not self.recipe.cuda_graphs or self.recomputing or self.group.size > 1:
            return
        if len(self.train) < self.recipe.batch_size:
            return
        inputs, _ = self.train.batch(range(self.recipe.batch_size))
        arithmetic = devices.arithmetic(self.device, self.recipe.precision)
        self.full = captured(self.graph, inputs.to(self.device), arithmetic, self.log)

    def _share(self, batch: list[int]) -> tuple[Tensor, Tensor]:
        """What this process learns from of a batch, perhaps nothing."""
        share = self.group.share(batch)
        inputs, targets = self.train.batch(share or batch[:1])
        return inputs[: len(share)], targets[: len(share)]

    def step(self, inputs: Tensor, targets: Tensor) -> float:
        """Learn from a whole batch; its mean loss before that."""
        return self._value(self._launch(inputs, targets, len(targets)))

    def _launch(self, inputs: Tensor, targets: Tensor, whole: int) -> Tensor:
        """Learn from a batch, or from this process's share of one of `whole` utterances; its mean loss before that."""
        # A share of fewer than two has no variance: such a batch is always normalised whole.
        graph = self.part if self.group.smallest_share(whole) > 1 else self.graph
        if self.full is not None and len(inputs) == self.recipe.batch_size:
            graph = self.full
        self.optimiser.zero_grad(set_to_none=True)
        with devices.arithmetic(self.device, self.recipe.precision):
            logits = graph(inputs.to(self.device))
        loss = functional.binary_cross_entropy_with_logits(logits.float(), targets.to(self.device), reduction="sum")
        loss = loss / whole
        loss.backward()
        self._combine(loss, graph is self.part and self.part is not self.graph)
        self.optimiser.step()
        return loss.detach()

    def _value(self, loss: Tensor) -> float:
        """A loss, once the device has it."""
        value = loss.item()
        if not math.isfinite(value):
            raise UserError(
                f"{self.directory}: the loss became {value} in epoch {self.position.epoch}; "
                "lower train.learning_rate, then train anew with --force"
            )
        return value

    def _combine(self, loss: Tensor, own_statistics: bool) -> None:
        """Add up the loss and the gradients of all processes, in place; running statistics of each are averaged."""
        running = [buffer for buffer in self.model.buffers() if buffer.is_floating_point()] if own_statistics else []
        for buffer in running:
            buffer /= self.group.size
        gradients = [parameter.grad for parameter in self.model.parameters() if parameter.grad is not None]
        self.group.add_up([loss.detach(), *gradients, *running])

    def _select(self) -> Iterator[None]:
        """End the epoch: dev loss and EER, learning rate, best weights, checkpoint."""
        at = self.position
        scored = []
        for _, score in self._dev_scores():
            scored.append(score)
            yield
        logits = np.array(scored)
        targets = self.dev.targets.cpu().numpy()
        # -log sigmoid(z) for genuine, -log(1 - sigmoid(z)) for spoof
        dev_loss = float(np.mean(np.logaddexp(0, np.where(targets == 1, -logits, logits))))
        eer = 100 * linear_roc_eer(logits[targets == 1], logits[targets == 0])
        rate = self.optimiser.param_groups[0]["lr"]
        at.history.append(
            {
                "epoch": at.epoch,
                "train_loss": at.loss / len(self.train),
                "dev_loss": dev_loss,
                "dev_eer": eer,
                "learning_rate": rate,
                "seconds": round(at.seconds, 2),
                "utterances_per_second": round(len(self.train) / max(at.seconds, 1e-9), 3),
            }
        )
        self.log.info(
            f"epoch {at.epoch}: train loss {at.loss / len(self.train):.4f}, dev loss {dev_loss:.4f}, "
            f"dev EER {eer:.2f} %, learning rate {rate:g}, {len(self.train) / max(at.seconds, 1e-9):.2f} utt/s"
        )
        self.scheduler.step(dev_loss)
        at.stale += 1
        if eer < at.best_eer:
            at.best_eer, at.best_epoch, at.stale = eer, at.epoch, 0
            self._write(BEST, {"model": self.model.state_dict(), "epoch": at.epoch, "dev_eer": eer})
        at.epoch, at.step, at.loss, at.seconds = at.epoch + 1, 0, 0.0, 0.0
        self._save()

    def _dev_scores(self) -> Iterable[tuple[str, float]]:
        share = self.group.share(list(in_order(len(self.dev), scoring_batch(self.device))))
        batches = (([self.dev.utterances[i] for i in indices], self.dev.batch(indices)[0]) for indices in share)
        label = f"seed {self.seed}, dev"
        scored = scores(for_scoring(self.model), batches, self.device, label, sum(map(len, share)))
        return self.group.gathered(scored, self.dev.utterances)

    def _save(self) -> None:
        if self.group.first:  # before the checkpoint: what ends between the two is done again, rows included
            files.write_csv(self.directory / paths.METRICS, self.position.history)
        self._write(
            LAST,
            {
                "model": self.model.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "scheduler": self.scheduler.state_dict(),
                "position": asdict(self.position),
            },
        )

    def _resume(self) -> None:
        path = self.directory / LAST
        state = self.group.from_first(lambda: load(path, torch.device("cpu")) if path.is_file() else None)
        if state is None:
            return
        try:
            self.model.load_state_dict(state["model"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.scheduler.load_state_dict(state["scheduler"])
            self.position = Position(**state["position"])
        except (AttributeError, LookupError, TypeError, ValueError, RuntimeError) as error:
            raise UserError(f"{path}: not a checkpoint of this network ({_first_line(error)}); {ANEW}") from None
        at = self.position
        if not at.finished(self.recipe):
            self.log.info(f"going on from {path}: epoch {at.epoch}, batch {at.step + 1}")

    def _write(self, name: str, state: dict[str, Any]) -> None:
        if self.group.first:
            save(self.directory / name, state)


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint, whole or not at all."""
    buffer = io.BytesIO()  # torch.save makes an error of its own of a full disk, without the reason
    torch.save(state, buffer)
    with files.whole(path, "wb") as file:
        file.write(buffer.getbuffer())


def load(path: Path, device: torch.device) -> dict[str, Any]:
    """A checkpoint's content, tensors on `device`; runs no code from the file. UserError if it cannot be read."""
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{path}: no such checkpoint; run stage 0 first") from None
    except Exception as error:
        raise UserError(f"{path}: not a readable checkpoint ({_first_line(error)}); {ANEW}") from None
    if not isinstance(state, dict):
        raise UserError(f"{path}: not a checkpoint, it holds a {type(state).__name__}; {ANEW}")
    return state


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


def scoring_batch(device: torch.device) -> int:
    """Utterances scored at a time. One on a CPU: as fast, and a score cannot depend on its neighbours.

    On a GPU their maps take less memory than a training step of four.
    """
    return 1 if device.type == "cpu" else 16


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
