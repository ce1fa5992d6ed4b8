"""Write docs/settings.md and conf/schema/*.json: every key that a YAML in conf/ may have, as the models define it."""

import inspect
import json
import re
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic.fields import FieldInfo

from afn import corpora
from afn.common import config, errors, files
from afn.common.config import KIND, Settings
from afn.common.paths import ROOT, portable
from afn.experiment import command_line, tune
from afn.metrics import fusion
from afn.systems import registry

PAGE = ROOT / "docs" / "settings.md"
SCHEMAS = ROOT / "conf" / "schema"
COMMAND = "python utils/document_settings.py"
FILES = {  # folder of conf/ -> name of its schema, type of its YAMLs
    "systems": ("system", registry.settings_type()),
    "corpora": ("corpus", corpora.Corpus),
    "fusion": ("fusion", fusion.FusionSettings),
    "tuning": ("tuning", tune.Tuning),
}
PURPOSES = {
    "systems": "A row of the results table: features, a model, and how it is trained.",
    "corpora": "A corpus: where recordings come from, and what systems do differently on it.",
    "fusion": "A fusion of several systems' scores.",
    "tuning": "What `./run.sh --tune` tries for the system of the same name.",
}
INTRODUCTION = f"""# Settings

All keys of the YAMLs in `conf/`. `{COMMAND}` writes this page, and the JSON schemas in
`conf/schema/`, from the models that read the files. A test checks that they are up to date. The first line of each YAML
names its schema: editors with a YAML language server (VS Code, Neovim, …) then complete and check keys. Copy it into
your own YAMLs.

- A key without a default is required. Recipes have few defaults: the YAML states each value with its reason.
- An unknown key, a value of a wrong type and a value out of range are one-line errors that name the file and the key.
- `extends: other.yaml`, relative to the file, inherits from another YAML. Given keys override, mapping by mapping. A
  mapping with another `kind` replaces the inherited one completely.
- `--set NAME=VALUE` overrides any key for one run: `--set train.epochs=5` in the system's YAML,
  `--set corpus.root=DIR` in the corpus's. The value is YAML.
- If a key takes one of several tables, its `kind` selects one: `kind: cqcc`.
- Numbers are decimal: `10`, `0.5`, `1e-3`. `010`, `0x10`, `1_000`, `1:30`, `on` and `yes` are text, although
  YAML 1.1 reads numbers, `true` and `false`. Aliases (`*name`) and tags (`!!int`) are refused.

`conf/*.conf` are not YAML: they have the formats of Kaldi and, `conf/neat.conf`, of neat-python.
"""
PLAIN = {int: "whole number", float: "number", str: "text", bool: "`true` or `false`", Any: "any value"}
BOUNDS = {"gt": "> {}", "ge": "≥ {}", "lt": "< {}", "le": "≤ {}", "multiple_of": "a multiple of {}", "pattern": "`{}`"}
IN_PART = "InPart"  # name of a schema without required keys: for YAMLs that extend others


def main() -> None:
    command_line.Parser(description=__doc__).parse_args()
    for path, text in texts().items():
        files.write_text(path, text)
        print(f"document_settings: wrote {portable(path)}")


def texts() -> dict[Path, str]:
    """The content of every file."""
    schemas = {name: json.dumps(schema(kind), indent=1, ensure_ascii=False) for name, kind in FILES.values()}
    return {PAGE: page()} | {SCHEMAS / f"{name}.json": f"{text}\n" for name, text in schemas.items()}


def schema(kind: Any) -> dict[str, Any]:
    """The JSON schema of the YAMLs that hold `kind`; a YAML that `extends` another needs no key."""
    top = tidy(config.adapter(kind).json_schema())
    definitions = top.pop("$defs", {})
    parts = {f"{name}{IN_PART}": in_part(definition) for name, definition in definitions.items()}
    part = in_part(top)
    roots = [parts[ref["$ref"].rpartition("/")[2]] for ref in part.get("anyOf", ())] or [part]
    extends = {"description": "the YAML to inherit from", "type": "string"}
    for root in roots:
        root["properties"] = {"extends": extends, **root["properties"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": f"written by {COMMAND}",
        "if": {"required": ["extends"]},
        "then": part,
        "else": top,
        "$defs": definitions | parts,
    }


def tidy(node: Any) -> Any:
    """A schema without titles, which repeat the names of keys."""
    if isinstance(node, dict):
        return {key: tidy(item) for key, item in node.items() if not (key == "title" and isinstance(item, str))}
    return [tidy(item) for item in node] if isinstance(node, list) else node


def in_part(node: Any) -> Any:
    """A schema without required keys, and so without a choice by `kind`."""
    if isinstance(node, dict):
        found = {"anyOf" if key == "oneOf" else key: in_part(item) for key, item in node.items()}
        found = {key: item for key, item in found.items() if key not in ("required", "discriminator", "default")}
        return found | {"$ref": found["$ref"] + IN_PART} if "$ref" in found else found
    return [in_part(item) for item in node] if isinstance(node, list) else node


def page() -> str:
    """The text of docs/settings.md."""
    parts = [INTRODUCTION]
    seen: set[type] = set()
    for folder, (_, kind) in FILES.items():
        parts.append(f"## conf/{folder}/*.yaml\n\n{PURPOSES[folder]}\n")
        for cls in classes(kind):
            parts += sections(cls, seen)
    return "\n".join(parts)


def sections(cls: type[Settings], seen: set[type]) -> Iterator[str]:
    """The table of a model, then those of the models in its keys, each once."""
    if cls in seen:
        return
    seen.add(cls)
    yield section(cls)
    for field in cls.model_fields.values():
        for below in classes(field.annotation):
            yield from sections(below, seen)


def section(cls: type[Settings]) -> str:
    """Heading, docstring, and the table of the keys of a model."""
    lines = [f"### {title(cls)}", "", introduction(cls), "", "| key | value | default | meaning |", "|---|---|---|---|"]
    for name, field in cls.model_fields.items():
        if name != KIND:
            value = shown(Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation)
            cells = f"`{name}`", value, default(field), field.description or of_classes(field.annotation)
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def kind_of(cls: type[Settings]) -> str:
    """The `kind` of its YAML, or nothing."""
    return typing.get_args(cls.model_fields[KIND].annotation)[0] if KIND in cls.model_fields else ""


def title(cls: type[Settings]) -> str:
    """The heading of a model: with its `kind` if it has one."""
    kind = kind_of(cls)
    return f"{cls.__name__} (`kind: {kind}`)" if kind else cls.__name__


def anchor(cls: type[Settings]) -> str:
    """The link to a model's table, as GitHub derives it from the heading."""
    return "#" + re.sub(r"[^\w\- ]", "", title(cls).lower()).replace(" ", "-")


def classes(kind: Any) -> list[type[Settings]]:
    """The models in a type, in their order."""
    if isinstance(kind, type) and issubclass(kind, Settings):
        return [kind]
    return [cls for argument in typing.get_args(kind) for cls in classes(argument)]


def shown(kind: Any) -> str:
    """A type in words: the possible values of a key."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        marks = [mark for item in kind.__metadata__ for mark in getattr(item, "metadata", [item])]
        bounds = [
            text.format(getattr(mark, key)) for mark in marks for key, text in BOUNDS.items() if hasattr(mark, key)
        ]
        return f"{shown(arguments[0])} {', '.join(bounds)}".rstrip()
    if isinstance(kind, type) and issubclass(kind, Settings):
        return f"[{kind_of(kind) or 'its keys'}]({anchor(kind)})"
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin in (typing.Union, types.UnionType):
        words = ["`null`" if argument is type(None) else shown(argument) for argument in arguments]
        return f"{', '.join(words[:-1])} or {words[-1]}"
    if origin is list:
        return f"list of {shown(arguments[0])}"
    if origin is tuple:
        return f"`[a, b]`, each {shown(arguments[0])}"
    if origin is dict:
        return f"`{shown(arguments[0])}: …` lines, each {shown(arguments[1])}"
    return PLAIN[kind]


def default(field: FieldInfo) -> str:
    """The default of a key as YAML, or a dash."""
    return "–" if field.is_required() else f"`{json.dumps(field.get_default(call_default_factory=True))}`"


def introduction(cls: type[Settings]) -> str:
    """The first paragraph of a model's docstring on one line."""
    return (inspect.getdoc(cls) or "").split("\n\n")[0].replace("\n", " ")


def of_classes(kind: Any) -> str:
    """The meaning of a key that holds a model: the introduction of that."""
    below = classes(kind)
    return introduction(below[0]) if len(below) == 1 else f"by its `{KIND}`" if below else ""


if __name__ == "__main__":
    errors.run(main)
