"""Constant-Q cepstra of 3.5 s, and their transform beside librosa's.

librosa is not a requirement of this project: its figure appears after `pip install librosa`. It computes the transform
alone, with the same bins per octave and range, and about as many frames.
"""

import warnings
from importlib.util import find_spec

import numpy as np

from afn.features import cqt
from afn.features.cqcc import CqccOptions, cqcc
from measuring import Row, side_by_side

RATE = 16000  # Hz
HOP = 128  # samples: 125 frames a second; ours are 117
OPTIONS = CqccOptions()


def measure(repeats: int = 15) -> list[Row]:
    """The features and the transform, the latter beside librosa's where that is installed."""
    signal = np.random.default_rng(1).normal(0, 3000, round(3.5 * RATE)).astype(np.int16)
    sides = {"features": lambda: cqcc(signal, OPTIONS), "transform": lambda: cqt.transform(signal, OPTIONS)}
    if find_spec("librosa") is not None:
        sides["librosa"] = lambda: librosas(signal)
    ms = {name: 1000 * seconds for name, seconds in side_by_side(sides, repeats).items()}
    return [
        Row("CQCC: features of 3.5 s", "ms", ms["features"], goal=15),
        Row("CQCC: its transform", "ms", ms["transform"], ms.get("librosa"), "librosa"),
    ]


def librosas(signal: np.ndarray) -> np.ndarray:
    """librosa's transform with our bins."""
    import librosa

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="n_fft=.* is too large", module="librosa")  # its lowest octaves
        return librosa.cqt(
            signal / 32768,
            sr=RATE,
            hop_length=HOP,
            fmin=OPTIONS.fmin,
            n_bins=len(cqt.centre_frequencies(OPTIONS)),
            bins_per_octave=OPTIONS.bins_per_octave,
        )
