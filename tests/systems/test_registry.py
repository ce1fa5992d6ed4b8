"""Families of systems: found by the kind in a YAML, complete behind one interface."""

import subprocess
import sys

import numpy as np
import pytest

from afn.common import config, record
from afn.common.errors import UserError
from afn.common.paths import ROOT
from afn.experiment import rows
from afn.systems import device as devices
from afn.systems import registry
from afn.systems.neural.system import NeuralSystem
from afn.systems.protocol import System

ROWS = rows.rows("all")


def settings(name, *assignments):
    return config.load(registry.settings_type(), ROOT / "conf" / "systems" / f"{name}.yaml", assignments)


def test_every_row_belongs_to_a_family_and_says_how_seeds_are_averaged():
    for name in ROWS:
        family = registry.system_class(settings(name))
        assert issubclass(family, System) and not family.__abstractmethods__, name
        assert family.averages in ("sigmoids", "scores"), name


def test_an_unknown_kind_is_refused_with_the_known_ones(tmp_path):
    (tmp_path / "row.yaml").write_text("kind: neurall\n")
    with pytest.raises(UserError, match="neurall.*neural"):
        config.load(registry.settings_type(), tmp_path / "row.yaml")


def test_reading_settings_needs_no_pytorch():
    code = (
        "import sys; import afn.systems.gmm, afn.systems.ivector; from afn.systems import registry; "
        "registry.settings_type(); sys.exit('torch' in sys.modules or 'matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("name", ROWS)
def test_an_identity_holds_neither_the_features_nor_what_changes_no_number(name):
    found = record.flat(registry.system_class(settings(name)).identity(settings(name)))
    assert found
    for key in ("title", "paper", "features", "checkpoint_minutes"):
        assert not any(key in path.split(".") for path in found), key


def test_another_model_or_recipe_is_another_identity_but_not_a_title_or_a_checkpoint_interval():
    for assignment in ("model.residual=false", "train.epochs=3", "train.compile=true"):
        assert NeuralSystem.identity(settings("afn", assignment)) != NeuralSystem.identity(settings("afn"))
    precision = NeuralSystem.identity(settings("afn"))["train"]["precision"]
    assert precision == devices.resolved("auto") != "auto"  # the arithmetic of this machine
    other = settings("afn", "title=mine", "paper.note=new", "train.checkpoint_minutes=1")
    assert NeuralSystem.identity(other) == NeuralSystem.identity(settings("afn"))


@pytest.mark.parametrize("name", ["drn", "cqcc_gmm", "ernn"])
def test_a_system_without_attention_refuses_to_attend(name):
    of = settings(name)
    with pytest.raises(UserError, match=f"{of.title.split('(')[0]}.*no attention mask"):
        registry.build(of, 1).attend(np.zeros((3, 3), np.float32))
