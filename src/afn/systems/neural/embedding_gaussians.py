"""A Gaussian back-end on a network's embeddings: the score is the log likelihood ratio of two classes.

Source: Lavrentyeva et al., Interspeech 2017, sec. 3.2: one Gaussian per class on the Light CNN's embeddings.
"""

import torch
from torch import Tensor, nn

from afn.systems.neural.batches import Tiled
from afn.systems.neural.light_cnn import OriginalLightCNN
from afn.systems.subset import in_order

RIDGE = 0.01  # fraction of the mean variance added to the diagonal: a class may have fewer utterances than dimensions


class EmbeddingGaussians(nn.Module):
    """Scores batches by two Gaussians on `network.embed`: row 0 is genuine, row 1 spoof.

    `dims` is the size D of the embedding.
    """

    means: Tensor
    factors: Tensor

    def __init__(self, network: OriginalLightCNN, dims: int):
        super().__init__()
        self.network = network
        self.register_buffer("means", torch.zeros(2, dims, dtype=torch.float64))
        self.register_buffer("factors", torch.eye(dims, dtype=torch.float64).repeat(2, 1, 1))  # Cholesky, covariances

    @classmethod
    @torch.inference_mode()
    def fitted(cls, network: OriginalLightCNN, train: Tiled, device: torch.device) -> "EmbeddingGaussians":
        """Fit both Gaussians, with full covariances, on the embeddings of the training utterances."""
        network.eval()
        embeddings = torch.cat(
            [network.embed(train.batch(indices)[0].to(device)).double() for indices in in_order(len(train), 16)]
        )
        scorer = cls(network, embeddings.shape[1]).to(device)
        for row, target in enumerate((1.0, 0.0)):
            of_class = embeddings[(train.targets == target).to(device)]
            covariance = of_class.T.cov(correction=0)
            variance = covariance.diagonal().mean().clamp_min(1e-12)
            covariance = covariance + RIDGE * variance * torch.eye(len(covariance), dtype=torch.float64, device=device)
            scorer.means[row] = of_class.mean(dim=0)
            scorer.factors[row] = torch.linalg.cholesky(covariance)
        return scorer

    def forward(self, x: Tensor) -> Tensor:
        """Tensor[B × 1 × bins × frames] to log likelihood ratios Tensor[B]; above 0: genuine."""
        embedding = self.network.embed(x).double()
        genuine, spoof = (self._log_likelihood(embedding, row) for row in range(2))
        return genuine - spoof

    def plain(self) -> "PlainGaussians":
        """The same scores by matrix products alone."""
        return PlainGaussians(self)

    def _log_likelihood(self, embedding: Tensor, row: int) -> Tensor:
        """Without the constant that cancels between the classes."""
        factor = self.factors[row]
        white = torch.linalg.solve_triangular(factor, (embedding - self.means[row]).T, upper=False)
        return -0.5 * white.square().sum(dim=0) - factor.diagonal().log().sum()


class PlainGaussians(nn.Module):
    """EmbeddingGaussians by matrix products, for export: ONNX has no triangular solver."""

    means: Tensor
    whitening: Tensor
    logs: Tensor

    def __init__(self, scorer: EmbeddingGaussians):
        super().__init__()
        self.network = scorer.network
        self.register_buffer("means", scorer.means)
        self.register_buffer("whitening", torch.linalg.inv(scorer.factors).mT.contiguous())
        self.register_buffer("logs", scorer.factors.diagonal(dim1=1, dim2=2).log().sum(dim=1))

    def forward(self, x: Tensor) -> Tensor:
        """Tensor[B × 1 × bins × frames] to log likelihood ratios Tensor[B]."""
        embedding = self.network.embed(x).double()
        genuine, spoof = (
            -0.5 * ((embedding - self.means[row]) @ self.whitening[row]).square().sum(dim=1) - self.logs[row]
            for row in range(2)
        )
        return genuine - spoof
