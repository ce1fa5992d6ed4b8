"""Networks on feature matrices: the AFN, DRN and kindred rows."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from errors import UserError
from models.attentive_filtering import AttentiveFilteringNetwork
from models.dilated_resnet import DilatedResNet
from systems import device as devices
from systems import training
from systems.batches import Tiled, in_order, tile
from systems.settings import AttentiveFiltering, Neural
from systems.subset import Subset


class NeuralSystem:
    """A network trained by systems/training.py; its score is the logit, above 0 for genuine.

    Args:
        settings: the row's YAML.
        seed: decides the initial weights and the order of the batches.
    """

    def __init__(self, settings: Neural, seed: int):
        self.settings, self.seed = settings, seed
        torch.manual_seed(seed)
        self.model = network(settings)
        self.device: torch.device | None = None

    @property
    def attentive(self) -> bool:
        """Whether there is an attention mask to look at."""
        return isinstance(self.settings.model, AttentiveFiltering)

    @property
    def frames(self) -> int:
        return self.settings.model.frames

    def fit(self, train: Subset, dev: Subset, directory: Path) -> None:
        """Train to the end, or on from where an earlier run in `directory` was interrupted."""
        training.Trainer(
            self.model,
            Tiled(train, self.frames),
            Tiled(dev, self.frames),
            self.settings.train,
            self.seed,
            directory,
        ).run()

    def weights(self, directory: Path) -> Path:
        """The file in a training's `directory` that scores depend on: the weights with the best dev EER."""
        return directory / training.BEST

    def load(self, directory: Path) -> None:
        """Take up the `weights` of a training's `directory`."""
        path = self.weights(directory)
        self.device = devices.choose()
        state = training.load(path, self.device)
        try:
            self.model.load_state_dict(state["model"])
        except (KeyError, TypeError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"{path}: not weights of this network ({reason}); {training.ANEW}") from None
        self.model = devices.placed(self.model, self.device).eval()

    def score(self, subset: Subset) -> dict[str, float]:
        """The logit of every utterance; the features are read as they are needed. `load` comes first."""
        size = training.scoring_batch(self.device)

        def batches() -> Iterable[tuple[list[str], Tensor]]:
            for indices in in_order(len(subset.utterances), size):
                utterances = [subset.utterances[i] for i in indices]
                yield utterances, self.inputs([subset.features[utt] for utt in utterances])

        return dict(training.scores(self.model, batches(), self.device, subset.name, len(subset.utterances)))

    def inputs(self, features: list[np.ndarray]) -> Tensor:
        """Matrices float32[T × 257] as one batch, Tensor[B × 1 × 257 × frames]."""
        return torch.from_numpy(np.stack([tile(matrix, self.frames) for matrix in features]))[:, None]

    @torch.inference_mode()
    def attend(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """What the attention does to one utterance, float32[T × 257]; `load` comes first.

        Returns the mask A and the filtered spectrogram S*, float32[257 × frames] each, and the utterance's logit.
        Only for an `attentive` system.
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
        return DilatedResNet(model.activation, model.frames)
    except ValueError as error:
        raise UserError(f"model.{error}") from None
