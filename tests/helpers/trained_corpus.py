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
from stages import Pipeline

LABELS = {"g01_male_us": "genuine", "g02_female_gb": "spoof", "g03_short030": "genuine", "g07_tiny250": "spoof"}
FRAMES = 250  # of the networks: g01_male_us has 330, the others fewer
SETTINGS = [f"model.frames={FRAMES}", "train.epochs=1", "features.backend=native"]
ROW = ["--system", "lcnn", *(word for setting in SETTINGS for word in ("--set", setting))]


@functools.cache
def trained(session: Path, golden: Path) -> Path:
    """A folder with data/ and exp/ of the corpus `mine`: seeds 1 and 2 of `lcnn`, scored.

    `session` is the folder of the test session, where it is made once.
    """
    folder = session / "trained"
    lines = ["kind: datadir", "name: mine"]
    for subset in ("train", "dev", "eval"):
        directory = folder / "mine" / subset
        directory.mkdir(parents=True)
        ids = {utt: utt if subset == "dev" else f"{subset}_{utt}" for utt in LABELS}
        (directory / "wav.scp").write_text("".join(f"{ids[utt]} {golden / utt}.wav\n" for utt in LABELS))
        (directory / "utt2label").write_text("".join(f"{ids[utt]} {label}\n" for utt, label in LABELS.items()))
        lines.append(f"{subset}: {directory}")
    (folder / "mine.yaml").write_text("".join(f"{line}\n" for line in lines))
    Pipeline(folder, folder / "mine.yaml", *ROW, "--seeds", "1-2").run((-2, -1, 0, 2))
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
