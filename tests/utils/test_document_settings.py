"""docs/settings.md and conf/schema/*.json have every key, are up to date with the models, and describe our YAMLs."""

import json
import re
from typing import Annotated, Literal

import jsonschema
import pytest
from pydantic import Field, PositiveInt

from afn.common import config, paths
from afn.common.config import Settings, Share
from afn.common.errors import UserError
from afn.systems import registry

CONF = paths.ROOT / "conf"
SCHEMAS = {"systems": "system", "kaldi": "system", "corpora": "corpus", "fusion": "fusion", "tuning": "tuning"}
YAMLS = [path for folder in SCHEMAS for path in sorted((CONF / folder).glob("*.yaml"))]


@pytest.fixture(scope="module")
def tool():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(paths.ROOT / "utils"))
        import document_settings

        yield document_settings


@pytest.fixture(scope="module")
def page(tool):
    return tool.page()


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


def test_a_model_becomes_a_table_of_its_keys(tool):
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


def test_every_table_is_written_once_and_every_link_leads_to_one(page):
    headings = re.findall(r"^### (.*)$", page, re.MULTILINE)
    assert len(headings) == len(set(headings)) > 20
    anchors = {"#" + re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    linked = set(re.findall(r"\]\((#[^)]+)\)", page))
    assert linked and linked <= anchors


def test_every_key_has_a_meaning(page):
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| `")]
    assert len(rows) > 100
    assert [row for row in rows if len(row) != 4] == []


def test_files_out_of_date_are_refused_and_rewritten(tool, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["document_settings.py", "--check"])
    tool.main()  # the committed ones are up to date: else run utils/document_settings.py
    monkeypatch.setattr(tool, "SCHEMAS", tmp_path)
    with pytest.raises(UserError, match=r"system\.json: out of date\. Write it with: python utils"):
        tool.main()
    monkeypatch.setattr(tool, "PAGE", tmp_path / "settings.md")
    monkeypatch.setattr("sys.argv", ["document_settings.py"])
    tool.main()
    assert (tmp_path / "system.json").read_text() == (CONF / "schema" / "system.json").read_text()


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
        ({"extends": "afn.yaml", "train": {"epochs": 3}}, True),
        ({"extends": "afn.yaml", "model": {"kind": "dilated_resnet", "frames": 5}}, True),
        ({"train": {"epochs": 3}}, False),
        ({"extends": "afn.yaml", "train": {"epochs": 0}}, False),
        ({"extends": "afn.yaml", "train": {"epochs": "010"}}, False),
        ({"extends": "afn.yaml", "train": {"epoch": 3}}, False),
        ({"extends": "afn.yaml", "model": {"kind": "dilated_resnets"}}, False),
        ({"extends": 3}, False),
    ],
)
def test_a_yaml_that_extends_another_states_only_the_difference(change, valid):
    assert validator(CONF / "systems" / "drn.yaml").is_valid(change) == valid


@pytest.mark.parametrize(
    ("key", "value"), [("epochs", 0), ("lr_factor", 1.0), ("precision", "float16"), ("epochs", "3")]
)
def test_a_schema_has_the_bounds_of_the_model(key, value):
    path = CONF / "systems" / "afn.yaml"
    wrong = config.merge(config.read(path), {"train": {key: value}})
    assert not validator(path).is_valid(wrong)
    with pytest.raises(UserError, match=f"train.{key}: "):
        config.build(registry.settings_type(), wrong, "afn.yaml")
