"""Gaussian mixtures: `DiagonalGMM`, and the pair of them that is a system."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from afn.systems.gmm.models import DiagonalGMM as DiagonalGMM


def __getattr__(name: str) -> Any:
    # Imported when used: the settings of this family are read without PyTorch.
    if name != "DiagonalGMM":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from afn.systems.gmm.models import DiagonalGMM

    return DiagonalGMM
