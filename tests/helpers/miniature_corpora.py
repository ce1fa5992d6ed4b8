"""Published corpora in miniature: trees of the official layouts with a few recordings of noise.

Every function writes a tree below `root` and a YAML beside it, and returns the path of the YAML.
"""

from itertools import product
from pathlib import Path

import numpy as np
import soundfile

SUBSETS = {"train": ("T", "trn"), "dev": ("D", "trl"), "eval": ("E", "trl")}


def write_noise(path: Path, seed: int, loudness: float, rate: int = 16000, channels: int = 1) -> None:
    """Noise of about 0.3 s."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(seed).normal(0, loudness, (round(0.3 * rate) + 40 * (seed % 9), channels))
    soundfile.write(path, samples.astype(np.int16), rate, subtype="PCM_16")


def write_yaml(root: Path, kind: str, **settings: object) -> Path:
    path = root.parent / f"{kind}.yaml"
    lines = {"kind": kind, "name": kind, "root": root, "allow_missing": "true", **settings}
    path.write_text("".join(f"{key}: {value}\n" for key, value in lines.items()))
    return path


def asvspoof2019_pa(root: Path) -> Path:
    """Three bona fide recordings and as many replays in every subset, and an enrolment recording of dev and eval."""
    for number, (subset, (letter, ending)) in enumerate(SUBSETS.items()):
        folder, lines = root / "PA" / f"ASVspoof2019_PA_{subset}" / "flac", []
        for i in range(6):
            file, genuine = f"PA_{letter}_{i:07d}", i < 3
            write_noise(folder / f"{file}.flac", 100 * number + i, 1000 if genuine else 200)
            condition = "- bonafide" if genuine else f"{'AB'[i % 2]}C spoof"
            lines.append(f"PA_{number}{i % 2} {file} a{'abc'[i % 3]}c {condition}\n")
        if subset != "train":
            write_noise(folder / f"PA_{letter}_9000001.flac", 99, 1000)
        protocol = root / "PA" / "ASVspoof2019_PA_cm_protocols" / f"ASVspoof2019.PA.cm.{subset}.{ending}.txt"
        protocol.parent.mkdir(exist_ok=True)
        protocol.write_text("".join(lines))
    return write_yaml(root, "asvspoof2019_pa")


def asvspoof2021_pa(root: Path, parts: bool = True) -> Path:
    """Two recordings of both classes in every track, in seven parts or one tree, and the key."""
    lines = []
    tracks = product(("notrim eval", "notrim progress", "notrim hidden", "trim hidden"), range(2), (True, False))
    for i, (track, _, genuine) in enumerate(tracks):
        file, part = f"PA_E_{i:07d}", f"ASVspoof2021_PA_eval_part0{i % 7}" if parts else "."
        write_noise(root / part / "ASVspoof2021_PA_eval" / "flac" / f"{file}.flac", i, 1000 if genuine else 200)
        condition = "D2 - - - - bonafide" if genuine else f"d4 r1 m1 s{2 + i % 3} c4 spoof"
        lines.append(f"PA_{i % 3:04d} {file} R3 M3 {condition} {track}\n")
    key = root / "keys" / "PA" / "CM" / "trial_metadata.txt"
    key.parent.mkdir(parents=True)
    key.write_text("".join(lines))
    return write_yaml(root, "asvspoof2021_pa")


def remasc(root: Path) -> Path:
    """Two recorders; of each speaker a genuine recording and a replay, and a source recording that is no trial."""
    number = 0
    for part in ("core", "eval"):
        lines = []
        for speaker, recorder in product(range(1, 5), (1, 4)):
            rate, channels = (44100, 2) if recorder == 1 else (16000, 7)
            for kind, playback, loudness in (("1", -1, 500), ("2", -1, 1000), ("3", speaker % 5 + 1, 200)):
                number += 1
                taken, source = (-1, 1) if kind == "1" else (recorder, 1 if kind == "3" else -1)
                fields = (number, kind, speaker, 1 + speaker % 4, 2, source, playback, taken, 0.3)
                lines.append(", ".join(f"{field:>4}" for field in fields) + "\n")
                write_noise(root / part / "data" / f"{number}.wav", number, loudness, rate, channels)
        (root / part / "meta.csv").write_text("".join(lines))
    return write_yaml(root, "remasc", recorder=1)


def digits(root: Path, checkout: bool = True, speakers: int = 4, digits: str = "01") -> Path:
    """`speakers` of each language, as the authors' repository has them or sorted by speaker."""
    for i, (language, speaker, digit, genuine) in enumerate(
        product(("en_US", "pt_BR"), range(1, speakers + 1), digits, (True, False))
    ):
        path = root / ("genuine" if genuine else "spoof") / f"{language}_{speaker:02d}" / f"{digit}.flac"
        if checkout:
            label = "live" if genuine else "playback"
            path = root / "soundSamples" / "separated" / label / language / digit / f"Voz{speaker}.wav"
        write_noise(path, i, 1000 if genuine else 200, 44100)
    return write_yaml(root, "digits")
