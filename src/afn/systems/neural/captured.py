"""A network's training step as CUDA graphs: hundreds of kernels, of a batch of ever the same size, by two calls."""

import copy
import logging
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

TOLERANCE = 0.02  # of the norm of all gradients: more than rounding in bfloat16, less than a step that went wrong


def captured(model: nn.Module, inputs: Tensor, arithmetic: AbstractContextManager, log: logging.Logger) -> nn.Module:
    """`model` for training steps on batches like `inputs`: the same parameters, buffers, outputs and gradients.

    Capturing takes a few steps, whose traces in the buffers are wiped. What it gave is tried beside `model`: where
    PyTorch cannot capture the network, or the gradients are others, `log` is told and `model` itself is returned.
    """
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    twin = copy.deepcopy(model, shared).train()
    before = [buffer.clone() for buffer in model.buffers()]
    # Gradients meet their parameters on the capture's stream, for its graphs live on; PyTorch waits, and would warn.
    torch.autograd.graph.set_warn_on_accumulate_grad_stream_mismatch(False)
    try:
        with arithmetic:
            twin = torch.cuda.make_graphed_callables(twin, (inputs,))
        _restore(model, before)
        expected = _gradient(model, inputs, arithmetic)
        _restore(model, before)
        ours = _gradient(twin, inputs, arithmetic)
        off = float((ours - expected).norm() / expected.norm().clamp(min=torch.finfo(expected.dtype).tiny))
        reason = f"gradients are off by {off:.2g} of their norm" if not off <= TOLERANCE else ""
    except RuntimeError as error:
        reason = (str(error).strip().splitlines() or ["RuntimeError"])[0]
    _restore(model, before)
    if reason:
        log.info(f"training without CUDA graphs: {reason}")
        return model
    return twin


def _gradient(model: nn.Module, inputs: Tensor, arithmetic: AbstractContextManager) -> Tensor:
    """The gradient of the sum of squared outputs, flat; dropout is drawn from the same seed every time."""
    torch.manual_seed(0)
    with arithmetic:
        outputs = model(inputs)
    gradients = torch.autograd.grad(outputs.float().square().sum(), list(model.parameters()))
    return torch.cat([gradient.detach().double().flatten() for gradient in gradients])


def _restore(model: nn.Module, before: list[Tensor]) -> None:
    for buffer, value in zip(model.buffers(), before, strict=True):
        buffer.copy_(value)
