"""Where everything lies under data/ and exp/."""

from dataclasses import dataclass
from pathlib import Path

from afn.common.errors import UserError
from afn.common.labels import SUBSETS as SUBSETS

ROOT = Path(__file__).resolve().parents[3]  # the repository
METRICS = "metrics.csv"  # of a training: how it went
FUSION = "fusion"  # the folder of fused scores below exp/<corpus>; no system may have this name


@dataclass(frozen=True)
class Layout:
    """The folders of one corpus: `data` and `exp` are the two generated top-level folders, `corpus` its name."""

    data: Path
    exp: Path
    corpus: str

    @property
    def corpus_data(self) -> Path:
        return self.data / self.corpus

    def subset(self, subset: str) -> Path:
        """The data directory of `train`, `dev` or `eval`."""
        return self.corpus_data / subset

    def features(self, subset: str, feature: str) -> Path:
        return self.subset(subset) / feature

    @property
    def results(self) -> Path:
        return self.exp / self.corpus

    def system(self, system: str) -> Path:
        return self.results / system

    def seed(self, system: str, seed: int) -> Path:
        return self.system(system) / f"seed{seed}"


def portable(path: Path | str) -> str:
    """`path` as written into files: relative to the repository where it lies inside, absolute elsewhere."""
    try:
        path = Path(path).resolve()
    except RuntimeError:
        raise UserError(f"{path}: a link that leads to itself; mend it") from None
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def located(path: str) -> Path:
    """The file that a `portable` path names."""
    return ROOT / path
