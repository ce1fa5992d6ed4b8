"""Real material for the simulation: audio files of any rate and channels, found below a folder."""

from pathlib import Path

import numpy as np
import scipy
import soundfile

from afn.common.errors import UserError

SUFFIXES = (".wav", ".flac")


def below(folder: Path) -> list[Path]:
    """The wav and flac files anywhere below a folder, sorted by path. Raises UserError when it is missing."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; name one that exists")
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix().encode())


def read(path: Path, sample_rate: int) -> np.ndarray:
    """The first channel of a recording at `sample_rate` Hz: float64[N].

    Raises UserError for a file that cannot be decoded, holds nothing, or holds values that are not finite.
    """
    try:
        samples, rate = soundfile.read(str(path), dtype="float64", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        why = " ".join(str(error).split())
        raise UserError(f"{path}: not a readable recording ({why}); take it out or fetch it again") from None
    samples = samples[:, 0]
    if len(samples) == 0 or not np.isfinite(samples).all():
        raise UserError(f"{path}: holds {'values that are not finite' if len(samples) else 'no samples'}; take it out")
    return resample(samples, rate, sample_rate)


def resample(samples: np.ndarray, rate: int, sample_rate: int) -> np.ndarray:
    """`samples` (float64[N] at `rate` Hz) at `sample_rate` Hz."""
    if rate == sample_rate:
        return samples
    common = int(np.gcd(rate, sample_rate))
    return scipy.signal.resample_poly(samples, sample_rate // common, rate // common)
