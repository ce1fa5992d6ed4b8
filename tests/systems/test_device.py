"""Choices that depend on the GPU, with stand-ins for what it says of itself."""

from types import SimpleNamespace

import pytest
import torch

from afn.systems import device as devices


@pytest.mark.parametrize(("generation", "kept"), [(7, torch.float32), (8, torch.float16)], ids=["Turing", "Ampere"])
def test_half_precision_is_for_gpus_that_have_bfloat16_not_for_those_that_emulate_it(generation, kept, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(major=generation))
    monkeypatch.setattr(torch.cuda, "_check_bf16_tensor_supported", lambda device: True)
    assert devices.storage(torch.device("cuda"), "auto") == kept
