"""ONNX files give the scores of stage 2, in onnxruntime and without PyTorch."""

import importlib.util
import io
import json
import subprocess
import sys
from contextlib import redirect_stdout

import pytest
import torch

import trained_corpus
from afn.common import record
from afn.common.errors import UserError
from afn.common.paths import ROOT
from afn.experiment import export
from afn.metrics import eer, score_files
from afn.systems.neural.embedding_gaussians import EmbeddingGaussians
from afn.systems.neural.light_cnn import OriginalLightCNN
from afn.systems.neural.statistics_pooling import StatisticsPoolingCNN
from afn.systems.protocol import Exportable
from trained_corpus import FRAMES, LABELS, folders, record_training

EXAMPLE = ROOT / "examples" / "score_without_torch.py"


@pytest.fixture(scope="module")
def tree(tmp_path_factory, golden):
    return trained_corpus.trained(tmp_path_factory.getbasetemp(), golden)


def run(tree, seed):
    """Export a seed of the trained corpus; returns what was said."""
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()) as said:
        patch.setattr(sys, "argv", ["export.py", "--system", "lcnn", "--seed", str(seed), *folders(tree)])
        export.main()
    return said.getvalue()


@pytest.fixture(scope="module")
def packages():
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name, reason=f"{name} is not installed: pip install -r requirements-export.txt")


@pytest.fixture(scope="module")
def exported(packages, tree):
    """The file of seed 2, and what was said when it was made."""
    said = run(tree, 2)
    return tree / "exp" / "mine" / "lcnn" / "seed2" / export.MODEL, said


@pytest.fixture
def model(tree):
    """Where the file of seed 1 goes; it is not there."""
    return tree / "exp" / "mine" / "lcnn" / "seed1" / export.MODEL


def test_an_exported_network_gives_the_scores_of_stage_2_without_pytorch(exported, tree, golden):
    import onnxruntime

    model, said = exported
    assert "of PyTorch's scores" in said
    session = onnxruntime.InferenceSession(model)
    (given,), (output,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.shape[1:], given.type) == ("spectrogram", [1, 257, FRAMES], "tensor(float)")
    assert isinstance(given.shape[0], str) and output.name == "score"  # the batch has any size
    about = session.get_modelmeta().custom_metadata_map
    theirs = score_files.read(model.parent / "scores" / "dev.txt")
    assert float(about["threshold"]) == eer.official_threshold(*score_files.join(theirs, LABELS))
    assert (about["title"], about["seed"], about["frames"], about["bins"]) == ("LCNN", "2", str(FRAMES), "257")
    features = tree / "data" / "mine" / "dev" / "spectrogram"
    assert json.loads(about["features"]) == record.read(features)["identity"]["features"]
    assert "mean of the sigmoids" in about["several_seeds"]
    assert str(ROOT).encode() not in model.read_bytes()  # PyTorch notes where its source lies

    blocked = "import runpy, sys; sys.modules['torch'] = None; runpy.run_path(sys.argv[0], run_name='__main__')"
    for utt in ("g01_male_us", "g03_short030"):  # of the first, which is long, the first frames, as stage 2
        arguments = [str(EXAMPLE), str(model), str(golden / f"{utt}.wav")]
        code = f"import sys; sys.argv = {arguments!r}; {blocked}"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        score = float(done.stdout.split("score ")[1].split(",")[0])
        assert score == pytest.approx(theirs[utt], abs=1e-4 + 5e-5)
        if abs(theirs[utt] - float(about["threshold"])) > 1e-3:  # which is the score of one of the four
            decision = "genuine" if theirs[utt] > float(about["threshold"]) else "replayed"
            assert done.stdout.endswith(f": {decision}\n")


def test_a_file_that_disagrees_with_pytorch_is_not_kept(exported, tree, model, monkeypatch):
    import onnx

    monkeypatch.setattr(export, "converted", lambda *_: onnx.load(exported[0]))  # of the other seed
    compared = export.difference
    for difference in (compared, lambda *_: 2e-4, lambda *_: float("nan")):
        monkeypatch.setattr(export, "difference", difference)
        with pytest.raises(UserError, match=r"model\.onnx: not written, for its scores are off PyTorch's by"):
            run(tree, 1)
        assert not model.exists() and not list(model.parent.glob(".*"))


def test_gaussians_on_embeddings_are_exported_too(packages):
    torch.manual_seed(3)
    scorer = EmbeddingGaussians(OriginalLightCNN(bins=32, frames=40), 32)
    lower = 0.1 * torch.randn(2, 32, 32, dtype=torch.float64).tril(-1) + torch.eye(32)
    scorer.means.copy_(torch.randn(2, 32))
    scorer.factors.copy_(lower)
    plain = scorer.plain()
    x = torch.randn(3, 1, 32, 40)
    with torch.inference_mode():
        torch.testing.assert_close(plain(x), scorer.eval()(x), rtol=1e-9, atol=1e-9)
    found = Exportable(plain.eval(), bins=32, frames=40)
    assert export.difference(found, export.converted(found).SerializeToString(), 1) < 1e-4


def test_a_network_for_any_length_is_exported_for_any_length(packages):
    torch.manual_seed(1)
    found = Exportable(StatisticsPoolingCNN([4, 4], [(4, 2), (2, 2)], 8).eval(), 257, None)
    content = export.converted(found).SerializeToString()
    for frames in (1, 40, 300):
        assert export.difference(found._replace(frames=frames), content, 1) < 1e-4


def test_missing_packages_are_named_in_one_line(tree, model, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"onnx and onnxscript missing; pip install -r requirements-export\.txt"):
        run(tree, 1)
    assert not model.exists()


def test_other_systems_are_refused(tree, tmp_path, monkeypatch):
    directory = tmp_path / "exp" / "mine" / "cqcc_gmm" / "seed1"
    record_training(directory, "cqcc_gmm")
    record.write(directory / "scores", {"identity": {}})
    monkeypatch.setattr(sys, "argv", ["export.py", "--experiment", str(directory)])
    with pytest.raises(UserError, match="CQCC-GMM.*: is not a neural network"):
        export.main()
