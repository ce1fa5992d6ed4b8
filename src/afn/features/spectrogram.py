"""Log power spectrogram, computed as Kaldi's compute-spectrogram-feats computes it.

Source: Kaldi, feat/feature-window.cc, feat/feature-spectrogram.cc.
"""

import hashlib
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import scipy.fft

from afn.features.kaldi_options import SpectrogramOptions

FLOOR = np.float32(np.finfo(np.float32).eps)  # Kaldi floors power and energy here before the logarithm
BLOCK = 64  # frames worked on at a time: they stay in a core's cache


def log_spectrogram(samples: np.ndarray, options: SpectrogramOptions, utt: str = "") -> np.ndarray:
    """The log power spectrogram of one recording, float32[T × bins], natural logarithm.

    `samples` is int16[N], or float values on the same scale (about ±32768). The utterance id `utt` seeds the dither, so
    that the same recording gives the same features every time. Bin 0 is replaced by the log energy of the frame, as in
    Kaldi.
    """
    return next(log_spectrogram_stretches(samples, options, utt))


def log_spectrogram_stretches(
    samples: np.ndarray, options: SpectrogramOptions, utt: str, frames: int | None = None
) -> Iterator[np.ndarray]:
    """The rows of `log_spectrogram`, `frames` at a time, a multiple of BLOCK (default: all)."""
    windows = _windows(np.asarray(samples), options)
    whole_numbers = windows.dtype == np.int16 and not options.dither
    bits = _bits(utt) if options.dither else None
    padded = np.zeros((BLOCK, options.fft_size), dtype=np.float32)
    for first in range(0, max(len(windows), 1), frames or max(len(windows), 1)):
        stretch = windows[first : first + (frames or len(windows))]
        logarithm = np.empty((len(stretch), options.bins), dtype=np.float32)
        for start in range(0, len(stretch), BLOCK):
            block = stretch[start : start + BLOCK].astype(np.float32)
            if bits is not None:
                noise = _normal(bits, block.size).reshape(block.shape)
                noise *= options.dither
                block += noise
            _log_power(block, options, whole_numbers, padded[: len(block)], logarithm[start : start + BLOCK])
        yield logarithm


def _log_power(
    frames: np.ndarray, options: SpectrogramOptions, whole_numbers: bool, padded: np.ndarray, out: np.ndarray
) -> None:
    """Frames float32[B × length] to log power `out`, float32[B × bins]; `padded`, float32[B × fft_size], ends in zeros.

    `frames` is worked on in place.
    """
    if options.remove_dc_offset:
        frames -= _means(frames, whole_numbers)
    energy = _log_energy(frames) if options.raw_energy else None
    windowed = padded[:, : options.length]
    np.multiply(frames[:, :-1], -options.preemphasis_coefficient, out=windowed[:, 1:])
    # The first sample of a frame is its own predecessor.
    np.multiply(frames[:, :1], -options.preemphasis_coefficient, out=windowed[:, :1])
    windowed += frames
    windowed *= _window(options.window_type, options.length, options.blackman_coeff)
    if energy is None:
        energy = _log_energy(windowed)
    spectrum = scipy.fft.rfft(padded, axis=1)  # in float32 several times as fast as NumPy's
    np.square(spectrum.real, out=out)
    out += np.square(spectrum.imag)
    np.maximum(out, FLOOR, out=out)
    np.log(out, out=out)
    out[:, 0] = energy if options.energy_floor <= 0 else np.maximum(energy, np.log(options.energy_floor))


def _means(frames: np.ndarray, whole_numbers: bool) -> np.ndarray:
    """float32[B × 1]: the mean of each frame."""
    if whole_numbers:  # float32 holds the sum of 512 samples of 16 bits exactly, and so takes a fifth of the time
        return np.vecdot(frames, np.ones_like(frames[0]))[:, None] / np.float32(frames.shape[1])
    return frames.mean(axis=1, dtype=np.float64, keepdims=True).astype(np.float32)


def _windows(samples: np.ndarray, options: SpectrogramOptions) -> np.ndarray:
    """[T × length], a view: the frames; without edge snipping they reach over both ends, where it is mirrored."""
    count = options.frames(len(samples))
    if count == 0:
        return np.empty((0, options.length), dtype=samples.dtype)
    if not options.snip_edges:
        begin = options.shift // 2 - options.length // 2
        end = begin + (count - 1) * options.shift + options.length
        before, after = _mirrored(begin, 0, len(samples)), _mirrored(len(samples), end, len(samples))
        samples = np.concatenate((samples[before], samples[max(begin, 0) : max(end, 0)], samples[after]))
    return np.lib.stride_tricks.sliding_window_view(samples, options.length)[:: options.shift][:count]


def _mirrored(begin: int, end: int, samples: int) -> np.ndarray:
    """Indices begin…end-1, mirrored at both ends with the edge sample repeated, as often as a tiny file needs it."""
    index = np.arange(begin, end) % (2 * samples)
    return np.where(index < samples, index, 2 * samples - 1 - index)


def _log_energy(frames: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(np.vecdot(frames, frames), FLOOR))


def _normal(bits: np.random.BitGenerator, count: int) -> np.ndarray:
    """float32[count]: standard normal values by Box and Muller, of 32 random bits each.

    Several times as fast as NumPy's own, for every step is an operation on a whole array.
    """
    pairs = (count + 1) // 2
    uniform = bits.random_raw(pairs).view(np.uint32).reshape(2, pairs).astype(np.float32)
    radius, angle = uniform
    radius += np.float32(0.5)  # 0 has no logarithm
    radius *= np.float32(2**-32)
    np.log(radius, out=radius)
    radius *= -2
    np.sqrt(radius, out=radius)
    angle *= np.float32(2 * np.pi * 2**-32)
    values = np.empty((2, pairs), dtype=np.float32)
    np.cos(angle, out=values[0])
    np.sin(angle, out=values[1])
    values *= radius
    return values.reshape(-1)[:count]


@lru_cache(maxsize=8)
def _window(kind: str, length: int, blackman: float) -> np.ndarray:
    phase = 2 * np.pi * np.arange(length) / (length - 1)
    window = {
        "povey": (0.5 - 0.5 * np.cos(phase)) ** 0.85,
        "hamming": 0.54 - 0.46 * np.cos(phase),
        "hanning": 0.5 - 0.5 * np.cos(phase),
        "sine": np.sin(0.5 * phase),
        "rectangular": np.ones(length),
        "blackman": blackman - 0.5 * np.cos(phase) + (0.5 - blackman) * np.cos(2 * phase),
    }[kind]
    return window.astype(np.float32)


def _bits(utt: str) -> np.random.BitGenerator:
    return np.random.SFC64(int.from_bytes(hashlib.sha256(utt.encode()).digest()[:16], "little"))
