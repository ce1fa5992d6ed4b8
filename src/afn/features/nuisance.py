"""Nuisances: properties of a recording that say nothing about replay, such as its level, its length and its noise.

If one of them separates the classes of a corpus, a system can measure it instead of replay. Stage 3 shows whether it
could (docs/audit.md), after Chettri, Benetos, Sturm: Dataset Artefacts in Anti-Spoofing Systems: A Case Study on the
ASVspoof 2017 Benchmark, IEEE/ACM TASLP 28, 2020, arXiv 2010.07913. All numbers below are our choice.
"""

import csv
from array import array
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from afn.common import files
from afn.common.errors import UserError
from afn.features.framing import FRAME_BLOCK, framed, power_spectra
from afn.features.waveform import FULL_SCALE

WINDOW, SHIFT = 0.025, 0.010  # s, of the frames whose levels are measured
FLOOR = 1e-10  # of a power beside full scale: -100 dB, about the rounding to 16 bits
LOUD, QUIET = 95, 5  # percentiles of the frames' levels: speech, and the noise between words
HEARD = 35.0  # dB: frames that are at most so far below the loud ones belong to the level
ABOVE_NOISE = 6.0  # dB: where speech begins and ends ...
BELOW_LOUD = 3.0  # ... or, in steady sound, so far below the loud frames
FFT = 512  # points, Hann window, half overlapping
EMPTY = 1e-6  # of the strongest bin: bins with less power are beyond the bandwidth
LOW, HIGH = 100.0, 6000.0  # Hz
EQUALISED = -30.0  # dBFS, the level of equalised recordings: they rarely clip
FILE = "nuisance.csv"  # in a data directory


class Nuisance(NamedTuple):
    """What a nuisance is called in tables."""

    title: str
    unit: str


NUISANCES = {
    "duration": Nuisance("duration", "s"),
    "level": Nuisance("level", "dBFS"),
    "peak": Nuisance("peak", "dBFS"),
    "noise_floor": Nuisance("noise floor", "dBFS"),
    "snr": Nuisance("signal-to-noise ratio", "dB"),
    "leading_silence": Nuisance("leading silence", "s"),
    "trailing_silence": Nuisance("trailing silence", "s"),
    "zeros": Nuisance("samples that are 0", "%"),
    "clipped": Nuisance("clipped samples", "%"),
    "offset": Nuisance("DC offset", "% of full scale"),
    "bandwidth": Nuisance("bandwidth", "Hz"),
    "below_100_hz": Nuisance("power below 100 Hz", "dB of all"),
    "above_6_khz": Nuisance("power above 6 kHz", "dB of all"),
    "bytes_per_second": Nuisance("bytes per second of the file", ""),
}
OF_FILE = "bytes_per_second"  # not of the samples: no feature sees it
HEADER = ("utt", *NUISANCES)


def measure(samples: np.ndarray, sample_rate: int) -> dict[str, float]:
    """The nuisances of a recording but OF_FILE, by their names in NUISANCES and in the units there.

    `level` is the mean in dB of the frames that are at most 35 dB below the loud ones (the 95th percentile), each frame
    without its mean. `noise_floor` is the 5th percentile, `snr` the difference of the two percentiles. Silence ends
    where frames are 6 dB above the noise floor. `bandwidth` ends where the mean spectrum stays 60 dB below its maximum.

    Args:
        samples: int16[N], N ≥ 1.
        sample_rate: Hz.

    Raises:
        UserError: no samples.
    """
    levels = _levels(samples, sample_rate)
    loud, quiet = (float(level) for level in np.percentile(levels, (LOUD, QUIET)))
    first, last = _speech(levels, len(samples), sample_rate)
    magnitudes = np.abs(samples.astype(np.int32))
    power, frequencies = _spectrum(samples), np.arange(FFT // 2 + 1) * sample_rate / FFT
    total = float(power.sum())
    return {
        "duration": len(samples) / sample_rate,
        "level": _level(levels),
        "peak": _decibels((float(magnitudes.max()) / FULL_SCALE) ** 2),
        "noise_floor": quiet,
        "snr": loud - quiet,
        "leading_silence": first / sample_rate,
        "trailing_silence": (len(samples) - last) / sample_rate,
        "zeros": 100 * float(np.mean(magnitudes == 0)),
        "clipped": 100 * float(np.mean(magnitudes >= FULL_SCALE - 1)),
        "offset": 100 * float(samples.mean(dtype=np.float64)) / FULL_SCALE,
        "bandwidth": float(frequencies[power >= EMPTY * power.max()].max()),
        "below_100_hz": _decibels(power[frequencies < LOW].sum() / total) if total else 0.0,
        "above_6_khz": _decibels(power[frequencies > HIGH].sum() / total) if total else 0.0,
    }


def equalised(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """A recording without the silence at its ends and its DC offset, at -30 dBFS; digital silence stays as it is.

    An offset that all recordings share would otherwise show by how much each was amplified.

    int16[N] to int16[M], 1 ≤ M ≤ N, at `sample_rate` Hz. Samples beyond full scale are clipped.
    """
    first, last = _speech(_levels(samples, sample_rate), len(samples), sample_rate)
    kept = samples[first:last] - samples[first:last].mean()
    gain = 10 ** ((EQUALISED - _level(_levels(kept, sample_rate))) / 20) if kept.any() else 1.0
    return np.clip(np.rint(gain * kept), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def write(path: Path, rows: Iterable[tuple[str, Mapping[str, float]]]) -> None:
    """Write FILE: HEADER, then a line for every utterance and its nuisances, OF_FILE included; six digits of each."""
    with files.whole(path, "w") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(HEADER)
        table.writerows([utt, *(f"{found[name]:.6g}" for name in NUISANCES)] for utt, found in rows)


def exists(path: Path) -> bool:
    """Whether FILE exists with the columns of now."""
    try:
        with path.open(encoding="utf-8") as file:
            return file.readline().rstrip("\n") == ",".join(HEADER)
    except (FileNotFoundError, UnicodeDecodeError):
        return False


def read(path: Path) -> tuple[list[str], np.ndarray]:
    """The utterances of FILE, and float64[N × 14], their nuisances in the order of NUISANCES.

    Raises UserError for a file that is missing, or that `write` has not written.
    """
    utts: list[str] = []
    values = array("d")  # a list of millions of numbers would take gigabytes
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file)
            if tuple(next(rows, ())) != HEADER:
                raise ValueError
            for utt, *row in rows:
                if len(row) != len(NUISANCES):
                    raise ValueError
                utts.append(utt)
                values.extend(map(float, row))
        return utts, np.array(values).reshape(-1, len(NUISANCES))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file. Run stage -2.") from None
    except ValueError:  # UnicodeDecodeError included
        raise UserError(f"{path}: not the table that stage -2 writes. Delete it, and run stage -2.") from None


def _levels(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """The level of every frame without its mean, float64[T] in dBFS; the sums are exact."""
    if not len(samples):
        raise UserError("the recording holds 0 samples. Remove it.")
    width = min(round(WINDOW * sample_rate), len(samples))
    starts = np.arange(0, len(samples) - width + 1, round(SHIFT * sample_rate))
    values = samples.astype(np.int64)
    sums, squares = (np.append(0, np.cumsum(of)) for of in (values, values * values))
    mean, square = ((of[starts + width] - of[starts]) / width for of in (sums, squares))
    return 10 * np.log10(np.maximum(square - mean**2, 0) / FULL_SCALE**2 + FLOOR)


def _level(levels: np.ndarray) -> float:
    return float(levels[levels >= np.percentile(levels, LOUD) - HEARD].mean())


def _speech(levels: np.ndarray, count: int, sample_rate: int) -> tuple[int, int]:
    """The samples, of `count`, from the first frame of speech to the end of the last one."""
    loud, quiet = np.percentile(levels, (LOUD, QUIET))
    first, last = np.flatnonzero(levels >= min(max(loud - HEARD, quiet + ABOVE_NOISE), loud - BELOW_LOUD))[[0, -1]]
    shift, width = round(SHIFT * sample_rate), round(WINDOW * sample_rate)
    return int(first * shift), count if last == len(levels) - 1 else int(last * shift + width)


def _spectrum(samples: np.ndarray) -> np.ndarray:
    """The mean power of every bin, float64[FFT / 2 + 1], of a recording without its mean."""
    signal = (samples - samples.mean(dtype=np.float64)).astype(np.float32)
    frames = framed(signal, FFT, FFT // 2, max(len(signal) // (FFT // 2) - 1, 1))
    window = np.hanning(FFT + 1)[:-1].astype(np.float32)  # scipy.signal takes half a second to import
    power = np.zeros(FFT // 2 + 1)
    for start in range(0, len(frames), FRAME_BLOCK):
        power += power_spectra(frames[start : start + FRAME_BLOCK] * window, FFT).sum(axis=0, dtype=np.float64)
    return power / len(frames)


def _decibels(power: float) -> float:
    return float(10 * np.log10(power + FLOOR))
