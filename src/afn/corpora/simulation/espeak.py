"""Synthetic speech: text spoken by espeak-ng, its library driven by ctypes.

The library keeps state between utterances in static variables (the flutter of the pitch, the noise of fricatives), so
its output would depend on earlier utterances. Each utterance therefore gets a freshly loaded library: 4 ms.
"""

import _ctypes
import ctypes
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy

from afn.common.errors import UserError
from afn.corpora.recordings import SAMPLE_RATE

NATIVE_RATE = 22050  # Hz
SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: samples go to the callback only; espeak_Synth returns when all is said
DONT_EXIT = 0x8000  # espeakINITIALIZE_DONT_EXIT: report missing data instead of ending the process
CHARS_UTF8, POS_CHARACTER = 1, 1
RATE, PITCH = 1, 3  # espeak_PARAMETER
EE_OK = 0
FIX = "Install the pinned packages again (pip install --force-reinstall espeakng-loader)."

Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
SIGNATURES = {
    "espeak_Initialize": (ctypes.c_int, [ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int]),
    "espeak_ng_SetRandSeed": (ctypes.c_int, [ctypes.c_long]),
    "espeak_SetSynthCallback": (None, [Callback]),
    "espeak_SetVoiceByName": (ctypes.c_int, [ctypes.c_char_p]),
    "espeak_SetParameter": (ctypes.c_int, [ctypes.c_int, ctypes.c_int, ctypes.c_int]),
    "espeak_Synth": (
        ctypes.c_int,
        [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint]
        + [ctypes.POINTER(ctypes.c_uint), ctypes.c_void_p],
    ),
    "espeak_Synchronize": (ctypes.c_int, []),
    "espeak_Terminate": (ctypes.c_int, []),
}


@dataclass(frozen=True)
class Voice:
    """A voice: espeak-ng's accent and variant, pitch (0-99, 50 = the variant's own) and rate (words per minute)."""

    accent: str
    variant: str
    pitch: int
    rate: int

    @property
    def name(self) -> str:
        return f"{self.accent}+{self.variant}"


def speak(text: str, voice: Voice) -> np.ndarray:
    """`text` as `voice` says it: float64[N] within [-1, 1] at SAMPLE_RATE, the same samples every time.

    Raises UserError when the library cannot be used or does not know the voice.
    """
    pieces: list[np.ndarray] = []

    @Callback
    def collect(samples, count, _events):  # runs inside espeak_Synth; 0 means go on
        if samples and count > 0:
            pieces.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    with _fresh_library() as (library, data):
        library.espeak_SetSynthCallback(collect)
        known = (data / "voices/!v" / voice.variant).is_file()  # the library speaks without an unknown variant
        if not known or library.espeak_SetVoiceByName(voice.name.encode()) != EE_OK:
            raise UserError(
                f"voice {voice.name}: espeak-ng has no such voice. Remove it from voices.accents or voices.variants."
            )
        library.espeak_SetParameter(RATE, voice.rate, 0)
        library.espeak_SetParameter(PITCH, voice.pitch, 0)
        utf8 = text.encode() + b"\0"
        status = library.espeak_Synth(utf8, len(utf8), 0, POS_CHARACTER, 0, CHARS_UTF8, None, None)
        if status != EE_OK or library.espeak_Synchronize() != EE_OK or not pieces:
            raise UserError(f"voice {voice.name}: espeak-ng said nothing for {text!r}. {FIX}")
    # Part of the synthesis: another resampler than this one would give another simulated corpus.
    common = math.gcd(NATIVE_RATE, SAMPLE_RATE)
    return scipy.signal.resample_poly(np.concatenate(pieces) / 32768, SAMPLE_RATE // common, NATIVE_RATE // common)


@contextmanager
def _fresh_library() -> Iterator[tuple[ctypes.CDLL, Path]]:
    """espeak-ng as it is when a process has just loaded it, and its data folder; unloaded afterwards."""
    try:
        import espeakng_loader

        library = ctypes.CDLL(espeakng_loader.get_library_path())
    except (ImportError, OSError) as error:
        raise UserError(f"espeak-ng cannot be loaded ({' '.join(str(error).split())}). {FIX}") from None
    try:
        for name, (result, arguments) in SIGNATURES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        data = espeakng_loader.get_data_path()
        rate = library.espeak_Initialize(SYNCHRONOUS, 0, data.encode(), DONT_EXIT)
        if rate != NATIVE_RATE:
            raise UserError(f"espeak-ng cannot be started from {data} (it answered {rate}). {FIX}")
        library.espeak_ng_SetRandSeed(1)  # it seeds its breath and fricative noise from the clock otherwise
        yield library, Path(data)
        library.espeak_Terminate()
    except (AttributeError, RuntimeError) as error:  # another library of that name; no data folder
        raise UserError(f"espeak-ng cannot be used ({' '.join(str(error).split())}). {FIX}") from None
    finally:
        _ctypes.dlclose(library._handle)  # ctypes itself never unloads a library
