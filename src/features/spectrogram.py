"""Log power spectrogram, computed as Kaldi's compute-spectrogram-feats computes it.

Source: Kaldi, feat/feature-window.cc, feat/feature-spectrogram.cc.
"""

import hashlib
from functools import lru_cache

import numpy as np

from features.kaldi_options import SpectrogramOptions

FLOOR = np.float32(np.finfo(np.float32).eps)  # Kaldi floors power and energy here before the logarithm


def log_spectrogram(samples: np.ndarray, options: SpectrogramOptions, utt: str = "") -> np.ndarray:
    """The log power spectrogram of one recording.

    Args:
        samples: int16[N], or float values on the same scale (about ±32768).
        options: Kaldi's options.
        utt: the utterance id; it seeds the dither, so that the same recording gives the same features every time.

    Returns:
        float32[T × bins], natural logarithm of power; bin 0 is replaced by the log energy of the frame, as in Kaldi.
    """
    frames = _frames(np.asarray(samples, dtype=np.float32), options)
    if options.dither:
        noise = _generator(utt).standard_normal(frames.shape, dtype=np.float32)
        noise *= options.dither
        frames += noise
    if options.remove_dc_offset:
        frames -= frames.mean(axis=1, dtype=np.float64, keepdims=True)
    energy = _log_energy(frames) if options.raw_energy else None
    if options.preemphasis_coefficient:
        # The first sample of a frame is its own predecessor.
        emphasised = np.empty_like(frames)
        np.multiply(frames[:, :-1], -options.preemphasis_coefficient, out=emphasised[:, 1:])
        np.multiply(frames[:, :1], -options.preemphasis_coefficient, out=emphasised[:, :1])
        frames += emphasised
    frames *= _window(options.window_type, options.length, options.blackman_coeff)
    if energy is None:
        energy = _log_energy(frames)
    spectrum = np.fft.rfft(frames, n=options.fft_size, axis=1)
    power = np.square(spectrum.real)
    power += np.square(spectrum.imag)
    np.maximum(power, FLOOR, out=power)
    logarithm = np.log(power, out=power)
    if options.energy_floor > 0:
        energy = np.maximum(energy, np.log(options.energy_floor))
    logarithm[:, 0] = energy
    return logarithm


def _frames(samples: np.ndarray, options: SpectrogramOptions) -> np.ndarray:
    """float32[T × length]: the frames; without edge snipping they reach over both ends, where it is mirrored."""
    count = options.frames(len(samples))
    if count == 0:
        return np.empty((0, options.length), dtype=np.float32)
    if not options.snip_edges:
        begin = options.shift // 2 - options.length // 2
        end = begin + (count - 1) * options.shift + options.length
        samples = samples[_mirrored(begin, end, len(samples))]
    windows = np.lib.stride_tricks.sliding_window_view(samples, options.length)
    return windows[:: options.shift][:count].copy()


def _mirrored(begin: int, end: int, samples: int) -> np.ndarray:
    """Indices begin…end-1, mirrored at both ends with the edge sample repeated, as often as a tiny file needs it."""
    index = np.arange(begin, end) % (2 * samples)
    return np.where(index < samples, index, 2 * samples - 1 - index)


def _log_energy(frames: np.ndarray) -> np.ndarray:
    energy = np.einsum("tn,tn->t", frames, frames, dtype=np.float64)
    return np.log(np.maximum(energy, FLOOR)).astype(np.float32)


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


def _generator(utt: str) -> np.random.Generator:
    seed = int.from_bytes(hashlib.sha256(utt.encode()).digest()[:16], "little")
    return np.random.Generator(np.random.SFC64(seed))
