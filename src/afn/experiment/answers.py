"""What dev says of a system's scores: the threshold of its EER, and the calibration that makes them ratios."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from afn.common import labels
from afn.common.errors import UserError
from afn.metrics import eer, score_files
from afn.metrics.dcf import DetectionCosts

EVEN = DetectionCosts(spoof=0.5, miss=1.0, false_alarm=1.0)  # both classes are equally likely, errors cost the same


def costs(prior: float, miss: float, false_alarm: float) -> DetectionCosts:
    """The prior of a replay, and the costs of rejecting genuine speech and of accepting a replay.

    UserError for a prior that is not between 0 and 1, and for costs that are not above 0.
    """
    if not 0 < prior < 1:
        raise UserError(f"prior: {prior:g} must be above 0 and below 1.")
    for value in (miss, false_alarm):
        if not 0 < value < math.inf:
            raise UserError(f"cost: {value:g} must be above 0.")
    return DetectionCosts(prior, miss, false_alarm)


@dataclass(frozen=True)
class Calibration:
    """The affine map from scores to log-likelihood ratios (natural log): llr = slope · score + offset."""

    slope: float
    offset: float
    log_odds: bool  # scores are probabilities; the map is of their log odds

    def llr(self, score: float) -> float:
        return self.slope * (log_odds(score) if self.log_odds else score) + self.offset

    def score(self, llr: float) -> float | None:
        """The score whose ratio is `llr`; None where all scores have the same ratio."""
        if not self.slope:
            return None
        found = (llr - self.offset) / self.slope
        return 0.5 + 0.5 * math.tanh(0.5 * found) if self.log_odds else found


@dataclass(frozen=True)
class OnDev:
    """Scores above `threshold` are genuine at the EER of dev, `eer` (0..1, official definition)."""

    threshold: float
    eer: float
    calibration: Calibration | None = None

    def plain(self) -> dict[str, Any]:
        """All values, for a record."""
        return asdict(self)

    @classmethod
    def recorded(cls, values: Mapping[str, Any]) -> "OnDev":
        """From a record; older ones have no calibration."""
        calibration = values.get("calibration")
        return cls(values["threshold"], values["eer"], Calibration(**calibration) if calibration else None)


def on_dev(scores: Mapping[str, float], utt2label: Path, probabilities: bool, where: Path | str) -> OnDev | None:
    """What dev says, from its scores by utterance and `utt2label`; None if a class is missing.

    `probabilities`: the scores are averaged sigmoids, and are calibrated on their log odds. The calibration is that of
    the results page (`afn.metrics.calibration.train`): Platt's targets keep it finite for classes that do not overlap.
    Where dev gives replays the higher scores, all ratios are 0: the scores say nothing. UserError if scores and labels
    disagree; `where` names the scores.
    """
    genuine, spoof = score_files.join(scores, labels.read(utt2label), where, utt2label)
    if not genuine.size or not spoof.size:
        return None
    from afn.metrics import calibration  # scikit-learn takes a second to import

    is_genuine = np.arange(genuine.size + spoof.size) < genuine.size
    try:
        trained = calibration.train(np.concatenate([genuine, spoof]), is_genuine, str(where), probabilities)
        slope = trained.weights[0] / trained.deviations[0]
        offset = trained.bias - slope * trained.means[0]
        found = Calibration(slope, offset, probabilities) if slope > 0 else Calibration(0.0, 0.0, probabilities)
    except UserError:  # every utterance has the same score
        found = Calibration(0.0, 0.0, probabilities)
    return OnDev(float(eer.official_threshold(genuine, spoof)), float(eer.official_eer(genuine, spoof)), found)


def log_odds(probability: float) -> float:
    """The natural-log odds of a probability, limited as in `afn.metrics.fusion.log_odds`."""
    limited = min(max(probability, 2.0**-24), 1 - 2.0**-24)
    return math.log(limited / (1 - limited))


def p_replay(llr: float, costs: DetectionCosts = EVEN) -> float:
    """The posterior probability of a replay, by the prior of `costs`."""
    odds = llr + math.log((1 - costs.spoof) / costs.spoof)
    return 0.5 - 0.5 * math.tanh(0.5 * odds)
