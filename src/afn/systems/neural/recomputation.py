"""A network's training in about half the memory, the same to the bit: what is cheap is computed again for gradients.

Convolutions keep their inputs for the backward pass. Where such an input is a normalised and rectified map, or a map
pooled from one, only the convolution's output before it is kept here, and the input made from it once more.
"""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from afn.systems.neural.inference import AxisMaxPool

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
ACTIVATIONS = (nn.ReLU, nn.ELU)


class Recipe:
    """How to make a tensor again. It is kept from the first wish for it until `forget`, which ends the recipe."""

    def __init__(self, make: Callable[[], Tensor]):
        self.make: Callable[[], Tensor] | None = make
        self.kept: Tensor | None = None

    def again(self) -> Tensor:
        if self.kept is None:
            self.kept = self.make()
        return self.kept

    def forget(self) -> None:
        self.kept = self.make = None  # a graph lives to the end of a step; what the recipe is made from need not


class Recomputing(nn.Module):
    """`model` for training steps: the same parameters, buffers, outputs and gradients (on a CPU to the bit)."""

    def __init__(self, model: nn.Module):
        super().__init__()
        shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
        self.network = copy.deepcopy(model, shared)
        for module in list(self.network.modules()):
            if isinstance(module, nn.Sequential):
                _join(module)
            for name, child in module.named_children():
                if isinstance(child, nn.MaxPool2d) and AxisMaxPool.can_be(child):
                    setattr(module, name, Pool(child))

    def forward(self, x: Tensor) -> Tensor:
        with torch.autograd.graph.saved_tensors_hooks(lambda tensor: getattr(tensor, "recipe", tensor), _unpacked):
            return self.network(x)


def _unpacked(kept: Tensor | Recipe) -> Tensor:
    return kept.again() if isinstance(kept, Recipe) else kept


def _join(layers: nn.Sequential) -> None:
    """Make one module of every batch norm of the sequence and the activation after it."""
    for place in range(1, len(layers)):
        norm, activation = layers[place - 1], layers[place]
        if isinstance(norm, NORMS) and isinstance(activation, ACTIVATIONS):
            layers[place - 1], layers[place] = NormActivation(norm, activation), nn.Identity()


class NormActivation(nn.Module):
    """A batch norm, by the statistics of the batch, and the activation after it."""

    def __init__(self, norm: nn.Module, activation: nn.Module):
        super().__init__()
        self.norm, self.activation = norm, activation

    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and x.requires_grad):
            return self.activation(self.norm(x))
        self.norm.num_batches_tracked.add_(1)
        return _marked(*_NormActivation.apply(x, self.norm.weight, self.norm.bias, self.norm, self.activation))


class Pool(nn.Module):
    """Max-pooling that notes nothing but its input."""

    def __init__(self, pool: nn.MaxPool2d):
        super().__init__()
        self.pool, self.by_axis = pool, AxisMaxPool(pool)

    def forward(self, x: Tensor) -> Tensor:
        return _marked(*_Pool.apply(x, self.by_axis)) if x.requires_grad else self.pool(x)


def _marked(y: Tensor, recipe: Recipe) -> Tensor:
    y.recipe = recipe
    return y


class _NormActivation(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, norm: nn.Module, activation: nn.Module) -> tuple:
        y, mean, inverse = torch.native_batch_norm(
            x, weight, bias, norm.running_mean, norm.running_var, True, norm.momentum, norm.eps
        )
        ctx.save_for_backward(x, weight, mean, inverse)
        x, weight, bias = x.detach(), weight.detach(), bias.detach()

        @torch.no_grad()
        def make() -> Tensor:
            # By the statistics once more, not by those at hand: so it comes out the same to the bit.
            again, _, _ = torch.native_batch_norm(x, weight, bias, None, None, True, 0.0, norm.eps)
            return _in_place(activation, again)

        ctx.eps, ctx.activation, ctx.recipe = norm.eps, activation, Recipe(make)
        return _in_place(activation, y), ctx.recipe

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, _: None) -> tuple:
        x, weight, mean, inverse = ctx.saved_tensors
        y = ctx.recipe.again()
        ctx.recipe.forget()
        # Into y, which nobody else needs any more: whoever had it for an input has done its part.
        if isinstance(ctx.activation, nn.ELU):
            gradient = torch.ops.aten.elu_backward(gradient, ctx.activation.alpha, 1, 1, True, y, grad_input=y)
        else:
            gradient = torch.ops.aten.threshold_backward(gradient, y, 0, grad_input=y)
        del y
        gradients = torch.ops.aten.native_batch_norm_backward(
            gradient, x, weight, None, None, mean, inverse, True, ctx.eps, [True, True, True]
        )
        return *gradients, None, None


def _in_place(activation: nn.Module, x: Tensor) -> Tensor:
    return functional.elu_(x, activation.alpha) if isinstance(activation, nn.ELU) else functional.relu_(x)


class _Pool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, by_axis: AxisMaxPool) -> tuple:
        ctx.save_for_backward(x)
        before = getattr(x, "recipe", None) or Recipe(x.detach)

        @torch.no_grad()
        def make() -> Tensor:
            return by_axis(before.again())

        ctx.by_axis, ctx.recipe = by_axis, Recipe(make)
        return by_axis(x), ctx.recipe

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, _: None) -> tuple:
        (x,) = ctx.saved_tensors
        ctx.recipe.forget()
        sizes = [list(size) for size in (ctx.by_axis.kernel, ctx.by_axis.stride)]
        result = torch.empty_like(x)
        for one, of_one, into in zip(x.split(1), gradient.split(1), result.split(1), strict=True):
            # One utterance at a time: the places take twice the memory of the map.
            _, places = functional.max_pool2d_with_indices(one, *sizes)
            torch.ops.aten.max_pool2d_with_indices_backward(
                of_one, one, *sizes, [0, 0], [1, 1], False, places, grad_input=into
            )
        return result, None
