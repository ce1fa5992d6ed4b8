"""Training in less memory: the same outputs, gradients and statistics, and fewer tensors kept."""

import copy

import pytest
import torch
from torch import nn

from models.attentive_filtering import AttentiveFilteringNetwork
from models.dilated_resnet import DilatedResNet
from models.light_cnn import LightCNN, OriginalLightCNN
from systems.recomputation import Recomputing


def pair(name):
    torch.manual_seed(0)
    make = {
        "afn": lambda: AttentiveFilteringNetwork(channels=2, frames=904),
        "lcnn": lambda: LightCNN(frames=904),
        "original lcnn": lambda: OriginalLightCNN(bins=257, frames=904),
    }
    model = make[name]() if name in make else DilatedResNet(name, frames=904)
    model = model.to(memory_format=torch.channels_last).train()
    return model, copy.deepcopy(model)


@pytest.mark.parametrize("name", ["afn", "relu", "elu", "lcnn", "original lcnn"])
def test_outputs_gradients_and_statistics_are_those_of_the_plain_graph_to_the_bit(name):
    plain, shared = pair(name)
    graph = Recomputing(shared).train()
    x = torch.randn(2, 1, 257, 904)
    outputs = []
    for network in (plain, graph):
        torch.manual_seed(1)  # dropout
        outputs.append(network(x))
        outputs[-1].square().sum().backward()
    assert torch.equal(*outputs)
    for (where, theirs), mine in zip(plain.named_parameters(), shared.parameters(), strict=True):
        assert torch.equal(mine.grad, theirs.grad), where
    for (where, theirs), mine in zip(plain.named_buffers(), shared.buffers(), strict=True):
        assert torch.equal(mine, theirs), where


def test_half_the_memory_is_kept_for_the_backward_pass():
    sizes = []
    x = torch.randn(1, 1, 257, 904)
    for graph, through in zip(pair("afn"), (lambda model: model, Recomputing), strict=True):
        kept = {}

        def note(tensor, kept=kept):
            recipe = getattr(tensor, "recipe", None)
            if recipe is None:
                kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor if recipe is None else recipe

        graph = through(graph)
        network = getattr(graph, "network", graph)
        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            output = network(torch.cat([x, x]))
        sizes.append(sum(kept.values()))
        del output
    assert sizes[1] < 0.55 * sizes[0]


def test_evaluation_passes_through_and_weights_are_shared():
    plain, shared = pair("relu")
    graph = Recomputing(shared)
    with torch.no_grad():
        for parameter in shared.parameters():
            parameter.add_(0.01)
        for parameter in plain.parameters():
            parameter.add_(0.01)
        x = torch.randn(1, 1, 257, 904)
        torch.testing.assert_close(graph.eval()(x), plain.eval()(x), rtol=0, atol=0)
    assert not isinstance(shared.conv, nn.Identity) and graph.network.conv.weight is shared.conv.weight
