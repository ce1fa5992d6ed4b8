"""Which folders of exp/<corpus> are systems."""

import shutil

import made_up_corpus
from afn.common import owned
from afn.common.paths import ROOT
from afn.experiment import results_tree


def test_a_copy_that_was_put_aside_is_no_system_and_is_named(tmp_path, capsys):
    tree = made_up_corpus.Tree(tmp_path)
    owned.claim(tree.exp / "afn")
    tree.system("afn", 1.5, seeds=(1,))
    for copy in ("afn.bak", "drn"):  # a name of no YAML, and another system's
        shutil.copytree(tree.exp / "afn", tree.exp / copy)
    found = results_tree.find(tree.exp, ROOT / "conf" / "systems")
    assert [experiment.name for experiment in found if experiment.files] == ["afn"]
    assert "left out: afn.bak, drn\n" in capsys.readouterr().out
