"""Random recording channels: everything between a mouth and a file, sampled for each utterance.

A genuine recording passes a room, a microphone and noise. A replayed one is first recorded so by the attacker, then
played by a loudspeaker, then recorded so again. Nothing but this detour distinguishes the classes.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import scipy
from pydantic import Field

from afn.augment import effects, signals
from afn.augment.effects import Codec, GainControl, Suppression
from afn.augment.random_streams import between, stream
from afn.augment.signals import FULL_SCALE, Probability
from afn.common.config import Range, Settings
from afn.common.labels import SPOOF

Key = tuple[int | str, ...]
Responses = Mapping[str, Sequence[np.ndarray]]  # measured ones, by role: room, loudspeaker, microphone

HIGHEST_EDGE = 0.49  # of the sampling rate
MAINS, HARMONICS = (50.0, 60.0), 8  # Hz; how many of them hum
OFFSET = 0.5  # of an uneven saturation, whose limit is 1
LINES = 1024  # of the FFT in which a response curve is defined
FLAT = 1000.0  # Hz, where a tilted response curve has 0 dB
LOWEST, HIGHEST = 50.0, 8000.0  # Hz, ends of a response curve

Hertz = Annotated[float, Field(ge=10, le=8000)]


class Room(Settings):
    """Reverberation as exponentially decaying noise (Polack's model), or a measured room."""

    probability: Probability = Field(description="of any reverberation")
    reverberation: Range[Annotated[float, Field(ge=0.05, le=3)]] = Field(
        description="s in which it decays by 60 dB, log-uniform"
    )
    direct: Range[Annotated[float, Field(ge=-10, le=60)]] = Field(description="dB, direct to reverberant energy")
    delay: Range[Annotated[float, Field(ge=0, le=0.05)]] = Field(
        description="s from the direct to the reverberant sound"
    )
    damping: Range[Hertz] = Field(description="Hz above which the reverberation lacks power, -3 dB, log-uniform")
    measured: Probability = Field(default=0.0, description="of a measured response instead, if there are some")


class Edge(Settings):
    """An edge of a device's band."""

    probability: Probability = Field(description="of having it")
    frequency: Range[Hertz] = Field(description="Hz, -3 dB, log-uniform")
    order: Range[Annotated[int, Field(ge=1, le=40)]] = Field(description="of the filter, 6 dB per octave each")


class Resonances(Settings):
    """Peaks and dips of a frequency response."""

    count: Range[Annotated[int, Field(ge=0, le=20)]] = Field(description="number")
    gain: float = Field(ge=0, le=30, description="dB, maximum height or depth")
    sharpness: Range[Annotated[float, Field(ge=0.2, le=20)]] = Field(description="Q, log-uniform")


class Curve(Settings):
    """A random frequency response of minimum phase, in dB linear between supporting points."""

    deviation: Range[Annotated[float, Field(ge=0, le=20)]] = Field(description="dB, standard deviation of the points")
    octaves: Range[Annotated[float, Field(ge=0.1, le=4)]] = Field(description="distance of the points")
    tilt: Range[Annotated[float, Field(ge=-12, le=12)]] = Field(default=(0, 0), description="dB per octave")


class Saturation(Settings):
    """Non-linear distortion."""

    probability: Probability = Field(description="of any")
    drive: Range[Annotated[float, Field(gt=0, le=10)]] = Field(
        description="RMS of the speech at its input, whose limit is 1: 0.1 hardly distorts, 1 clearly; log-uniform"
    )
    shapes: list[Literal["soft", "hard", "uneven"]] = Field(
        min_length=1, description="one is chosen: tanh; clipping; tanh with an offset, which adds even harmonics"
    )


class ChannelDevice(Settings):
    """A microphone or loudspeaker; parts that are `null` do nothing."""

    high_pass: Edge | None = Field(default=None, description="the lower band edge")
    low_pass: Edge | None = Field(default=None, description="the upper band edge")
    resonances: Resonances | None = None
    curve: Curve | None = None
    measured: Probability = Field(
        default=0.0, description="of a measured response instead of resonances and curve, if there are some"
    )
    saturation: Saturation | None = None


class ChannelNoise(Settings):
    """Stationary noise."""

    probability: Probability = Field(description="of any")
    snr: Range[Annotated[float, Field(ge=-10, le=90)]] = Field(description="dB, speech without pauses against noise")
    tilt: Range[Annotated[float, Field(ge=-1, le=3)]] = Field(
        description="its power falls as f^-tilt: 0 white, 1 pink, 2 brown"
    )
    hum: Probability = Field(default=0.0, description="of hum of the mains in it")


class Recorder(Settings):
    """How a sound becomes a recording; parts that are `null` do nothing."""

    room: Room
    ambient: ChannelNoise | None = Field(default=None, description="noise in the room, which the microphone colours")
    microphone: ChannelDevice
    noise: ChannelNoise = Field(description="of the microphone and what follows")
    suppression: Suppression | None = None
    gain_control: GainControl | None = None
    output: ChannelDevice | None = Field(default=None, description="band limits and distortion of what follows")
    codec: Codec | None = None


class Channel(Settings):
    """What happens between a mouth and a file."""

    recording: Recorder = Field(description="of both classes")
    covert: Recorder = Field(description="by which the attacker gets speech to replay")
    loudspeaker: ChannelDevice = Field(description="by which it is replayed")
    level: Range[Annotated[float, Field(ge=-70, le=-5)]] = Field(
        description="dB below full scale, RMS of the speech without pauses, the same for both classes"
    )


class ChannelChain:
    """Applies channels: pure functions of the settings, the measured responses and a key."""

    def __init__(self, settings: Channel, sample_rate: int, responses: Responses | None = None):
        self.settings, self.sample_rate, self.responses = settings, sample_rate, responses or {}

    def __call__(self, speech: np.ndarray, label: str, key: Key) -> np.ndarray:
        """The recording of `speech` (float64[N], any scale) as genuine or as replayed: int16[N].

        Both classes sample the last recording in the same way: with the same key it is the same.
        """
        if label == SPOOF:
            covert = self._heard(speech, self.settings.covert, key, "covert")
            speech = self.replayed(covert, key)
        return quantised(self.recorded(speech, key))

    def replayed(self, recording: np.ndarray, key: Key) -> np.ndarray:
        """A recording (float64[N]) as a loudspeaker plays it: float64[N]."""
        rng = stream(0, *key, "replay")
        return through(recording, self.settings.loudspeaker, rng, self.sample_rate, self.responses.get("loudspeaker"))

    def recorded(self, sound: np.ndarray, key: Key) -> np.ndarray:
        """The recording of a sound, live or replayed, at a random level: float64[N] within ±1."""
        heard = self._heard(sound, self.settings.recording, key, "recording")
        heard *= 10 ** (self.conditions(key)["level"] / 20) / signals.loudness(heard, self.sample_rate)
        return heard * min(1.0, FULL_SCALE / max(float(np.abs(heard).max()), signals.SILENT))

    def conditions(self, key: Key) -> dict[str, float]:
        """Signal-to-noise ratio (infinite without noise) and level of the last recording, dB, as they were sampled."""
        recorder = self.settings.recording
        noises = {"ambient": recorder.ambient, "noise": recorder.noise}
        power = sum(
            10 ** (-_sampled(noise, stream(0, *key, "recording", name))[0] / 10)
            for name, noise in noises.items()
            if noise
        )
        snr = -10 * np.log10(power) if power else np.inf
        return {"snr": float(snr), "level": between(stream(0, *key, "level"), self.settings.level)}

    def _heard(self, sound: np.ndarray, recorder: Recorder, key: Key, purpose: str) -> np.ndarray:
        """A sound (float64[N]) after room and microphone, with noise: float64[N]."""
        rng = stream(0, *key, purpose)
        if rng.random() < recorder.room.probability:
            response = measured(self.responses.get("room"), recorder.room.measured, rng)
            if response is None:
                response = reverberation(recorder.room, rng, self.sample_rate)
            sound = signals.convolved(sound, response)
        if recorder.ambient is not None:
            sound = noisy(sound, recorder.ambient, stream(0, *key, purpose, "ambient"), self.sample_rate)
        sound = through(sound, recorder.microphone, rng, self.sample_rate, self.responses.get("microphone"))
        sound = noisy(sound, recorder.noise, stream(0, *key, purpose, "noise"), self.sample_rate)
        for name, change in PROCESSING.items():
            part, rng = getattr(recorder, name), stream(0, *key, purpose, name)
            if part is not None and (isinstance(part, ChannelDevice) or rng.random() < part.probability):
                sound = change(sound, part, rng, self.sample_rate)
        return sound


def quantised(sound: np.ndarray) -> np.ndarray:
    """float64[N] within ±1 as int16[N]; what is louder is clipped."""
    return np.clip(np.rint(sound * 32768), -32768, 32767).astype(np.int16)


def noisy(sound: np.ndarray, noise: ChannelNoise, rng: np.random.Generator, sample_rate: int) -> np.ndarray:
    """A sound (float64[N]) with noise: a new float64[N]."""
    snr, tilt = _sampled(noise, rng)
    if snr == np.inf:
        return sound.copy()
    count = scipy.fft.next_fast_len(len(sound), real=True)
    added = signals.coloured_noise(rng, count, tilt, sample_rate)[: len(sound)]
    if rng.random() < noise.hum:
        added = (added + _hum(rng, len(sound), sample_rate)) / np.sqrt(2)
    return sound + added * (10 ** (-snr / 20) * signals.loudness(sound, sample_rate))


def through(
    sound: np.ndarray,
    device: ChannelDevice,
    rng: np.random.Generator,
    sample_rate: int,
    responses: Sequence[np.ndarray] | None = None,
) -> np.ndarray:
    """A sound (float64[N]) after a random device: float64[N]; `responses` are measured ones of such devices."""
    first = rng.random() < 0.5  # an amplifier distorts before the filter, a membrane after it
    if device.saturation and first:
        sound = _saturated(sound, device.saturation, rng, sample_rate)
    response = measured(responses, device.measured, rng)
    low, low_order = _edge(device.high_pass, LOWEST, rng, sample_rate)
    high, high_order = _edge(device.low_pass, HIGHEST, rng, sample_rate)
    filters = [
        signals.band_edge(kind, edge, order, sample_rate)
        for edge, order, kind in ((low, low_order, "highpass"), (high, high_order, "lowpass"))
        if order
    ]
    if response is None and (some := device.resonances):
        for _ in range(rng.integers(some.count[0], some.count[1] + 1)):
            centre, gain = geometric(rng, (low, max(0.9 * high, low))), between(rng, (-some.gain, some.gain))
            filters.append(signals.resonance(centre, gain, geometric(rng, some.sharpness), sample_rate))
    if response is None and device.curve:
        response = response_of(device.curve, rng, sample_rate)
    if response is not None:
        sound = signals.convolved(sound, response)
    if filters:
        sound = scipy.signal.sosfilt(np.concatenate(filters), sound)
    if device.saturation and not first:
        sound = _saturated(sound, device.saturation, rng, sample_rate)
    return sound


PROCESSING: dict[str, Callable[[np.ndarray, Any, np.random.Generator, int], np.ndarray]] = {
    "suppression": effects.suppression,
    "gain_control": effects.gain_control,
    "output": through,
    "codec": effects.codec,
}


def measured(responses: Sequence[np.ndarray] | None, share: float, rng: np.random.Generator) -> np.ndarray | None:
    """One of the measured responses in a `share` of the calls, else None."""
    if rng.random() >= share or not responses:
        return None
    return responses[int(rng.integers(len(responses)))]


def reverberation(room: Room, rng: np.random.Generator, sample_rate: int) -> np.ndarray:
    """A random impulse response that begins with the direct sound, a one: float64[N].

    After Polack, "La transmission de l'énergie sonore dans les salles", 1988: Gaussian noise that decays exponentially.
    """
    decay = geometric(rng, room.reverberation)
    direct, delay, damping = between(rng, room.direct), between(rng, room.delay), geometric(rng, room.damping)
    time = np.arange(round(decay * sample_rate)) / sample_rate
    tail = rng.standard_normal(len(time)) * 10 ** (-3 * time / decay)
    pole = np.exp(-2 * np.pi * damping / sample_rate)
    tail = scipy.signal.lfilter([1 - pole], [1, -pole], tail)
    tail *= 10 ** (-direct / 20) / np.sqrt((tail**2).sum())
    return np.concatenate([[1.0], np.zeros(round(delay * sample_rate)), tail])


def response_of(curve: Curve, rng: np.random.Generator, sample_rate: int) -> np.ndarray:
    """A random impulse response of minimum phase: float64[LINES / 2]."""
    deviation, octaves, tilt = (between(rng, ends) for ends in (curve.deviation, curve.octaves, curve.tilt))
    points = np.arange(np.log2(LOWEST), np.log2(HIGHEST) + octaves, octaves)
    frequency = np.fft.rfftfreq(LINES, 1 / sample_rate)
    heights = deviation * rng.standard_normal(len(points)) + tilt * (points - np.log2(FLAT))
    decibels = np.interp(np.log2(np.clip(frequency, LOWEST, HIGHEST)), points, heights)
    cepstrum = np.fft.irfft(decibels * np.log(10) / 20)
    cepstrum[1 : LINES // 2] *= 2  # fold: the minimum phase has no cepstrum before time 0
    cepstrum[LINES // 2 + 1 :] = 0
    return np.fft.irfft(np.exp(np.fft.rfft(cepstrum)))[: LINES // 2]


def _sampled(noise: ChannelNoise, rng: np.random.Generator) -> tuple[float, float]:
    """Signal-to-noise ratio in dB, infinite if there is no noise, and tilt."""
    snr, tilt, some = between(rng, noise.snr), between(rng, noise.tilt), rng.random() < noise.probability
    return snr if some else np.inf, tilt


def _hum(rng: np.random.Generator, count: int, sample_rate: int) -> np.ndarray:
    """A mains frequency and its harmonics, weaker by their number: float64[count] of unit RMS."""
    frequency, time = MAINS[int(rng.integers(len(MAINS)))], np.arange(count) / sample_rate
    phases, heights = rng.uniform(0, 2 * np.pi, HARMONICS), rng.random(HARMONICS)
    waves = (
        height / k * np.sin(2 * np.pi * frequency * k * time + phase)
        for k, (height, phase) in enumerate(zip(heights, phases, strict=True), 1)
    )
    hum: np.ndarray = sum(waves, np.zeros(count))
    return hum / signals.rms(hum)


def geometric(rng: np.random.Generator, ends: tuple[float, float]) -> float:
    """A log-uniform sample from a range."""
    return float(np.exp(between(rng, (np.log(ends[0]), np.log(ends[1])))))


def _edge(edge: Edge | None, without: float, rng: np.random.Generator, sample_rate: int) -> tuple[float, int]:
    """Frequency (Hz) and order of a band edge; `without` and 0 for a device that does not have it."""
    if edge is None or rng.random() >= edge.probability:
        return min(without, HIGHEST_EDGE * sample_rate), 0
    frequency = min(geometric(rng, edge.frequency), HIGHEST_EDGE * sample_rate)
    return frequency, int(rng.integers(edge.order[0], edge.order[1] + 1))


def _saturated(sound: np.ndarray, saturation: Saturation, rng: np.random.Generator, sample_rate: int) -> np.ndarray:
    drive, some = geometric(rng, saturation.drive), rng.random() < saturation.probability
    if not some:
        return sound
    scale = drive / signals.loudness(sound, sample_rate)
    shape = saturation.shapes[int(rng.integers(len(saturation.shapes)))]
    if shape == "hard":
        return np.clip(scale * sound, -1, 1) / scale
    offset = OFFSET if shape == "uneven" else 0.0
    return (np.tanh(scale * sound + offset) - np.tanh(offset)) / scale
