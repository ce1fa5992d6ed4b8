"""Corpora as lists of recordings (data directories of one's own); made-up recordings are noise, spoofed ones softer."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import soundfile

RATE = 16000
SIZES = {"train": 4, "dev": 4, "eval": 4}


def wave(seed: int, seconds: float = 0.3, loudness: float = 1000.0) -> np.ndarray:
    """Noise, int16[seconds * 16000]."""
    return np.random.default_rng(seed).normal(0, loudness, round(seconds * RATE)).astype(np.int16)


def write_lists(root: Path, name: str, subsets: Mapping[str, Mapping[str, tuple[Path, str]]]) -> Path:
    """Write subset -> utterance -> (recording, label) as lists; returns the corpus' YAML, `root`/NAME.yaml."""
    lines = ["kind: datadir", f"name: {name}"]
    for subset, listed in subsets.items():
        folder = root / "lists" / subset
        folder.mkdir(parents=True)
        (folder / "wav.scp").write_text("".join(f"{utt} {wav}\n" for utt, (wav, _) in listed.items()))
        (folder / "utt2label").write_text("".join(f"{utt} {label}\n" for utt, (_, label) in listed.items()))
        lines.append(f"{subset}: {folder}")
    (root / f"{name}.yaml").write_text("\n".join(lines) + "\n")
    return root / f"{name}.yaml"


def make(root: Path, sizes: Mapping[str, int] = SIZES, name: str = "noise") -> Path:
    """Write recordings, half of them genuine, and their lists below `root`; returns the corpus' YAML."""
    (root / "wav").mkdir(parents=True, exist_ok=True)
    subsets: dict[str, dict[str, tuple[Path, str]]] = {}
    for number, (subset, size) in enumerate(sizes.items()):
        subsets[subset] = {}
        for i in range(size):
            utt, genuine = f"{subset}_{i:03d}", i % 2 == 0
            wav = root / "wav" / f"{utt}.wav"
            soundfile.write(wav, wave(100 * number + i, 0.3 + 0.01 * (i % 60), 1000 if genuine else 200), RATE)
            subsets[subset][utt] = wav, "genuine" if genuine else "spoof"
    return write_lists(root, name, subsets)
