"""Pack what gpu.py needs on a machine that can fetch nothing: wheels, and features of a corpus as float16.

    ./run.sh -2 -1                     # makes data/simulated, if it is not there
    python bench/gpu_prepare.py        # into bench/gpu_data

The names of the wheels are those that a machine with PyTorch 2.11 under Python 3.12 lacks.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
# kaldi_io reads no compressed archives under NumPy 2.4 or later.
WHEELS = ("numpy==2.3.5", "pydantic", "pydantic_core", "annotated-types", "typing-inspection", "typing-extensions")
WHEELS += ("soundfile", "cffi", "pycparser", "soxr", "kaldi_io")
TAGS = [f"manylinux_2_{minor}_x86_64" for minor in (28, 27, 17)] + ["manylinux2014_x86_64", "manylinux1_x86_64"]
MOST = 60  # MiB, of wheels and features


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, default=ROOT / "data" / "simulated", metavar="DIR")
    parser.add_argument("--out", type=Path, default=HERE / "gpu_data", metavar="DIR")
    parser.add_argument("--no-wheels", action="store_true", help="only the features")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    if not chosen.no_wheels:
        download(chosen.out / "wheels")
    pack(chosen.corpus, chosen.out / "features.npz")
    size = sum(path.stat().st_size for path in chosen.out.rglob("*") if path.is_file()) / 2**20
    print(f"gpu_prepare: {chosen.out}: {size:.1f} MiB")
    if size > MOST:
        sys.exit(f"gpu_prepare: error: more than {MOST} MiB. Take a smaller corpus.")


def download(folder: Path) -> None:
    """Wheels for Python 3.12 on Linux."""
    platforms = [word for tag in TAGS for word in ("--platform", tag)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--python-version", "3.12", "--implementation", "cp", *platforms, "--dest", str(folder), *resolved()]
    subprocess.run(command, check=True)


def resolved() -> list[str]:
    """WHEELS, pydantic_core in the version that this environment's pydantic needs."""
    from importlib.metadata import version

    return [f"{name}=={version(name)}" if name.startswith("pydantic") else name for name in WHEELS]


def pack(corpus: Path, path: Path) -> None:
    """Train and dev of a corpus: lengths, labels, and one float16 matrix per subset, at true lengths."""
    from afn.features.archives import FeatureArchive

    content = {}
    for name in ("train", "dev"):
        folder = corpus / name
        labels = dict(line.split() for line in (folder / "utt2label").read_text().splitlines())
        matrices = FeatureArchive(folder / "spectrogram" / "feats.scp", ROOT)
        content[f"{name}_lengths"] = np.array([len(matrices[utt]) for utt in labels])
        content[f"{name}_genuine"] = np.array([label == "genuine" for label in labels.values()])
        content[f"{name}_values"] = np.concatenate([matrices[utt].astype(np.float16) for utt in labels])
    np.savez_compressed(path, **content)


if __name__ == "__main__":
    main()
