"""What settings check of themselves: ValueErrors that begin with the name of the value."""

from typing import Any


def at_least(settings: Any, **bounds: float) -> None:
    """Raise ValueError unless each named value of `settings` is at least its bound; None is no value."""
    for name, bound in bounds.items():
        value = getattr(settings, name)
        if value is not None and value < bound:
            raise ValueError(f"{name}: {value} must be at least {bound}")


def share(settings: Any, *names: str) -> None:
    """Raise ValueError unless each named value of `settings` lies between 0 and 1, neither of them included."""
    for name in names:
        if not 0 < getattr(settings, name) < 1:
            raise ValueError(f"{name}: {getattr(settings, name)} must lie between 0 and 1")
