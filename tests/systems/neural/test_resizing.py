"""Resizing as on a GPU, on CPU tensors: PyTorch's own values and gradients."""

import pytest
import torch

from afn.systems.neural import attentive_filtering
from afn.systems.neural.attentive_filtering import AttentionBranch
from afn.systems.neural.resizing import Resize, resize


def gradient(function, x, size, weights):
    x = x.clone(memory_format=torch.preserve_format).requires_grad_()
    out = function(x, size)
    (out * weights).sum().backward()
    return out.detach(), x.grad


@pytest.mark.parametrize(
    ("before", "after"),
    [((9, 171), (137, 851)), ((249, 1075), (257, 1091)), ((7, 5), (7, 5)), ((11, 8), (4, 3)), ((1, 6), (5, 1))],
    ids=["the lowest step up", "the last", "same size", "smaller", "a single place"],
)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_values_and_gradients_are_those_of_interpolation(before, after, layout):
    torch.manual_seed(0)
    x = torch.randn(2, 3, *before, dtype=torch.float64).contiguous(memory_format=layout)
    weights = torch.randn(2, 3, *after, dtype=torch.float64).contiguous(memory_format=layout)
    out, ours = gradient(Resize.apply, x, after, weights)
    expected, theirs = gradient(resize, x, after, weights)
    assert torch.equal(out, expected)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)
    if layout is torch.channels_last:
        assert ours.is_contiguous(memory_format=layout)


def test_half_precision_stays_half_under_autocast_with_gradients_to_its_rounding():
    torch.manual_seed(0)
    x, weights = torch.randn(2, 16, 60, 80), torch.randn(2, 16, 67, 101)
    with torch.autocast("cpu", torch.bfloat16):
        out, ours = gradient(Resize.apply, x.bfloat16(), (67, 101), weights.bfloat16())
    assert out.dtype == ours.dtype == torch.bfloat16
    expected, theirs = gradient(resize, x, (67, 101), weights)
    assert (out - expected).norm() < 0.005 * expected.norm()
    assert (ours - theirs).norm() < 0.005 * theirs.norm()


def test_the_attention_branch_has_the_same_gradients_with_it(monkeypatch):
    torch.manual_seed(0)
    branch = AttentionBranch(channels=2, frames=904).double()
    x, weights = torch.randn(2, 1, 1, 257, 904, dtype=torch.float64)

    def gradients():
        return torch.autograd.grad((branch(x) * weights).sum(), list(branch.parameters()))

    theirs = gradients()
    monkeypatch.setattr(attentive_filtering, "resize", Resize.apply)
    for ours, expected in zip(gradients(), theirs, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-9)
