"""What every process of tests/systems/test_distributed.py runs: trainings whose settings are in a JSON.

Arguments: a folder, and the JSON; each training goes into FOLDER/<name>.
"""

import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))

from errors import UserError
from systems import distributed
from systems.batches import Tiled
from systems.settings import Training
from systems.subset import Subset
from systems.training import Trainer

FRAMES, BINS = 12, 8
RECIPE = {
    "epochs": 2,
    "patience": 5,
    "batch_size": 4,
    "learning_rate": 0.001,
    "amsgrad": True,
    "lr_factor": 0.5,
    "lr_patience": 1,
    "precision": "float32",
    "recompute": False,
    "checkpoint_minutes": 60.0,
}


class Network(nn.Module):
    """What the networks are made of: both batch norms, ReLU in place, max-pooling, dropout."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1, bias=False),
            nn.BatchNorm2d(4),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(4, 4, 3, bias=False),
            nn.BatchNorm2d(4),
            nn.ELU(),
        )
        self.embed = nn.Linear(4 * 2 * 4, 6, bias=False)
        self.head = nn.Sequential(nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.3), nn.Linear(6, 1))

    def forward(self, x):
        return self.head(self.embed(self.body(x).flatten(1))).squeeze(1)


def subset(name, count, seed):
    random = np.random.default_rng(seed)
    labels = {f"{name}{i:03}": ("genuine", "spoof")[i % 2] for i in range(count)}
    features = {
        utt: random.normal(0.5 * (label == "genuine"), 1, (random.integers(4, 14), BINS)).astype(np.float32)
        for utt, label in labels.items()
    }
    return Tiled(Subset(name, labels, features), FRAMES, BINS)


def trainer(directory, train=22, seed=1, **changes):
    torch.manual_seed(seed)
    recipe = Training(**RECIPE | changes)
    return Trainer(Network(), subset("t", train, 1), subset("d", 21, 2), recipe, seed, directory)


class Stopped(Exception):
    pass


def run(directory, stop_after=None, fail=None, **settings):
    """Train; after `stop_after` steps stop all, or let process 1 `fail` in its own way."""
    one = trainer(directory, **settings)
    step, done = one._launch, []

    def stopping(*batch):
        if len(done) == stop_after:
            if fail is None:
                raise Stopped
            if fail == "all" or one.group.rank == 1:
                if fail == "killed":
                    os.kill(os.getpid(), signal.SIGKILL)
                raise UserError(f"the {fail} mistake")
        done.append(1)
        return step(*batch)

    one._launch = stopping
    try:
        one.run()
    except Stopped:
        return
    weights = {name: value.double().sum().item() for name, value in one.model.state_dict().items()}
    (directory / f"weights{one.group.rank}.json").write_text(json.dumps(weights))


def main():
    import errors

    folder, settings = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
    torch.set_num_threads(1)

    def all_of_them():
        with distributed.processes():
            for training in settings:
                run(folder / training.pop("name"), **training)

    errors.run(all_of_them)


if __name__ == "__main__":
    main()
