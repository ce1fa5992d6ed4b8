"""i-vectors: `IVectorExtractor`, the back-ends that score its vectors, and the system of both."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from afn.systems.ivector.extractor import IVectorExtractor as IVectorExtractor


def __getattr__(name: str) -> Any:
    # Imported when used: the settings of this family are read without PyTorch.
    if name != "IVectorExtractor":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from afn.systems.ivector.extractor import IVectorExtractor

    return IVectorExtractor
