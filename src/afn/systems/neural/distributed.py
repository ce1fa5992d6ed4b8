"""One training by several processes, on one machine or on many: each takes its share of every batch.

`train.py --nproc N` starts them on this machine, torchrun on several. Every process holds the whole model and takes
each N-th utterance of a batch. Its loss is the sum over that share divided by the size of the whole batch, so that
gradients added up over processes are those of one process, also where shares differ in size or are empty.
DistributedDataParallel takes the mean over processes instead, and waits for ever for one that has nothing to do; what
it would win, gradients sent while others are computed, is nothing for a network of less than a megabyte.

Only the first process writes and speaks; of several that fail only the one that failed first.
"""

import contextlib
import copy
import logging
import os
import pickle
import signal
import sys
import tempfile
import time
import traceback
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from afn.common import errors, progress
from afn.common.errors import UserError

Result = TypeVar("Result")

PATIENCE = timedelta(hours=6)  # for a process that does alone what all wait for; one that has died is noticed at once
GRACE = 3.0  # seconds in which a process that lost another is ended, where that one said why or was killed
ENDED = errors.SIGNALLED + signal.SIGTERM  # the exit code of a process that was asked to end
GONE = "another process of this training cannot be reached any more; the same command goes on from here"


@dataclass(frozen=True)
class Group:
    """The processes that train together, as one of them sees them; by default one by itself."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def share(self, items: Sequence[Result]) -> Sequence[Result]:
        """This process's part of what all do together."""
        return items[self.rank :: self.size]

    def smallest_share(self, count: int) -> int:
        """The least that a process has of `count` items."""
        return count // self.size

    def add_up(self, tensors: Iterable[Tensor]) -> None:
        """Replace every tensor by its sum over all processes: the same bits in each. They travel as one message."""
        tensors = list(tensors)
        if self.size == 1 or not tensors:
            return
        message = torch.cat([tensor.detach().flatten() for tensor in tensors])
        with _all_there():
            dist.all_reduce(message)
        for tensor, part in zip(tensors, message.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(part.view(tensor.shape))

    def from_first(self, function: Callable[[], Result]) -> Result:
        """What `function` returns in the first process, in all of them."""
        if self.size == 1:
            return function()
        content = [function() if self.first else None]
        with _all_there():
            dist.broadcast_object_list(content)
        return content[0]

    def gathered(self, scores: Iterable[tuple[str, float]], utterances: Sequence[str]) -> list[tuple[str, float]]:
        """The `(utterance, score)` pairs of all processes, in the order of `utterances`."""
        if self.size == 1:
            return list(scores)
        parts: list[Any] = [None] * self.size
        mine = list(scores)
        with _all_there():
            dist.all_gather_object(parts, mine)
        scored = dict(pair for part in parts for pair in part)
        return [(utt, scored[utt]) for utt in utterances]


ALONE = Group()


def group() -> Group:
    """The group that this process belongs to."""
    return Group(dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else ALONE


@contextlib.contextmanager
def _all_there() -> Iterator[None]:
    """Around a collective: that another process has ended is no fault of this one."""
    try:
        yield
    except (RuntimeError, EOFError, pickle.UnpicklingError):
        time.sleep(GRACE)
        raise UserError(GONE) from None


def launched() -> bool:
    """Whether `launch` or torchrun has started this process as one of several."""
    return dist.is_torchelastic_launched()


@contextlib.contextmanager
def processes() -> Iterator[Group]:
    """Join the others within the block, if this process was `launched`: NCCL where there are GPUs, else gloo.

    A process that was ends with the block, and without Python's tidying up: now and then the threads of a group
    outlive it and end a process that is tidying up with SIGABRT.
    """
    if not launched():
        yield ALONE
        return
    store, rank, size = next(iter(dist.rendezvous("env://", timeout=PATIENCE)))
    code: int | None = 0
    try:
        _join(store, rank, size)
        if rank:
            progress.quiet()
            sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115
        yield Group(rank, size)
        dist.destroy_process_group()
    except KeyboardInterrupt as stop:  # whoever passed the signal on says so
        code = errors.SIGNALLED + getattr(stop, "number", signal.SIGINT)
    except Exception as error:
        code = errors.report(error) if _fails_first(store) else errors.USER_ERROR
        if code is None:
            traceback.print_exc()
            code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _join(store: dist.Store, rank: int, size: int) -> None:
    cuda = torch.cuda.is_available()
    if cuda:
        local = int(os.environ["LOCAL_RANK"])
        if local >= torch.cuda.device_count():
            count = torch.cuda.device_count()
            raise UserError(f"--nproc {local + 1}: this machine has {count} GPUs; start one process for each")
        torch.cuda.set_device(local)
    backend = "nccl" if cuda else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=PATIENCE)


def _fails_first(store: dist.Store) -> bool:
    try:
        return store.add("failures", 1) == 1
    except RuntimeError:  # whoever keeps the store has ended
        return True


def launch(command: Sequence[str], count: int) -> None:
    """Run `command` as `count` processes of one training on this machine, and end with the exit code of one that fails.

    Their stdin is at its end when this process is: they call `parallel.end_with_stdin`.
    """
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.disable(logging.CRITICAL)  # PyTorch tells at length what the processes have told
    reader, writer = os.pipe()
    os.dup2(reader, 0)
    with tempfile.TemporaryDirectory() as scratch:
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=count,
            run_id=str(uuid.uuid4()),
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            local_addr="localhost",
            max_restarts=0,
            monitor_interval=0.1,
            logs_specs=DefaultLogsSpecs(log_dir=scratch),
        )
        try:
            elastic_launch(config, command[0])(*command[1:])
        except ChildFailedError as error:
            codes = {failure.local_rank: failure.exitcode for failure in error.failures.values()}
            if told := [code for code in codes.values() if code > 0 and code != ENDED]:
                sys.exit(told[0])  # the others were ended for its sake
            for rank, code in codes.items():
                if code < 0 and code != -signal.SIGTERM:
                    what = f"process {rank} was ended by signal {-code}, perhaps for memory"
                    raise UserError(f"{what}; the same command goes on, or give a lower --nproc") from None
            sys.exit(ENDED)
        except SignalException as stop:
            raise errors.Ended(int(stop.sigval)) from None
        finally:
            os.close(writer)


def for_shares(model: nn.Module, device: torch.device, synchronised: bool) -> nn.Module:
    """`model` for training steps on shares of a batch: the same parameters and buffers.

    Dropout is drawn for the whole batch, as one process draws it, and batch norms are over it too if `synchronised`; on
    GPUs by PyTorch's own SyncBatchNorm, which is for them alone.
    """
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    twin = copy.deepcopy(model, shared)
    if synchronised and device.type == "cuda":
        twin = nn.SyncBatchNorm.convert_sync_batchnorm(twin)
    for module in list(twin.modules()):
        for name, child in module.named_children():
            if type(child) is nn.Dropout:
                setattr(module, name, SharedDropout(child.p))
            elif synchronised and isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d):
                setattr(module, name, SynchronisedBatchNorm.of(child))
    return twin


class SharedDropout(nn.Dropout):
    """Dropout of a share; every process draws for the whole batch, from the same seed."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        here = group()
        kept = functional.dropout(x.new_ones((len(x) + 1) * here.size, *x.shape[1:]), self.p)
        return x * here.share(kept)[: len(x)]


class SynchronisedBatchNorm(nn.modules.batchnorm._BatchNorm):
    """A batch norm, of one or two dimensions, by the statistics of the shares of all processes together."""

    @classmethod
    def of(cls, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> "SynchronisedBatchNorm":
        """One with the parameters and buffers of `norm`."""
        made = cls(norm.num_features, norm.eps, norm.momentum)
        for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
            setattr(made, name, getattr(norm, name))
        return made

    def forward(self, x: Tensor) -> Tensor:
        """Tensor[B × C × …] to the same shape; B may be 0, as long as another process has utterances."""
        if not self.training:
            return functional.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps
            )
        self.num_batches_tracked.add_(1)
        return _Normalise.apply(x, self.weight, self.bias, self)


class _Normalise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, norm: SynchronisedBatchNorm) -> Tensor:
        count, dtype = x.numel() // x.shape[1], torch.promote_types(x.dtype, torch.float32)
        own = torch.zeros(3, x.shape[1], dtype=torch.float64, device=x.device)
        if count:  # values, their mean, the squares of what they are off it
            variance, mean = torch.var_mean(x.to(dtype), [axis for axis in range(x.dim()) if axis != 1], correction=0)
            own[0], own[1], own[2] = count, mean, count * variance.double()
        parts = [torch.empty_like(own) for _ in range(dist.get_world_size())]
        with _all_there():
            dist.all_gather(parts, own)
        counts, means, squares = torch.stack(parts).unbind(1)
        total = counts.sum(0)
        mean = (counts * means).sum(0) / total
        squares = (squares + counts * (means - mean) ** 2).sum(0)
        norm.running_mean.lerp_(mean.to(dtype), norm.momentum)
        norm.running_var.lerp_((squares / (total - 1).clamp(min=1)).to(dtype), norm.momentum)
        mean, variance = mean.to(dtype), (squares / total).to(dtype)
        ctx.save_for_backward(x, weight, mean, variance, total.to(dtype))
        ctx.eps = norm.eps
        return functional.batch_norm(x, mean, variance, weight, bias, False, 0.0, norm.eps) if count else x.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple:
        # Ioffe & Szegedy (ICML 2015), sec. 3, with sums over all processes: what statistics that stand fast would give,
        # less what the mean and the variance move with x.
        x, weight, mean, variance, total = ctx.saved_tensors
        of_x, of_weight, of_bias = torch.zeros_like(x), torch.zeros_like(weight), torch.zeros_like(weight)
        if x.numel():
            of_x, of_weight, of_bias = torch.ops.aten.native_batch_norm_backward(
                gradient, x, weight, mean, variance, None, None, False, ctx.eps, [True, True, True]
            )
        sums = torch.stack((of_weight, of_bias))
        with _all_there():
            dist.all_reduce(sums)
        scale = weight * (variance + ctx.eps).rsqrt()
        slope = -scale * (variance + ctx.eps).rsqrt() * sums[0] / total
        shape = [1, -1] + [1] * (x.dim() - 2)
        offset = (-scale * sums[1] / total - slope * mean).view(shape)
        of_x += torch.addcmul(offset, x.to(offset.dtype), slope.view(shape))
        return of_x, of_weight, of_bias, None
