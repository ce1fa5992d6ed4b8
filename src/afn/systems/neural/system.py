"""Networks on feature matrices: the AFN, DRN and LCNN rows."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from afn.common import files, paths
from afn.common.errors import RETRAIN, UserError
from afn.features import front_end
from afn.systems import checkpoints
from afn.systems import device as devices
from afn.systems.neural import light_cnn, training
from afn.systems.neural.attentive_filtering import AttentiveFilteringNetwork
from afn.systems.neural.batches import Tiled, tile, tile_on
from afn.systems.neural.dilated_resnet import DilatedResNet
from afn.systems.neural.embedding_gaussians import EmbeddingGaussians
from afn.systems.neural.inference import for_scoring
from afn.systems.neural.settings import VARIATIONS, Neural
from afn.systems.neural.statistics_pooling import StatisticsPoolingCNN
from afn.systems.protocol import Attended, Chosen, Exportable, System
from afn.systems.subset import Subset, in_order

GAUSSIANS = "gaussians.pt"
DETECTOR = "detector"  # as train.start: the weights that come with the package

Network = (
    AttentiveFilteringNetwork | DilatedResNet | light_cnn.LightCNN | light_cnn.OriginalLightCNN | StatisticsPoolingCNN
)

# `model.kind` -> the network of its settings, freshly initialised. ValueError where its parts do not fit.
NETWORKS: dict[str, Callable[[Any], Network]] = {
    "attentive_filtering": lambda of: AttentiveFilteringNetwork(
        of.attention, of.temperature, of.residual, of.channels, of.frames
    ),
    "dilated_resnet": lambda of: DilatedResNet(of.activation, of.frames),
    "light_cnn": lambda of: light_cnn.LightCNN(of.frames),
    "original_light_cnn": lambda of: light_cnn.OriginalLightCNN(of.dropout, frames=of.frames),
    "statistics_pooling": lambda of: StatisticsPoolingCNN(of.widths, of.strides, of.hidden, of.dropout, of.spectrum),
}


def start(named: str) -> Path:
    """The weights that `train.start` names. UserError where there are none."""
    shipped = checkpoints.DETECTOR / checkpoints.SHIPPED
    path = shipped if named == DETECTOR else paths.user_path(named) / training.BEST
    if not path.is_file():
        raise UserError(
            f"train.start: {path}: no such file. Set it to {DETECTOR}, or to the folder exp/<corpus>/<system>/seed<k> "
            "of a finished training."
        )
    return path


class NeuralSystem(System):
    """A network trained by `training.Trainer`; its score is the logit, above 0 for genuine.

    With a Gaussian back-end (original Light CNN) the score is the log-likelihood ratio of two Gaussians on embeddings.
    The seed decides the initial weights and the order of the batches.
    """

    settings: Neural

    def __init__(self, settings: Neural, seed: int):
        super().__init__(settings, seed)
        torch.manual_seed(seed)
        try:
            self.model = self.network()
        except ValueError as error:
            raise UserError(f"model.{error}") from None
        self.scorer: nn.Module = self.model  # batches to scores
        self.device = torch.device("cpu")
        self.frames: int | None = getattr(settings.model, "frames", None)
        self.attentive = isinstance(self.model, AttentiveFilteringNetwork)
        # Lai et al.'s predict_only.py averages sigmoids; log-likelihood ratios would saturate there.
        self.gaussian = getattr(settings.model, "back_end", "") == "gaussian"
        self.averages = "scores" if self.gaussian else "sigmoids"

    def network(self) -> Network:
        """The network that the settings describe, freshly initialised. ValueError where its parts do not fit."""
        return NETWORKS[self.settings.model.kind](self.settings.model)

    @classmethod
    def identity(cls, settings: Neural) -> dict[str, Any]:
        found = super().identity(settings)
        for name in VARIATIONS:
            if found["train"][name] is None:
                del found["train"][name]
        found["train"]["precision"] = devices.resolved(settings.train.precision)
        if settings.train.start is not None:
            found["files"] = {**found.get("files", {}), "start": files.sha256(start(settings.train.start))}
        return found

    @property
    def bins(self) -> int:
        """The values per frame that the network takes."""
        return self.model.bins

    def fit(self, train: Subset, dev: Subset, directory: Path) -> None:
        tiled, selecting = (Tiled(subset.both_classes(), self.frames, self.bins) for subset in (train, dev))
        recipe, extract = self.settings.train, None
        if recipe.augment is not None:
            extract = front_end.native(front_end.describe(self.settings.features, backend="native"))
        if recipe.start is not None:
            self._load_network(start(recipe.start), "Set train.start to a training of the same model.")
        training.Trainer(self.model, tiled, selecting, recipe, self.seed, directory, extract).run()
        if self.gaussian:
            assert isinstance(self.model, light_cnn.OriginalLightCNN)
            self._load_network(directory / training.BEST)
            gaussians = EmbeddingGaussians.fitted(self.model, tiled, self.device)
            checkpoints.save(directory / GAUSSIANS, {"model": gaussians.state_dict()})

    def weights(self, directory: Path) -> Path:
        shipped = directory / checkpoints.SHIPPED
        return shipped if shipped.is_file() else directory / (GAUSSIANS if self.gaussian else training.BEST)

    def load(self, directory: Path) -> None:
        if self.gaussian:
            assert isinstance(self.model, light_cnn.OriginalLightCNN)
            self.scorer = EmbeddingGaussians(self.model, light_cnn.EMBEDDING)
        self._load_network(self.weights(directory))

    def _load_network(self, path: Path, fix: str = RETRAIN) -> None:
        self.device = devices.choose()
        self.at_once = training.scoring_batch(self.device, self.frames)
        state = checkpoints.load(path, self.device)
        try:
            self.scorer.load_state_dict(state["model"])
        except (AttributeError, LookupError, TypeError, RuntimeError) as error:
            reason = checkpoints.first_line(error)
            raise UserError(f"{path}: not weights of this network ({reason}). {fix}") from None
        self.scorer = devices.placed(self.scorer, self.device).eval()

    def score(self, subset: Subset) -> dict[str, float]:
        scorer = for_scoring(self.scorer)

        def batches() -> Iterable[tuple[list[str], Tensor]]:
            for indices in in_order(len(subset.utterances), self.at_once):
                utterances = [subset.utterances[i] for i in indices]
                yield utterances, self.inputs([subset.features[utt] for utt in utterances])

        return dict(training.scores(scorer, batches(), self.device, subset.name, len(subset.utterances)))

    def score_many(self, subset: Subset) -> dict[str, float]:
        threads, utterances = torch.get_num_threads(), subset.utterances
        if self.device.type != "cpu" or threads < 2 or len(utterances) < 2:
            return self.score(subset)
        shares = [{utt: subset.labels[utt] for utt in utterances[first::threads]} for first in range(threads)]
        parts = [Subset(subset.name, of, {utt: subset.features[utt] for utt in of}) for of in shares if of]
        # Each thread runs other networks: they need not wait for each other after every layer.
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            found = list(pool.map(self.score, parts))
        torch.set_num_threads(threads)  # of MKL, which knows one number for all threads
        return {utt: score for part in found for utt, score in part.items()}

    def inputs(self, features: list[np.ndarray]) -> Tensor:
        """Matrices float32[T × bins] as one batch, Tensor[B × 1 × bins × frames]."""
        if self.device.type != "cpu" and self.frames is not None:
            return tile_on(self.device, features, self.frames, self.bins)
        return torch.from_numpy(np.stack([tile(matrix, self.frames, self.bins) for matrix in features]))[:, None]

    @property
    def figures(self) -> str:
        return "attention masks" if self.attentive else ""

    def draw(self, chosen: Chosen, out: Path) -> bool:
        if not self.attentive:
            return False
        from afn.systems.neural import heatmaps  # matplotlib takes a second to import

        heatmaps.draw(self, chosen, out)
        return True

    @torch.inference_mode()
    def attend(self, features: np.ndarray) -> Attended:
        if not isinstance(self.model, AttentiveFilteringNetwork):
            return super().attend(features)
        x, model = self.inputs([features]).to(self.device), for_scoring(self.model)
        mask = model.attend(x)
        filtered = model.filter(x, mask)
        logit = model.classifier(filtered).item()
        return Attended(mask[0, 0].cpu().numpy(), filtered[0, 0].cpu().numpy(), logit)

    def draw_attention(
        self, path: Path, features: np.ndarray, heading: str, above: Callable[[Any], None] | None = None
    ) -> None:
        found = self.attend(features)
        from afn.systems.neural import heatmaps  # matplotlib takes a second to import

        heatmaps.draw_recording(path, features, found, heading, above)

    def exportable(self) -> Exportable:
        scorer = self.scorer.plain() if isinstance(self.scorer, EmbeddingGaussians) else self.scorer
        scorer = scorer.cpu().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        return Exportable(scorer.eval(), self.bins, self.frames)


SYSTEM = NeuralSystem
