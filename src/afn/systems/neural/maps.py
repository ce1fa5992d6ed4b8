"""Attention masks as arrays: written by stage 1, read to show the systems of a corpus side by side."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from afn.common import files
from afn.common.errors import UserError

NAME = "maps.npz"


@dataclass(frozen=True, eq=False)
class Maps:
    """The attention of one trained network. In every array the frequency comes first, 257 bins from 0 to 8 kHz."""

    seed: int
    labels: Mapping[str, str]  # utterance -> genuine or spoof, of the figures
    spectrograms: Mapping[str, np.ndarray]  # utterance -> float16[257 × T], S over the true length
    masks: Mapping[str, np.ndarray]  # utterance -> float16[257 × T], A
    profiles: Mapping[
        str, tuple[np.ndarray, np.ndarray]
    ]  # label -> float32[257]: mean of A over time, its sd over utterances
    averaged: Mapping[str, int]  # label -> utterances behind a profile


def write(path: Path, maps: Maps) -> None:
    """Write `maps` as a compressed npz, whole or not at all; equal maps give equal bytes."""
    arrays: dict[str, np.ndarray] = {
        "seed": np.array(maps.seed),
        "utterances": np.array(list(maps.labels), dtype=str),
        "labels": np.array(list(maps.labels.values()), dtype=str),
        "classes": np.array(list(maps.profiles), dtype=str),
        "averaged": np.array([maps.averaged[label] for label in maps.profiles], dtype=np.int64),
    }
    for index, utt in enumerate(maps.labels):
        arrays[f"spectrogram{index}"] = np.asarray(maps.spectrograms[utt], dtype=np.float16)
        arrays[f"mask{index}"] = np.asarray(maps.masks[utt], dtype=np.float16)
    for label, (mean, deviation) in maps.profiles.items():
        arrays[f"mean_{label}"] = np.asarray(mean, dtype=np.float32)
        arrays[f"deviation_{label}"] = np.asarray(deviation, dtype=np.float32)
    with files.whole(path, "wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # none is allow_pickle


def read(path: Path) -> Maps:
    """The maps in a file of `write`; UserError for any other file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            labels = dict(zip(file["utterances"].tolist(), file["labels"].tolist(), strict=True))
            classes = file["classes"].tolist()
            return Maps(
                int(file["seed"]),
                labels,
                {utt: file[f"spectrogram{index}"] for index, utt in enumerate(labels)},
                {utt: file[f"mask{index}"] for index, utt in enumerate(labels)},
                {label: (file[f"mean_{label}"], file[f"deviation_{label}"]) for label in classes},
                dict(zip(classes, file["averaged"].tolist(), strict=True)),
            )
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile):
        raise UserError(f"{path}: not the arrays of heatmaps. Run stage 1 with --force.") from None
