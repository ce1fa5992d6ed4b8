"""A corpus of made-up recordings: noise whose loudness tells the classes apart, as data directories of one's own."""

from pathlib import Path

import numpy as np
import soundfile

RATE = 16000
SIZES = {"train": 4, "dev": 4, "eval": 4}


def wave(seed: int, seconds: float = 0.3, loudness: float = 1000.0) -> np.ndarray:
    """Noise, int16[seconds * 16000]."""
    return np.random.default_rng(seed).normal(0, loudness, round(seconds * RATE)).astype(np.int16)


def make(root: Path, sizes: dict[str, int] = SIZES, name: str = "noise") -> Path:
    """Recordings and lists below `root`, half of them genuine; returns the corpus' YAML, `root`/NAME.yaml."""
    lines = ["kind: datadir", f"name: {name}"]
    for number, (subset, size) in enumerate(sizes.items()):
        folder = root / "lists" / subset
        folder.mkdir(parents=True)
        (root / "wav").mkdir(exist_ok=True)
        listed, labels = [], []
        for i in range(size):
            utt, genuine = f"{subset}_{i:03d}", i % 2 == 0
            wav = root / "wav" / f"{utt}.wav"
            soundfile.write(wav, wave(100 * number + i, 0.3 + 0.01 * (i % 60), 1000 if genuine else 200), RATE)
            listed.append(f"{utt} {wav}\n")
            labels.append(f"{utt} {'genuine' if genuine else 'spoof'}\n")
        (folder / "wav.scp").write_text("".join(listed))
        (folder / "utt2label").write_text("".join(labels))
        lines.append(f"{subset}: {folder}")
    (root / f"{name}.yaml").write_text("\n".join(lines) + "\n")
    return root / f"{name}.yaml"
