"""What an output was made from: a `config.yaml` beside it, so that a stage knows whether its work stands.

A record holds the stage's complete settings and the SHA-256 of the records (or files) it read. Records form a chain:
when anything upstream changes, everything downstream no longer matches and is made anew.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from afn.common import config, files

NAME = "config.yaml"


def make(settings: Mapping[str, Any], inputs: Mapping[str, Path] | None = None) -> dict[str, Any]:
    """A record of `settings` and of the files in `inputs` (name -> file; each by its SHA-256)."""
    record = dict(settings)
    if inputs:
        record["made_from"] = {name: files.sha256(path) for name, path in inputs.items()}
    return record


def write(directory: Path, record: Mapping[str, Any]) -> None:
    """Write `record` into `directory`; done last, it declares the directory complete."""
    files.write_text(directory / NAME, config.dump(record))


def remove(directory: Path) -> None:
    """Declare `directory` incomplete, before its files are made anew."""
    (directory / NAME).unlink(missing_ok=True)


def stands(directory: Path, record: Mapping[str, Any]) -> bool:
    """Whether `directory` is complete and was made by exactly `record`."""
    path = directory / NAME
    return path.is_file() and path.read_bytes() == config.dump(record).encode()


def differences(directory: Path, record: Mapping[str, Any]) -> list[str]:
    """What differs between the record in `directory` and `record`: lines as `train.epochs: 5, now 30`."""
    then, now = _flat(config.read(directory / NAME)), _flat(record)
    return [
        f"{name}: {then.get(name, 'absent')}, now {now.get(name, 'absent')}"
        for name in sorted(then.keys() | now.keys())
        if then.get(name, "absent") != now.get(name, "absent")
    ]


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    if isinstance(value, Mapping) and value:
        flat: dict[str, Any] = {}
        for key, item in value.items():
            flat |= _flat(item, f"{name}.{key}" if name else str(key))
        return flat
    return {name: list(value) if isinstance(value, tuple) else value}
