"""Write docs/settings.md: every key that a YAML in conf/ may have, as the dataclasses define it.

    python utils/document_settings.py             write the page
    python utils/document_settings.py --check     fail if the page is out of date

The meaning of a key is the comment behind its field, or above it.
"""

import argparse
import ast
import dataclasses
import inspect
import io
import json
import re
import tokenize
import types
import typing
from collections.abc import Iterator
from typing import Any, Literal

from afn import corpora
from afn.common import errors, files
from afn.common.errors import UserError
from afn.common.paths import ROOT, portable
from afn.experiment import command_line, tune
from afn.metrics import fusion
from afn.systems import registry

PAGE = ROOT / "docs" / "settings.md"
COMMAND = "python utils/document_settings.py"
FILES = {  # folder of conf/ -> type of its YAMLs, and their purpose
    "systems": (registry.settings_type(), "A row of the results table: features, a model, and how it is trained."),
    "corpora": (corpora.Corpus, "A corpus: where recordings come from, and what systems do differently on it."),
    "fusion": (fusion.FusionSettings, "A fusion of several systems' scores."),
    "tuning": (tune.Tuning, "What `./run.sh --tune` tries for the system of the same name."),
}
INTRODUCTION = f"""# Settings

All keys of the YAMLs in `conf/`. `{COMMAND}` writes this page from the dataclasses
that read the files, and a test checks that it is up to date.

- A key without a default is required. Recipes have few defaults: the YAML states each value with its reason.
- An unknown key, a value of a wrong type and a value out of range are one-line errors that name the file and the key.
- `extends: other.yaml`, relative to the file, inherits from another YAML. Given keys override, mapping by mapping. A
  mapping with another `kind` replaces the inherited one completely.
- `--set NAME=VALUE` overrides any key for one run: `--set train.epochs=5` in the system's YAML,
  `--set corpus.root=DIR` in the corpus's. The value is YAML.
- If a key takes one of several tables, its `kind` selects one: `kind: cqcc`.

`conf/*.conf` are not YAML: they have the formats of Kaldi and, `conf/neat.conf`, of neat-python.
"""
KIND = "kind"
PLAIN = {int: "whole number", float: "number", str: "text", bool: "`true` or `false`", Any: "any value"}


def main() -> None:
    parser = command_line.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the page is out of date")
    options = parser.parse_args()
    text = page()
    if not options.check:
        files.write_text(PAGE, text)
        print(f"document_settings: wrote {portable(PAGE)}")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text:
        raise UserError(f"{portable(PAGE)}: out of date. Write it with: {COMMAND}")


def page() -> str:
    """The text of docs/settings.md."""
    parts = [INTRODUCTION]
    for folder, (kind, purpose) in FILES.items():
        parts.append(f"## conf/{folder}/*.yaml\n\n{purpose}\n")
        seen: set[type] = set()
        for cls in classes(kind):
            parts += sections(cls, seen)
    return "\n".join(parts)


def sections(cls: type, seen: set[type]) -> Iterator[str]:
    """The table of a dataclass, then those of the dataclasses in its keys, each once."""
    if cls in seen:
        return
    seen.add(cls)
    yield section(cls)
    for kind in typing.get_type_hints(cls).values():
        for below in classes(kind):
            yield from sections(below, seen)


def section(cls: type) -> str:
    """Heading, docstring, and the table of the keys of a dataclass."""
    told, hints = meanings(cls), typing.get_type_hints(cls)
    lines = [f"### {title(cls)}", "", introduction(cls), "", "| key | value | default | meaning |", "|---|---|---|---|"]
    for field in dataclasses.fields(cls):
        if field.name != KIND:
            meaning = told.get(field.name) or of_classes(hints[field.name])
            cells = f"`{field.name}`", shown(hints[field.name]), default(field), meaning
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def kind_of(cls: type) -> str:
    """The `kind` of its YAML, or nothing."""
    hint = typing.get_type_hints(cls).get(KIND)
    return typing.get_args(hint)[0] if hint else ""


def title(cls: type) -> str:
    """The heading of a dataclass: with its `kind` if it has one."""
    kind = kind_of(cls)
    return f"{cls.__name__} (`kind: {kind}`)" if kind else cls.__name__


def anchor(cls: type) -> str:
    """The link to a dataclass' table, as GitHub derives it from the heading."""
    return "#" + re.sub(r"[^\w\- ]", "", title(cls).lower()).replace(" ", "-")


def classes(kind: Any) -> list[type]:
    """The dataclasses in a type, in their order."""
    if dataclasses.is_dataclass(kind):
        return [kind]
    return [cls for argument in typing.get_args(kind) for cls in classes(argument)]


def shown(kind: Any) -> str:
    """A type in words: the possible values of a key."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        return f"[{kind_of(kind) or 'its keys'}]({anchor(kind)})"
    if origin is Literal:
        return ", ".join(f"`{str(value).lower() if isinstance(value, bool) else value}`" for value in arguments)
    if origin in (typing.Union, types.UnionType):
        words = ["`null`" if argument is type(None) else shown(argument) for argument in arguments]
        return f"{', '.join(words[:-1])} or {words[-1]}"
    if origin is list:
        return f"list of {shown(arguments[0])}"
    if origin is tuple:
        return f"`[{', '.join(shown(argument) for argument in arguments)}]`"
    if origin is dict:
        return f"`{shown(arguments[0])}: …` lines, each {shown(arguments[1])}"
    return PLAIN[kind]


def default(field: dataclasses.Field) -> str:
    """The default of a key as YAML, or a dash."""
    if field.default_factory is not dataclasses.MISSING:
        return f"`{json.dumps(field.default_factory())}`"
    return "–" if field.default is dataclasses.MISSING else f"`{json.dumps(field.default)}`"


def introduction(cls: type) -> str:
    """The first paragraph of a dataclass' docstring on one line."""
    return inspect.getdoc(cls).split("\n\n")[0].replace("\n", " ")


def of_classes(kind: Any) -> str:
    """The meaning of a key that holds a dataclass: the introduction of that."""
    below = classes(kind)
    return introduction(below[0]) if len(below) == 1 else f"by its `{KIND}`" if below else ""


def meanings(cls: type) -> dict[str, str]:
    """The meaning of each key of a dataclass, inherited ones included."""
    told: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if dataclasses.is_dataclass(base):
            told |= comments(base)
    return told


def comments(cls: type) -> dict[str, str]:
    """The comment behind each field in the source of a dataclass, or the comment line above it."""
    source = inspect.getsource(cls)
    tokens = [t for t in tokenize.generate_tokens(io.StringIO(source).readline) if t.type == tokenize.COMMENT]
    behind = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokens
        if token.line.lstrip() != token.line[token.start[1] :]
    }
    above = {token.start[0] + 1: token.string.lstrip("# ") for token in tokens if token.start[0] not in behind}
    fields = [node for node in ast.parse(source).body[0].body if isinstance(node, ast.AnnAssign)]
    told = {node.target.id: behind.get(node.end_lineno) or above.get(node.lineno) for node in fields}
    return {name: meaning for name, meaning in told.items() if meaning}


if __name__ == "__main__":
    errors.run(main)
