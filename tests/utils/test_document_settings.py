"""docs/settings.md and conf/schema/*.json have every key, are up to date with the models, and describe our YAMLs."""

import json
import re
from contextlib import nullcontext
from typing import Annotated, Literal

import jsonschema
import pytest
from pydantic import Field, PositiveInt

import document_settings as tool
from afn.common import config, paths
from afn.common.config import Settings, Share
from afn.common.errors import UserError
from afn.systems import registry

CONF = paths.ROOT / "conf"
SCHEMAS = {"systems": "system", "kaldi": "system", "corpora": "corpus", "fusion": "fusion", "tuning": "tuning"}
YAMLS = [path for folder in SCHEMAS for path in sorted((CONF / folder).glob("*.yaml"))]


class Pool(Settings):
    """Where water
    is kept.

    And more.
    """

    kind: Literal["pool"]
    depth: Share = Field(description="m")


class House(Settings):
    """A house."""

    name: str
    floors: PositiveInt = Field(default=2, le=9, description="above the ground")
    heated: bool | None = None
    pools: list[Annotated[int, Field(ge=1)]] = Field(default=[], description='"a|b"')
    below: Pool | None = None


def test_a_model_becomes_a_table_of_its_keys():
    assert tool.section(House).splitlines() == [
        "### House",
        "",
        "A house.",
        "",
        "| key | value | default | meaning |",
        "|---|---|---|---|",
        "| `name` | text | – |  |",
        "| `floors` | whole number ≤ 9, > 0 | `2` | above the ground |",
        "| `heated` | `true` or `false` or `null` | `null` |  |",
        '| `pools` | list of whole number ≥ 1 | `[]` | "a\\|b" |',
        "| `below` | [pool](#pool-kind-pool) or `null` | `null` | Where water is kept. |",
    ]
    assert "| `depth` | number > 0, < 1 | – | m |" in tool.section(Pool)
    assert "`kind`" not in tool.section(Pool).split("|", 1)[1]


def test_every_table_is_written_once_every_link_leads_to_one_and_every_key_has_a_meaning():
    page = tool.page()
    headings = re.findall(r"^### (.*)$", page, re.MULTILINE)
    assert len(headings) == len(set(headings)) > 20
    anchors = {"#" + re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set() < set(re.findall(r"\]\((#[^)]+)\)", page)) <= anchors
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| `")]
    assert len(rows) > 100 and [row for row in rows if len(row) != 4] == []


def test_the_page_and_the_schemas_are_up_to_date(tmp_path, monkeypatch):
    for path, text in tool.texts().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: out of date. Write it with: {tool.COMMAND}"
    monkeypatch.setattr(tool, "SCHEMAS", tmp_path)
    monkeypatch.setattr(tool, "PAGE", tmp_path / "settings.md")
    monkeypatch.setattr("sys.argv", ["document_settings.py"])
    tool.main()
    assert (tmp_path / "system.json").read_bytes() == (CONF / "schema" / "system.json").read_bytes()


def validator(path):
    """The validator by the schema that the first line of a YAML names."""
    line, _, _ = path.read_text().partition("\n")
    assert line == f"# yaml-language-server: $schema=../schema/{SCHEMAS[path.parent.name]}.json"
    return jsonschema.Draft202012Validator(json.loads((path.parent / line.partition("=")[2]).read_text()))


@pytest.mark.parametrize("path", YAMLS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_yaml_is_valid_by_the_schema_in_its_first_line(path):
    schema, (_, content) = validator(path), config.layers(path)[-1]
    whole = config.read(path)
    extends = {"extends": "x.yaml"} if whole != content else {}
    schema.validate(whole)
    schema.validate(content | extends)
    assert not schema.is_valid(whole | {"unknown": 1}) and not schema.is_valid(content | extends | {"unknown": 1})


@pytest.mark.parametrize(
    ("change", "valid"),
    [
        ({"train": {"epochs": 3}}, True),
        ({"model": {"kind": "attentive_filtering", "frames": 5}}, True),
        ({"train": {"epochs": 0}}, False),
        ({"train": {"epochs": "3"}}, False),
        ({"train": {"lr_factor": 1.0}}, False),
        ({"train": {"precision": "float16"}}, False),
        ({"train": {"epoch": 3}}, False),
        ({"model": {"kind": "dilated_resnets"}}, False),
    ],
)
def test_a_schema_takes_and_refuses_what_the_model_does(change, valid):
    path = CONF / "systems" / "afn.yaml"
    schema, whole = validator(path), config.merge(config.read(path), change)
    assert schema.is_valid(whole) == schema.is_valid({"extends": "afn.yaml", **change}) == valid
    assert not schema.is_valid(change) and not schema.is_valid({"extends": 3, **change})
    with nullcontext() if valid else pytest.raises(UserError, match=r"afn\.yaml: "):
        config.build(registry.settings_type(), whole, "afn.yaml")
