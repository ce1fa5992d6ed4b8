"""The speakers of a simulated corpus, synthetic or from a folder of real recordings."""

import dataclasses
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from afn.augment import source_audio
from afn.augment.random_streams import between, stream
from afn.common.config import Range, Settings
from afn.common.errors import UserError
from afn.corpora.recordings import SAMPLE_RATE
from afn.corpora.simulation.espeak import Voice, speak
from afn.features import audio

# RedDots' ten common phrases, S01-S10 of ASVspoof 2017
PHRASES = (
    "my voice is my password",
    "OK Google",
    "only lawyers love millionaires",
    "artificial intelligence is for real",
    "birthday parties have cupcakes and ice cream",
    "actions speak louder than words",
    "there is no such thing as a free lunch",
    "a watched pot never boils",
    "jealousy has twenty-twenty vision",
    "necessity is the mother of invention",
)
AUDIBLE = 1e-2  # of the loudest frame: what is 40 dB below it counts as silence
FRAME = 0.01  # s
UNREPEATABLE = ("Reed", "caleb")  # variants of espeak-ng that use the C library's rand(), whose state we cannot set


class Voices(Settings):
    """The synthetic voices; no two speakers share accent and variant."""

    accents: list[str] = Field(min_length=1, description="voices of espeak-ng by their codes")
    variants: list[str] = Field(min_length=1, description="espeak-ng's variants of a voice")
    pitch: Range[Annotated[float, Field(ge=0, le=99)]] = Field(
        description="sampled for each speaker; 0 to 99, 50 is the variant's default"
    )
    rate: Range[Annotated[float, Field(ge=80, le=450)]] = Field(
        description="words per minute, sampled for each speaker"
    )
    variation: float = Field(
        ge=0, le=0.5, description="maximum relative deviation of an utterance from its speaker's pitch and rate"
    )

    @model_validator(mode="after")
    def _repeatable(self) -> Self:
        for name in UNREPEATABLE:
            if name in self.variants:
                raise ValueError(f"variants: {name} is not the same twice; choose another")
        return self


class Synthetic:
    """`speakers` synthetic voices, sampled from the seed; no accent and variant occurs twice.

    Raises UserError when there are fewer pairs of accent and variant than speakers.
    """

    def __init__(self, voices: Voices, seed: int, speakers: int):
        self.variation = voices.variation
        accents, variants = sorted(set(voices.accents)), sorted(set(voices.variants))
        if speakers > len(accents) * len(variants):
            raise UserError(
                f"voices: {len(accents)} accents x {len(variants)} variants are {len(accents) * len(variants)} voices, "
                f"{speakers} speakers were asked for. Add variants or ask for fewer speakers."
            )
        rng = stream(seed, "voices")
        order = rng.permutation(len(variants))
        first_accent = rng.integers(len(accents), size=len(variants))
        self.cast = []
        for k in range(speakers):  # every variant once before any comes again, then with its next accent
            variant = order[k % len(variants)]
            accent = (first_accent[variant] + k // len(variants)) % len(accents)
            pitch, rate = round(between(rng, voices.pitch)), round(between(rng, voices.rate))
            self.cast.append(Voice(accents[accent], variants[variant], pitch, rate))

    def utter(self, speaker: int, phrase: int, rng: np.random.Generator) -> np.ndarray:
        """Speaker (0-based) saying PHRASES[phrase]: float64[N], without silence at the ends, of unit RMS."""
        return self.say(speaker, PHRASES[phrase], rng)

    def say(self, speaker: int, text: str, rng: np.random.Generator) -> np.ndarray:
        """Speaker (0-based) saying `text`: float64[N], without silence at the ends, of unit RMS."""
        voice = self.cast[speaker]
        pitch, rate = (v * (1 + between(rng, (-self.variation, self.variation))) for v in (voice.pitch, voice.rate))
        voice = dataclasses.replace(voice, pitch=round(min(pitch, 99)), rate=round(rate))
        return spoken_part(speak(text, voice), voice.name)


class Recorded:
    """`speakers` real speakers of a folder, sampled from the seed: one sub-folder a speaker, wav or flac at any rate.

    `durations` (s) is the range of an utterance's length. Raises UserError for a folder that is
    missing or holds too few speakers.
    """

    def __init__(self, folder: Path, durations: tuple[float, float], seed: int, speakers: int):
        self.durations = durations
        found = speakers_below(folder)
        names = sorted(found, key=str.encode)
        if len(names) < speakers:
            raise UserError(
                f"{folder}: holds {len(names)} speakers (sub-folders with wav or flac files), {speakers} were asked "
                f"for. Add some or ask for fewer."
            )
        order = stream(seed, "speakers").permutation(len(names))
        self.cast = [found[names[k]] for k in order[:speakers]]

    def utter(self, speaker: int, phrase: int, rng: np.random.Generator) -> np.ndarray:
        """A piece of the speaker's recording number `phrase` (cyclic): float64[N], ends without silence, unit RMS."""
        files = self.cast[speaker]
        path = files[phrase % len(files)]
        samples = recording(path)
        length = min(len(samples), round(between(rng, self.durations) * SAMPLE_RATE))
        start = int(rng.integers(len(samples) - length + 1))
        return spoken_part(samples[start : start + length], str(path))


def speakers_below(folder: Path) -> dict[str, list[Path]]:
    """The recordings of each speaker, a sub-folder, below a folder. Raises UserError if the folder is missing."""
    found: dict[str, list[Path]] = {}
    for path in source_audio.below(folder):
        if path.parent != folder:
            found.setdefault(path.relative_to(folder).parts[0], []).append(path)
    return found


@lru_cache(maxsize=16)
def recording(path: Path) -> np.ndarray:
    """The spoken part of a recording: float64[N] of unit RMS."""
    return spoken_part(audio.source(path, SAMPLE_RATE), str(path))


def spoken_part(samples: np.ndarray, where: str) -> np.ndarray:
    """`samples` from the first to the last audible frame, faded over one frame at either end, at unit RMS.

    Raises UserError, naming `where`, when nothing is audible or the audible part is shorter than ten frames.
    """
    frame = round(FRAME * SAMPLE_RATE)
    whole = len(samples) // frame
    loudness = np.sqrt((samples[: whole * frame].reshape(whole, frame) ** 2).mean(axis=1))
    audible = np.flatnonzero(loudness > AUDIBLE * loudness.max()) if whole else np.array([])
    if len(audible) == 0 or audible[-1] - audible[0] < 10:
        raise UserError(f"{where}: holds no speech (less than {10 * FRAME:g} s of sound). Remove it.")
    kept = samples[audible[0] * frame : (audible[-1] + 1) * frame].copy()
    fade = np.sin(np.linspace(0, np.pi / 2, frame)) ** 2
    kept[:frame] *= fade
    kept[-frame:] *= fade[::-1]
    return kept / np.sqrt((kept**2).mean())
