"""YAML files as pydantic models, strictly: every key is known, every value has its type, every mistake is named.

A YAML may begin with `extends: other.yaml` (relative to itself) and state only what differs. `name=value` overrides
reach any value by its dotted name. A choice between several models is made by their `kind`.
"""

import difflib
import re
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from afn.common.errors import UserError

T = TypeVar("T")

KIND = "kind"  # the key that chooses one of several models
INTEGERS = 2**53  # beyond, a float is not the same number
SHOWN = 80  # characters of a wrong value in a message


@dataclass(frozen=True)
class KeyGroup:
    """Marks a setting that cannot change a number, by what it changes instead."""

    name: str


# Types of settings.
Execution = Annotated[T, KeyGroup("execution")]  # how work is done
Presentation = Annotated[T, KeyGroup("presentation")]  # what is shown
Share = Annotated[float, Field(gt=0, lt=1)]
Ends = Annotated[tuple[T, T], Field(strict=False)]  # not strict: a YAML has lists, no tuples


def _ascending(ends: tuple[Any, Any]) -> tuple[Any, Any]:
    if ends[0] > ends[1]:
        raise ValueError("must be in ascending order")
    return ends


Range = Annotated[tuple[T, T], Field(strict=False), AfterValidator(_ascending)]  # [smallest, largest]


def folder_name(name: str) -> str:
    """`name` if it can name a folder, else ValueError."""
    if not name or "/" in name or name.startswith(".") or not name.isprintable():
        raise ValueError("must be the name of a folder")
    return name


FolderName = Annotated[str, AfterValidator(folder_name)]


class Settings(BaseModel):
    """Base class of what a YAML can say: frozen, with known keys only, values of exactly their type, finite numbers.

    A check of several values is a `model_validator(mode="after")`; its ValueError begins with the name of a setting.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, values: Any) -> Any:
        for key, value in values.items() if isinstance(values, dict) else ():
            if key not in cls.model_fields:
                raise PydanticCustomError("unknown_key", "unknown key", {"key": key, "known": list(cls.model_fields)})
            if type(value) is int and abs(value) > INTEGERS:
                raise ValueError(f"{key}: {value:.3g} must be a whole number of at most fifteen digits")
        return values

    def replace(self, **changes: Any) -> Self:
        """A copy with other values, which are checked."""
        return type(self)(**{**{name: getattr(self, name) for name in type(self).model_fields}, **changes})


def read(path: Path | str) -> dict[str, Any]:
    """The mapping in a YAML file, its chain of `extends` merged; raises UserError on a missing or malformed file."""
    merged: dict[str, Any] = {}
    for _, content in layers(path):
        merged = merge(merged, content)
    return merged


def layers(path: Path | str) -> list[tuple[Path, dict[str, Any]]]:
    """The files of a YAML's chain of `extends` and what each states, the first one extended by the next, and so on."""
    found: dict[Path, dict[str, Any]] = {}
    while True:
        path = _file(Path(path))
        if path in found:
            chain = " -> ".join(p.name for p in (*found, path))
            raise UserError(f"{path}: `extends` runs in a circle ({chain}). Remove one of these lines.")
        try:
            content = _parse(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            raise UserError(f"{path}: not a text file in UTF-8. Save it as UTF-8, or name another file.") from None
        except ValueError as error:
            raise UserError(f"{path}: not a YAML file: {error}. Correct that line.") from None
        found[path] = {} if content is None else content
        if not isinstance(found[path], dict):
            raise UserError(f"{path}: the file must have `key: value` lines")
        base = found[path].pop("extends", None)
        if base is None:
            return list(reversed(found.items()))
        if not isinstance(base, str):
            raise UserError(f"{path}: extends: {base!r} must be the name of a file")
        path = path.parent / base


def _file(path: Path) -> Path:
    try:
        path = path.resolve()
        if path.is_file():
            return path
    except ValueError:  # a NUL in the name
        raise UserError(f"{str(path)!r}: not the name of a file") from None
    names = sorted(p.name for p in path.parent.glob("*.yaml"))
    raise UserError(f"{path}: no such file" + (f"; choose one of: {', '.join(names)}" if names else ""))


# Plain scalars that are not text: those that YAML 1.1, YAML 1.2 and people read alike. PyYAML has YAML 1.1, in which
# 010 is 8, 1:30 is 90 and `on` is true: they are text here, as are 0x10 and 1_000, and refused where numbers belong.
INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
FLOAT = re.compile(
    r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
WORDS |= {word: value for value in (True, False) for word in (str(value), str(value).lower(), str(value).upper())}


def _parse(text: str) -> Any:
    """The content of a YAML text. ValueError for malformed YAML, and for tags and aliases, which no setting needs."""
    try:
        node = yaml.compose(text, Loader=yaml.BaseLoader)
        return None if node is None else _value(node, set())
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None


def _value(node: yaml.Node, seen: set[int]) -> Any:
    line = f"line {node.start_mark.line + 1}"
    if id(node) in seen:
        raise ValueError(f"an alias (`*name`) of {line}; write the value out")
    seen.add(id(node))
    if node.tag.rpartition(":")[2] not in ("str", "seq", "map"):
        raise ValueError(f"a tag ({node.tag}), {line}; leave it out")
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise ValueError(f"a key is not text, {line}")
            if key.value in found:
                raise ValueError(f"{key.value} is given twice, line {key.start_mark.line + 1}")
            found[key.value] = _value(value, seen)
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, seen) for item in node.value]
    if node.style is not None:  # quoted
        return node.value
    if node.value in WORDS:
        return WORDS[node.value]
    if INTEGER.fullmatch(node.value):
        return int(node.value)
    if FLOAT.fullmatch(node.value):
        return float(node.value.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return node.value


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
        if not equals or not all(name.split(".")):
            raise UserError(f"--set {assignment}: write it as name=value, for example train.epochs=5")
        try:
            value = _parse(text)
        except ValueError:
            raise UserError(f"--set {assignment}: the value is not YAML; quote it") from None
        for key in reversed(name.split(".")):
            value = {key: value}
        merged = merge(merged, value)
    return merged


def build(kind: Any, settings: Any, where: str) -> Any:
    """An instance of the model `kind`, or of one of a union of models by the key `kind`, from a mapping.

    `where` names the source in messages. Raises UserError for unknown keys, missing keys and unusable values.
    """
    model = adapter(kind)
    try:
        return model.validate_python(settings)
    except ValidationError as error:
        raise UserError(f"{where}: {_explained(model, settings, error)}") from None


@lru_cache
def adapter(kind: Any) -> TypeAdapter[Any]:
    """pydantic's adapter of a model, or of a union of models of which the key `kind` chooses one."""
    several = typing.get_origin(kind) in (typing.Union, types.UnionType)
    return TypeAdapter(Annotated[kind, Field(discriminator=KIND)] if several else kind)


def load(kind: type[T] | Any, path: Path | str, assignments: Iterable[str] = ()) -> T:
    """The model `kind` from the YAML at `path`, with `name=value` overrides applied; errors as for `read`, `build`."""
    loaded: T = build(kind, override(read(path), assignments), str(path))
    return loaded


def groups(settings: Settings) -> dict[str, dict[str, Any]]:
    """The plain values of settings in three groups: `identity` (can change a number), `execution`, `presentation`.

    Nested settings are divided as well. Each group keeps the nesting of the whole.
    """
    found: dict[str, dict[str, Any]] = {"identity": {}, "execution": {}, "presentation": {}}
    for key, field in type(settings).model_fields.items():
        value = getattr(settings, key)
        group = next((mark.name for mark in field.metadata if isinstance(mark, KeyGroup)), "identity")
        if isinstance(value, Settings) and group == "identity":
            for name, part in groups(value).items():
                if part or name == "identity":
                    found[name][key] = part
        else:
            found[group][key] = plain(value)
    return found


def plain(value: Any) -> Any:
    """Settings and all that is in them as plain mappings, lists and values, ready for YAML."""
    if isinstance(value, Settings):
        value = value.model_dump()
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Quotes text that `read` would take for a number, but not YAML 1.1, which PyYAML writes."""


_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(f"({FLOAT.pattern})$"), None)


def dump(settings: Mapping[str, Any]) -> str:
    """YAML text of plain `settings`, in their own order; the same settings give the same text."""
    text: str = yaml.dump(plain(settings), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text


# What a value must be, by pydantic's type of error.
EXPECTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text (quote it)",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "`key: value` lines",
    "model_type": "`key: value` lines",
    "model_attributes_type": "`key: value` lines",
    "greater_than": "above {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "below {lt:g}",
    "less_than_equal": "at most {le:g}",
    "multiple_of": "a multiple of {multiple_of:g}",
    "string_pattern_mismatch": "text of the form {pattern}",
    "too_short": "a list of {min_length} or more",
    "too_long": "a list of {max_length} or fewer",
    "missing": "a list of two",  # `Ends` and `Range` are the only lists of a given length
    "literal_error": "one of: {choices}",
    "union_tag_invalid": "one of: {choices}",
}


def _explained(model: TypeAdapter[Any], settings: Any, error: ValidationError) -> str:
    """The first mistake in `settings`, in one line."""
    first, *others = error.errors(include_url=False)
    reason, context, given = first["type"], first.get("ctx", {}), first["input"]
    path = _path(first, settings)
    name = "".join(f"[{item}]" if isinstance(item, int) else f".{item}" for item in path).removeprefix(".")
    if reason == "unknown_key":
        key, known = str(context["key"]), context["known"]
        close = difflib.get_close_matches(key, known, n=1)
        meant = f"Did you mean {_label(name, close[0])}?" if close else f"Known: {', '.join(known)}."
        return f"unknown key {_label(name, key)}. {meant}"
    if reason == "union_tag_not_found":  # the message for a wrong kind names the right ones
        change: dict[str, Any] = {KIND: ""}
        for item in reversed(path):
            change = {str(item): change}
        try:
            model.validate_python(merge(settings, change))
        except ValidationError as wrong:
            return _explained(model, settings, wrong).replace(": '' must be", " is missing. Give")
    if reason == "missing" and isinstance(first["loc"][-1], str):
        return f"{_label(name, first['loc'][-1])} is missing. Add it."
    if reason == "union_tag_invalid":
        name, given = _label(name, KIND), given[KIND]
    shown = repr(given)
    shown = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}…"
    if reason == "value_error":
        text = str(context["error"])
        return f"{name}: {shown} {text}" if text.startswith("must") else _label(name, text)
    alternatives = [first, *(other for other in others if _path(other, settings) == path)]  # the members of a union
    expected = " or ".join(dict.fromkeys(map(_expected, alternatives)))
    close = difflib.get_close_matches(str(given)[:SHOWN], [word for e in alternatives for word in _choices(e)], n=1)
    return f"{name or 'the file'}: {shown} must be {expected}{f'. Did you mean {close[0]}?' if close else ''}"


def _path(error: ErrorDetails, settings: Any) -> list[int | str]:
    """The keys to the wrong value; pydantic's also name missing keys and members of unions."""
    path: list[int | str] = []
    for item in error["loc"]:
        try:
            settings = settings[item]
        except (LookupError, TypeError):
            continue
        path.append(item)
    return path


def _expected(error: ErrorDetails) -> str:
    """What a value must be."""
    if error["type"] not in EXPECTED:
        return error["msg"].removeprefix("Input should be ")
    return EXPECTED[error["type"]].format(**error.get("ctx", {}), choices=", ".join(_choices(error)))


def _choices(error: ErrorDetails) -> list[str]:
    context = error.get("ctx", {})
    return re.findall("'([^']*)'", str(context.get("expected_tags") or context.get("expected")))


def _label(name: str, key: str) -> str:
    return f"{name}.{key}" if name else key
