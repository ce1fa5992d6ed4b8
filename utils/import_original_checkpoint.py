"""Import networks trained with the original repository: their state dicts become trained seeds of a system here.

    python utils/import_original_checkpoint.py --corpus asvspoof2017 --system afn --seeds 1-2 first.pth second.pth

A checkpoint is a file that PyTorch 0.4 saved there, a dictionary with the weights under `state_dict`, or the weights
alone. Every weight must fit by name, shape and type. A state dict does not contain the attention or activation of its
training (AttenResNet2, 4 and 5 have the same names); --system states it. Each checkpoint becomes
exp/<corpus>/<system>/seed<k>, which stages 1 to 3, score and export use as if trained here.
"""

import argparse
import codecs
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

try:
    import numpy as np
    import torch
    from torch import Tensor, nn

    from afn.common import errors, files, owned, record
except ModuleNotFoundError as error:  # not the Python of ./run.sh
    sys.exit(f"{Path(__file__).name}: error: {sys.executable} lacks the package {error.name}. Use .venv/bin/python.")
from afn.common.errors import UserError
from afn.common.paths import portable
from afn.experiment import command_line, environment, locks, provenance
from afn.experiment.command_line import Stage
from afn.experiment.layout import TRAINED
from afn.features import front_end
from afn.systems import checkpoints, registry
from afn.systems.neural import training
from afn.systems.neural.attentive_filtering import AttentiveFilteringNetwork
from afn.systems.neural.dilated_resnet import DilatedResNet
from afn.systems.neural.light_cnn import LightCNN
from afn.systems.neural.settings import Neural

STATE = "state_dict"
PARALLEL = "module."  # prefix of every name, by nn.DataParallel
COUNTER = "num_batches_tracked"  # absent before PyTorch 0.4.1; nothing depends on it
# The original computed its dev EER with NumPy and saved it: these types hold a number and cannot run code.
NUMBERS = [
    np.dtype,
    *(type(np.dtype(name)) for name in ("float64", "float32", "int64")),
    *((np._core.multiarray.scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
    codecs.encode,
]
# The layers of the original classes, in the order in which the networks here define theirs.
ATTENTION = """pre.0 pre.1 pre.3 pre.4
    att1.0 att1.1 att2.0 att2.1 att3.0 att3.1 att4.0 att4.1 att5.0 att5.1
    skip1.0 skip1.1 skip2.0 skip2.1 skip3.0 skip3.1 skip4.0 skip4.1 att5.3 att5.4
    att6.0 att6.1 att7.0 att7.1 att8.0 att8.1 att9.0 att9.1 conv1.0 conv1.2 conv1.3 conv1.5"""
CLASSIFIER = """cnn1 bn1 cnn2 bn2 cnn3 cnn4 bn3 cnn5 bn4 cnn6 cnn7 bn5 cnn8 bn6 cnn9 cnn10
    bn12 cnn11 bn13 cnn12 cnn13 bn14 cnn14 bn15 cnn15 cnn16
    ln1 bn7 ln2 bn8 ln3 bn9 ln4 bn10 ln5 bn11 ln6"""
LIGHT = """features.0.filter features.2.conv_a.filter features.2.conv.filter features.4.conv_a.filter
    features.4.conv.filter features.6.conv_a.filter features.6.conv.filter features.8.conv_a.filter
    features.8.conv.filter fc1.filter fc2"""
ORIGINAL = {
    AttentiveFilteringNetwork: f"{ATTENTION} {CLASSIFIER}",  # AttenResNet2, 4 and 5, simple_attention_network.py
    DilatedResNet: CLASSIFIER,  # ResNet, v5_neuro.py
    LightCNN: LIGHT,  # network_9layers, v3_neuro.py
}


def main() -> None:
    parser = command_line.arguments(__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("checkpoints", nargs="+", type=Path, metavar="CHECKPOINT", help="one for each of --seeds")
    options = parser.parse_args()
    with command_line.stage(options) as here:
        take_over(here, options.checkpoints)
    rest = [word for word in sys.argv[1:] if word not in ("--force", *map(str, options.checkpoints))]
    print(f"import: next: ./run.sh {shlex.join([*rest, '1', '3'])}")


def take_over(here: Stage, given: list[Path]) -> None:
    """Write a trained seed for each checkpoint; nothing is written unless all of them fit."""
    if len(given) != len(here.seeds):
        raise UserError(f"--seeds: {len(here.seeds)} given for {len(given)} checkpoints. Give one seed per checkpoint.")
    if not isinstance(here.system, Neural):
        raise UserError(f"--system {here.system_name}: not a network. The original repository trains networks only.")
    directories = [here.layout.seed(here.system_name, seed) for seed in here.seeds]
    for directory in directories:
        if directory.exists() and not here.redo(directory / record.NAME):
            raise UserError(f"{directory}: exists. Choose other --seeds, or replace it with --force.")
    states = [weights(path, registry.build(here.system, 1).exportable().network) for path in given]
    # The data of the training are unknown, and the same for all seeds.
    identity = provenance.asked(here.system, front_end.describe(here.system.features))
    identity["data"] = {"imported": "from the original repository"}
    owned.claim(here.layout.system(here.system_name))
    for seed, directory, path, state in zip(here.seeds, directories, given, states, strict=True):
        with locks.hold(directory):
            shutil.rmtree(directory, ignore_errors=True)
            provenance.write(directory, here.system_name, here.system, {**identity, "seed": seed}, here.adapted)
            files.write_text(directory / "train.log", f"imported from {path.name}, SHA-256 {files.sha256(path)}\n")
            checkpoints.save(directory / training.BEST, {"model": state})
            environment.add(directory / "env.json")
            (directory / TRAINED).touch()
        print(f"import: wrote {portable(directory)}: {len(state)} tensors of {path}")


def weights(path: Path, model: nn.Module) -> dict[str, Tensor]:
    """The state dict for `model` (float32) from an original checkpoint. Runs no code from the file.

    Raises UserError, with the weight, unless the checkpoint holds exactly the model's weights, by name and shape.
    """
    given = _given(path)
    state = model.state_dict()
    wanted = {  # its names there -> here
        f"{original}.{name.removeprefix(f'{ours}.')}": name
        for original, ours in original_names(model).items()
        for name in state
        if name.rpartition(".")[0] == ours
    }
    missing = [name for name in wanted if name not in given and not name.endswith(COUNTER)]
    if missing:
        raise UserError(f"{path}: {_some(missing)} missing. Choose the --system that it was trained as.")
    if extra := [name for name in given if name not in wanted]:
        raise UserError(f"{path}: {_some(extra)} unknown to this network. Choose the --system that it was trained as.")
    for name, tensor in given.items():
        expected = state[wanted[name]]
        if not isinstance(tensor, Tensor) or tensor.shape != expected.shape:
            shape = _shape(tensor) if isinstance(tensor, Tensor) else type(tensor).__name__
            raise UserError(f"{path}: {name} is {shape}, this network has {_shape(expected)}. Choose its --system.")
        if tensor.is_floating_point() != expected.is_floating_point():
            kind = str(tensor.dtype).removeprefix("torch.")
            raise UserError(f"{path}: {name} has the type {kind}, not float. Save the weights as they were trained.")
        if not tensor.isfinite().all():
            raise UserError(f"{path}: {name} holds NaN or infinity. Use another checkpoint of that training.")
        state[wanted[name]] = tensor.detach().to(expected.dtype).contiguous()
    return state


def _given(path: Path) -> dict[str, Tensor]:
    """The state dict in a file, its names without the prefix of parallel training."""
    try:
        with torch.serialization.safe_globals(NUMBERS):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{path}: no such checkpoint. Correct the name.") from None
    except Exception as error:
        reason = checkpoints.unreadable(path, error)
        raise UserError(
            f"{path}: not a checkpoint of tensors and plain values: {reason}. "
            f"Use another file, or save only its {STATE}."
        ) from None
    state = content.get(STATE, content) if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping) or not any(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"{path}: holds no `{STATE}`. Give a file that the original repository saved.")
    given = {str(name): tensor for name, tensor in state.items()}
    if all(name.startswith(PARALLEL) for name in given):
        given = {name.removeprefix(PARALLEL): tensor for name, tensor in given.items()}
    return given


def original_names(model: nn.Module) -> dict[str, str]:
    """The layers of a network: their names in the original repository -> their names here.

    Raises UserError for a network that the repository does not have.
    """
    kind = type(model)
    if kind not in ORIGINAL:
        raise UserError(f"{kind.__name__}: the original repository has no such network. Choose another --system.")
    ours = [name for name, layer in model.named_modules() if next(layer.parameters(recurse=False), None) is not None]
    return dict(zip(ORIGINAL[kind].split(), ours, strict=True))


def _some(names: list[str]) -> str:
    return f"{names[0]} (and {len(names) - 1} more) are" if len(names) > 1 else f"{names[0]} is"


def _shape(tensor: Tensor) -> str:
    return " × ".join(map(str, tensor.shape)) or "one number"


if __name__ == "__main__":
    errors.run(main)
