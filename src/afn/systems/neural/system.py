"""Networks on feature matrices: the AFN, DRN and kindred rows."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from afn.common.errors import ANEW, UserError
from afn.systems import device as devices
from afn.systems.neural import distributed, light_cnn, training
from afn.systems.neural.attentive_filtering import AttentiveFilteringNetwork
from afn.systems.neural.batches import Tiled, in_order, tile
from afn.systems.neural.dilated_resnet import DilatedResNet
from afn.systems.neural.embedding_gaussians import EmbeddingGaussians
from afn.systems.neural.inference import for_scoring
from afn.systems.settings import AttentiveFiltering, DilatedResidual, Neural, OriginalLightCNN, ReducedLightCNN
from afn.systems.subset import Subset

GAUSSIANS = "gaussians.pt"


class NeuralSystem:
    """A network trained by systems/training.py; its score is the logit, above 0 for genuine.

    With a Gaussian back-end (original Light CNN) the score is the log likelihood ratio of two Gaussians on embeddings.

    Args:
        settings: the row's YAML.
        seed: decides the initial weights and the order of the batches.
    """

    def __init__(self, settings: Neural, seed: int):
        self.settings, self.seed = settings, seed
        torch.manual_seed(seed)
        self.model = network(settings)
        self.scorer: nn.Module = self.model  # batches to scores
        self.device: torch.device | None = None

    @property
    def averaged(self) -> str:
        """Sigmoids, as Lai et al.'s predict_only.py has it; log-likelihood ratios would saturate there."""
        return "scores" if self.gaussian else "sigmoids"

    @property
    def at_once(self) -> int:
        return training.scoring_batch(self.device)

    @property
    def picture(self) -> str:
        return "neural" if isinstance(self.settings.model, AttentiveFiltering) else ""

    @property
    def frames(self) -> int:
        return self.settings.model.frames

    @property
    def bins(self) -> int:
        return self.model.bins

    @property
    def gaussian(self) -> bool:
        """Whether Gaussians on embeddings give the score."""
        return isinstance(self.settings.model, OriginalLightCNN) and self.settings.model.back_end == "gaussian"

    def fit(self, train: Subset, dev: Subset, directory: Path) -> None:
        """Train to the end, or on from where an earlier run in `directory` was interrupted."""
        for _ in self.turns(train, dev, directory):
            pass

    def turns(self, train: Subset, dev: Subset, directory: Path) -> Iterator[None]:
        """The same in turns, between which others may train in this process (systems/turns.py)."""
        tiled, selecting = (Tiled(subset.both_classes(), self.frames, self.bins) for subset in (train, dev))
        yield from training.Trainer(self.model, tiled, selecting, self.settings.train, self.seed, directory).turns()
        if self.gaussian and distributed.group().first:
            self._load_network(directory / training.BEST)
            gaussians = EmbeddingGaussians.fitted(self.model, tiled, self.device)
            training.save(directory / GAUSSIANS, {"model": gaussians.state_dict()})

    def weights(self, directory: Path) -> Path:
        """The file in a training's `directory` that scores depend on: the weights with the best dev EER."""
        return directory / (GAUSSIANS if self.gaussian else training.BEST)

    def load(self, directory: Path) -> None:
        """Take up the `weights` of a training's `directory`."""
        if self.gaussian:
            self.scorer = EmbeddingGaussians(self.model, light_cnn.EMBEDDING)
        self._load_network(self.weights(directory))

    def _load_network(self, path: Path) -> None:
        self.device = devices.choose()
        state = training.load(path, self.device)
        try:
            self.scorer.load_state_dict(state["model"])
        except (AttributeError, LookupError, TypeError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"{path}: not weights of this network ({reason}); {ANEW}") from None
        self.scorer = devices.placed(self.scorer, self.device).eval()

    def score(self, subset: Subset) -> dict[str, float]:
        """The logit of every utterance; the features are read as they are needed. `load` comes first."""
        scorer = for_scoring(self.scorer)

        def batches() -> Iterable[tuple[list[str], Tensor]]:
            for indices in in_order(len(subset.utterances), self.at_once):
                utterances = [subset.utterances[i] for i in indices]
                yield utterances, self.inputs([subset.features[utt] for utt in utterances])

        return dict(training.scores(scorer, batches(), self.device, subset.name, len(subset.utterances)))

    def inputs(self, features: list[np.ndarray]) -> Tensor:
        """Matrices float32[T × bins] as one batch, Tensor[B × 1 × bins × frames]."""
        return torch.from_numpy(np.stack([tile(matrix, self.frames, self.bins) for matrix in features]))[:, None]

    @torch.inference_mode()
    def attend(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """What the attention does to one utterance, float32[T × 257]; `load` comes first.

        Returns the mask A and the filtered spectrogram S*, float32[257 × frames] each, and the utterance's logit.
        Only where there is an attention to look at.
        """
        x = self.inputs([features]).to(self.device)
        mask = self.model.attend(x)
        filtered = self.model.filter(x, mask)
        logit = self.model.classifier(filtered).item()
        return mask[0, 0].cpu().numpy(), filtered[0, 0].cpu().numpy(), logit


def network(settings: Neural) -> nn.Module:
    """The network that the settings describe, freshly initialised. Raises UserError where its parts do not fit."""
    model = settings.model
    try:
        if isinstance(model, AttentiveFiltering):
            return AttentiveFilteringNetwork(
                model.attention, model.temperature, model.residual, model.channels, model.frames
            )
        if isinstance(model, DilatedResidual):
            return DilatedResNet(model.activation, model.frames)
        if isinstance(model, ReducedLightCNN):
            return light_cnn.LightCNN(model.frames)
        return light_cnn.OriginalLightCNN(model.dropout, frames=model.frames)
    except ValueError as error:
        raise UserError(f"model.{error}") from None
