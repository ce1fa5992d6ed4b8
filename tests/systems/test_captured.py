"""Capturing, with stand-ins for what only a GPU has: what it gave is tried, and leaves no trace in the network."""

import copy
import logging
from contextlib import nullcontext

import pytest
import torch
from torch import nn

from systems.captured import captured


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(), nn.LazyLinear(1))


@pytest.fixture
def inputs(model):
    x = torch.randn(4, 1, 8, 8)
    model.train()(x)  # which makes the last layer
    return x


def as_cuda(monkeypatch, spoil=lambda module: None, error=None):
    """Stand-in for PyTorch's capture: like it, a few steps that move the running statistics."""

    def capture(module, samples):
        for _ in range(3):
            module(*samples).sum().backward()
        if error is not None:
            raise error
        spoil(module)
        return module

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", capture)


def taken(model, inputs, caplog):
    before = copy.deepcopy(model.state_dict())
    with caplog.at_level(logging.INFO):
        result = captured(model, inputs, nullcontext(), logging.getLogger("train.seed1"))
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    return result


def test_a_capture_that_does_the_same_is_taken_and_shares_the_weights(model, inputs, caplog, monkeypatch):
    as_cuda(monkeypatch)
    result = taken(model, inputs, caplog)
    assert result is not model and not caplog.text
    assert all(ours is theirs for ours, theirs in zip(result.parameters(), model.parameters(), strict=True))
    result(inputs)
    assert model[1].num_batches_tracked == 2  # one before the capture, one now


@pytest.mark.parametrize(
    ("spoil", "error", "reason"),
    [
        (lambda module: setattr(module[4], "p", 0.0), None, "gradients are off by"),
        (lambda module: module[1].eval(), None, "gradients are off by"),
        (None, RuntimeError("operation not permitted when stream is capturing\nmore"), "when stream is capturing"),
    ],
    ids=["without dropout", "with running statistics", "refused"],
)
def test_one_that_does_not_is_not_and_the_log_says_why(model, inputs, caplog, monkeypatch, spoil, error, reason):
    as_cuda(monkeypatch, spoil, error)
    assert taken(model, inputs, caplog) is model
    assert len(caplog.messages) == 1 and "training without CUDA graphs: " in caplog.text and reason in caplog.text
