"""How many times faster than real time spectrograms are made, from recordings on disk to an archive.

Reading, log power spectrogram, sliding mean and writing, with Kaldi's dither and without; files are in memory where the
system has a folder for that, so that no disk is measured. A core's figure counts the processor seconds of one process,
which other load hardly changes; that of all cores is by the clock, with the start of the workers. Where Kaldi is
installed, its own programs run over the same recordings.
"""

import os
import shutil
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
from measuring import Row, side_by_side

RATE = 16000  # Hz
SECONDS = 3.5  # of an utterance: the mean of ASVspoof 2017
CORPUS = 18_030  # utterances of ASVspoof 2017 Version 2.0
WINDOW = 300  # frames of the sliding mean


def measure(repeats: int = 5, utterances: int = 100) -> list[Row]:
    """Real-time factors of a core and of all, and what the real corpus takes."""
    jobs = os.cpu_count()
    in_memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=in_memory if in_memory.is_dir() else None) as folder:
        recordings = noise(Path(folder), utterances)
        cores = {
            name: partial(core, recordings, dither, Path(folder)) for name, dither in (("without", 0.0), ("with", 1.0))
        }
        sound = SECONDS * utterances
        pace = {name: sound / seconds for name, seconds in side_by_side(cores, repeats).items()}
        beside = sound / kaldis(recordings, Path(folder)) if len(kaldi.find()) == len(kaldi.PROGRAMS) else None
        clocks = {
            name: partial(clock, recordings * 30, Path(folder), count) for name, count in (("one", 1), ("all", jobs))
        }
        seconds = side_by_side(clocks, 2)
    factor, many = "x real time", 30 * utterances
    return [
        Row("spectrogram: a core, without dither", factor, pace["without"], more_is_better=True, goal=2400),
        Row("spectrogram: a core, with dither", factor, pace["with"], beside, "Kaldi" if beside else "", True, 1500),
        Row(f"spectrogram: {many} utterances, {jobs} cores", "s", seconds["all"], seconds["one"], "one core"),
        Row(f"spectrogram: {CORPUS} utterances, {jobs} cores", "s", CORPUS / many * seconds["all"]),
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


def extract(recordings: list[tuple[str, str]], out: Path, dither: float, jobs: int) -> None:
    """Write the features of `recordings` to `out`, also where it has some."""
    front_end = SpectrogramFrontEnd(SpectrogramOptions(snip_edges=False, dither=dither), WINDOW, False)
    extraction = parts.Extraction(out, front_end, "bench", since=time.time_ns())
    parts.extract(extraction, recordings, len(recordings), jobs)


def core(recordings: list[tuple[str, str]], dither: float, folder: Path) -> float:
    """Processor seconds, in this process alone."""
    started = time.process_time()
    extract(recordings, folder / "out", dither, 1)
    return time.process_time() - started


def clock(recordings: list[tuple[str, str]], folder: Path, jobs: int) -> float:
    """Seconds by the clock, on `jobs` processes."""
    shutil.rmtree(folder / "out", ignore_errors=True)
    numbered = [(f"u{index:06}", wav) for index, (_, wav) in enumerate(recordings)]
    started = time.perf_counter()
    extract(numbered, folder / "out", 1.0, jobs)
    return time.perf_counter() - started


def kaldis(recordings: list[tuple[str, str]], folder: Path) -> float:
    """Seconds by the clock of Kaldi's own pipeline, in one job."""
    started = time.perf_counter()
    description = {"kind": "spectrogram", "cmn_window": WINDOW, "norm_vars": False}
    commands = kaldi.commands_for(description, ROOT / "conf" / "spectrogram.conf")
    archives.write(folder / "out", kaldi.extract(recordings, commands, folder), "feats.ark")
    return time.perf_counter() - started
