"""i-vectors: Kaldi's numbers, the model written out as one large Gaussian, and what training must and must not do."""

import io

import numpy as np
import pytest
import torch
from scipy.linalg import block_diag, subspace_angles
from scipy.stats import multivariate_normal

from afn.features.cmvn import sliding_cmvn
from afn.systems.gmm.models import DiagonalGMM, FullGMM
from afn.systems.ivector.alignment import Alignment
from afn.systems.ivector.extractor import IVectorExtractor

T, F = True, False
SWITCHES = [(F, T, T, T), (T, T, T, T), (T, F, T, T), (T, T, F, T), (T, T, T, F)]


@pytest.fixture(scope="module")
def kaldi(golden):
    """Kaldi's extractor, the features that it was given, and the i-vectors that it wrote."""
    arrays = np.load(golden / "ivector_kaldi.npz")
    ubm = FullGMM.from_precisions(
        arrays["ubm_weights"], arrays["ubm_means_invcovars"], symmetric(arrays["ubm_inv_covars"])
    )
    names = [name.removeprefix("mfcc/") for name in arrays.files if name.startswith("mfcc/")]
    utterances = [sliding_cmvn(with_deltas(arrays[f"mfcc/{name}"]), 300)[arrays[f"vad/{name}"]] for name in names]
    rest = (arrays["M"], symmetric(arrays["SigmaInv"]), arrays["prior_offset"].item())
    return ubm, rest, utterances, np.stack([arrays[f"ivector/{name}"] for name in names])


def symmetric(upper):
    """K × D × D from the upper triangles, K × D (D + 1) / 2."""
    size = int((2 * upper.shape[1]) ** 0.5)
    whole = np.zeros((len(upper), size, size), upper.dtype)
    rows, columns = np.triu_indices(size)
    whole[:, rows, columns] = whole[:, columns, rows] = upper
    return whole


def with_deltas(static, window=3):
    """Kaldi's add-deltas of second order: both regressions applied to the edge-replicated statics."""
    first = np.arange(-window, window + 1) / (2 * sum(n * n for n in range(1, window + 1)))
    blocks = []
    for weights in (np.ones(1), first, np.convolve(first, first)):
        reach = len(weights) // 2
        padded = np.pad(static.astype(np.float64), ((reach, reach), (0, 0)), mode="edge")
        blocks.append(sum(w * padded[i : i + len(static)] for i, w in enumerate(weights)))
    return np.concatenate(blocks, axis=1).astype(np.float32)


def speech(seed=0, utterances=150, frames=60, dimension=5, factors=2, components=4, scale=0.7):
    """Utterances from a planted model: well separated components whose means move with the utterance."""
    rng = np.random.default_rng(seed)
    means = 20 * rng.standard_normal((components, dimension))
    loadings = scale * rng.standard_normal((components, dimension, factors))
    spoken = []
    for _ in range(utterances):
        shifted = means + loadings @ rng.standard_normal(factors)
        which = rng.integers(components, size=frames)
        spoken.append(shifted[which] + rng.standard_normal((frames, dimension)))
    return spoken, means, loadings


def background(spoken, full, components=4):
    """The two stages of a background model: diagonal, then full."""
    diagonal = DiagonalGMM.grown(spoken, components, iterations=4).fit(spoken, 10)
    return FullGMM.from_diagonal(diagonal).fit(spoken, 5) if full else diagonal


def test_given_kaldis_model_the_ivectors_are_kaldis(kaldi):
    ubm, (projections, precisions, offset), utterances, theirs = kaldi
    extractor = IVectorExtractor.from_kaldi(ubm, projections, precisions, offset)
    np.testing.assert_allclose(extractor.extract(utterances), theirs, rtol=0, atol=1e-5)
    # The order of the list is the order of the i-vectors, and company changes nothing.
    alone = torch.cat([extractor.extract([utterance]) for utterance in reversed(utterances)])
    np.testing.assert_allclose(alone, extractor.extract(utterances).flip(0), rtol=0, atol=1e-11)


@pytest.mark.parametrize(("selected", "least"), [(5, 0.025), (20, 0.0)])
def test_selection_and_pruning_are_part_of_kaldis_numbers(kaldi, selected, least):
    ubm, (projections, precisions, offset), utterances, theirs = kaldi
    extractor = IVectorExtractor.from_kaldi(ubm, projections, precisions, offset, selected, least)
    assert np.abs(extractor.extract(utterances[:3]).numpy() - theirs[:3]).max() > 1e-3


@pytest.mark.parametrize("full", [True, False])
def test_posteriors_are_thinned_to_the_selected_and_sum_to_one(full):
    rng = np.random.default_rng(0)
    means, frames = rng.standard_normal((8, 3)), torch.from_numpy(rng.standard_normal((50, 3)))
    ubm = DiagonalGMM(np.full(8, 1 / 8), means, np.full((8, 3), 2.0))
    ubm = FullGMM.from_diagonal(ubm) if full else ubm
    joint = ubm.joint_log_likelihood(frames)
    every = Alignment(ubm, None, 0).posteriors(frames)
    np.testing.assert_allclose(every, joint.softmax(1), rtol=1e-12)
    three = Alignment(ubm, 3, 0).posteriors(frames)
    assert ((three > 0).sum(1) == 3).all()
    assert (three.topk(3).indices.sort().values == every.topk(3).indices.sort().values).all()
    pruned = Alignment(ubm, None, 0.2).posteriors(frames)
    kept = every >= every.amax(1, keepdim=True).clamp(max=0.2)
    assert ((pruned > 0) == kept).all() and kept.any(1).all() and not kept.all()
    np.testing.assert_allclose(pruned, every * kept / (every * kept).sum(1, keepdim=True))


@pytest.mark.parametrize("full", [True, False])
def test_likelihood_and_ivector_are_those_of_one_large_gaussian(full):
    # Each frame belongs to one component, so an utterance is a Gaussian vector: w adds T T' between all its frames.
    rng = np.random.default_rng(1)
    spoken, _, _ = speech(utterances=3, frames=6, components=2)
    means = np.stack([np.full(5, -200.0), np.full(5, 200.0)])
    spoken = [frames + means[[0, 0, 1, 1, 1, 0]] for frames in spoken]
    noise = rng.standard_normal((2, 5, 5))
    covariances = noise @ noise.transpose(0, 2, 1) + np.eye(5)
    ubm = FullGMM([0.5, 0.5], means, covariances)
    if not full:
        ubm, covariances = ubm.diagonal(), covariances * np.eye(5)
    loadings = rng.standard_normal((2, 5, 3))
    extractor = IVectorExtractor(ubm, loadings)
    total, which = 0.0, [0, 0, 1, 1, 1, 0]
    for frames, ivector in zip(spoken, extractor.extract(spoken).numpy(), strict=True):
        stacked, around = np.concatenate(loadings[which]), (frames - means[which]).ravel()
        whole = block_diag(*covariances[which]) + stacked @ stacked.T
        total += multivariate_normal(np.zeros(30), whole).logpdf(around)
        np.testing.assert_allclose(ivector, stacked.T @ np.linalg.solve(whole, around), rtol=1e-7)
    extractor.fit(extractor.alignment.statistics(spoken, second_order=True), 1)
    assert extractor.trace == pytest.approx([total / 18], rel=1e-9)


@pytest.mark.parametrize(("full", "means", "sigma", "prior"), SWITCHES)
def test_the_likelihood_never_falls(full, means, sigma, prior):
    spoken, _, _ = speech()
    ubm = background(spoken, full, components=3)  # fewer than there are: the model does not fit
    extractor = IVectorExtractor.sampled(ubm, 3, seed=1)
    statistics = extractor.alignment.statistics(spoken, second_order=True)
    extractor.fit(statistics, 15, means, sigma, prior)
    assert (np.diff(extractor.trace) > -1e-10).all()
    assert extractor.trace[-1] > extractor.trace[0] + 0.05
    assert torch.equal(extractor.means, ubm.means) or means
    assert torch.equal(extractor.covariances, ubm.covariance) != sigma


@pytest.mark.parametrize("full", [True, False])
def test_a_planted_subspace_is_recovered(full):
    spoken, means, loadings = speech(utterances=400)
    extractor = IVectorExtractor.sampled(background(spoken, full), 2, seed=3)
    extractor.fit(extractor.alignment.statistics(spoken, second_order=True), 40)
    order = torch.cdist(torch.from_numpy(means), extractor.means).argmin(dim=1)
    assert sorted(order.tolist()) == [0, 1, 2, 3]
    learnt = extractor.loadings[order].numpy().reshape(-1, 2)
    assert np.degrees(subspace_angles(learnt, loadings.reshape(-1, 2)).max()) < 3
    # In scale too: T T' is what w adds to the covariance, whatever the rotation.
    np.testing.assert_allclose(learnt @ learnt.T, loadings.reshape(-1, 2) @ loadings.reshape(-1, 2).T, atol=0.3)
    spread = extractor.covariances if full else torch.diag_embed(extractor.covariances)
    np.testing.assert_allclose(spread.numpy(), np.tile(np.eye(5), (4, 1, 1)), atol=0.08)


def test_training_stopped_and_restored_ends_the_same_and_a_seed_decides_it():
    spoken, _, _ = speech(utterances=40)
    ubm = background(spoken, full=True)

    def start(seed=0):
        return IVectorExtractor.sampled(ubm, 2, seed, selected=3, min_posterior=0.01)

    statistics = start().alignment.statistics(spoken, second_order=True)
    seen = []
    through = start().fit(statistics, 6, after=lambda extractor: seen.append(extractor.trace[-1]))
    assert seen == through.trace and len(seen) == 6
    saved = io.BytesIO()
    torch.save(start().fit(statistics, 2).state_dict(), saved)
    saved.seek(0)
    restored = IVectorExtractor.from_state_dict(torch.load(saved, weights_only=True)).fit(statistics, 6)
    assert restored.trace == through.trace
    assert torch.equal(restored.extract(spoken), through.extract(spoken))
    assert not torch.equal(start(1).loadings, start(0).loadings)


def test_what_cannot_be_used_is_refused():
    spoken, _, _ = speech(utterances=4)
    ubm = background(spoken, full=True)
    extractor = IVectorExtractor.sampled(ubm, 2, seed=0)
    broken = ubm.covariances.clone()
    broken[2] *= -1
    for attempt, complaint in (
        (lambda: extractor.extract([spoken[0], spoken[0][:0]]), "utterance 1 of 2 has no frames"),
        (lambda: extractor.extract([spoken[0][:, :4]]), "frames of 4 dimensions; this model has 5"),
        (lambda: extractor.extract([np.full((3, 5), np.nan)]), "frame 0, dimension 0 is nan"),
        (lambda: IVectorExtractor(ubm, torch.ones(4, 6, 2)), "do not fit a background model of 4 × 5"),
        (lambda: IVectorExtractor(ubm, torch.ones(4, 5, 2), None, broken), "component 2 is not positive definite"),
    ):
        with pytest.raises(ValueError, match=complaint):
            attempt()
