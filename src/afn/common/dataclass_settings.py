"""Settings that are dataclasses still."""

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from afn.common.errors import UserError

GROUP = "group"  # key of a dataclass field's metadata: what the value can change
INTEGERS = 2**53  # beyond, a float is not the same number
SHOWN = 80  # characters of a wrong value in a message


def takes(kind: Any) -> bool:
    """Whether `kind` is a dataclass or a union with one."""
    return dataclasses.is_dataclass(kind) or any(map(dataclasses.is_dataclass, typing.get_args(kind)))


def build(cls: Any, settings: Any, where: str) -> Any:
    return _convert(cls, settings, "", where)


def execution(**more: Any) -> Any:
    """A dataclass field that changes how work is done but no number; arguments as for `dataclasses.field`."""
    return dataclasses.field(metadata={GROUP: "execution"}, **more)


def presentation(**more: Any) -> Any:
    """A dataclass field that only changes what is shown; arguments as for `dataclasses.field`."""
    return dataclasses.field(metadata={GROUP: "presentation"}, **more)


def groups(config: Any) -> dict[str, dict[str, Any]]:
    """A dataclass's plain values in three groups: `identity` (can change a number), `execution`, `presentation`.

    Nested dataclasses are divided as well. Each group keeps the nesting of the whole.
    """
    found: dict[str, dict[str, Any]] = {"identity": {}, "execution": {}, "presentation": {}}
    for field in dataclasses.fields(config):
        value, group = getattr(config, field.name), field.metadata.get(GROUP, "identity")
        if dataclasses.is_dataclass(value) and group == "identity":
            for name, part in groups(value).items():
                if part or name == "identity":
                    found[name][field.name] = part
        else:
            found[group][field.name] = plain(value) if dataclasses.is_dataclass(value) else _plain(value)
    return found


def plain(config: Any) -> dict[str, Any]:
    """A configuration as plain mappings, lists and values, ready for YAML."""
    found: dict[str, Any] = _plain(dataclasses.asdict(config))
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _convert(kind: Any, value: Any, name: str, where: str) -> Any:
    """`value` as the type `kind`, or a UserError that names `name` in `where`."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        return _choose(arguments, value, name, where)
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, value, name, where)
    if origin is Literal:
        if value in arguments and type(value) in {type(choice) for choice in arguments}:
            return value
        choices = [str(choice).lower() if isinstance(choice, bool) else str(choice) for choice in arguments]
        raise _wrong(value, name, where, f"one of: {', '.join(choices)}", choices)
    if origin in (list, tuple):
        if not isinstance(value, list | tuple):
            raise _wrong(value, name, where, "a list")
        if origin is list or arguments[-1] is Ellipsis:
            item_types = [arguments[0]] * len(value)
        elif len(arguments) == len(value):
            item_types = list(arguments)
        else:
            raise _wrong(value, name, where, f"a list of {len(arguments)} values")
        pairs = zip(item_types, value, strict=True)
        items = [_convert(t, item, f"{name}[{i}]", where) for i, (t, item) in enumerate(pairs)]
        return items if origin is list else tuple(items)
    if origin is dict:
        if not isinstance(value, dict):
            raise _wrong(value, name, where, "`key: value` lines")
        return {
            _convert(arguments[0], key, f"{name} key", where): _convert(arguments[1], item, f"{name}.{key}", where)
            for key, item in value.items()
        }
    return _scalar(kind, value, name, where)


def _scalar(kind: Any, value: Any, name: str, where: str) -> Any:
    if kind is float and isinstance(value, int | float | str) and not isinstance(value, bool):
        try:  # PyYAML reads 1e-3, without a point, as text
            if math.isfinite(float(value)):
                return float(value)
        except (ValueError, OverflowError):
            pass
    elif kind is int and type(value) is int and abs(value) > INTEGERS:
        raise _wrong(value, name, where, "a whole number of at most fifteen digits")
    elif kind in (int, bool, str) and type(value) is kind:
        return value
    words = {float: "a finite number", int: "a whole number", bool: "true or false", str: "text (quote it)"}
    raise _wrong(value, name, where, words.get(kind, str(kind)))


def _choose(options: tuple[Any, ...], value: Any, name: str, where: str) -> Any:
    if value is None and type(None) in options:
        return None
    options = tuple(option for option in options if option is not type(None))
    if len(options) == 1:
        return _convert(options[0], value, name, where)
    kinds = {typing.get_args(typing.get_type_hints(option)["kind"])[0]: option for option in options}
    if not isinstance(value, dict) or "kind" not in value:
        raise UserError(f"{where}: {_label(name, 'kind')} is missing; give one of: {', '.join(kinds)}")
    if not isinstance(value["kind"], str) or value["kind"] not in kinds:
        raise _wrong(value["kind"], _label(name, "kind"), where, f"one of: {', '.join(kinds)}", kinds)
    from afn.common import config

    cls = kinds[value["kind"]]
    return config.build(cls, value, where) if issubclass(cls, config.Settings) else _convert(cls, value, name, where)


def _dataclass(cls: Any, value: Any, name: str, where: str) -> Any:
    if not isinstance(value, dict):
        raise _wrong(value, name, where, "`key: value` lines")
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}
    for key in value:
        if key not in fields:
            raise UserError(f"{where}: unknown key {_label(name, str(key))}{_meant(str(key), fields)}")
    missing = [
        key
        for key, field in fields.items()
        if key not in value and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise UserError(f"{where}: {_label(name, missing[0])} is missing; add it")
    try:
        return cls(**{key: _convert(hints[key], item, _label(name, key), where) for key, item in value.items()})
    except ValueError as error:  # a dataclass's own check, in __post_init__
        raise UserError(f"{where}: {_label(name, str(error))}") from None


def _label(name: str, key: str) -> str:
    return f"{name}.{key}" if name else key


def _wrong(value: Any, name: str, where: str, expected: str, choices: Iterable[Any] = ()) -> UserError:
    try:
        text, shown = str(value), repr(value)
    except ValueError:  # Python does not write whole numbers of thousands of digits
        text = shown = "a number of thousands of digits"
    shown = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}…"
    return UserError(f"{where}: {name or 'the file'}: {shown} must be {expected}{_meant(text[:SHOWN], choices)}")


def _meant(word: str, choices: Iterable[Any]) -> str:
    choices = [str(choice) for choice in choices]
    close = difflib.get_close_matches(word, choices, n=1)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; known: {', '.join(choices)}" if choices else ""
