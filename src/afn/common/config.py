"""YAML files as dataclasses, strictly: every key is known, every value has its type, every mistake is named.

A YAML may begin with `extends: other.yaml` (relative to itself) and state only what differs. `name=value` overrides
reach any value by its dotted name. A choice between several dataclasses is made by their `kind`.
"""

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml

from afn.common.errors import UserError

T = TypeVar("T")

# More than any configuration needs; what is beyond was made to exhaust memory or stack.
MOST_BYTES = 4 << 20
MOST_VALUES = 200_000  # with every alias written out
MOST_LEVELS = 50
MOST_EXTENDS = 20
INTEGERS = 2**53  # beyond, a float is not the same number
SHOWN = 80  # characters of a wrong value in a message
GROUP = "group"  # key of a dataclass field's metadata: what the value can change


def read(path: Path | str) -> dict[str, Any]:
    """The mapping in a YAML file, its chain of `extends` merged; raises UserError on a missing or malformed file."""
    merged: dict[str, Any] = {}
    for _, content in layers(path):
        merged = merge(merged, content)
    return merged


def layers(path: Path | str) -> list[tuple[Path, dict[str, Any]]]:
    """The files of a YAML's chain of `extends` and what each states, the first one extended by the next, and so on."""
    return _layers(Path(path), ())


def _layers(path: Path, below: tuple[Path, ...]) -> list[tuple[Path, dict[str, Any]]]:
    try:
        path = path.resolve()
        if not path.is_file():
            raise UserError(f"{path}: no such file{_neighbours(path)}")
    except ValueError:  # a NUL in the name
        raise UserError(f"{str(path)!r}: not the name of a file") from None
    if path in below:
        chain = " -> ".join(p.name for p in (*below, path))
        raise UserError(f"{path}: `extends` runs in a circle ({chain}); take one of these lines out")
    if len(below) > MOST_EXTENDS:
        raise UserError(f"{path}: `extends` runs through more than {MOST_EXTENDS} files; write the settings out")
    if path.stat().st_size > MOST_BYTES:
        raise UserError(f"{path}: larger than {MOST_BYTES >> 20} MB, which no configuration is; name another file")
    try:
        content = _parse(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: not a YAML file: {error}; correct the line it names") from None
    if content is None:
        content = {}
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise UserError(f"{path}: the file must hold `key: value` lines")
    base = content.pop("extends", None)
    if base is None:
        return [(path, content)]
    if not isinstance(base, str):
        raise UserError(f"{path}: extends: {base!r} is not a file name")
    return [*_layers(path.parent / base, (*below, path)), (path, content)]


def _parse(text: str) -> Any:
    """What a YAML text says; raises ValueError for what is no YAML."""
    try:
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _measure(node, {}, 0)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except RecursionError:
        raise ValueError(f"it nests more than {MOST_LEVELS} levels deep") from None
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(" ".join(str(error).split())) from None
    except (ArithmeticError, AttributeError, LookupError, TypeError):  # PyYAML's, of a `!!tag` before a value unlike it
        raise ValueError("a value is not what its `!!` tag says") from None


def _measure(node: yaml.Node, sizes: dict[yaml.Node, int], level: int) -> int:
    """The values in `node` with every alias written out; `sizes` remembers. ValueError for too many, or a key twice."""
    if node in sizes:
        if not sizes[node]:
            raise ValueError(f"an alias of itself, line {node.start_mark.line + 1}")
        return sizes[node]
    if level > MOST_LEVELS:
        raise ValueError(f"it nests more than {MOST_LEVELS} levels deep, line {node.start_mark.line + 1}")
    sizes[node] = 0  # under way
    size = 1
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                if (key.tag, key.value) in seen:
                    raise ValueError(f"{key.value} is there a second time, line {key.start_mark.line + 1}")
                seen.add((key.tag, key.value))
            size += _measure(key, sizes, level + 1) + _measure(value, sizes, level + 1)
    elif isinstance(node, yaml.SequenceNode):
        size += sum(_measure(item, sizes, level + 1) for item in node.value)
    if size > MOST_VALUES:
        raise ValueError(f"its aliases stand for more than {MOST_VALUES} values, line {node.start_mark.line + 1}")
    sizes[node] = size
    return size


def _neighbours(path: Path) -> str:
    names = sorted(p.name for p in path.parent.glob("*.yaml"))
    return f"; choose one of: {', '.join(names)}" if names else ""


def merge(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the keys of `change` put over it, mapping by mapping.

    A mapping that names another `kind` replaces the one below it whole: its keys are those of another thing.
    """
    merged = dict(base)
    for key, value in change.items():
        below = merged.get(key)
        if (
            isinstance(value, dict)
            and isinstance(below, dict)
            and value.get("kind", below.get("kind")) == below.get("kind")
        ):
            merged[key] = merge(below, value)
        else:
            merged[key] = value
    return merged


def override(settings: Mapping[str, Any], assignments: Iterable[str]) -> dict[str, Any]:
    """`settings` with every `dotted.name=value` of `assignments` applied; the value is read as YAML."""
    merged = dict(settings)
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not all(name.split(".")) or name.count(".") > MOST_LEVELS:
            raise UserError(f"--set {assignment}: write it as name=value, for example train.epochs=5")
        try:
            value = _parse(text)
        except ValueError:
            raise UserError(f"--set {assignment}: the value is not YAML; quote it") from None
        for key in reversed(name.split(".")):
            value = {key: value}
        merged = merge(merged, value)
    return merged


def build(cls: Any, settings: Mapping[str, Any], where: str) -> Any:
    """An instance of the dataclass `cls` (or of one of a union of dataclasses, by `kind`) from a mapping.

    `where` names the source in messages. Raises UserError for unknown keys, missing keys and values of a wrong type.
    """
    return _convert(cls, settings, "", where)


def load(cls: type[T] | Any, path: Path | str, assignments: Iterable[str] = ()) -> T:
    """The dataclass `cls` from the YAML at `path`, with `name=value` overrides applied."""
    loaded: T = build(cls, override(read(path), assignments), str(path))
    return loaded


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


def dump(settings: Mapping[str, Any]) -> str:
    """YAML text of plain `settings`, in their own order; the same settings give the same text."""
    text: str = yaml.safe_dump(_plain(settings), sort_keys=False, allow_unicode=True, width=120)
    return text


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
    return _convert(kinds[value["kind"]], value, name, where)


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
