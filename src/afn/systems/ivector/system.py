"""i-vectors and a back-end: rows that represent an utterance by one vector of fixed length.

Sources: Lai et al., ICASSP 2019, sec. 4 (Kaldi's sre08 recipe, cosine and Gaussian back-ends); Chettri et al.,
arXiv 2010.07913 (whitening and WCCN).
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from afn.common.errors import UserError
from afn.common.progress import Progress
from afn.systems import checkpoints, copies, em
from afn.systems import device as devices
from afn.systems.gmm.models import DiagonalGMM, FullGMM
from afn.systems.ivector.backends import CosineBackend, GaussianBackend, Projection
from afn.systems.ivector.extractor import IVectorExtractor
from afn.systems.ivector.kaldi import KaldiIVectors
from afn.systems.ivector.settings import IVectors
from afn.systems.protocol import System
from afn.systems.subset import Subset, in_order

BACK_END = "backend.pt"
KALDI = "kaldi"  # folder of the models by Kaldi's programs
AT_ONCE = 32  # utterances
BACK_ENDS: dict[str, type[CosineBackend | GaussianBackend]] = {"cosine": CosineBackend, "gaussian": GaussianBackend}

log = logging.getLogger("train")


class IVectorSystem(System):
    """A background model, an i-vector extractor and a back-end.

    Scores are differences of cosines, between -2 and 2, or log-likelihood ratios in nats. Above 0: genuine.

    Args:
        settings: the row's YAML.
        seed: determines the initial loadings of the extractor. The background model is deterministic. Kaldi's programs
            use the seed differently: see `KaldiIVectors`.
    """

    settings: IVectors
    at_once = AT_ONCE

    def __init__(self, settings: IVectors, seed: int):
        super().__init__(settings, seed)
        self.extractor: IVectorExtractor  # set by `fit` and `load` if the programs are native
        self.kaldi: KaldiIVectors | None = None
        self.projection: Projection  # set by `fit` and `load`, as the back-end
        self.back_end: CosineBackend | GaussianBackend
        self.device = torch.device("cpu")

    @classmethod
    def tables(cls, settings: IVectors) -> tuple[str, ...]:
        return ("utt2label", "utt2spk") if settings.back_end.per_speaker else ("utt2label",)

    def fit(self, train: Subset, dev: Subset, directory: Path) -> None:
        """Train the background model, the extractor and the back-end, from where an earlier run stopped."""
        self.device = devices.choose()
        train = copies.added(train, self.settings, self.seed, directory)
        subset = em.pooled(self.settings.trained_on, train, dev)
        if self.settings.programs == "kaldi":
            self.kaldi = KaldiIVectors(self.settings, self.seed, directory / KALDI)
            self.kaldi.fit(subset)
        else:
            learner = em.Learner(directory)
            self.extractor = self._extractor(self._tensors(list(subset.features.values())), learner)
        vectors, genuine = self.extract(subset), subset.genuine
        if self.settings.back_end.per_speaker:
            vectors, genuine = speaker_means(vectors, genuine, [subset.speakers[utt] for utt in subset.utterances])
        self._fit_back_end(vectors, genuine)
        checkpoints.save(directory / BACK_END, self._state())
        copies.remove(directory)

    def weights(self, directory: Path) -> Path:
        """The file in `directory` with the extractor and the back-end."""
        return directory / BACK_END

    def load(self, directory: Path) -> None:
        """Load what `fit` left in `directory`."""
        self.device = devices.choose()
        if self.settings.programs == "kaldi":
            self.kaldi = KaldiIVectors(self.settings, self.seed, directory / KALDI)
        em.load(self.weights(directory), self._take)

    def score(self, subset: Subset) -> dict[str, float]:
        """The score of every utterance; higher = more genuine. Features are read when they are needed."""
        vectors = self.extract(subset)
        # In the batches of `extract`: the last bits of a matrix product depend on its number of rows.
        parts = [vectors[places.start : places.stop] for places in in_order(len(vectors), AT_ONCE)]
        scores = np.concatenate([self.back_end.score(self.projection(part)) for part in parts])
        return dict(zip(subset.utterances, scores.tolist(), strict=True))

    def extract(self, subset: Subset) -> np.ndarray:
        """The i-vectors of a subset, float64[U × dimension], in the order of its utterances."""
        if self.kaldi:
            return self.kaldi.extract(subset)
        found = []
        with Progress(f"i-vectors {subset.name}", len(subset.utterances)) as progress:
            for places in in_order(len(subset.utterances), AT_ONCE):
                utterances = [subset.utterances[place] for place in places]
                try:
                    vectors = self.extractor.extract(self._tensors([subset.features[utt] for utt in utterances]))
                except ValueError as error:
                    hint = "Run stage -1 with --force."
                    raise UserError(f"{utterances[0]} … {utterances[-1]}: {error}. {hint}") from None
                found.append(vectors.cpu().numpy())
                progress.advance(len(utterances))
        return np.concatenate(found)

    def _extractor(self, utterances: list[torch.Tensor], learner: em.Learner) -> IVectorExtractor:
        of, total = self.settings.ubm, self.settings.extractor
        diagonal: DiagonalGMM = learner.run(
            "ubm",
            of.iterations,
            lambda: DiagonalGMM.grown(utterances, of.components, of.split_iterations, of.variance_floor),
            DiagonalGMM.from_state_dict,
            lambda mixture, after: mixture.fit(utterances, of.iterations, 0.0, of.variance_floor, after=after),
        )
        ubm: DiagonalGMM | FullGMM = diagonal
        if of.covariance == "full":
            ubm = learner.run(
                "ubm_full",
                of.full_iterations,
                lambda: FullGMM.from_diagonal(diagonal),
                FullGMM.from_state_dict,
                lambda mixture, after: mixture.fit(utterances, of.full_iterations, 0.0, of.variance_floor, after=after),
            )

        def fit(extractor: IVectorExtractor, after: Any) -> None:
            if len(extractor.trace) < total.iterations:
                extractor.to(self.device)
                statistics = extractor.alignment.statistics(utterances, second_order=True)
                extractor.fit(statistics, total.iterations, after=after)

        return learner.run(
            "extractor",
            total.iterations,
            lambda: IVectorExtractor.sampled(ubm, total.dimension, self.seed, total.selected, total.min_posterior),
            IVectorExtractor.from_state_dict,
            fit,
        )

    def _fit_back_end(self, vectors: np.ndarray, genuine: np.ndarray) -> None:
        of = self.settings.back_end
        try:
            self.projection = Projection.fit(vectors, genuine, of.centre, of.whiten, of.wccn, of.unit_length)
            self.back_end = BACK_ENDS[of.scoring].fit(self.projection(vectors), genuine)
        except ValueError as error:
            raise UserError(f"back_end: {error}") from None

    def _tensors(self, matrices: Sequence[np.ndarray]) -> list[torch.Tensor]:
        return [torch.tensor(matrix, device=self.device) for matrix in matrices]

    def _state(self) -> dict[str, Any]:
        return {
            "extractor": self.kaldi.state() if self.kaldi else self.extractor.state_dict(),
            "projection": _tensors(vars(self.projection)),
            "back_end": _tensors(vars(self.back_end)),
        }

    def _take(self, state: dict[str, Any]) -> None:
        if self.kaldi:
            self.kaldi.take(state["extractor"])
        else:
            self.extractor = IVectorExtractor.from_state_dict(state["extractor"]).to(self.device)
        self.projection = Projection(**_arrays(state["projection"]))
        self.back_end = BACK_ENDS[self.settings.back_end.scoring](**_arrays(state["back_end"]))


def speaker_means(vectors: np.ndarray, genuine: np.ndarray, speakers: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """One mean i-vector per speaker and class, and whether it is genuine, sorted by speaker.

    Args:
        vectors: [U × R].
        genuine: bool[U].
        speakers: U names.

    Returns:
        float64[M × R] and bool[M] for M pairs of a speaker and a class.
    """
    of = list(zip(speakers, genuine.tolist(), strict=True))
    pairs = sorted(set(of))
    places = np.array([pairs.index(pair) for pair in of])
    means = np.stack([vectors[places == place].mean(axis=0) for place in range(len(pairs))])
    return means, np.array([real for _, real in pairs])


def _tensors(values: dict[str, Any]) -> dict[str, Any]:
    return {k: torch.from_numpy(v) if isinstance(v, np.ndarray) else v for k, v in values.items()}


def _arrays(values: dict[str, Any]) -> dict[str, Any]:
    return {k: v.cpu().numpy() if isinstance(v, torch.Tensor) else v for k, v in values.items()}


SYSTEM = IVectorSystem
