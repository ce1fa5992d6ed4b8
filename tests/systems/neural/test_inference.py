"""Networks made ready for scoring: the scores stay."""

import copy

import pytest
import torch
from torch import nn

from afn.systems.neural.attentive_filtering import AttentiveFilteringNetwork
from afn.systems.neural.dilated_resnet import DilatedResNet
from afn.systems.neural.inference import AxisMaxPool, for_scoring
from afn.systems.neural.light_cnn import LightCNN

NETWORKS = {
    "sigmoid": lambda: AttentiveFilteringNetwork(channels=4, frames=904),
    "softmaxT": lambda: AttentiveFilteringNetwork("softmaxT", channels=4, frames=904),
    "relu": lambda: DilatedResNet(frames=904),
    "elu": lambda: DilatedResNet("elu", frames=904),
    "light": lambda: LightCNN(frames=200),
}


def trained(name):
    """A network whose batch norms have seen data and have other weights than at first."""
    torch.manual_seed(3)
    model = NETWORKS[name]()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.3)
            layer.running_var.uniform_(0.3, 3)
            layer.weight.data.uniform_(0.5, 1.5)
            layer.bias.data.normal_(0, 0.3)
    return model


@pytest.mark.parametrize("name", NETWORKS)
def test_scores_are_those_of_the_training_graph(name):
    model = trained(name).eval()
    x = 3 * torch.randn(2, 1, 257, model.frames)
    before = copy.deepcopy(model.state_dict())
    fast = for_scoring(model)
    with torch.inference_mode():
        expected, scores = model(x), fast(x)
    torch.testing.assert_close(scores, expected, rtol=1e-5, atol=1e-5)
    assert expected.abs().max() > 0.01
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert all(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize(
    "pool",
    [nn.MaxPool2d(3, 1), nn.MaxPool2d(3, (1, 2)), nn.MaxPool2d((1, 2)), nn.MaxPool2d(2), nn.MaxPool2d(2, (2, 3))],
)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_pooling_axis_by_axis_is_pooling(pool, layout):
    x = torch.randn(2, 3, 13, 18).to(memory_format=layout)
    assert AxisMaxPool.can_be(pool)
    torch.testing.assert_close(AxisMaxPool(pool)(x), pool(x), rtol=0, atol=0)


def test_poolings_of_another_kind_are_left_alone():
    for pool in (nn.MaxPool2d(3, padding=1), nn.MaxPool2d(3, dilation=2), nn.MaxPool2d(3, ceil_mode=True)):
        assert isinstance(for_scoring(nn.Sequential(nn.Conv2d(1, 1, 1), pool))[1], nn.MaxPool2d)
