"""Training, one unit per seed: what stage 0 does."""

import contextlib
import logging
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import torch

from afn.common import owned, parallel, record
from afn.common.errors import UserError
from afn.experiment import environment, extraction, locks, provenance
from afn.experiment.command_line import Stage, subset
from afn.experiment.layout import TRAINED
from afn.systems import registry


def train(here: Stage) -> None:
    """Train every seed that is not trained yet: one at a time, or one per GPU of this machine or unit of a cluster."""
    for name, (then, now) in here.adapted.items():
        change = f"sets {name} to {now}" if then == record.ABSENT else f"changes {name} from {then} to {now}"
        print(f"train: corpus {here.corpus.name} {change}; --set {name}=… overrides it")
    at_once = max(1, torch.cuda.device_count())  # one training fills all cores of a CPU
    for _ in parallel.ordered_map(partial(train_seed, here), here.seeds, at_once, threads=None):
        pass


def train_seed(here: Stage, seed: int) -> None:
    """Train one seed, or resume it where an earlier run was interrupted, unless it is finished.

    Raises UserError if another training is in its folder.
    """
    directory = here.layout.seed(here.system_name, seed)
    identity = provenance.identity(here.layout, here.system, seed)
    if here.system.augment:
        extraction.check_recordings(here.layout.subset("train"))
    if finished(directory) and not here.redo(directory / record.NAME):
        refuse(directory, provenance.differences(provenance.read(directory).identity, identity, here.system))
        print(f"train: {directory} is trained; --force trains it again")
        return
    system = registry.build(here.system, seed)  # finds what is wrong with the settings before anything is written
    owned.claim(here.layout.system(here.system_name))
    with locks.hold(directory), one_gpu():
        if here.redo(directory / record.NAME):
            shutil.rmtree(directory)
        if record.exists(directory):
            # Also in another arithmetic than that in which it began.
            refuse(directory, record.differences(provenance.read(directory).identity, identity))
        elif directory.is_dir() and any(directory.iterdir()):
            raise UserError(
                f"{directory}: holds files of a training without its {record.NAME}. Restore that, or move the folder."
            )
        else:
            provenance.write(directory, here.system_name, here.system, identity, here.adapted)
        train_set, dev_set = (subset(here.layout, name, here.system.features.name) for name in provenance.LEARNT_FROM)
        log = log_to(directory / "train.log")
        environment.add(directory / "env.json")
        counts = f"{len(train_set.utterances)} train, {len(dev_set.utterances)} dev utterances"
        log.info(f"{here.system.title}, seed {seed}: {counts}; into {directory}")
        system.fit(train_set, dev_set, directory)
        (directory / TRAINED).touch()


def finished(directory: Path) -> bool:
    """Whether a training in `directory` is finished."""
    return record.exists(directory) and (directory / TRAINED).is_file()


def refuse(directory: Path, odd: Mapping[str, tuple[object, object]]) -> None:
    """Raise UserError if the training in `directory` differs from the one that is asked for."""
    if odd:
        raise UserError(
            f"{directory}: trained with other settings or data ({provenance.words(odd)}). Train again with --force, or "
            "give the new settings a YAML with another name (extends: …)."
        )


@contextlib.contextmanager
def one_gpu() -> Iterator[None]:
    """Within the block PyTorch uses a GPU that no other training of this machine uses; waits until one is free."""
    count = torch.cuda.device_count()
    if count < 2:
        yield
        return
    with locks.hold_one([Path(tempfile.gettempdir()) / f"afn-gpu{index}" for index in range(count)]) as index:
        torch.cuda.set_device(index)
        yield


def log_to(path: Path) -> logging.Logger:
    """The logger "train", which writes to stdout and appends to `path`."""
    log = logging.getLogger("train")
    log.setLevel(logging.INFO)
    for handler in log.handlers[:]:
        log.removeHandler(handler)
        handler.close()
    console, file = logging.StreamHandler(sys.stdout), logging.FileHandler(path, encoding="utf-8")
    console.setFormatter(logging.Formatter("train: %(message)s"))
    file.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    for handler in (console, file):
        handler.handleError = refused  # type: ignore[method-assign]
        log.addHandler(handler)
    return log


def refused(record: logging.LogRecord) -> None:
    """Let a line that cannot be written, as on a full disk, end the training; logging would print its traceback."""
    raise  # noqa: PLE0704  # the error that is being handled where this is called
