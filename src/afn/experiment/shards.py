"""One stage's work in shards: `--shard 2/8` does the second eighth of every list, as a job of an array.

A shard is a contiguous part of the sorted list. It works in a folder of its own, `2of8` inside the folder that all work
for, under a lock of its own, and leaves whole files and a record there. Whoever finds that all shards of a count stand
puts them together into the bytes that one run would have written: the shard that ends last, or a run without --shard.
"""

import argparse
import contextlib
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from afn.common import record
from afn.common.errors import UserError
from afn.experiment import locks

Item = TypeVar("Item")

PATIENCE = 3600.0  # seconds to wait for another run that puts the same shards together
MOST = 9999


@dataclass(frozen=True)
class Shard:
    """Part `number` (from 1) of `of`."""

    number: int
    of: int

    def part(self, items: Sequence[Item], step: int = 1) -> Sequence[Item]:
        """Its part of `items`, beginning at a multiple of `step`; perhaps nothing."""
        return items[slice(*self.bounds(len(items), step))]

    def bounds(self, count: int, step: int = 1) -> tuple[int, int]:
        """Where its part of `count` items begins and ends."""
        steps = -(-count // step)
        start, end = (steps * number // self.of * step for number in (self.number - 1, self.number))
        return start, min(end, count)

    def folder(self, directory: Path) -> Path:
        """Where it works, of the work in `directory`."""
        return directory / f"{self.number}of{self.of}"

    def record(self, made_from: Mapping[str, Any]) -> dict[str, Any]:
        """Its record, where that of the whole is `made_from`."""
        return {**made_from, "shard": str(self)}

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def add_option(parser: argparse.ArgumentParser) -> None:
    """Add --shard."""
    parser.add_argument("--shard", type=parse, metavar="I/N", help="do the I-th of N parts of every list, as 2/8")


def parse(text: str) -> Shard:
    """The type of --shard: `I/N`, 1 <= I <= N."""
    match = re.fullmatch(r"(\d{1,4})/(\d{1,4})", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise argparse.ArgumentTypeError(f"{text!r} must be I/N with I from 1 to N, N at most {MOST}")
    return Shard(int(match[1]), int(match[2]))


def standing(directory: Path, made_from: Mapping[str, Any]) -> list[Path]:
    """The folders of all shards of the work that `made_from` records, in order; nothing unless every one stands."""
    for last in sorted(directory.glob("1of*")):
        if last.name[3:].isdecimal():
            every = [Shard(number, int(last.name[3:])) for number in range(1, int(last.name[3:]) + 1)]
            if all(record.stands(one.folder(directory), one.record(made_from)) for one in every):
                return [one.folder(directory) for one in every]
    return []


def merge(directory: Path, made_from: Mapping[str, Any], join: Callable[[list[Path]], None]) -> bool:
    """Let `join` put the shards of `directory` together if all stand; whether the whole stands then.

    `join` gets their folders and writes the files of the whole; the record follows, and the shards go.
    """
    if not standing(directory, made_from):
        return record.stands(directory, made_from)
    with locks.hold(directory, PATIENCE):
        if folders := standing(directory, made_from):  # unless another run was faster
            record.remove(directory)
            join(folders)
            record.write(directory, made_from)
            clear(directory)
    return record.stands(directory, made_from)


def clear(directory: Path) -> None:
    """Remove what shards have left in `directory`, now that the whole stands; not what is at work there."""
    for folder in directory.glob("*of*"):
        if re.fullmatch(r"\d+of\d+", folder.name):
            with contextlib.suppress(UserError), locks.hold(folder):
                record.remove(folder)
                shutil.rmtree(folder, ignore_errors=True)
