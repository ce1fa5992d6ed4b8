"""Score fusion: one log-likelihood ratio from the scores of several systems, by logistic regression trained on dev.

Each member's scores are normalised to mean 0 and standard deviation 1 on dev, weighted, and added to a bias. Source:
Lai et al. (ICASSP 2019) for members and training on dev; Brümmer et al., "Fusion of heterogeneous speaker recognition
systems in the STBU submission for the NIST SRE 2006" (IEEE TASLP 15(7), 2007) for the regression.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator
from scipy.special import expit, logit

from afn.common.config import Settings
from afn.common.errors import UserError
from afn.metrics.trials import UNKNOWN, Trials

ALL = "all"
# The regression has a unique finite solution only if the classes overlap. This penalty keeps the weights finite where
# they do not, and changes other weights by less than 1e-6 of their size.
INVERSE_PENALTY = 1e8
MOST_STEPS = 200
DECREMENT = 1e-20  # of Newton's method, relative to the total weight: weights then change by about 1e-10
NEAREST_TO_ONE = 1 - 2.0**-24  # networks output probabilities in single precision, which has none between this and 1
GROUPS = 10  # maximum number of groups of speakers and of configurations: 100 regressions of milliseconds


class FusionSettings(Settings):
    """A YAML of conf/fusion: the systems to fuse by the names of their folders, or `all` that have scores."""

    title: str = Field(description="its name in tables and figures")
    members: Annotated[list[str], Field(min_length=2)] | Literal["all"] = Field(description="names of systems, or all")
    logits: bool = Field(default=False, description="members' scores are probabilities; fuse their log odds")
    paper: dict[Annotated[str, Field(pattern="^(dev|eval)$")], float] = Field(
        default={}, description="EERs in percent: Lai et al. (ICASSP 2019), Table 2"
    )

    @model_validator(mode="after")
    def _different_members(self) -> Self:
        if self.members != "all" and len(set(self.members)) < len(self.members):
            raise ValueError(f"members: {self.members} must be different systems")
        return self

    def chosen(self, available: Iterable[str]) -> tuple[list[str], list[str]]:
        """The members to fuse, and those of them that are not `available` (then there is nothing to fuse yet)."""
        available = sorted(available, key=str.encode)
        members = available if self.members == "all" else self.members
        return members, [name for name in members if name not in available]


@dataclass(frozen=True)
class Fusion:
    """A trained fusion: llr = bias + Σ weight · (score - mean) / deviation, with natural logarithms."""

    members: tuple[str, ...]
    means: tuple[float, ...]  # of each member's scores on dev
    deviations: tuple[float, ...]  # with n
    weights: tuple[float, ...]
    bias: float
    logits: bool = False  # the scores are probabilities; the formula is of their log odds

    def llrs(self, scores: np.ndarray) -> np.ndarray:
        """Log-likelihood ratios genuine : spoof, float64[N], of the members' scores, float[N × members].

        Raises UserError if `logits` is set and a score is not a probability.
        """
        scores = log_odds(scores, self.members) if self.logits else scores
        normalised = (scores - np.array(self.means)) / np.array(self.deviations)
        llrs: np.ndarray = normalised @ np.array(self.weights) + self.bias
        return llrs

    def plain(self) -> dict[str, Any]:
        """All values, for JSON or YAML."""
        columns = zip(self.members, self.means, self.deviations, self.weights, strict=True)
        return {
            "logits": self.logits,
            "members": {
                name: {"mean": mean, "standard_deviation": deviation, "weight": weight}
                for name, mean, deviation, weight in columns
            },
            "bias": self.bias,
        }

    def __str__(self) -> str:
        terms = [f"{weight:+.4f} {name}" for name, weight in zip(self.members, self.weights, strict=True)]
        of = "log odds of scores" if self.logits else "scores"
        return f"llr = {' '.join(terms)} {self.bias:+.4f}   ({of} normalised on dev)"


def log_odds(scores: np.ndarray, members: Sequence[str]) -> np.ndarray:
    """The natural-log odds of probabilities, float[N × members], limited to ±16.6 (the range of single precision).

    Raises UserError, naming the member, for scores outside 0..1.
    """
    for name, column in zip(members, scores.T, strict=True):
        outside = column[(column < 0) | (column > 1)]
        if outside.size:
            raise UserError(f"{name}: not a probability: score {outside[0]:g}. Fuse it without `logits: true`.")
    odds: np.ndarray = logit(np.clip(scores, 1 - NEAREST_TO_ONE, NEAREST_TO_ONE))
    return odds


def train(
    scores: np.ndarray, genuine: np.ndarray, members: Sequence[str], logits: bool = False, smoothed: bool = False
) -> Fusion:
    """The fusion of `members` that fits the training trials best; with a single member it is its calibration.

    `scores` are float[N × members], higher = more genuine (with `logits` probabilities, of which the log odds are
    fused), `genuine` is bool[N]. Both classes have the same total weight (effective prior 0.5), so the result is a
    log-likelihood ratio and does not depend on the proportion of classes in this set.

    `smoothed` trains on Platt's targets: a class of n trials has the target (n + 1) / (n + 2) instead of 1 for its own
    label. Without them, classes that (almost) do not overlap in training give arbitrarily large ratios. Source: Platt,
    "Probabilistic outputs for support vector machines and comparisons to regularized likelihood methods" (Advances in
    Large Margin Classifiers, 1999), sec. 2.2.

    Raises UserError if a class is missing or a member gives every utterance the same score.
    """
    for label, there in (("genuine", genuine.any()), ("spoof", not genuine.all())):
        if not there:
            raise UserError(f"no {label} utterance to train a fusion on. It needs both classes.")
    scores = log_odds(scores, members) if logits else scores
    means, deviations = scores.mean(axis=0), scores.std(axis=0)
    for name, deviation, column in zip(members, deviations, scores.T, strict=True):
        if deviation <= 1e-12 * np.abs(column).max():
            raise UserError(f"{name}: every utterance has the score {column[0]:g}. Leave it out of the fusion.")
    normalised = (scores - means) / deviations
    size = np.where(genuine, genuine.sum(), (~genuine).sum())
    own = (size + 1) / (size + 2) if smoothed else 1.0  # the target of a trial's own label
    *found, bias = _regression(normalised, np.where(genuine, own, 1 - own), genuine.size / (2 * size)).tolist()
    return Fusion(tuple(members), tuple(means.tolist()), tuple(deviations.tolist()), tuple(found), bias, logits)


def _regression(scores: np.ndarray, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The weights and, last, the bias of a logistic regression by Newton's method, float64[members + 1].

    `scores` is float64[N × members], `target` (0..1) and `weight` are float64[N]. For a few members and the hundreds of
    regressions of a cross-validation: faster than scikit-learn's, and it takes targets between 0 and 1.
    """
    rows = np.vstack([scores.T, np.ones(target.size)])
    penalty = np.append(np.full(scores.shape[1], 1 / INVERSE_PENALTY), 0.0)

    def posterior_and_gradient(found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        posterior = expit(found @ rows)
        return posterior, rows @ (weight * (posterior - target)) + penalty * found

    found = np.zeros(penalty.size)
    posterior, gradient = posterior_and_gradient(found)
    for _ in range(MOST_STEPS):
        curvature = (rows * (weight * posterior * (1 - posterior))) @ rows.T + np.diag(penalty)
        step = np.linalg.lstsq(curvature, gradient)[0]  # least squares: members may have the same scores
        if gradient @ step <= DECREMENT * weight.sum():
            break
        posterior, after = posterior_and_gradient(found - step)
        while abs(after @ step) > gradient @ step:  # beyond the minimum on this line, where it is as steep as before
            step /= 2
            posterior, after = posterior_and_gradient(found - step)
        found, gradient = found - step, after
    return found


@dataclass(frozen=True, eq=False)
class CrossValidated:
    """Log-likelihood ratios of trials whose speaker and replay configuration were not in the training set.

    The vectors are empty if that is not possible; `remark` says how it was done, or why not.
    """

    genuine: np.ndarray
    spoof: np.ndarray
    remark: str


def cross_validate(
    scores: np.ndarray,
    trials: Trials,
    members: Sequence[str],
    logits: bool = False,
    smoothed: bool = False,
    groups: int = GROUPS,
) -> CrossValidated:
    """Cross-validated ratios of a fusion (or, with a single member, of a calibration) on its training set.

    Speakers are divided into at most `groups` groups, and so are configurations. For each pair of groups, a regression
    (normalisation included) is trained on the trials with neither, and scores the trials with both. Training and test
    thus share neither speakers nor configurations. Every trial is scored once. Genuine speech without configurations is
    scored once per group of configurations and occurs that often in the result, which does not change rates, EER and
    Cllr, because they are means over a class. The members are not retrained: they were not trained on dev, although
    networks choose their epoch on it.

    Arguments as in `train`, `scores` in the order of `trials`. The grouping is the same every time.
    """
    spoof = ~trials.genuine
    speakers = balanced_groups(trials.speakers, groups)
    configurations = np.full(len(trials.utts), -1)  # genuine speech without a configuration is in no group
    configured = spoof | (trials.configurations != UNKNOWN)
    configurations[configured] = balanced_groups(trials.configurations[configured], groups)
    counts = speakers.max(initial=-1) + 1, configurations.max(initial=-1) + 1
    for count, what in zip(counts, ("speaker", "replay configuration"), strict=True):
        if count < 2:
            return _impossible(f"there are not two {what}s to separate")
    if (trials.configurations[spoof] == UNKNOWN).any():
        return _impossible("the replay configuration of some replays is not known")
    judged: dict[bool, list[np.ndarray]] = {True: [], False: []}
    for speaker in range(counts[0]):
        for configuration in range(counts[1]):
            others = (speakers != speaker) & (configurations != configuration)
            if trials.genuine[others].all() or not trials.genuine[others].any():
                return _impossible("without the test's speakers and configurations a class has no trials left")
            model = train(scores[others], trials.genuine[others], members, logits, smoothed)
            for label, among in judged.items():
                chosen = (speakers == speaker) & np.isin(configurations, (configuration, -1))
                among.append(model.llrs(scores[chosen & (trials.genuine == label)]))
    remark = (
        f"cross-validated: {counts[0]} × {counts[1]} groups of speakers × replay configurations, "
        "neither of them on both sides"
    )
    return CrossValidated(np.concatenate(judged[True]), np.concatenate(judged[False]), remark)


def balanced_groups(levels: np.ndarray, groups: int) -> np.ndarray:
    """The group (0, 1, …) of each trial: trials of one level share theirs; at most `groups`, of about equal size.

    Levels are assigned from the largest to the smallest, each to the smallest group so far; ties go by name.
    """
    names, inverse, sizes = np.unique(levels, return_inverse=True, return_counts=True)
    filled = np.zeros(min(groups, names.size), dtype=np.int64)
    group = np.empty(names.size, dtype=np.int64)
    for level in np.argsort(-sizes, kind="stable"):
        group[level] = np.argmin(filled)
        filled[group[level]] += sizes[level]
    return group[inverse]


def _impossible(reason: str) -> CrossValidated:
    return CrossValidated(np.empty(0), np.empty(0), f"cannot be cross-validated: {reason}")
