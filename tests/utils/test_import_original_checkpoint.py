"""Checkpoints of the original repository become trained seeds that give the original's scores, or are refused."""

import json
import pickle
import sys
from collections import OrderedDict
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import golden_weights
import import_original_checkpoint as tool
import trained_corpus
from afn.common.errors import UserError
from afn.experiment import command_line, finished, locks
from afn.metrics import score_files
from afn.systems.neural.attentive_filtering import AttentiveFilteringNetwork
from afn.systems.neural.dilated_resnet import DilatedResNet
from afn.systems.neural.light_cnn import LightCNN, OriginalLightCNN
from stages import Pipeline, overrides

# The layers of the original classes in the order of their first use in `forward`.
CLASSIFIER = """cnn1 bn1 cnn2 bn2 cnn3 cnn4 bn3 cnn5 bn4 cnn6 cnn7 bn5 cnn8 bn6 cnn9 cnn10 bn12 cnn11 bn13 cnn12 cnn13
    bn14 cnn14 bn15 cnn15 cnn16 ln1 bn7 ln2 bn8 ln3 bn9 ln4 bn10 ln5 bn11 ln6"""
ATTENTION = """pre.0 pre.1 pre.3 pre.4 att1.0 att1.1 skip1.0 skip1.1 att2.0 att2.1 skip2.0 skip2.1 att3.0 att3.1
    skip3.0 skip3.1 att4.0 att4.1 skip4.0 skip4.1 att5.0 att5.1 att5.3 att5.4 att6.0 att6.1 att7.0 att7.1 att8.0 att8.1
    att9.0 att9.1 conv1.0 conv1.2 conv1.3 conv1.5"""
LCNN = """features.0.filter features.2.conv_a.filter features.2.conv.filter features.4.conv_a.filter
    features.4.conv.filter features.6.conv_a.filter features.6.conv.filter features.8.conv_a.filter
    features.8.conv.filter fc1.filter fc2"""
NETWORKS = {
    "attentive_filtering/sigmoid": (AttentiveFilteringNetwork, f"{ATTENTION} {CLASSIFIER}"),
    "dilated_resnet/relu": (DilatedResNet, CLASSIFIER),
    "light_cnn/reduced": (LightCNN, LCNN),
}


def original(model, names):
    """The state dict of the original's class, filled by the golden rule, as PyTorch 0.4.0 had it."""
    golden_weights.fill(layers := golden_weights.layers_in_order(model, torch.zeros(1, 1, 257, model.frames)))
    return OrderedDict(
        (f"{name}.{key}", tensor.float())
        for name, layer in zip(names.split(), layers, strict=True)
        for key, tensor in layer.state_dict(prefix="").items()
        if key.rpartition(".")[2] != "num_batches_tracked"
    )


def lcnn(frames=250):
    return original(LightCNN(frames), LCNN)


def save(path, state, **more):
    content = {"epoch": 7, "best_eer": 0.0655, "state_dict": state, "validation_loss": 0.2, "optimizer": {}, **more}
    torch.save(content, path, _use_new_zipfile_serialization=False)
    return path


@pytest.fixture
def run(tmp_path, monkeypatch):
    def call(*arguments):
        command = ["import", "--data", tmp_path / "data", "--exp", tmp_path / "exp", "--system", "lcnn", *arguments]
        monkeypatch.setattr(sys, "argv", [*map(str, command), *overrides("model.frames=250")])
        tool.main()

    return call


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_the_original_weights_give_the_original_score(tmp_path, golden, name):
    build, names = NETWORKS[name]
    path = save(tmp_path / "x.pth", original(build(), names), best_eer=np.float64(6.5))
    model = build()
    found = tool.original_names(model)
    assert sorted(found) == sorted(names.split())
    assert sorted(found.values()) == sorted(n[:-5] for n, _ in model.named_parameters() if n.endswith(".bias"))
    model.load_state_dict(tool.weights(path, model))
    with torch.inference_mode():
        given = model.eval()(golden_weights.wave_input(1).float()).sigmoid().item()
    theirs = json.loads((golden / "networks.json").read_text())["models"][name]["rule_R"]["float64"]["score"]
    assert given == pytest.approx(theirs, abs=5e-6)


class Python2(pickle._Pickler):
    """Pickles as PyTorch 0.4 under Python 2 did on a GPU: byte strings, storages of the GPU."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_text(self, text):
        content = b"cuda:0" if text == "cpu" else text.encode()
        self.write(pickle.SHORT_BINSTRING + bytes([len(content)]) + content)
        self.memoize(text)

    dispatch[str] = save_text


def test_what_python_2_saved_on_a_gpu_in_parallel_is_read(tmp_path):
    state, path = lcnn(), tmp_path / "x.pth"
    parallel = OrderedDict((f"module.{name}", tensor) for name, tensor in state.items())
    writer = SimpleNamespace(
        __name__="Python 2", Pickler=Python2, dump=lambda x, *to, **more: Python2(*to, **more).dump(x)
    )
    torch.save({"state_dict": parallel}, path, writer, 2, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes().replace(b"ctorch\nFloatStorage\n", b"ctorch.cuda\nFloatStorage\n"))
    assert b"cuda:0" in path.read_bytes() and b"U\x0astate_dict" in path.read_bytes()
    model = LightCNN(250)
    for name, tensor in tool.weights(path, model).items():
        places = {ours: theirs for theirs, ours in tool.original_names(model).items()}
        layer, _, key = name.rpartition(".")
        torch.testing.assert_close(tensor, state[f"{places[layer]}.{key}"], rtol=0, atol=0)


BROKEN = [
    ({"fc2.bias": None, "fc1.filter.bias": None}, r"fc1.filter.bias \(and 1 more\) are missing"),
    ({"fc3.weight": torch.zeros(1)}, "fc3.weight is unknown to this network"),
    ({"fc1.filter.bias": torch.zeros(3)}, r"fc1.filter.bias is 3, this network has \d+"),
    ({"fc2.bias": 3.0}, "fc2.bias is float, this network has 1"),
    ({"fc2.bias": torch.zeros(1, dtype=torch.complex64)}, "fc2.bias has the type complex64, not float"),
    ({"fc2.bias": torch.tensor([torch.nan])}, "fc2.bias holds NaN or infinity"),
]


@pytest.mark.parametrize(("change", "words"), BROKEN)
def test_what_does_not_fit_is_refused_by_name_and_nothing_is_written(run, tmp_path, change, words):
    state = {name: tensor for name, tensor in {**lcnn(), **change}.items() if tensor is not None}
    with pytest.raises(UserError, match=rf"x\.pth: .*{words}"):
        run(save(tmp_path / "x.pth", state))
    assert not (tmp_path / "exp").exists()


def test_weights_of_another_network_are_refused(tmp_path):
    path = save(tmp_path / "x.pth", original(DilatedResNet(frames=904), CLASSIFIER))
    with pytest.raises(UserError, match=r"pre\.0\.weight \(and \d+ more\) are missing. Choose the --system"):
        tool.weights(path, AttentiveFilteringNetwork(frames=904))
    with pytest.raises(UserError, match=r"ln1\.weight is 32 × \d+, this network has 32 × 768"):
        tool.weights(path, DilatedResNet())
    with pytest.raises(UserError, match="the original repository has no such network"):
        tool.weights(path, OriginalLightCNN())


def test_a_checkpoint_of_weights_alone_is_taken_and_its_code_is_not_run(tmp_path):
    torch.save(lcnn(), tmp_path / "alone.pth")
    torch.testing.assert_close(tool.weights(tmp_path / "alone.pth", LightCNN(250))["head.bias"], lcnn()["fc2.bias"])
    with pytest.raises(UserError, match=r"x\.pth: .* plain values: it also holds print\. Use another file"):
        tool.weights(save(tmp_path / "x.pth", lcnn(), extra=print), LightCNN(250))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "values: it is empty. Use another file"),
        (b"no checkpoint", "not a checkpoint of tensors and plain values: it is damaged or another kind of file. Use"),
        (b"<!DOCTYPE html><title>Virus scan warning</title>", "values: it is a web page. Use another file"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "values: it is a pointer of Git LFS, not the file itself"),
        (None, "no such checkpoint"),
        ([1], "holds no `state_dict`"),
        ({"model": {}}, "holds no `state_dict`"),
    ],
)
def test_what_is_no_checkpoint_is_refused(tmp_path, content, words):
    path = tmp_path / "x.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(UserError, match=rf"x\.pth: .*{words}"):
        tool.weights(path, LightCNN(250))


def test_an_imported_seed_is_a_trained_one(run, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(locks, "PATIENCE", 0.2)
    paths = [save(tmp_path / f"{n}.pth", lcnn()) for n in (1, 2)]
    run("--seeds", "3,5", *paths)
    said = capsys.readouterr().out
    assert f"next: ./run.sh --data {tmp_path}/data --exp {tmp_path}/exp --system lcnn --seeds 3,5 --set model" in said
    assert "=250 1 3\n" in said
    options = command_line.Parser()
    finished.add_options(options)
    found = finished.find(options.parse_args(["--system", "lcnn", "--exp", str(tmp_path / "exp")]))
    assert (found.layout.corpus, found.seeds, found.trained[5].settings.model.frames) == ("simulated", [3, 5], 250)
    with pytest.raises(UserError, match=r"seed3: exists\. Choose other --seeds"):
        run("--seeds", "3", paths[0])
    with pytest.raises(UserError, match="--seeds: 1 given for 2 checkpoints"):
        run(*paths)
    with locks.hold(found.layout.seed("lcnn", 3)), pytest.raises(UserError, match="seed3: .* is at work here"):
        run("--seeds", "3", "--force", paths[0])
    run("--seeds", "3", "--force", paths[0])


def test_stages_1_to_3_take_it(tmp_path, tmp_path_factory, golden, monkeypatch, capsys):
    tree = trained_corpus.trained(tmp_path_factory.getbasetemp(), golden)
    path = save(tmp_path / "x.pth", lcnn(trained_corpus.FRAMES))
    with Pipeline(tree, tree / "mine.yaml", *trained_corpus.ROW, "--seeds", "4").restored() as pipeline:
        monkeypatch.setattr(sys, "argv", pipeline.arguments(0, path))
        tool.main()
        pipeline.run((1, 2, 3))
        said = capsys.readouterr().out
        assert "nothing to draw" in said and "seed 1 is left out: it was trained with" in said  # not averaged with 4
        found = score_files.read(pipeline.exp / "mine" / "lcnn" / "seed4" / "scores" / "eval.txt")
        assert {utt.removeprefix("eval_") for utt in found} == trained_corpus.LABELS.keys()
        assert "| LCNN |" in (pipeline.exp / "mine" / "RESULTS.md").read_text()
