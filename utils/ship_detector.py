"""Make a trained network the detector of the package, which `./run.sh score FILE…` and `afn.load()` use.

    python utils/ship_detector.py --system statpool --corpus randomised --seed 1

Writes src/afn/detector/: weights.safetensors, and config.yaml, the record of the training with the calibration on dev
and the range of its training data. Weights of more than 1 MB are stored in 16 bits.
"""

import argparse
from pathlib import Path

import numpy as np
import safetensors.torch
import torch

from afn.common import errors, files, record
from afn.common.errors import UserError
from afn.common.paths import portable
from afn.experiment import command_line, finished
from afn.experiment.finished import TrainedSystem
from afn.systems import checkpoints, registry
from afn.systems.protocol import System
from afn.systems.subset import Subset

MOST = 1_000_000  # bytes of the weights
LENGTHS = (50, 400, 1500)  # frames of made-up features that are scored with both weights


def main() -> None:
    parser = command_line.Parser(
        description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    finished.add_options(parser)
    parser.add_argument("--out", type=Path, default=finished.DETECTOR, metavar="DIR", help="src/afn/detector")
    options = parser.parse_args()
    ship(finished.find(options).scored(), options.out)


def ship(experiment: TrainedSystem, out: Path) -> None:
    """Write the only seed of `experiment` into `out`; UserError if anything that is needed is missing."""
    if len(experiment.seeds) > 1:
        raise UserError(f"{experiment.directory}: has seeds {experiment.seeds}. Choose one with --seed.")
    trained = experiment.first
    system = registry.build(trained.settings, trained.seed)
    system.load(trained.directory)
    typical = experiment.typical
    if not typical:
        raise UserError(f"{experiment.layout.subset('train')}: no nuisance.csv. Run stage -2.")
    card = {
        "corpus": experiment.layout.corpus,
        "dev": experiment.on_dev(system.averages).plain(),
        "typical": {name: list(values) for name, values in typical.items()},
    }
    state = checkpoints.load(system.weights(trained.directory), torch.device("cpu"))["model"]
    state = {name: value.contiguous() for name, value in state.items()}  # training may have stored channels last
    content = safetensors.torch.save(state)
    if len(content) > MOST:
        state = {name: value.half() if value.ndim > 1 else value for name, value in state.items()}
        content = safetensors.torch.save(state)
    if len(content) > MOST:
        raise UserError(
            f"{trained.directory}: {len(content)} bytes of weights, at most {MOST}. Train a smaller network."
        )
    record.remove(out)
    with files.whole(out / checkpoints.SHIPPED, "wb") as file:
        file.write(content)
    record.write(out, {**record.read(trained.directory), finished.CARD: card})
    again = registry.build(trained.settings, trained.seed)
    again.load(out)
    print(f"ship: wrote {portable(out)}: {len(content)} bytes, scores within {difference(system, again):.1g}")


def difference(one: System, other: System) -> float:
    """The largest difference between the scores of two networks on made-up features."""
    rng = np.random.default_rng(0)
    bins = one.exportable().bins
    features = {str(count): rng.normal(0, 3, (count, bins)).astype(np.float32) for count in LENGTHS}
    subset = Subset("made-up features", dict.fromkeys(features, "unknown"), features)
    ours, theirs = one.score(subset), other.score(subset)
    return max(abs(ours[name] - theirs[name]) for name in features)


if __name__ == "__main__":
    errors.run(main)
