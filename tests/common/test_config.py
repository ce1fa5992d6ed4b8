"""YAML files as dataclasses: inheritance, overrides, and one clear line for every mistake."""

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from afn.common import config
from afn.common.errors import UserError
from afn.common.paths import ROOT
from afn.experiment import command_line
from afn.systems import registry


@dataclass(frozen=True)
class Cat:
    kind: Literal["cat"]
    lives: int = 9


@dataclass(frozen=True)
class Dog:
    kind: Literal["dog"]
    tricks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Home:
    name: str
    rent: float = 1.5
    heated: bool = True
    rooms: tuple[float, float] = (1.0, 2.0)
    pet: Cat | Dog | None = None
    keys: dict[str, int] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        if self.rent < 0:
            raise ValueError(f"rent: {self.rent} may not be negative")


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


def test_values_nest_and_choose_by_kind(write):
    home = config.load(
        Home, write("a.yaml", "name: x\nrent: 1e-3\nrooms: [3, 4]\npet: {kind: dog, tricks: [sit]}\nkeys: {a: 1}\n")
    )
    assert home == Home("x", 0.001, True, (3.0, 4.0), Dog("dog", ["sit"]), {"a": 1})


def test_extends_states_only_the_difference(write):
    write("base.yaml", "name: x\nrent: 2\npet: {kind: cat, lives: 7}\n")
    write("middle.yaml", "extends: base.yaml\npet: {lives: 3}\n")
    home = config.load(Home, write("top.yaml", "extends: middle.yaml\nrent: 5\n"))
    assert home == Home("x", 5.0, pet=Cat("cat", 3))


def test_another_kind_replaces_the_mapping_below_it(write):
    write("base.yaml", "name: x\npet: {kind: cat, lives: 7}\n")
    assert config.load(Home, write("top.yaml", "extends: base.yaml\npet: {kind: dog}\n")).pet == Dog("dog")


def test_overrides_reach_any_value(write):
    path = write("a.yaml", "name: x\npet: {kind: cat}\n")
    changed = config.load(Home, path, ["pet.lives=2", "rent=0.5", "heated=false"])
    assert changed == Home("x", 0.5, False, pet=Cat("cat", 2))


def test_what_is_dumped_reads_back_equal(write):
    home = Home("ä: x", 1e-3, False, (3.0, 4.0), Dog("dog", ["sit"]), {"a": 1})
    assert config.load(Home, write("a.yaml", config.dump(config.plain(home)))) == home


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("name: x\nrentt: 1\n", "unknown key rentt; did you mean rent"),
        ("name: x\npet: {kind: cat, live: 1}\n", "unknown key pet.live; did you mean lives"),
        ("rent: 1\n", "name is missing"),
        ("name: 5\n", "name: 5 must be text"),
        ("name: x\nrent: much\n", "rent: 'much' must be a finite number"),
        ("name: x\nrent: .nan\n", "rent: nan must be a finite number"),
        ("name: x\nrent: true\n", "rent: True must be a finite number"),
        ("name: x\nheated: 1\n", "heated: 1 must be true or false"),
        ("name: x\nrooms: [1]\n", r"rooms: \[1\] must be a list of 2"),
        ("name: x\npet: {kind: cow}\n", "pet.kind: 'cow' must be one of: cat, dog"),
        ("name: x\npet: {lives: 1}\n", "pet.kind is missing; give one of: cat, dog"),
        ("name: x\npet: {kind: cat, lives: 1.5}\n", "pet.lives: 1.5 must be a whole number"),
        ("name: x\nkeys: {a: b}\n", "keys.a: 'b' must be a whole number"),
        ("name: x\nrent: -1\n", "rent: -1.0 may not be negative"),
        ("- x\n", "must hold `key: value`"),
        ("name: [x\n", "not a YAML file"),
        ("extends: none.yaml\n", "none.yaml: no such file; choose one of: a.yaml"),
        ("extends: a.yaml\n", "circle"),
        ("extends: [b]\n", "not a file name"),
    ],
)
def test_mistakes_are_named_with_file_and_mend(write, text, complaint):
    with pytest.raises(UserError, match=complaint) as error:
        config.load(Home, write("a.yaml", text))
    assert ".yaml" in str(error.value)


@pytest.mark.parametrize("assignment", ["rent", "=1", ".a=1", "a.=1", "rent=[1"])
def test_malformed_overrides_are_refused(write, assignment):
    with pytest.raises(UserError, match="--set"):
        config.load(Home, write("a.yaml", "name: x\n"), [assignment])


@pytest.mark.parametrize("path", sorted((ROOT / "conf" / "systems").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_system_that_we_ship_loads(path):
    settings = config.load(registry.settings_type(), path)
    assert settings.title and settings.kind == config.read(path)["kind"]


def test_a_system_cannot_have_the_folder_of_fused_scores(tmp_path):
    path = tmp_path / "fusion.yaml"
    path.write_text(f"extends: {ROOT / 'conf' / 'systems' / 'drn.yaml'}\n")
    options = command_line.arguments("").parse_args(["--system", str(path)])
    with pytest.raises(UserError, match="fused scores have the folder fusion. Give the system's YAML another name"):
        command_line.from_arguments(options)


@pytest.mark.parametrize(
    ("text", "seeds"), [("1", (1,)), ("1-3", (1, 2, 3)), ("5,1-2", (1, 2, 5)), ("0", (0,)), ("2,2", (2,))]
)
def test_seeds_are_listed_in_ascending_order(text, seeds):
    assert command_line.parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "3-1", "1-", "-1", "1,,2", "1.5"])
def test_malformed_seeds_are_refused(text):
    with pytest.raises(UserError, match="--seeds"):
        command_line.parse_seeds(text)
