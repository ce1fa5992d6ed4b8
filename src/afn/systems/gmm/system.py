"""Two Gaussian mixtures, genuine and replayed: CQCC-GMM and similar rows.

Source: the official ASVspoof 2017 baseline: 512 diagonal components per class, EM from random frames; the score of an
utterance is the mean log-likelihood ratio of its frames.
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from afn.common.errors import UserError
from afn.common.progress import Progress
from afn.systems import checkpoints, copies, em
from afn.systems import device as devices
from afn.systems.gmm.models import DiagonalGMM, mean_log_likelihood_ratio
from afn.systems.gmm.pca import PrincipalComponents
from afn.systems.gmm.settings import GaussianMixtures
from afn.systems.protocol import Chosen, System
from afn.systems.subset import Subset

MODEL = "mixtures.pt"
CLASSES = ("genuine", "spoof")

log = logging.getLogger("train")


class MixturePair(System):
    """A mixture for each class; the score is their mean log-likelihood ratio per frame in nats, above 0 for genuine.

    Args:
        settings: the row's YAML.
        seed: selects the frames that EM starts from.
    """

    settings: GaussianMixtures
    figures = "log-likelihood ratios"

    def __init__(self, settings: GaussianMixtures, seed: int):
        super().__init__(settings, seed)
        self.reduction: PrincipalComponents | None = None
        self.mixtures: dict[str, DiagonalGMM] = {}
        self.device = torch.device("cpu")

    @property
    def blocks(self) -> int:
        """The number of equal parts of a frame: statics, deltas, delta-deltas."""
        return getattr(self.settings.reduction or self.settings.features, "deltas", 0) + 1

    def fit(self, train: Subset, dev: Subset, directory: Path) -> None:
        """Train both mixtures, or continue an interrupted run in `directory`."""
        self.device = devices.choose()
        train = copies.added(train, self.settings, self.seed, directory)
        subset = em.pooled(self.settings.trained_on, train, dev)
        if self.settings.reduction:
            try:
                self.reduction = PrincipalComponents.fit(list(subset.features.values()), self.settings.reduction)
            except ValueError as error:
                raise UserError(str(error)) from None
        learner = em.Learner(directory)
        for name in CLASSES:
            frames = [self._tensor(subset.features[utt]) for utt, label in subset.labels.items() if label == name]
            log.info(f"{name}: {sum(map(len, frames))} frames of {frames[0].shape[1]} dimensions")
            self.mixtures[name] = self._mixture(name, frames, learner)
        checkpoints.save(directory / MODEL, self._state())
        copies.remove(directory)

    def weights(self, directory: Path) -> Path:
        return directory / MODEL

    def load(self, directory: Path) -> None:
        self.device = devices.choose()
        em.load(self.weights(directory), self._restore)

    def score(self, subset: Subset) -> dict[str, float]:
        found = {}
        with Progress(f"score {subset.name}", len(subset.utterances)) as progress:
            for utt in subset.utterances:
                frames = self._tensor(subset.features[utt])
                try:
                    found[utt] = mean_log_likelihood_ratio(frames, *(self.mixtures[name] for name in CLASSES))
                except ValueError as error:
                    raise UserError(f"{utt}: {error}. Rebuild the features: ./run.sh --force -1") from None
                progress.advance()
        return found

    def draw(self, chosen: Chosen, out: Path) -> bool:
        from afn.systems.gmm import figures  # matplotlib takes a second to import

        figures.draw(self, chosen, out)
        return True

    def explain(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The contributions to an utterance's score: of each frame, and of each dimension.

        Returns:
            The log-likelihood ratio of every frame, float64[T], and the contribution of every dimension to their
            mean, float64[D + 1], the component weights' last. The sum of the second is the mean of the first: log p(x)
            is the posterior mean of log w_k + Σ_d log N_kd(x_d) plus the entropy of the posterior.
        """
        frames = self._tensor(features).double()
        ratios: Any = 0.0  # Tensors from the first class on
        shares: Any = 0.0
        for name, sign in zip(CLASSES, (1, -1), strict=True):
            likelihood, dimensions = self.mixtures[name].shares(frames)
            ratios, shares = ratios + sign * likelihood, shares + sign * dimensions
        return ratios.cpu().numpy(), shares.cpu().numpy()

    def _mixture(self, name: str, frames: list[Tensor], learner: em.Learner) -> DiagonalGMM:
        """The mixture of a class, trained on its frames."""
        recipe = self.settings.train
        found: DiagonalGMM = learner.run(
            name,
            recipe.iterations,
            lambda: DiagonalGMM.sampled(frames, self.settings.model.components, self.seed),
            DiagonalGMM.from_state_dict,
            lambda mixture, after: mixture.fit(
                frames, recipe.iterations, recipe.tolerance, recipe.variance_floor, after=after
            ),
        )
        return found

    def _tensor(self, features: np.ndarray) -> Tensor:
        """The frames of an utterance as the mixtures take them: features float32[T × D], reduced, as a tensor."""
        return torch.tensor(self.reduction(features) if self.reduction else features, device=self.device)

    def _state(self) -> dict[str, Any]:
        mixtures = {name: self.mixtures[name].state_dict() for name in CLASSES}
        return mixtures | {"reduction": self.reduction.state_dict() if self.reduction else None}

    def _restore(self, state: dict[str, Any]) -> None:
        self.mixtures = {name: DiagonalGMM.from_state_dict(state[name]) for name in CLASSES}
        reduction = state["reduction"]
        self.reduction = PrincipalComponents.from_state_dict(reduction) if reduction else None


SYSTEM = MixturePair
