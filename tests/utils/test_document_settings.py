"""docs/settings.md has every key and is up to date with the dataclasses."""

import re
from dataclasses import dataclass, field
from typing import Literal

import pytest
import yaml

from afn.common import paths
from afn.common.errors import UserError


@pytest.fixture(scope="module")
def tool():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(paths.ROOT / "utils"))
        import document_settings

        yield document_settings


@pytest.fixture(scope="module")
def page(tool):
    return tool.page()


@dataclass
class Pool:
    """Where water
    is kept.

    And more.
    """

    kind: Literal["pool"]
    depth: float  # m, of the # deep end


@dataclass
class House:
    """A house."""

    name: str
    # above the ground
    floors: int = 2
    heated: bool | None = None  # null: not known
    pools: list[str] = field(default_factory=list)  # "a|b"
    below: Pool | None = None


@dataclass
class Villa(House):
    """A better house."""

    floors: int = 3  # with a view


def test_a_dataclass_becomes_a_table_of_its_keys(tool):
    assert tool.section(House).splitlines() == [
        "### House",
        "",
        "A house.",
        "",
        "| key | value | default | meaning |",
        "|---|---|---|---|",
        "| `name` | text | – |  |",
        "| `floors` | whole number | `2` | above the ground |",
        "| `heated` | `true` or `false` or `null` | `null` | null: not known |",
        '| `pools` | list of text | `[]` | "a\\|b" |',
        "| `below` | [pool](#pool-kind-pool) or `null` | `null` | Where water is kept. |",
    ]
    assert "| `depth` | number | – | m, of the # deep end |" in tool.section(Pool)
    assert "`kind`" not in tool.section(Pool).split("|", 1)[1]


def test_an_inherited_key_keeps_its_meaning_unless_it_is_redefined(tool):
    assert tool.meanings(Villa) == {"floors": "with a view", "heated": "null: not known", "pools": '"a|b"'}


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


def test_every_key_of_the_yamls_is_on_the_page(page):
    keys = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) | {"kind", "extends"}
    yamls = sorted((paths.ROOT / "conf").glob("*/*.yaml"))
    assert yamls
    for path in yamls:
        assert yaml.safe_load(path.read_text()).keys() <= keys, path


def test_the_committed_page_is_up_to_date(tool, page):
    assert tool.PAGE.read_text(encoding="utf-8") == page, f"run {tool.COMMAND}"


def test_a_page_out_of_date_is_refused_and_rewritten(tool, tmp_path, monkeypatch):
    monkeypatch.setattr(tool, "PAGE", tmp_path / "settings.md")
    monkeypatch.setattr("sys.argv", ["document_settings.py", "--check"])
    with pytest.raises(UserError, match="out of date. Write it with: python utils"):
        tool.main()
    monkeypatch.setattr("sys.argv", ["document_settings.py"])
    tool.main()
    monkeypatch.setattr("sys.argv", ["document_settings.py", "--check"])
    tool.main()
    tool.PAGE.write_text(tool.PAGE.read_text() + "more")
    with pytest.raises(UserError, match="out of date"):
        tool.main()
