"""Checkpoints: what a training leaves on disk, written whole and read without running code from the file."""

import io
import re
from pathlib import Path
from typing import Any

import torch

from afn.common import files
from afn.common.errors import RETRAIN, UserError

DETECTOR = Path(__file__).parents[1] / "detector"  # comes with the package: weights, and a record as of a seed
SHIPPED = "weights.safetensors"  # its weights, instead of a checkpoint


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint, whole or not at all."""
    buffer = io.BytesIO()  # torch.save turns a full disk into an error without its reason
    torch.save(state, buffer)
    with files.whole(path, "wb") as file:
        file.write(buffer.getbuffer())


def load(path: Path, device: torch.device) -> dict[str, Any]:
    """The content of a checkpoint, tensors on `device`; of a safetensors file, its tensors as `model`.

    UserError if it cannot be read.
    """
    try:
        if path.suffix == ".safetensors":
            import safetensors.torch  # only here: machines that train do not need it

            return {"model": safetensors.torch.load_file(path, str(device))}
        state = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{path}: no such checkpoint. Run stage 0 first.") from None
    except Exception as error:
        raise UserError(f"{path}: not a readable checkpoint: {unreadable(path, error)}. {RETRAIN}") from None
    if not isinstance(state, dict):
        raise UserError(f"{path}: not a checkpoint, it holds a {type(state).__name__}. {RETRAIN}")
    return state


def unreadable(path: Path, error: Exception) -> str:
    """Why PyTorch cannot load a file, in a few words; its own message recommends to run code from the file."""
    try:
        with path.open("rb") as file:
            start = file.read(64).lstrip().lower()
    except OSError:
        return first_line(error)
    if start.startswith((b"<!doctype html", b"<html")):
        return "it is a web page"
    if start.startswith(b"version https://git-lfs"):
        return "it is a pointer of Git LFS, not the file itself"
    if not start:
        return "it is empty"
    other = re.search(r"GLOBAL ([\w.]+)", str(error))
    if other:
        return f"it also holds {other[1]}"
    return "it is damaged or another kind of file" if "weights_only" in str(error) else first_line(error)


def first_line(error: Exception) -> str:
    """The first line of an error's text, or the name of its class."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
