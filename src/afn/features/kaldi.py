"""Extraction by Kaldi's own programs, where they are installed.

    compute-spectrogram-feats | apply-cmvn-sliding | copy-feats
    compute-mfcc-feats | add-deltas | apply-cmvn-sliding | copy-feats

run over a list of recordings, without a shell. Sources: the authors' run_feature.sh; Kaldi's sre08
recipe.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from afn.common import files
from afn.common.errors import UserError
from afn.features import archives, audio, kaldi_programs

PROGRAMS = ("compute-spectrogram-feats", "apply-cmvn-sliding", "copy-feats")
MFCC = "compute-mfcc-feats"

Commands = list[list[str]]  # of a chain: each a program and its options; lists and archives are appended


def commands_for(description: Mapping[str, Any], conf: Path) -> Commands:
    """What Kaldi's programs are told to compute the features of a description, with the options of the file `conf`."""
    if description["kind"] == "mfcc":
        found = [[MFCC, f"--config={conf}"]]
        if order := description["deltas"]:
            found.append(["add-deltas", f"--delta-window={description['delta_window']}", f"--delta-order={order}"])
    else:
        found = [[PROGRAMS[0], f"--config={conf}"]]
    if (window := description["cmn_window"]) is not None:
        norm_vars = str(description["norm_vars"]).lower()
        found.append(["apply-cmvn-sliding", f"--norm-vars={norm_vars}", "--center=true", f"--cmn-window={window}"])
    return found


def find() -> dict[str, str]:
    """The paths of the spectrogram's programs; missing ones are left out."""
    return kaldi_programs.find(PROGRAMS)


def require(commands: Commands | None = None) -> dict[str, str]:
    """The paths of the programs in `commands` (default: the spectrogram's). Raises UserError for missing ones."""
    names = PROGRAMS if commands is None else [*dict.fromkeys(name for name, *_ in commands), "copy-feats"]
    if names[0] == MFCC:
        return kaldi_programs.require(names, "features.kind mfcc", "choose other features: only Kaldi computes these")
    return kaldi_programs.require(names, "backend kaldi", "use features.backend=native")


def extract(
    recordings: Sequence[tuple[str, str]], commands: Commands, directory: Path
) -> Iterator[tuple[str, np.ndarray]]:
    """`(utterance, float32[T × D])` for every `(utterance, wav file)`, in order.

    The programs' lists and archives are in a temporary folder inside `directory`. Raises UserError when a program
    fails, with its last line, or skips an utterance.
    """
    programs = require(commands)
    with files.scratch(directory) as folder:
        scp, ark = folder / "wav.scp", folder / "feats.ark"
        wavs = [_as_wav(wav, folder / f"{number}.wav") for number, (_, wav) in enumerate(recordings)]
        lines = (f"{utt} {wav}\n" for (utt, _), wav in zip(recordings, wavs, strict=True))
        scp.write_text("".join(lines), encoding="utf-8")
        with kaldi_programs.chain(programs, _joined(commands, scp, ark), folder / "chain") as chain:
            chain.wait()
            found = archives.read(ark)
            for done, (utt, _) in enumerate(recordings):
                made, matrix = next(found, ("", None))
                if matrix is None or made != utt:
                    count = f"{done} of {len(recordings)}"
                    raise UserError(f"Kaldi gave {count} utterances; {utt} is missing: {chain.complaint()}")
                yield utt, matrix


def _as_wav(path: str, copy: Path) -> Path | str:
    """A recording as Kaldi's programs read it: of a flac file, a temporary copy."""
    with suppress(FileNotFoundError), Path(path).open("rb") as file:  # Kaldi names what is missing
        if file.read(4) == b"fLaC":
            rate = soundfile.info(path).samplerate
            audio.write(copy, audio.read(path, rate), rate)
            return copy
    return path


def _joined(commands: Commands, scp: Path, ark: Path) -> Commands:
    """The whole chain: from the recordings in `scp` to matrices in `ark`, as they are."""
    links = [[*command, "ark:-", "ark:-"] for command in [*commands, ["copy-feats", "--compress=false"]]]
    links[0][-2], links[-1][-1] = f"scp:{scp}", f"ark:{ark}"
    return links
