"""Attentive filtering networks and the other systems of the paper, for replay attack detection."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from afn.experiment.recording_scorer import Scorer

__version__ = "0.2.0"


def load(experiment: Path | str, channel: int | None = None) -> "Scorer":
    """A trained experiment, ready to score recordings.

    Args:
        experiment: the folder exp/<corpus>/<system>, whose seeds are averaged, or a seed<k> in it.
        channel: which channel to take of recordings that have several, 1 for the first.

    Returns:
        An object with `.score("file.wav")`, a number (higher = more genuine), and `.attend("file.wav")`: spectrogram,
        mask and filtered spectrogram, float32[bins × frames] each.

    Raises:
        afn.common.errors.UserError: where there is no finished training.
    """
    from afn.experiment import recording_scorer  # imports PyTorch

    return recording_scorer.at(experiment, channel)
