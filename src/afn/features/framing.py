"""Frames of a recording, and their power spectra."""

from collections.abc import Callable
from typing import Protocol, Self

import numpy as np
import scipy.fft
from pydantic import Field, PositiveInt, model_validator

from afn.common.config import Settings
from afn.features.waveform import unit_scale

FRAME_BLOCK = 4096  # frames that a front end transforms at a time, which keeps an hour of speech small


class Frames(Protocol):
    """How a front end divides a recording into frames; lengths in samples."""

    @property
    def length(self) -> int: ...
    @property
    def shift(self) -> int: ...
    @property
    def preemphasis(self) -> float: ...
    def frames(self, samples: int) -> int: ...


class FrameOptions(Settings):
    """Settings of spectra that describe frames in samples."""

    sample_rate: PositiveInt = Field(default=16000, description="Hz")
    length: int = Field(default=400, ge=2, description="samples per frame")
    shift: PositiveInt = Field(default=160, description="samples from frame to frame")
    fft_size: int = Field(default=512, description="frames are filled up with zeros to it; half as many bins, and one")
    preemphasis: float = Field(default=0.97, description="x[n] - preemphasis x[n-1]; 0: none")

    @model_validator(mode="after")
    def _frame_fits(self) -> Self:
        if self.length > self.fft_size:
            raise ValueError(f"length: {self.length} must be at most fft_size: {self.fft_size}")
        return self

    def frames(self, samples: int) -> int:
        """The number of frames of a recording of `samples` samples; the last is filled up with zeros."""
        return 1 + max(-((self.length - samples) // self.shift), 0)


def framed(signal: np.ndarray, length: int, shift: int, count: int) -> np.ndarray:
    """The first `count` frames of float[N], filled up with zeros beyond its end: float[count × length], a view.

    `length` and `shift` are samples per frame and from frame to frame.
    """
    signal = np.pad(signal, (0, max((count - 1) * shift + length - len(signal), 0)))
    return np.lib.stride_tricks.sliding_window_view(signal, length)[::shift][:count]


def of_frames(function: Callable[[np.ndarray], np.ndarray], samples: np.ndarray, options: Frames) -> np.ndarray:
    """`function` of the frames float64[T × length] of a recording, after pre-emphasis, samples in ±1: [T × …].

    `samples` and errors as for `unit_scale`. Many frames are worked on a block at a time.
    """
    signal = unit_scale(samples)
    signal[1:] -= options.preemphasis * signal[:-1]
    frames = framed(signal, options.length, options.shift, options.frames(len(signal)))
    return np.concatenate([function(frames[at : at + FRAME_BLOCK]) for at in range(0, len(frames), FRAME_BLOCK)])


def power_spectra(frames: np.ndarray, fft_size: int) -> np.ndarray:
    """|X|² of frames float[T × length], filled up with zeros to `fft_size`: float[T × (fft_size / 2 + 1)]."""
    spectra = scipy.fft.rfft(frames, fft_size, axis=1)
    power: np.ndarray = np.square(spectra.real) + np.square(spectra.imag)
    return power
