"""The networks against the authors' own code, run under PyTorch 2 in float64 with weights filled by a rule."""

import json

import pytest
import torch
from torch import nn
from torch.nn import functional

import golden_weights
from afn.common import config
from afn.common.paths import ROOT
from afn.systems.neural.attentive_filtering import AttentiveFilteringNetwork
from afn.systems.neural.batches import Tiled
from afn.systems.neural.dilated_resnet import DilatedResNet
from afn.systems.neural.light_cnn import LightCNN
from afn.systems.neural.settings import Neural
from afn.systems.neural.training import Trainer
from afn.systems.subset import Subset

NETWORKS = {
    "attentive_filtering/sigmoid": lambda: AttentiveFilteringNetwork("sigmoid"),
    "attentive_filtering/softmaxF": lambda: AttentiveFilteringNetwork("softmaxF"),
    "attentive_filtering/softmaxF/temperature=10": lambda: AttentiveFilteringNetwork("softmaxF", temperature=10.0),
    "dilated_resnet/relu": lambda: DilatedResNet("relu"),
    "light_cnn/reduced": LightCNN,
}
# In float64 the larger ones take seconds.
NAMES = [pytest.param(name, marks=[pytest.mark.slow] * name.startswith("attentive")) for name in NETWORKS]


@pytest.fixture(scope="module")
def numbers(golden):
    return json.loads((golden / "networks.json").read_text())


def filled(name: str) -> tuple[nn.Module, list[nn.Module]]:
    model = NETWORKS[name]()
    layers = golden_weights.layers_in_order(model, golden_weights.wave_input(1).float())
    model.double()
    golden_weights.fill(layers)
    return model, layers


def close(ours, theirs, tolerance=1e-9):
    torch.testing.assert_close(
        torch.as_tensor(ours, dtype=torch.float64), torch.as_tensor(theirs, dtype=torch.float64), rtol=0, atol=tolerance
    )


def test_the_input_is_the_golden_one(numbers):
    x = golden_weights.wave_input(1)
    theirs = [numbers["input"][k] for k in ("mean", "std_pop", "x[100,1000]")]
    close([x.mean(), x.std(correction=0), x[0, 0, 100, 1000]], theirs)


@pytest.mark.parametrize("name", NAMES)
def test_scores_layers_and_attention_are_the_authors(numbers, name):
    theirs = numbers["models"][name]["rule_R"]["float64"]
    model, layers = filled(name)
    seen = {}
    for layer in layers:
        # .item() at once: the activation that follows works in place
        layer.register_forward_hook(
            lambda layer, _, out: seen.update({layer: (out.mean().item(), out.std(correction=0).item())})
        )
    model.eval()
    x = golden_weights.wave_input(1)
    with torch.no_grad():
        if "attention" in theirs:
            mask = model.attend(x)
            attention(mask, theirs["attention"], numbers["sample_points_f_t"])
            logit = model.classifier(model.filter(x, mask))  # as `forward`, which would compute the mask again
        else:
            logit = model(x)
        assert logit.shape == (1,)
        close(logit.item(), theirs["logit"])
        close(logit.sigmoid().item(), theirs["score"])
        assert len(layers) == len(theirs["stages_mean_std"])
        close([seen[layer] for layer in layers], [row[1:] for row in theirs["stages_mean_std"]])


def attention(mask, theirs, points):
    assert mask.shape == (1, 1, 257, 1091)
    mask = mask[0, 0]
    ours = [mask.mean(), mask.std(correction=0), mask.min(), mask.max()]
    close(ours, [theirs[k] for k in ("mean", "std_pop", "min", "max")])
    close([mask[0, 0], mask[0, -1], mask[-1, 0], mask[-1, -1]], theirs["corners_00_0T_F0_FT"])
    close([mask[f, t] for f, t in points], theirs["samples"])
    close(mask.sum(0), theirs["sum_over_F"])
    close(mask.sum(1), theirs["sum_over_T"])


@pytest.mark.parametrize("name", NAMES)
def test_float32_stays_near_float64(numbers, name):
    model, _ = filled(name)
    model = model.float().eval().to(memory_format=torch.channels_last)
    with torch.no_grad():
        score = model(golden_weights.wave_input(1).float()).sigmoid().item()
    assert score == pytest.approx(numbers["models"][name]["rule_R"]["float64"]["score"], abs=5e-6)


# The attention network, which contains the dilated residual network, would take minutes and 15 GB in float64. In
# float32, channels-last, its first loss is 8e-5 off, and its second one, which the first step decides, 2e-3.
STEPS = [
    ("light_cnn/reduced", torch.float64, 3, (1e-9, 1e-9)),
    ("attentive_filtering/sigmoid", torch.float32, 1, (2e-4, 5e-3)),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "dtype", "steps", "tolerances"), STEPS, ids=[name for name, *_ in STEPS])
def test_training_steps_are_the_authors(numbers, name, dtype, steps, tolerances, tmp_path):
    theirs = numbers["models"][name]["train_rule_R_float64"]
    model, layers = filled(name)
    model.to(dtype)
    x, y = golden_weights.wave_input(4).to(dtype), torch.tensor([1, 0, 1, 0], dtype=dtype)
    utterances = {f"u{place}": matrix.T.numpy() for place, matrix in enumerate(x[:, 0])}
    subset = Subset("train", dict(zip(utterances, ("genuine", "spoof") * 2, strict=True)), utterances)
    tiled = Tiled(subset, 1091, 257)
    # In float32: no autocast, so that a float64 network stays one.
    recipe = config.load(Neural, ROOT / "conf" / "systems" / "afn.yaml", ["train.precision=float32"]).train
    trainer = Trainer(model, tiled, tiled, recipe, 1, tmp_path)
    model.train()
    losses = [trainer.step(x, y) for _ in range(steps)]
    with torch.no_grad():
        losses.append(functional.binary_cross_entropy_with_logits(model(x), y).item())
    close(losses[:1], theirs["loss"][:1], tolerances[0])
    close(losses[1:], theirs["loss"][1 : steps + 1], tolerances[1])
    if dtype == torch.float64:
        weights = [[layer.weight.norm().item(), layer.bias.norm().item()] for layer in layers]
        # Where a gradient is nearly zero Adam divides rounding noise by rounding noise.
        close(weights, theirs["weight_l2_after"], 1e-7)
        with torch.no_grad():
            close(model.eval()(x).sigmoid(), theirs["eval_scores_after"], 1e-8)
