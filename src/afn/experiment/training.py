"""Stage 0: train a system, one run a seed; an interrupted run goes on, a finished one stands."""

import argparse
import contextlib
import logging
import shutil
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from afn import systems
from afn.common import errors, parallel, record
from afn.experiment import command_line, environment, locks
from afn.systems import device as devices
from afn.systems.neural import distributed, turns
from afn.systems.settings import Neural
from afn.systems.subset import Subset


def main() -> None:
    parser = command_line.arguments(__doc__)
    parser.add_argument(
        "--jobs",
        type=command_line.positive,
        metavar="N",
        help="seeds trained at once (on a GPU as many as fit its memory, else 1)",
    )
    parser.add_argument(
        "--nproc", type=command_line.positive, default=1, help="processes that train a network together (%(default)s)"
    )
    parser.add_argument("--end-with-stdin", action="store_true", help=argparse.SUPPRESS)  # of processes started here
    options = parser.parse_args()
    if options.end_with_stdin:
        parallel.end_with_stdin()
    with distributed.processes() as group:
        here = command_line.from_arguments(options)
        network = isinstance(here.system, Neural)
        together = network and max(options.nproc, group.size) > 1
        if together and (options.jobs or 1) > 1:
            raise errors.UserError("--jobs trains seeds side by side, --nproc each by several processes; give one")
        jobs = min(len(here.seeds), options.jobs or (devices.trainings_at_once() if network else 1))
        if together and not distributed.launched():
            distributed.launch([sys.executable, *sys.argv, "--end-with-stdin"], options.nproc)
        elif network:
            train(here, group, 1 if together else jobs)
        elif group.first and jobs > 1:
            train_apart(here.seeds, jobs)
        elif group.first:  # what is no network trains in one process
            train(here)


def train_apart(seeds: tuple[int, ...], jobs: int) -> None:
    """Train up to `jobs` seeds at a time, each by a process of its own, so that each ends as if trained alone."""
    # Of an option given twice the last counts.
    alone = ["--jobs", "1", "--end-with-stdin"]
    codes = parallel.run_all([[sys.executable, *sys.argv, "--seeds", str(seed), *alone] for seed in seeds], jobs)
    report([seed for seed, code in zip(seeds, codes, strict=True) if code])


def train(here: command_line.Stage, group: distributed.Group = distributed.ALONE, at_once: int = 1) -> None:
    """Train every seed that is not trained yet, one after the other or up to `at_once` of a network's in turns.

    Of a `group` only the first process writes.
    """
    failed, subsets = [], {}

    def failing(seed: int, error: errors.UserError) -> None:
        if at_once == 1:
            raise error
        print(f"train: seed {seed}: {error}", file=sys.stderr)
        failed.append(seed)

    trainings = ((seed, training(here, seed, subsets, group, at_once > 1)) for seed in here.seeds)
    turns.take(trainings, at_once, failing)
    report(failed)


def report(failed: list[int]) -> None:
    """Raise UserError if seeds have failed."""
    if failed:
        raise errors.UserError(f"seeds {', '.join(map(str, failed))} failed, see above; the same command goes on")


def training(
    here: command_line.Stage, seed: int, subsets: dict[str, Subset], group: distributed.Group, among_others: bool
) -> Iterator[None]:
    """Train one seed unless it is trained, in turns if it is trained among others.

    The lists of the `subsets` are read once for all seeds, by the first that needs them; features as they are needed.
    """
    directory = here.layout.seed(here.system_name, seed)
    made_from = command_line.trained_from(here, seed)
    if group.from_first(partial(trained, directory, made_from, here.force)):
        print(f"train: {directory} is trained; --force trains it anew")
        return
    system = systems.build(here.system, seed)  # finds fault with the settings before anything is written
    with locks.hold(directory) if group.first else contextlib.nullcontext():
        if group.first:
            begin(directory, made_from, here.force)
        if not subsets:
            subsets.update({name: command_line.subset(here, name) for name in ("train", "dev")})
        if group.first:
            log_to(directory / "train.log", f"train.seed{seed}" if among_others else "train")
            environment.write(directory / "env.json")
        counts = ", ".join(f"{len(s.utterances)} {name}" for name, s in subsets.items())
        where = f"into {directory}{f', by {group.size} processes' if group.size > 1 else ''}"
        log = logging.getLogger(f"train.seed{seed}")
        log.info(f"{here.system.title}, seed {seed}: {counts} utterances; {where}")
        if among_others:
            yield from system.turns(subsets["train"], subsets["dev"], directory)
        else:
            system.fit(subsets["train"], subsets["dev"], directory)
        if group.first:
            (directory / command_line.TRAINED).touch()


def trained(directory: Path, made_from: dict, force: bool) -> bool:
    """Whether the training in `directory` is by `made_from`, has come to its end and shall stand."""
    return not force and record.stands(directory, made_from) and (directory / command_line.TRAINED).is_file()


def begin(directory: Path, made_from: dict, force: bool) -> None:
    """Make `directory` ready for a training by `made_from`; raises UserError when another training stands there."""
    if force:
        shutil.rmtree(directory, ignore_errors=True)
    if not (directory / record.NAME).is_file():
        record.write(directory, made_from)
    if not record.stands(directory, made_from):
        changed = record.differences(directory, made_from)
        raise errors.UserError(
            f"{directory}: trained with other settings or features ({'; '.join(changed[:3])}"
            f"{f' and {len(changed) - 3} more' if len(changed) > 3 else ''}); train anew with --force, or give the new "
            "settings a YAML of their own (extends: …)"
        )


def log_to(path: Path, name: str) -> None:
    """Send the log of training to stdout, and what the logger `name` gets of it to `path`."""
    log, own = logging.getLogger("train"), logging.getLogger(name)
    log.setLevel(logging.INFO)
    for logger in {log, own}:
        for handler in logger.handlers[:]:
            logger.removeHandler(handler)
            handler.close()
    console, file = logging.StreamHandler(sys.stdout), logging.FileHandler(path, encoding="utf-8")
    console.handleError = file.handleError = refused
    console.setFormatter(logging.Formatter("train: %(message)s" if own is log else "%(name)s: %(message)s"))
    file.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log.addHandler(console)
    own.addHandler(file)


def refused(_: logging.LogRecord) -> None:
    """Let a line that cannot be written, as on a full disk, end the training; logging would print its traceback."""
    raise  # the error that is being handled where this is called


if __name__ == "__main__":
    errors.run(main)
