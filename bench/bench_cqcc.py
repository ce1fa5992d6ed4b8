"""How long the constant-Q front end takes, beside librosa's constant-Q transform in the same run.

    OMP_NUM_THREADS=1 python bench/bench_cqcc.py

librosa is not a requirement of this project: after `pip install librosa` its columns appear. It computes the transform
alone, with the same bins per octave, range and about the same frames.
"""

import argparse
import os
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import scipy.signal

from afn.features import cqt
from afn.features.cqcc import CqccOptions, cqcc
from measuring import Row

RATE = 16000  # Hz
HOP = 128  # samples: 125 frames a second; ours are 117
OPTIONS = CqccOptions()


def measure(repeats: int = 15) -> list[Row]:
    """The features and the transform of 3.5 s, the latter beside librosa's where that is installed."""
    signal, other = speech_like(56_000, 1), librosa_cqt()
    theirs = median(lambda: other(signal), max(repeats // 3, 1)) if other else None
    return [
        Row("CQCC: features of 3.5 s", "ms", median(lambda: cqcc(signal, OPTIONS), repeats), goal=15),
        Row("CQCC: its transform", "ms", median(lambda: cqt.transform(signal, OPTIONS), repeats), theirs, "librosa"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    # 55,901 samples and their 409 frames are both prime, which is the slowest case for the FFTs.
    parser.add_argument("--samples", type=int, nargs="+", default=[16000, 56000, 55901, 160000], help="lengths to time")
    parser.add_argument(
        "--repeats", type=int, default=15, help="repetitions, of which the median is reported (default 15)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the signal (default 1)")
    arguments = parser.parse_args()
    if min(*arguments.samples, arguments.repeats, 1) < 1:
        parser.error("--samples and --repeats must be at least 1")
    other = librosa_cqt()
    threads = os.environ.get("OMP_NUM_THREADS", "not set: 1 makes the figures comparable")
    print(f"median of {arguments.repeats}, in ms; OMP_NUM_THREADS {threads}; numpy {np.__version__}")
    print(f"{'samples':>9} {'seconds':>8} {'frames':>7} {'CQCC':>8} {'our CQT':>8}", end="")
    print(f" {'librosa':>8} {'ratio CQT':>9} {'ratio CQCC':>10}" if other else "")
    for count in arguments.samples:
        signal = speech_like(count, arguments.seed)
        ours = median(lambda s=signal: cqcc(s, OPTIONS), arguments.repeats)
        transform = median(lambda s=signal: cqt.transform(s, OPTIONS), arguments.repeats)
        frames = cqt.frames(OPTIONS, count)
        print(f"{count:9d} {count / RATE:8.2f} {frames:7d} {ours:8.2f} {transform:8.2f}", end="")
        if other:
            theirs = median(lambda s=signal: other(s), max(arguments.repeats // 3, 1))
            print(f" {theirs:8.1f} {theirs / transform:9.1f} {theirs / ours:10.1f}", end="")
        print(flush=True)
    if not other:
        print("librosa is not installed; `pip install librosa` to see it beside ours")


def speech_like(count: int, seed: int) -> np.ndarray:
    """int16[N]: pulses of a wandering pitch through three formants, with pauses and noise; fixed by the seed."""
    generator = np.random.default_rng(seed)
    t = np.arange(count) / RATE
    pitch = 120 + 25 * np.sin(2 * np.pi * 0.6 * t) + 8 * np.sin(2 * np.pi * 2.3 * t)  # Hz
    pulses = np.diff(np.floor(np.cumsum(pitch) / RATE), prepend=0.0)
    voice = pulses + 0.02 * generator.standard_normal(count)
    for formant, width in ((600, 80), (1400, 110), (2700, 170)):  # Hz
        radius, angle = np.exp(-np.pi * width / RATE), 2 * np.pi * formant / RATE
        voice = scipy.signal.lfilter([1 - radius], [1, -2 * radius * np.cos(angle), radius**2], voice)
    voice *= np.clip(np.sin(2 * np.pi * 1.1 * t) + 0.6, 0, 1)  # syllables
    voice /= max(np.abs(voice).max(), 1e-9)
    return (9000 * voice + 5 * generator.standard_normal(count)).astype(np.int16)


def librosa_cqt() -> Callable[[np.ndarray], np.ndarray] | None:
    """librosa's transform with our bins, or None where librosa is not installed."""
    if find_spec("librosa") is None:
        return None
    import librosa

    warnings.filterwarnings("ignore", message="n_fft=.* is too large", module="librosa")  # its lowest octaves
    bins = len(cqt.centre_frequencies(OPTIONS))

    def transform(signal: np.ndarray) -> np.ndarray:
        return librosa.cqt(
            signal / 32768,
            sr=RATE,
            hop_length=HOP,
            fmin=OPTIONS.fmin,
            n_bins=bins,
            bins_per_octave=OPTIONS.bins_per_octave,
        )

    return transform


def median(function: Callable[[], object], repeats: int) -> float:
    """The median duration of `repeats` calls in ms, after one that is not counted."""
    function()
    durations = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        durations.append(time.perf_counter() - start)
    return 1000 * float(np.median(durations))


if __name__ == "__main__":
    main()
