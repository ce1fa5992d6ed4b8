"""Single changes of a recording, each with its settings: silence, gain, clipping, codecs, masks of features.

Every function but `mask` takes float64[N] within ±1 and returns the same scale.
"""

import io
from typing import Annotated, Literal

import numpy as np
import scipy
import soundfile
import soxr
from pydantic import Field

from afn.augment import signals
from afn.augment.random_streams import between
from afn.augment.signals import FULL_SCALE, Probability
from afn.common.config import Range, Settings

BACKGROUND = 0.1  # s of the quietest part of a recording, from which silence is made
WINDOW, QUIET = 0.032, 0.2  # of noise suppression: frames in s; the fraction of them that are taken for noise
SHORTEST = 0.1  # s; around a shorter sound, silence is not changed
# Container, encoding and rate of each; libsndfile has them all since version 1.1.
CODECS = {
    "mulaw": ("WAV", "ULAW", 8000),  # ITU-T G.711, of telephones
    "gsm": ("WAV", "GSM610", 8000),  # full rate
    "opus": ("OGG", "OPUS", 16000),  # messengers and browsers
    "vorbis": ("OGG", "VORBIS", 16000),
    "mp3": ("MP3", "MPEG_LAYER_III", 16000),
}


class Silence(Settings):
    """Another length of the silence at both ends, of which some is cut off or added."""

    probability: Probability = Field(description="of a change")
    seconds: Range[Annotated[float, Field(ge=0, le=5)]] = Field(description="at each end, sampled for each")


class Gain(Settings):
    """Another level."""

    probability: Probability = Field(description="of a change")
    decibels: Range[Annotated[float, Field(ge=-60, le=60)]] = Field(
        description="dB; peaks that would exceed full scale limit it"
    )


class Clipping(Settings):
    """Clipped peaks."""

    probability: Probability = Field(description="of any")
    share: Range[Annotated[float, Field(gt=0, le=0.2)]] = Field(description="of the samples that are clipped")


class Codec(Settings):
    """Lossy coding, by libsndfile."""

    probability: Probability = Field(description="of any")
    names: list[Literal["mulaw", "gsm", "opus", "vorbis", "mp3"]] = Field(
        min_length=1, description="one is chosen; mulaw and gsm have 8 kHz"
    )
    compression: Range[Annotated[float, Field(ge=0, le=0.99)]] = Field(
        description="of opus, vorbis and mp3: 0 best quality, 0.99 fewest bits (opus: 262 to 10 kbit/s)"
    )


class Suppression(Settings):
    """Noise suppression, as of telephones: bins that hardly exceed the noise are turned down."""

    probability: Probability = Field(description="of any")
    reduction: Range[Annotated[float, Field(ge=0, le=40)]] = Field(description="dB, at most")


class GainControl(Settings):
    """Automatic gain control: soft passages are turned up."""

    probability: Probability = Field(description="of any")
    seconds: Range[Annotated[float, Field(ge=0.005, le=5)]] = Field(description="in which it follows the level")
    compression: Range[Probability] = Field(description="fraction of the differences in level that it removes")


class Stripes(Settings):
    """Bands of a spectrogram that are replaced by the mean of each bin (SpecAugment)."""

    count: Range[Annotated[int, Field(ge=0, le=20)]] = Field(description="number")
    width: Range[Annotated[int, Field(ge=1, le=1000)]] = Field(
        description="bins or frames of each, at most half of all"
    )


def silence(sound: np.ndarray, settings: Silence, rng: np.random.Generator, sample_rate: int) -> np.ndarray:
    """`sound` with other lengths of silence at its ends: float64[M]; what is added sounds like its quietest part."""
    _, loud, frame = signals.loud(sound, sample_rate)
    places = np.flatnonzero(loud)
    present = int(places[0]) * frame, max(len(sound) - (int(places[-1]) + 1) * frame, 0)
    if len(sound) - sum(present) < SHORTEST * sample_rate:
        return sound
    before, after = (round(between(rng, settings.seconds) * sample_rate) - count for count in present)
    length = min(len(sound), round(BACKGROUND * sample_rate))
    quietest = int(signals.powers(sound, length).argmin()) * length
    background = sound[quietest : quietest + length] / np.sqrt(length)
    added = [
        scipy.signal.fftconvolve(rng.standard_normal(max(count, 0) + length), background)[length:][: max(count, 0)]
        for count in (before, after)
    ]
    return np.concatenate([added[0], sound[max(-before, 0) : len(sound) - max(-after, 0)], added[1]])


def gain(sound: np.ndarray, settings: Gain, rng: np.random.Generator, sample_rate: int) -> np.ndarray:
    """`sound` at another level."""
    peak = max(float(np.abs(sound).max()), signals.SILENT)
    return sound * min(10 ** (between(rng, settings.decibels) / 20), max(FULL_SCALE / peak, 1.0))


def clipping(sound: np.ndarray, settings: Clipping, rng: np.random.Generator, sample_rate: int) -> np.ndarray:
    """`sound` whose largest values are cut off."""
    limit = np.quantile(np.abs(sound), 1 - between(rng, settings.share))
    return np.clip(sound, -limit, limit)


def codec(sound: np.ndarray, settings: Codec, rng: np.random.Generator, sample_rate: int) -> np.ndarray:
    """`sound` coded and decoded: float64[N], as long as before; if it exceeds full scale, coded at full scale."""
    container, encoding, rate = CODECS[settings.names[int(rng.integers(len(settings.names)))]]
    level = {} if container == "WAV" else {"compression_level": between(rng, settings.compression)}
    scale = max(float(np.abs(sound).max()) / FULL_SCALE, 1.0)
    coded = np.clip(soxr.resample(sound / scale, sample_rate, rate), -1, 1)
    file = io.BytesIO()
    soundfile.write(file, coded, rate, format=container, subtype=encoding, **level)
    file.seek(0)
    decoded = soxr.resample(soundfile.read(file)[0], rate, sample_rate)[: len(sound)]
    return np.pad(decoded * scale, (0, len(sound) - len(decoded)))


def suppression(sound: np.ndarray, settings: Suppression, rng: np.random.Generator, sample_rate: int) -> np.ndarray:
    """`sound` after spectral subtraction (Boll 1979) of its quietest frames: float64[N]."""
    length = round(WINDOW * sample_rate)
    _, _, bins = scipy.signal.stft(np.pad(sound, (0, length)), sample_rate, nperseg=length)
    power = np.abs(bins) ** 2
    noise = np.quantile(power, QUIET, axis=1, keepdims=True) * 2  # a low quantile of noise underestimates it
    lowest = 10 ** (-between(rng, settings.reduction) / 10)
    bins *= np.sqrt(np.maximum(1 - noise / np.maximum(power, signals.SILENT**2), lowest))
    cleaned: np.ndarray = scipy.signal.istft(bins, sample_rate, nperseg=length)[1][: len(sound)]
    return cleaned


def gain_control(sound: np.ndarray, settings: GainControl, rng: np.random.Generator, sample_rate: int) -> np.ndarray:
    """`sound` whose differences in level are smaller: float64[N]; pauses more than 40 dB down stay as they are."""
    pole = np.exp(-1 / (between(rng, settings.seconds) * sample_rate))
    power = scipy.signal.lfilter([1 - pole], [1, -pole], sound**2)
    power = power / max(float(power.max()), signals.SILENT**2) + 1e-4
    return sound * power ** (-between(rng, settings.compression) / 2)


def mask(features: np.ndarray, means: np.ndarray, settings: Stripes, rng: np.random.Generator, axis: int) -> None:
    """Put `means` (float32[D]) into bands of float32[T × D] along `axis`, 0 for frames and 1 for bins."""
    size = features.shape[axis]
    for _ in range(rng.integers(settings.count[0], settings.count[1] + 1)):
        width = min(int(rng.integers(settings.width[0], settings.width[1] + 1)), size // 2)
        start = int(rng.integers(size - width + 1))
        band = slice(start, start + width)
        if axis == 0:
            features[band] = means
        else:
            features[:, band] = means[band]
