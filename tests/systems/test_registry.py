"""Families of systems: found by the kind in a YAML, complete behind one interface."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from afn.common import config
from afn.common.errors import UserError
from afn.common.paths import ROOT
from afn.experiment import rows
from afn.systems import device as devices
from afn.systems import em, registry
from afn.systems.neural.system import NeuralSystem
from afn.systems.protocol import System
from afn.systems.subset import Subset

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
        "import sys; from afn.systems import registry; from afn.systems.gmm import __name__; "
        "registry.settings_type(); sys.exit('torch' in sys.modules or 'matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_mixture_is_importable_from_its_family():
    from afn.systems.gmm import DiagonalGMM
    from afn.systems.gmm.models import DiagonalGMM as defined

    assert DiagonalGMM is defined
    with pytest.raises(ImportError):
        exec("from afn.systems.gmm import TriangularGMM")


@pytest.mark.parametrize("name", ROWS)
def test_an_identity_holds_neither_the_features_nor_what_changes_no_number(name):
    found = flat(registry.system_class(settings(name)).identity(settings(name)))
    assert found
    for key in ("title", "paper", "features", "checkpoint_minutes"):
        assert not any(key in path.split(".") for path in found), key


@pytest.mark.parametrize("name", ROWS)
def test_a_system_names_the_width_of_its_input_or_takes_any(name):
    of = settings(name)
    assert registry.build(of, 1).frames == (of.model.frames if of.kind == "neural" else None)


@pytest.mark.parametrize(
    ("bfloat16", "wanted", "resolved"),
    [(False, "auto", "float32"), (True, "auto", "bfloat16"), (True, "float32", "float32")],
)
def test_a_networks_identity_holds_the_arithmetic_of_this_machine(bfloat16, wanted, resolved, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: bfloat16)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    of = settings("afn", f"train.precision={wanted}")
    assert NeuralSystem.identity(of)["train"]["precision"] == resolved
    assert devices.resolved(of.train.precision) == resolved


@pytest.mark.parametrize("assignment", ["model.residual=false", "train.epochs=3", "train.compile=true"])
def test_another_model_or_recipe_is_another_identity(assignment):
    assert NeuralSystem.identity(settings("afn", assignment)) != NeuralSystem.identity(settings("afn"))


def test_titles_and_checkpoint_intervals_are_no_identity():
    other = settings("afn", "title=mine", "paper.note=new", "train.checkpoint_minutes=1")
    assert NeuralSystem.identity(other) == NeuralSystem.identity(settings("afn"))


@pytest.mark.parametrize("name", ["drn", "cqcc_gmm", "ernn"])
def test_a_system_without_attention_refuses_to_attend(name):
    of = settings(name)
    with pytest.raises(UserError, match=f"{of.title.split('(')[0]}.*no attention mask"):
        registry.build(of, 1).attend(np.zeros((3, 3), np.float32))


@pytest.mark.parametrize("name", ["cqcc_gmm", "ernn"])
def test_only_networks_are_exported(name):
    of = settings(name)
    with pytest.raises(UserError, match=f"{of.title}: is not a neural network"):
        registry.build(of, 1).exportable()


def test_ids_that_train_and_dev_share_are_refused_before_they_overwrite_each_other():
    train, dev = (Subset(name, {"u1": "genuine", name: "spoof"}, {"u1": [], name: []}) for name in ("train", "dev"))
    with pytest.raises(UserError, match="u1: in both train and dev.*stage -2"):
        em.pooled("train+dev", train, dev)
    assert em.pooled("train", train, dev) is train


def test_pooling_takes_all_utterances_of_both():
    train = Subset("train", {"a": "genuine"}, {"a": [1]}, {"a": "A"})
    dev = Subset("dev", {"b": "spoof"}, {"b": [2]}, {"b": "B"})
    both = em.pooled("train+dev", train, dev)
    assert (both.labels, both.features) == ({"a": "genuine", "b": "spoof"}, {"a": [1], "b": [2]})
    assert both.speakers == {"a": "A", "b": "B"}


def flat(values, prefix=""):
    """The dotted names of nested mappings."""
    names = []
    for key, value in values.items():
        names += flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [f"{prefix}{key}"]
    return names
