"""Write the networks of a trained experiment as ONNX files, exp/<corpus>/<system>/seed<k>/model.onnx, one a seed.

A file takes batches of any size, float32[B × 1 × bins × frames] (`spectrogram`: features repeated to the network's
width), and gives B scores (`score`). Its metadata hold the threshold of the EER on dev and the settings of the
features. It is checked against PyTorch before it gets its name. Needs the packages of requirements-export.txt.
"""

import argparse
import importlib.util
import json
import logging
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from afn.common import errors, files
from afn.common.errors import UserError
from afn.common.paths import portable
from afn.experiment import command_line, finished
from afn.experiment.finished import TrainedSystem
from afn.experiment.recording_scorer import note
from afn.systems import registry
from afn.systems.protocol import Exportable

MODEL = "model.onnx"
PACKAGES = "requirements-export.txt"
INPUT, OUTPUT = "spectrogram", "score"
TOLERANCE = 1e-4  # of a score; relative for those above 1
BATCHES = (1, 3)  # sizes that are checked
CHECKED = 150  # frames, of a network that takes any number of them
SEVERAL_SEEDS = "the score of several seeds is the mean of the sigmoids of their scores"


def main() -> None:
    parser = command_line.Parser(
        description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    finished.add_options(parser)
    experiment = finished.find(parser.parse_args()).scored()
    registry.build(experiment.first.settings, experiment.first.seed).exportable()  # UserError if not a network
    if missing := [name for name in ("onnx", "onnxscript") if not importlib.util.find_spec(name)]:
        raise UserError(f"export: {' and '.join(missing)} missing; pip install -r {PACKAGES}")
    for seed in experiment.seeds:
        export(experiment, seed)


def export(experiment: TrainedSystem, seed: int) -> None:
    """Write the ONNX file of one seed; UserError where it does not give PyTorch's scores."""
    directory = experiment.trained[seed].directory
    system = registry.build(experiment.trained[seed].settings, seed)
    system.load(directory)
    found = system.exportable()
    model = converted(found)
    for key, value in metadata(experiment, seed, found, system.averages, system.weights(directory)).items():
        model.metadata_props.add(key=key, value=value)
    content = model.SerializeToString(deterministic=True)
    path = directory / MODEL
    if importlib.util.find_spec("onnxruntime"):
        worst = difference(found, content, seed)
        if not worst <= TOLERANCE:  # NaN is no agreement either
            raise UserError(f"{path}: not written, for its scores are off PyTorch's by {worst:.2g}; update {PACKAGES}")
        checked = f"within {worst:.1g} of PyTorch's scores"
    else:
        note(f"onnxruntime is missing, so that {portable(path)} is not checked; pip install -r {PACKAGES}")
        checked = "not checked"
    with files.whole(path, "wb") as file:
        file.write(content)
    print(f"export: wrote {portable(path)}: {len(content) / 2**20:.1f} MiB, {checked}")


def converted(of: Exportable) -> Any:
    """The network as an onnx.ModelProto, without the marks that PyTorch leaves: they hold names of folders."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # of what it could do besides
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        axes = {0: torch.export.Dim("batch")}
        if of.frames is None:
            axes[3] = torch.export.Dim.DYNAMIC  # a named one must hold from a single frame on, which strides rule out
        program = torch.onnx.export(
            of.network,
            (torch.zeros(2, 1, of.bins, of.frames or CHECKED),),
            dynamo=True,
            dynamic_shapes=(axes,),
            input_names=[INPUT],
            output_names=[OUTPUT],
            verbose=False,
        )
    assert program is not None  # the result of dynamo=True
    model = program.model_proto
    graph = model.graph
    for marked in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        marked.ClearField("metadata_props")
        marked.ClearField("doc_string")
    return model


def metadata(experiment: TrainedSystem, seed: int, of: Exportable, averages: str, weights: Path) -> dict[str, str]:
    """What a user of the file needs to know, by name."""
    on_dev = replace(experiment, trained={seed: experiment.trained[seed]}).on_dev(averages)
    return {
        "title": experiment.title,
        "system": experiment.name,
        "corpus": experiment.layout.corpus,
        "seed": str(seed),
        "frames": str(of.frames or "any"),
        "bins": str(of.bins),
        "threshold": repr(on_dev.threshold),
        "dev_eer": repr(on_dev.eer),
        "features": json.dumps(experiment.trained[seed].features),
        "input": "features[t mod T] for t = 0 … frames - 1, transposed; of a longer recording, windows"
        if of.frames
        else "features of the whole recording, transposed",
        "meaning": "higher = more genuine; above the threshold a recording is taken for genuine",
        "several_seeds": SEVERAL_SEEDS,
        "weights_sha256": files.sha256(weights),
    }


@torch.inference_mode()
def difference(of: Exportable, content: bytes, seed: int) -> float:
    """The largest difference between the scores of PyTorch and onnxruntime, relative for scores above 1."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(seed)
    worst = 0.0
    for size in BATCHES:
        x = 3 * rng.standard_normal((size, 1, of.bins, of.frames or CHECKED + size), dtype=np.float32)
        theirs = session.run([OUTPUT], {INPUT: x})[0]
        ours = of.network(torch.from_numpy(x)).numpy()
        worst = np.maximum(worst, np.max(np.abs(theirs - ours) / np.maximum(np.abs(ours), 1)))
    return float(worst)


if __name__ == "__main__":
    errors.run(main)
