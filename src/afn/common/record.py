"""What an output was made from: a `config.yaml` beside it, written last, which declares the output complete.

A record has a schema version and named groups of plain values. `identity` is everything that can change a number: an
output is up to date if and only if the identity that would be recorded now is the recorded one.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from afn.common import config, files
from afn.common.errors import UserError

NAME = "config.yaml"
SCHEMA = 2  # raised when older records can no longer be read
RENAMED = {"least_posterior": "min_posterior"}  # settings in older records of this schema, and their names now
ABSENT = "absent"


def write(directory: Path, record: Mapping[str, Any]) -> None:
    """Write `record`, with the schema version, into `directory`; written last, it declares the directory complete."""
    files.write_text(directory / NAME, config.dump({"schema": SCHEMA, **record}))


def remove(directory: Path) -> None:
    """Declare `directory` incomplete, before its files are written again."""
    (directory / NAME).unlink(missing_ok=True)


def exists(directory: Path) -> bool:
    """Whether `directory` is complete: it has a record."""
    return (directory / NAME).is_file()


def read(directory: Path) -> dict[str, Any]:
    """The record in `directory`, with the names of now. UserError if missing, malformed, or of another schema."""
    path = directory / NAME
    content = config.read(path)
    schema = content.get("schema", 1)
    if schema != SCHEMA:
        raise UserError(
            f"{path}: written by {'an older' if schema in (0, 1) else 'another'} version of this program (schema "
            f"{schema}, this one reads {SCHEMA}). Move that folder away and run its stage again, or use that version."
        )
    found: dict[str, Any] = _renamed(content)
    return found


def _renamed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {RENAMED.get(key, key): _renamed(item) for key, item in value.items()}
    return value


def current(directory: Path, identity: Mapping[str, Any]) -> bool:
    """Whether `directory` is complete and up to date: its recorded identity is `identity`.

    A record that cannot be read is not up to date.
    """
    if not exists(directory):
        return False
    try:
        return not differences(read(directory).get("identity", {}), identity)
    except UserError:
        return False


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The values in which two nested mappings differ: dotted name -> (then, now); ABSENT where one has none."""
    before, after = flat(then), flat(now)
    return {
        name: (before.get(name, ABSENT), after.get(name, ABSENT))
        for name in sorted(before.keys() | after.keys())
        if before.get(name, ABSENT) != after.get(name, ABSENT)
    }


def flat(value: Any, name: str = "") -> dict[str, Any]:
    """The values of a nested mapping by their dotted names; tuples become lists."""
    if isinstance(value, Mapping):
        found: dict[str, Any] = {}
        for key, item in value.items():
            found |= flat(item, f"{name}.{key}" if name else str(key))
        return found
    return {name: config.plain(value)}
