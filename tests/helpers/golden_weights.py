"""The rule by which golden networks are filled: it needs the order of the layers' first use, and no names."""

import math

import torch
from torch import Tensor, nn


def layers_in_order(model: nn.Module, x: Tensor) -> list[nn.Module]:
    """The layers that own parameters, in the order of their first use in `forward`."""
    order: list[nn.Module] = []
    hooks = [
        layer.register_forward_pre_hook(lambda layer, _: order.append(layer) if layer not in order else None)
        for layer in model.modules()
        if next(layer.parameters(recurse=False), None) is not None
    ]
    was_training = model.training
    model.eval()
    with torch.no_grad():
        model(x)
    model.train(was_training)
    for hook in hooks:
        hook.remove()
    return order


def fill(layers: list[nn.Module]) -> None:
    """Fill `layers` by the rule: waves of a quadratic phase, scaled by the fan-in."""
    convolutions = norms = 0
    for layer in layers:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            scale = 1.7 / math.sqrt(layer.weight[0].numel())
            values = {"weight": scale * chirp(layer.weight.numel(), convolutions + 1)}
            values["bias"] = 0.1 * chirp(len(layer.bias), 100 + convolutions)
            convolutions += 1
        else:
            c = torch.arange(len(layer.weight), dtype=torch.float64)
            values = {
                "weight": 1 + 0.2 * chirp(len(c), 200 + norms),
                "bias": 0.1 * chirp(len(c), 300 + norms),
                "running_mean": 0.1 * torch.sin(0.7 * c + norms),
                "running_var": 1 + 0.25 * torch.cos(0.5 * c + norms),
            }
            norms += 1
        for name, value in values.items():
            getattr(layer, name).data = value.reshape(getattr(layer, name).shape)


def chirp(count: int, start: int) -> Tensor:
    k = torch.arange(count, dtype=torch.int64)
    return torch.sin(2 * math.pi * ((k * k + 37 * start * k + start) % 10007).double() / 10007)


def wave_input(batch: int) -> Tensor:
    """x[b, f, t] = sin(0.01 (b + 1) f t) + 0.1 cos(0.3 t + b), float64[batch × 1 × 257 × 1091]."""
    f, t = torch.arange(257, dtype=torch.float64)[:, None], torch.arange(1091, dtype=torch.float64)
    waves = [torch.sin(0.01 * (b + 1) * f * t) + 0.1 * torch.cos(0.3 * t + b) for b in range(batch)]
    return torch.stack(waves)[:, None]
