"""YAML files as models: inheritance, overrides, numbers that are what they look like, one clear line per mistake."""

from typing import Annotated, Any, Literal, Self

import pytest
import yaml
from pydantic import Field, PositiveInt, model_validator

from afn.common import config
from afn.common.config import Ends, Execution, Presentation, Range, Settings
from afn.common.errors import UserError
from afn.common.paths import ROOT
from afn.experiment import command_line
from afn.systems import registry


class Cat(Settings):
    kind: Literal["cat"]
    lives: PositiveInt = 9


class Dog(Settings):
    kind: Literal["dog"]
    tricks: list[str] = []


class Home(Settings):
    name: str
    title: Presentation[str] = ""
    rent: Execution[float] = 1.5
    heated: bool = True
    rooms: Ends[Annotated[float, Field(ge=0, le=9)]] = (1.0, 2.0)
    hours: Range[float] = (0.0, 24.0)
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    keys: dict[str, int] = {}
    members: Annotated[list[str], Field(min_length=2)] | Literal["all"] = "all"
    code: Annotated[str, Field(min_length=1)] = "-"
    extra: dict[str, Any] = {}

    @model_validator(mode="after")
    def _affordable(self) -> Self:
        if self.rent < 0:
            raise ValueError(f"rent: {self.rent} may not be negative")
        return self


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return tmp_path / name

    return write


def test_values_nest_choose_by_kind_are_dumped_and_have_groups(write):
    text = "name: 'ä: x'\nrent: 2\nrooms: [3, 4]\npet: {kind: dog, tricks: ['1e5']}\nkeys: {'010': 1}\ntitle: X\n"
    home = config.load(Home, write("a.yaml", text))
    pet = Dog(kind="dog", tricks=["1e5"])
    assert home == Home(name="ä: x", rent=2.0, rooms=(3.0, 4.0), pet=pet, keys={"010": 1}, title="X")
    assert config.load(Home, write("b.yaml", config.dump(config.plain(home)))) == home
    groups = config.groups(home)
    assert groups["execution"] == {"rent": 2.0} and groups["presentation"] == {"title": "X"}
    assert groups["identity"]["pet"] == {"kind": "dog", "tricks": ["1e5"]}
    assert config.plain(home).keys() == {key for group in groups.values() for key in group}
    assert isinstance(home.rent, float) and home.replace(rent=3).rent == 3.0
    with pytest.raises(ValueError, match="frozen"):
        home.rent = 1.0
    with pytest.raises(ValueError, match="may not be negative"):
        home.replace(rent=-1)


def test_extends_and_overrides_state_only_the_difference(write, tmp_path):
    write("base.yaml", "name: x\nrent: 2\npet: {kind: cat, lives: 7}\n")
    write("middle.yaml", "extends: base.yaml\npet: {lives: 3}\n")
    home = config.load(Home, write("top.yaml", "extends: middle.yaml\nrent: 5\n"))
    assert home == Home(name="x", rent=5.0, pet=Cat(kind="cat", lives=3))
    dog = config.load(Home, write("dog.yaml", "extends: base.yaml\npet: {kind: dog}\n"))  # replaces all of the cat
    assert dog.pet == Dog(kind="dog")
    changed = config.load(Home, tmp_path / "base.yaml", ["pet.lives=2", "rent=0.5", "heated=false"])
    assert changed == Home(name="x", rent=0.5, heated=False, pet=Cat(kind="cat", lives=2))
    for wrong in ("rent", "=1", ".a=1", "a.=1", "rent=[1"):
        with pytest.raises(UserError, match="--set"):
            config.load(Home, tmp_path / "base.yaml", [wrong])


SCALARS = {  # by YAML 1.1, which is refused: 8, 90, 1000, 16, True, True, a date
    "010": "010", "1:30": "1:30", "1_000": "1_000", "0x10": "0x10", "on": "on", "yes": "yes",
    "2017-01-01": "2017-01-01", "10": 10, "-3": -3, "1e-3": 0.001, "1.": 1.0, ".5": 0.5, "+1.5E3": 1500.0,
    ".inf": float("inf"),
    "true": True, "False": False, "~": None, "null": None, "": None, "'1e-3'": "1e-3", '"true"': "true",
}  # fmt: skip


def test_scalars_are_what_they_look_like(write):
    for text, value in SCALARS.items():
        found = config.read(write("a.yaml", f"key: {text}\n"))["key"]
        assert found == value and type(found) is type(value), text
        assert config.read(write("b.yaml", config.dump({"key": value, "on": text}))) == {"key": value, "on": text}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("name: x\nrentt: 1\n", r"unknown key rentt\. Did you mean rent\?"),
        ("name: x\npet: {kind: cat, live: 1}\n", r"unknown key pet\.live\. Did you mean pet\.lives\?"),
        ("rent: 1\n", r"name is missing\. Add it\."),
        ("name: 5\n", r"name: 5 must be text \(quote it\)"),
        ("name: x\nrent: much\n", "rent: 'much' must be a number"),
        ("name: x\nrent: .nan\n", "rent: nan must be a finite number"),
        ("name: x\nheated: 1\n", "heated: 1 must be true or false"),
        ("name: x\nkeys: {a: 010}\n", r"keys\.a: '010' must be a whole number"),
        ("name: x\nrooms: [1]\n", r"rooms: \[1\] must be a list of two"),
        ("name: x\nrooms: [1, -1]\n", r"rooms\[1\]: -1 must be at least 0"),
        ("name: x\nhours: [1, 0]\n", r"hours: \[1, 0\] must be in ascending order"),
        ("name: x\npet: {kind: catt}\n", "pet.kind: 'catt' must be one of: cat, dog. Did you mean cat"),
        ("name: x\npet: {lives: 1}\n", "pet.kind is missing. Give one of: cat, dog"),
        ("name: x\npet: {kind: cat, lives: 1.5}\n", "pet.lives: 1.5 must be a whole number"),
        ("name: x\npet: {kind: cat, lives: 0}\n", "pet.lives: 0 must be above 0"),
        (f"name: x\npet: {{kind: cat, lives: {10**30}}}\n", "pet.lives: 1e.30 must be .* at most fifteen digits"),
        ("name: x\nmembers: [a]\n", r"members: \['a'\] must be a list of 2 or more or one of: all"),
        ("name: x\ncode: ''\n", "code: '' must be .* at least 1 character"),
        ("name: x\nextra: 5\n", "extra: 5 must be `key: value` lines"),
        ("name: x\nrent: -1\n", "rent: -1.0 may not be negative"),
        ("- x\n", "must have `key: value`"),
        ("name: [x\n", "not a YAML file"),
        ("name: x\nname: y\n", "name is given twice, line 2"),
        ("a: &a [x]\nb: *a\n", "an alias .* line 1; write the value out"),
        ("name: !!int 5\n", "a tag .* line 1; leave it out"),
        ("name: ä\n".encode("latin-1"), r"not a text file in UTF-8\. Save it as UTF-8"),
        ("extends: none.yaml\n", "none.yaml: no such file; choose one of: a.yaml"),
        ("extends: a.yaml\n", "circle"),
        ("extends: [b]\n", "must be the name of a file"),
    ],
)
def test_mistakes_are_named_with_file_and_fix(write, text, complaint):
    with pytest.raises(UserError, match=complaint) as error:
        config.load(Home, write("a.yaml", text))
    assert ".yaml" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("path", sorted((ROOT / "conf" / "systems").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_system_that_we_ship_is_read_alike_by_yaml_1_1(path):
    settings = config.load(registry.settings_type(), path)
    assert settings.title and settings.kind == config.read(path)["kind"]
    assert config.layers(path)[-1][1] == {k: v for k, v in yaml.safe_load(path.read_text()).items() if k != "extends"}


def test_a_system_cannot_have_the_folder_of_fused_scores(write):
    path = write("fusion.yaml", f"extends: {ROOT / 'conf' / 'systems' / 'drn.yaml'}\n")
    options = command_line.arguments("").parse_args(["--system", str(path)])
    with pytest.raises(UserError, match="fused scores have the folder fusion. Give the system's YAML another name"):
        command_line.from_arguments(options)


def test_seeds_are_listed_in_ascending_order():
    seeds = {"1": (1,), "1-3": (1, 2, 3), "5,1-2": (1, 2, 5), "0": (0,), "2,2": (2,)}
    assert {text: command_line.parse_seeds(text) for text in seeds} == seeds
    for wrong in ("", "a", "3-1", "1-", "-1", "1,,2", "1.5"):
        with pytest.raises(UserError, match="--seeds"):
            command_line.parse_seeds(wrong)
