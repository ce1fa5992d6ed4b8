"""Where everything is under data/ and exp/."""

from dataclasses import dataclass
from pathlib import Path

FUSION = "fusion"  # the folder of fused scores below exp/<corpus>; no system may have this name
ON = "on_"  # how the folders of results on other corpora begin, below exp/<corpus>
TRAINED = "trained"  # an empty file in a seed's folder: its training is finished


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

    def on(self, other: str) -> Path:
        """The results of this corpus' systems on the corpus `other`."""
        return self.results / f"{ON}{other}"

    def system(self, system: str) -> Path:
        return self.results / system

    def seed(self, system: str, seed: int) -> Path:
        return self.system(system) / f"seed{seed}"


def seeds(directory: Path) -> dict[int, Path]:
    """The folders of seeds in a system's `directory`, by seed in ascending order; not copies under other names."""
    found = {int(path.name[4:]): path for path in directory.glob("seed*/") if path.name[4:].isdecimal()}
    return dict(sorted(found.items()))
