"""Range checks for settings: ValueErrors that begin with the name of the value."""

from collections.abc import Mapping
from typing import Any


def at_least(settings: Any, **bounds: float) -> None:
    """Raise ValueError unless each named value of `settings` is at least its bound; None is not checked."""
    for name, bound in bounds.items():
        value = getattr(settings, name)
        if value is not None and value < bound:
            raise ValueError(f"{name}: {value} must be at least {bound}")


def share(settings: Any, *names: str) -> None:
    """Raise ValueError unless each named value of `settings` lies between 0 and 1, both excluded."""
    for name in names:
        if not 0 < getattr(settings, name) < 1:
            raise ValueError(f"{name}: {getattr(settings, name)} must lie between 0 and 1")


def within(settings: Any, lowest: float, highest: float, *names: str) -> None:
    """Raise ValueError unless each named value, or every item of it, lies between the bounds, both included."""
    for name in names:
        value = getattr(settings, name)
        items = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else [value]
        if not all(lowest <= item <= highest for item in items):
            shown = list(items) if isinstance(value, Mapping | list | tuple) else value
            raise ValueError(f"{name}: {shown} must lie between {lowest:g} and {highest:g}")


def ranges(settings: Any, lowest: float, highest: float, *names: str) -> None:
    """Raise ValueError unless each named value is a range [least, most] between the bounds."""
    for name in names:
        least, most = getattr(settings, name)
        if least > most:
            raise ValueError(f"{name}: [{least}, {most}] runs downwards; put the smaller value first")
    within(settings, lowest, highest, *names)
