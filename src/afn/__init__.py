"""Attentive filtering networks and the other systems of the paper, for replay attack detection."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from afn.experiment.recording_scorer import Scorer

__version__ = "0.2.0"


def load(
    experiment: Path | str | None = None,
    channel: int | None = None,
    *,
    prior: float = 0.5,
    cost_miss: float = 1.0,
    cost_false_alarm: float = 1.0,
) -> "Scorer":
    """A detector, ready to score recordings.

    Args:
        experiment: the folder exp/<corpus>/<system>, whose seeds are averaged, or a seed<k> in it; None: the detector
            that comes with the package.
        channel: which channel to take of recordings that have several, 1 for the first.
        prior: the prior probability of a replay.
        cost_miss, cost_false_alarm: the costs of rejecting genuine speech and of accepting a replay.

    Returns:
        An object with `.score("file.wav")`, a number (higher = more genuine); `.answer("file.wav")`, a dictionary with
        the log-likelihood ratio, the probability of a replay, the decision, the score per second and warnings; and
        `.attend("file.wav")`: spectrogram, mask and filtered spectrogram, float32[bins × frames] each.

    Raises:
        afn.common.errors.UserError: where there is no finished training.
    """
    from afn.experiment import answers, finished, recording_scorer  # imports PyTorch

    trained = finished.shipped() if experiment is None else finished.at(Path(experiment))
    costs = answers.costs(prior, cost_miss, cost_false_alarm)
    return recording_scorer.load(trained, channel=channel, costs=costs)
