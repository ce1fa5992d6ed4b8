"""Two tiny networks trained on four recordings, by the real stages; for tests of what is done with them."""

import functools
import sys

import pytest

import prepare
from afn.experiment import extraction, scoring, training

LABELS = {"g01_male_us": "genuine", "g02_female_gb": "spoof", "g03_short030": "genuine", "g07_tiny250": "spoof"}
FRAMES = 250  # of the networks: g01_male_us has 330, the others fewer
SETTINGS = [f"model.frames={FRAMES}", "train.epochs=1", "features.backend=native"]


@functools.cache
def trained(session, golden):
    """A folder with data/ and exp/ of the corpus `mine`: seeds 1 and 2 of `lcnn`, scored.

    `session` is the folder of the test session; made there once.
    """
    folder = session / "trained"
    lines = ["kind: datadir", "name: mine"]
    for subset in ("train", "dev", "eval"):
        directory = folder / "mine" / subset
        directory.mkdir(parents=True)
        ids = {utt: utt if subset == "eval" else f"{subset}_{utt}" for utt in LABELS}
        (directory / "wav.scp").write_text("".join(f"{ids[utt]} {golden / utt}.wav\n" for utt in LABELS))
        (directory / "utt2label").write_text("".join(f"{ids[utt]} {label}\n" for utt, label in LABELS.items()))
        lines.append(f"{subset}: {directory}")
    (folder / "mine.yaml").write_text("".join(f"{line}\n" for line in lines))
    settings = [part for setting in SETTINGS for part in ("--set", setting)]
    with pytest.MonkeyPatch.context() as patch:
        for main, more in (
            (prepare.main, ["--nj", "1"]),
            (extraction.main, ["--system", "lcnn", *settings, "--nj", "1"]),
            (training.main, ["--system", "lcnn", *settings, "--seeds", "1-2"]),
            (scoring.main, ["--system", "lcnn", *settings, "--seeds", "1-2"]),
        ):
            common = ["--corpus", folder / "mine.yaml", *folders(folder)]
            patch.setattr(sys, "argv", [main.__module__, *map(str, common), *more])
            main()
    return folder


def folders(folder):
    return ["--data", folder / "data", "--exp", folder / "exp"]
