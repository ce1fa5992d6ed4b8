"""How many times faster than real time spectrograms are made, from recordings on disk to an archive.

    python bench/bench_spectrogram.py

Reading, log power spectrogram, sliding mean and writing, with Kaldi's dither and without; files lie in memory where the
system has a folder for that, so that no disk is measured. A core's figure counts the seconds of the processor that one
process takes, which what else the machine does hardly changes; that of all cores is by the clock, workers' start
included. Where Kaldi is installed its own programs run over the same recordings.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from afn.common.paths import ROOT
from afn.features import archives, kaldi, parts
from afn.features.front_end import SpectrogramFrontEnd
from afn.features.kaldi_options import SpectrogramOptions
from measuring import Row, show, side_by_side

RATE = 16000  # Hz
SECONDS = 3.5  # of an utterance: the mean of ASVspoof 2017
CORPUS = 18_030  # utterances of ASVspoof 2017 Version 2.0
WINDOW = 300  # frames of the sliding mean
ROOM = 4e9  # bytes


def measure(repeats: int = 5, utterances: int = 100, jobs: int | None = None) -> list[Row]:
    """Real-time factors of a core and of all, and what the real corpus takes."""
    jobs = jobs or os.cpu_count()
    in_memory = Path("/dev/shm")
    room = in_memory.is_dir() and shutil.disk_usage(in_memory).free > ROOM
    with tempfile.TemporaryDirectory(dir=in_memory if room else None) as folder:
        recordings = noise(Path(folder), utterances)
        pace = {dither: core(recordings, dither, Path(folder), repeats) for dither in (0.0, 1.0)}
        beside = kaldis(recordings, Path(folder)) if len(kaldi.find()) == len(kaldi.PROGRAMS) else None
        clocks = {count: partial(clock, recordings * 30, Path(folder), count) for count in (1, jobs)}
        alone, together = side_by_side(clocks, 2).values()
    factor = "x real time"
    return [
        Row("spectrogram: a core, without dither", factor, pace[0.0], more_is_better=True, goal=2400),
        Row("spectrogram: a core, with dither", factor, pace[1.0], beside, "Kaldi" if beside else "", True, 1500),
        Row(f"spectrogram: {len(recordings) * 30} utterances, {jobs} cores", "s", together, alone, "one core"),
        Row(f"spectrogram: {CORPUS} utterances, {jobs} cores", "s", CORPUS / (len(recordings) * 30) * together),
    ]


def noise(folder: Path, utterances: int) -> list[tuple[str, str]]:
    """Recordings of noise: `(utterance, wav file)`."""
    rng = np.random.default_rng(1)
    recordings = []
    for index in range(utterances):
        path = folder / f"u{index:06}.wav"
        samples = rng.normal(0, 1000, round(SECONDS * RATE)).astype(np.int16)
        soundfile.write(path, samples, RATE, subtype="PCM_16")
        recordings.append((path.stem, str(path)))
    return recordings


def front_end(dither: float) -> SpectrogramFrontEnd:
    return SpectrogramFrontEnd(SpectrogramOptions(snip_edges=False, dither=dither), WINDOW, False)


def extract(recordings: list[tuple[str, str]], out: Path, dither: float, jobs: int) -> None:
    """Write the features of `recordings` to `out`, also where it has some."""
    extraction = parts.Extraction(out, front_end(dither), "bench", since=time.time_ns())
    parts.extract(extraction, recordings, len(recordings), jobs)


def core(recordings: list[tuple[str, str]], dither: float, folder: Path, repeats: int) -> float:
    """Seconds of sound a second of the processor, in this process alone; the median."""
    paces = []
    for _ in range(repeats + 1):
        started = time.process_time()
        extract(recordings, folder / "out", dither, 1)
        paces.append(len(recordings) * SECONDS / (time.process_time() - started))
    return statistics.median(paces[1:])


def clock(recordings: list[tuple[str, str]], folder: Path, jobs: int) -> float:
    """Seconds by the clock, on `jobs` processes."""
    shutil.rmtree(folder / "out", ignore_errors=True)
    numbered = [(f"u{index:06}", wav) for index, (_, wav) in enumerate(recordings)]
    started = time.perf_counter()
    extract(numbered, folder / "out", 1.0, jobs)
    return time.perf_counter() - started


def kaldis(recordings: list[tuple[str, str]], folder: Path) -> float:
    """Kaldi's own pipeline over the same recordings, in one job."""
    started = time.perf_counter()
    commands = kaldi.spectrogram(ROOT / "conf" / "spectrogram.conf", WINDOW, False)
    archives.write(folder / "out", kaldi.extract(recordings, commands, 1, folder), "feats.ark")
    return len(recordings) * SECONDS / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utterances", type=int, default=100, help="of 3.5 s (default 100)")
    parser.add_argument("--repeats", type=int, default=5, help="of which the median is taken (default 5)")
    parser.add_argument("--nj", type=int, default=os.cpu_count(), help="parallel jobs (default: all cores)")
    arguments = parser.parse_args()
    show(measure(arguments.repeats, arguments.utterances, arguments.nj))


if __name__ == "__main__":
    main()
