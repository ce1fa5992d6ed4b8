"""The Light CNNs: sizes, shapes, refusals, and their training against the authors' code."""

import pytest
import torch
from torch import nn

from afn.systems.neural.light_cnn import LightCNN, OriginalLightCNN


def parameters(module):
    return sum(p.numel() for p in module.parameters())


def test_parameter_counts_are_the_published_ones():
    assert parameters(LightCNN()) == 105_697
    assert parameters(OriginalLightCNN()) == 371_874


def test_shapes_follow_the_tables():
    with torch.no_grad():
        x, shapes = torch.zeros(1, 1, 257, 1091), []
        for layer in LightCNN().body:
            x = layer(x)
            if isinstance(layer, nn.MaxPool2d):
                shapes.append(tuple(x.shape[1:]))
        assert shapes == [(16, 128, 364), (24, 64, 121), (32, 32, 40), (16, 16, 13), (16, 8, 4)]
        network = OriginalLightCNN().eval()
        x = torch.randn(2, 1, 864, 400)
        assert network.body(x).shape == (2, 16, 27, 12)
        assert network.embed(x).shape == (2, 32)
        both = network.head(network.embed(x)).log_softmax(1)
        torch.testing.assert_close(network(x), both[:, 0] - both[:, 1])


def test_too_small_inputs_are_refused_with_the_smallest_number_that_works():
    with pytest.raises(ValueError, match="at least 122"):
        LightCNN(frames=121)
    assert LightCNN(frames=122)(torch.zeros(1, 1, 257, 122)).shape == (1,)
    with pytest.raises(ValueError, match="at least 32"):
        OriginalLightCNN(frames=31)
    with pytest.raises(ValueError, match="takes B × 1 × 864 × 400"):
        OriginalLightCNN()(torch.zeros(1, 1, 257, 400))


@pytest.mark.parametrize("network", [LightCNN, OriginalLightCNN])
def test_linear_layers_are_initialised_as_the_convolutions(network):
    torch.manual_seed(0)
    for layer in network().modules():
        if isinstance(layer, nn.Linear):
            assert not layer.bias.any()
            fan = sum(layer.weight.shape)
            assert layer.weight.std().item() == pytest.approx((2 / fan) ** 0.5, rel=0.2)
