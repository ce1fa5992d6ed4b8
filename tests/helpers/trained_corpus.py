"""Two tiny networks trained on four recordings, by the real stages; for tests of what is done with them."""

import functools
from pathlib import Path
from typing import Any

from afn.common import config
from afn.common.paths import ROOT
from afn.experiment import provenance
from afn.experiment.layout import TRAINED
from afn.features import front_end
from afn.systems import registry
from made_up_recordings import write_lists
from stages import Pipeline, overrides

LABELS = {"g01_male_us": "genuine", "g02_female_gb": "spoof", "g03_short030": "genuine", "g07_tiny250": "spoof"}
FRAMES = 250  # of the networks: g01_male_us has 330, the others fewer
SETTINGS = [f"model.frames={FRAMES}", "train.epochs=1", "features.backend=native"]
ROW = ["--system", "lcnn", *overrides(*SETTINGS)]


@functools.cache
def trained(session: Path, golden: Path) -> Path:
    """A folder with data/ and exp/ of the corpus `mine`: seeds 1 and 2 of `lcnn`, scored.

    `session` is the folder of the test session, where it is made once.
    """
    folder = session / "trained"
    subsets = {
        subset: {f"{prefix}{utt}": (golden / f"{utt}.wav", label) for utt, label in LABELS.items()}
        for subset, prefix in (("train", "train_"), ("dev", ""), ("eval", "eval_"))
    }
    Pipeline(folder, write_lists(folder, "mine", subsets), *ROW, "--seeds", "1-2").run((-2, -1, 0, 2))
    return folder


def folders(folder: Path) -> list[str]:
    return ["--data", str(folder / "data"), "--exp", str(folder / "exp")]


def record_training(directory: Path, system: str, *settings: str) -> Any:
    """Record a finished training of a row of conf/systems in `directory`, a seed<k>; returns its settings."""
    row = config.load(registry.settings_type(), ROOT / "conf" / "systems" / f"{system}.yaml", settings)
    description = front_end.describe(row.features, backend="native")
    identity = {**provenance.asked(row, description), "data": {}, "seed": int(directory.name[4:])}
    provenance.write(directory, directory.parent.name, row, identity, {})
    (directory / TRAINED).touch()
    return row
