"""Our own extraction: Kaldi's log power spectrogram and sliding mean, in parallel over recordings."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

import parallel
from errors import UserError
from features import audio
from features.cmvn import sliding_cmvn
from features.kaldi_options import SpectrogramOptions
from features.spectrogram import log_spectrogram


@dataclass(frozen=True)
class Extractor:
    """From a recording to its normalised spectrogram; training, scoring and one's own recordings all pass here."""

    options: SpectrogramOptions
    cmn_window: int
    norm_vars: bool

    def __call__(self, recording: tuple[str, str]) -> tuple[str, np.ndarray]:
        """`(utterance, wav file)` to `(utterance, float32[T × bins])`; UserError for an unusable recording."""
        utt, wav = recording
        return utt, self.features(utt, audio.read(wav, int(self.options.sample_frequency)))

    def features(self, utt: str, samples: np.ndarray) -> np.ndarray:
        """int16[N] to float32[T × bins]; the utterance id seeds the dither."""
        frames = self.options.frames(len(samples))
        if frames < 1:
            raise UserError(f"utterance {utt}: {len(samples)} samples are too few for one frame; take it out")
        return sliding_cmvn(log_spectrogram(samples, self.options, utt), self.cmn_window, self.norm_vars)


def extract(
    recordings: Iterable[tuple[str, str]], extractor: Extractor, jobs: int
) -> Iterator[tuple[str, np.ndarray]]:
    """`(utterance, features)` for every `(utterance, wav file)`, in order; the same bytes for any number of jobs."""
    return parallel.ordered_map(extractor, recordings, jobs)
