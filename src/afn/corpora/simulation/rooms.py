"""Simulated rooms: the impulse response from a mouth or loudspeaker to a microphone, by the image source method."""

from functools import lru_cache
from typing import Annotated

import numpy as np
from pydantic import Field, PositiveInt

from afn.augment.random_streams import between, stream
from afn.common.config import Range, Settings
from afn.corpora.recordings import SAMPLE_RATE

SOUND = 343.0  # m/s, as pyroomacoustics has it
WALL = 0.4  # m that people and microphones keep from walls, floor and ceiling


Size = Annotated[float, Field(ge=2, le=30)]
Distance = Annotated[float, Field(ge=0.05, le=1.1)]  # fits into the smallest room wherever the microphone is


class Rooms(Settings):
    """The rooms; sizes are sampled for each."""

    length: Range[Size] = Field(description="m")
    width: Range[Size] = Field(description="m")
    height: Range[Size] = Field(description="m")
    distance: Range[Distance] = Field(description="m from source to microphone")
    places: PositiveInt = Field(description="pairs of positions of source and microphone in a room")
    order: int = Field(ge=0, le=30, description="highest image order: number of successive reflections")


@lru_cache(maxsize=512)
def response(rooms: Rooms, reverberation: float, seed: int, room: str, place: int) -> np.ndarray:
    """The impulse response of one place in the room of that code: float64[N] of unit energy, from the direct sound on.

    reverberation: the time in s in which sound falls by 60 dB (Sabine), or less where `order` ends it sooner. The
    room's size follows from `seed` and its code, the place from its number; both are the same wherever they occur.
    """
    import pyroomacoustics  # here: it takes a second, which only the simulation needs

    rng = stream(seed, "room", room)
    size = np.array([between(rng, ends) for ends in (rooms.length, rooms.width, rooms.height)])
    # A room that absorbs everything has the shortest time that Sabine's formula allows for its size.
    surface = 2 * (size[0] * size[1] + size[0] * size[2] + size[1] * size[2])
    shortest = 24 * np.log(10) / SOUND * (size[0] * size[1] * size[2]) / surface
    absorption, order = pyroomacoustics.inverse_sabine(max(reverberation, 1.01 * shortest), size)
    pyroomacoustics.constants.set("num_threads", 1)  # sums in the same order, hence the same bytes, on every machine
    shoebox = pyroomacoustics.ShoeBox(
        size, fs=SAMPLE_RATE, materials=pyroomacoustics.Material(absorption), max_order=min(order, rooms.order)
    )
    microphone, source = _positions(stream(seed, "room", room, place), size, rooms.distance)
    shoebox.add_source(source)
    shoebox.add_microphone(microphone)
    shoebox.compute_rir()
    # Every response begins with its time of flight; without it the two hops of a replay are no later than one.
    flight = int(np.linalg.norm(source - microphone) / SOUND * SAMPLE_RATE)
    rir = np.asarray(shoebox.rir[0][0], dtype=np.float64)[flight:]
    return rir / np.sqrt((rir**2).sum())


def _positions(
    rng: np.random.Generator, size: np.ndarray, distance: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Microphone and source (m), the source that far away in some direction, both clear of the walls."""
    apart = between(rng, distance)
    while True:
        microphone = rng.uniform(WALL, size - WALL)
        angle, rise = rng.uniform(0, 2 * np.pi), rng.uniform(-0.3, 0.3)
        direction = np.array([np.cos(angle), np.sin(angle), rise])
        source = microphone + apart * direction / np.linalg.norm(direction)
        if np.all(source > WALL) and np.all(source < size - WALL):
            return microphone, source
