"""Score a recording with an exported network, without PyTorch.

    python examples/score_without_torch.py exp/simulated/afn/seed1/model.onnx recording.wav

Needs numpy, scipy, soundfile, PyYAML, kaldi_io and onnxruntime; the features come from the package afn.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime

from afn.common import errors
from afn.features import audio, front_end


def main() -> None:
    if len(sys.argv) != 3:
        raise errors.UserError(
            "wrong number of arguments. Give two files: model.onnx and a recording, 16-bit and mono."
        )
    model, recording = sys.argv[1:]
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    about = session.get_modelmeta().custom_metadata_map
    extract = front_end.from_description(json.loads(about["features"]))
    features = extract(Path(recording).stem, audio.read(recording, extract.sample_rate))  # frames × bins
    repeated = features[np.arange(int(about["frames"])) % len(features)].T  # a longer one is cut
    score = float(session.run(["score"], {"spectrogram": repeated[None, None]})[0][0])
    decision = "genuine" if score > float(about["threshold"]) else "replayed"
    print(f"{recording}: score {score:+.4f}, threshold {float(about['threshold']):+.4f}: {decision}")


errors.run(main)
