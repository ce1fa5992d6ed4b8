"""The families of systems: every folder here with a settings.py and a system.py is one.

`settings.py` defines `SETTINGS`, the model of the family's YAML, whose `kind` names the family. `system.py` defines
`SYSTEM`, the class that trains and scores.
"""

import functools
import importlib
import typing
from pathlib import Path
from typing import Any

from afn.systems.protocol import System


@functools.cache
def families() -> dict[str, str]:
    """The packages of all families by the `kind` in their YAMLs."""
    folders = sorted(path.parent.name for path in Path(__file__).parent.glob("*/settings.py"))
    return {_kind(_settings(f"{__package__}.{name}")): f"{__package__}.{name}" for name in folders}


def settings_type() -> Any:
    """The union of the settings of all families, for `config.build` and `config.load`."""
    return typing.Union[tuple(_settings(package) for package in families().values())]  # noqa: UP007


def settings_of(kind: str) -> Any:
    """The class of a family's settings; None for a kind that there is not."""
    package = families().get(kind)
    return _settings(package) if package else None


def system_class(settings: Any) -> type[System]:
    """The class of the system that `settings` describe. Imports PyTorch or what else the family needs."""
    found: type[System] = importlib.import_module(f"{families()[settings.kind]}.system").SYSTEM
    return found


def build(settings: Any, seed: int) -> System:
    """The system that `settings` describe, not trained yet. UserError where the settings do not fit together."""
    return system_class(settings)(settings, seed)


def _settings(package: str) -> Any:
    return importlib.import_module(f"{package}.settings").SETTINGS


def _kind(settings: Any) -> str:
    kind: str = typing.get_args(typing.get_type_hints(settings)["kind"])[0]
    return kind
