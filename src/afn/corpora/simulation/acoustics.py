"""From speech to a recording: genuine (room, microphone) or replayed (room, recorder, loudspeaker, room, microphone).

Both classes share rooms, microphones, noise and levels, so that only the hop through recorder and loudspeaker
distinguishes them.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, PositiveInt

from afn.augment import responses
from afn.augment.random_streams import between, stream
from afn.augment.signals import FULL_SCALE, coloured_noise, convolved, rms
from afn.common.config import Ends, Range, Settings
from afn.common.labels import SPOOF
from afn.corpora.recordings import SAMPLE_RATE
from afn.corpora.simulation import devices, rooms
from afn.corpora.simulation.devices import Kind
from afn.corpora.simulation.plan import Trial
from afn.corpora.simulation.rooms import Rooms

Quality = Annotated[float, Field(ge=0, le=1)]


class Noise(Settings):
    """Stationary noise."""

    snr: Range[Annotated[float, Field(ge=-10, le=60)]] = Field(description="dB at the microphone, speech against noise")
    covert_snr: Ends[Annotated[float, Field(ge=-10, le=90)]] = Field(
        description="dB of the covert recording, [transparent, poor] recorder"
    )
    tilt: Range[Annotated[float, Field(ge=0, le=2)]] = Field(
        description="its spectrum falls as f^-tilt: 0 white, 1 pink, 2 brown"
    )


class Acoustics(Settings):
    """Everything between mouth and file."""

    environments: dict[str, Annotated[float, Field(ge=0.05, le=3)]] = Field(
        description="by code: reverberation time in s"
    )
    playback: dict[str, Quality] = Field(description="by code: quality, 0 (transparent) to 1 (poor)")
    recorders: dict[str, Quality] = Field(description="by code: quality, 0 (transparent) to 1 (poor)")
    microphones: PositiveInt = Field(description="of the recogniser, the same for all subsets and both classes")
    rooms: Rooms = Field(description="where everything is heard")
    microphone: Kind = Field(description="the recogniser's")
    recorder: Kind = Field(description="of replays")
    loudspeaker: Kind = Field(description="of replays")
    noise: Noise
    level: Range[Annotated[float, Field(ge=-60, le=-10)]] = Field(
        description="RMS of the speech in dB below full scale, sampled for each utterance"
    )

    @property
    def codes(self) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
        """The environments, playback devices and recorders."""
        return self.environments, self.playback, self.recorders


class RecordingChain:
    """From speech to recordings: devices and rooms as sampled from the seed, or measured ones if there are some."""

    def __init__(self, settings: Acoustics, seed: int, measured: Path | None = None):
        self.settings, self.seed = settings, seed
        microphones = [f"microphone {k + 1}" for k in range(settings.microphones)]
        codes = {
            "room": sorted(settings.environments),
            "loudspeaker": sorted(settings.playback),
            "microphone": sorted(settings.recorders) + microphones,
        }
        self.measured = {} if measured is None else assigned(measured, codes, seed)
        self.playback = {code: self._device(settings.loudspeaker, q, code) for code, q in settings.playback.items()}
        self.recorders = {code: self._device(settings.recorder, q, code) for code, q in settings.recorders.items()}
        qualities = np.linspace(0, 1, settings.microphones)
        self.microphones = [
            self._device(settings.microphone, quality, code)
            for quality, code in zip(qualities, microphones, strict=True)
        ]

    def record(self, samples: np.ndarray, speech: slice, trial: Trial) -> np.ndarray:
        """The recording of `samples` (float64[N], with speech in the slice `speech`): int16[N].

        What both classes share is sampled first and in the same way, from the seed and the utterance's id.
        """
        rng = stream(self.seed, trial.utt, "recording")
        place, snr, level = self._place(rng), between(rng, self.settings.noise.snr), between(rng, self.settings.level)
        noise = self._noise(rng, len(samples)) * 10 ** (-snr / 20)
        if trial.label == SPOOF:
            samples = self._replay(samples, speech, trial)
        heard = self._hear(samples, trial.room, place)
        heard = self.microphones[trial.microphone](heard, rms(heard[speech]))
        recording = (heard / rms(heard[speech]) + noise) * 10 ** (level / 20)
        recording *= min(1, FULL_SCALE / np.abs(recording).max())
        return np.round(recording * 32767).astype(np.int16)

    def _replay(self, samples: np.ndarray, speech: slice, trial: Trial) -> np.ndarray:
        """The loudspeaker's output: `samples` as covertly recorded in the hideout, then played."""
        rng = stream(self.seed, trial.utt, "replay")
        covert = self._hear(samples, trial.hideout, self._place(rng))
        covert = self.recorders[trial.recorder](covert, rms(covert[speech]))
        best, worst = self.settings.noise.covert_snr
        snr = best + self.settings.recorders[trial.recorder] * (worst - best)
        covert = covert / rms(covert[speech]) + self._noise(rng, len(samples)) * 10 ** (-snr / 20)
        return self.playback[trial.playback](covert, rms(covert[speech]))

    def _hear(self, samples: np.ndarray, room: str, place: int) -> np.ndarray:
        response = self.measured.get(room)
        if response is None:
            reverberation = self.settings.environments[room]
            response = rooms.response(self.settings.rooms, reverberation, self.seed, room, place)
        return convolved(samples, response)

    def _place(self, rng: np.random.Generator) -> int:
        return int(rng.integers(self.settings.rooms.places))

    def _noise(self, rng: np.random.Generator, count: int) -> np.ndarray:
        return coloured_noise(rng, count, between(rng, self.settings.noise.tilt), SAMPLE_RATE)

    def _device(self, kind: Kind, quality: float, code: str) -> devices.Device:
        return devices.sampled(kind, quality, self.seed, code, self.measured.get(code))


def assigned(folder: Path, codes: dict[str, list[str]], seed: int) -> dict[str, np.ndarray]:
    """Measured responses by code, float64[N], from the peak on, of unit energy; `codes` maps a role to its codes.

    Every file below `folder` goes to one code of its role at most, in random order. Codes beyond the number of files
    are left out: their response stays the simulated one. Raises UserError as `responses.files` and `responses.read` do.
    """
    found = responses.files(folder)
    chosen: dict[str, np.ndarray] = {}
    for role, names in codes.items():
        paths = found.get(role, [])
        order = stream(seed, "impulse responses", role).permutation(len(paths))
        chosen |= {code: responses.read(paths[k], SAMPLE_RATE) for code, k in zip(names, order, strict=False)}
    return chosen
