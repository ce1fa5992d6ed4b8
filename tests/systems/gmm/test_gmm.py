"""Gaussian mixtures: VLFeat's numbers, textbook EM, and what happens to empty components and bad frames."""

import io

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from afn.systems.gmm import mixture
from afn.systems.gmm.models import DiagonalGMM, FullGMM, mean_log_likelihood_ratio


@pytest.fixture(scope="module")
def vlfeat(golden):
    return np.load(golden / "gmm_vlfeat.npz")


def vlfeat_start(vlfeat):
    frames = vlfeat["frames"].astype(np.float64)
    means = frames[vlfeat["start"]]
    return DiagonalGMM(np.full(len(means), 1 / len(means)), means, np.tile(frames.var(axis=0), (len(means), 1)))


def clusters(seed=0, count=600, dimension=4, spread=6.0, offset=0.0):
    """float64 frames around three centres, the dimensions on different scales."""
    rng = np.random.default_rng(seed)
    centres = spread * rng.standard_normal((3, dimension))
    frames = centres[rng.integers(3, size=count)] + rng.standard_normal((count, dimension))
    return frames * np.logspace(-1, 2, dimension) + offset


def textbook(frames, weights, means, variances, iterations):
    """EM as the textbook writes it, without any care for size; the mean log-likelihood before each iteration."""
    trace = []
    for _ in range(iterations):
        distance = ((frames[:, None] - means) ** 2 / variances + np.log(2 * np.pi * variances)).sum(axis=2)
        joint = np.log(weights) - 0.5 * distance
        evidence = logsumexp(joint, axis=1, keepdims=True)
        trace.append(evidence.mean())
        posteriors = np.exp(joint - evidence)
        counts = posteriors.sum(axis=0)
        weights, means = counts / len(frames), posteriors.T @ frames / counts[:, None]
        variances = np.stack([p @ (frames - m) ** 2 for p, m in zip(posteriors.T, means, strict=True)])
        variances /= counts[:, None]
    return weights, means, variances, trace


def same(ours, theirs):
    for name in ("weights", "means", "covariance"):
        assert torch.equal(getattr(ours, name), getattr(theirs, name)), name
    assert ours.trace == theirs.trace


@pytest.mark.parametrize("when", ["before", "after"])
def test_log_likelihoods_are_the_baselines(vlfeat, when):
    model = DiagonalGMM(*(vlfeat[f"{when}_{name}"] for name in ("weights", "means", "variances")))
    np.testing.assert_allclose(model.log_likelihood(vlfeat["heard"]), vlfeat[f"{when}_heard"], rtol=0, atol=1e-9)
    in_float32 = model.log_likelihood(vlfeat["heard"].astype(np.float32))
    assert in_float32.dtype == torch.float32
    np.testing.assert_allclose(in_float32, vlfeat[f"{when}_heard"], rtol=0, atol=1e-3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("iterations", [1, 10])
def test_training_ends_where_vlfeats_does(vlfeat, iterations, dtype):
    # VLFeat skips small posteriors, so that means (of a spread of up to 245) differ by a tenth.
    model = vlfeat_start(vlfeat)
    model.fit(vlfeat["frames"].astype(dtype), iterations, tolerance=0, variance_floor=1e-6)
    assert model.resplit == 0 and len(model.trace) == iterations
    np.testing.assert_allclose(model.means, vlfeat[f"means_{iterations}"], rtol=0, atol=0.15)
    np.testing.assert_allclose(model.variances, vlfeat[f"variances_{iterations}"], rtol=0.02)
    np.testing.assert_allclose(model.weights, vlfeat[f"weights_{iterations}"], rtol=0, atol=2e-4)
    reached = model.log_likelihood(vlfeat["frames"].astype(dtype)).double().mean().item()
    assert reached == pytest.approx(float(vlfeat[f"log_likelihood_{iterations}"]), abs=1e-2)


def test_em_is_the_textbooks(monkeypatch):
    monkeypatch.setitem(mixture.CHUNK_BYTES, "cpu", 1)  # the smallest chunks: 64 frames
    frames = clusters()
    model = DiagonalGMM.sampled(frames, 3, seed=1)
    theirs = textbook(frames, model.weights.numpy(), model.means.numpy(), model.variances.numpy(), 7)
    model.fit(frames, 7, tolerance=0, variance_floor=0)
    for ours, expected in zip((model.weights, model.means, model.variances, model.trace), theirs, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-9)


def test_float32_is_safe_far_from_the_origin():
    frames = clusters(offset=1e4).astype(np.float32)  # squares near 1e8 leave float32 no digit for variances of 0.01
    model = DiagonalGMM.sampled(frames, 3, seed=1).fit(frames, 8, tolerance=0)
    exact = DiagonalGMM.sampled(frames, 3, seed=1).fit(frames.astype(np.float64), 8, tolerance=0)
    np.testing.assert_allclose(model.variances, exact.variances, rtol=1e-3)
    assert model.trace == pytest.approx(exact.trace, abs=1e-3)


@pytest.mark.parametrize("kind", ["diagonal", "full"])
def test_training_stopped_and_restored_ends_bit_for_bit_the_same(kind):
    frames = clusters().astype(np.float32)

    def start():
        model = DiagonalGMM.sampled(frames, 4, seed=5)
        return model if kind == "diagonal" else FullGMM.from_diagonal(model)

    through = start().fit(frames, 6, tolerance=0)
    saved = io.BytesIO()
    torch.save(start().fit(frames, 2, tolerance=0).state_dict(), saved)
    saved.seek(0)
    same(type(through).from_state_dict(torch.load(saved, weights_only=True)).fit(frames, 6, tolerance=0), through)


def test_training_reports_each_iteration_and_stops_when_it_gains_nothing():
    frames, seen = clusters(), []
    model = DiagonalGMM.sampled(frames, 3, seed=0).fit(frames, 200, 1e-6, after=lambda m: seen.append(m.trace[-1]))
    assert seen == model.trace and model.converged and 3 < len(seen) < 200
    gains = np.diff(seen)
    assert (gains > -1e-12).all() and gains[-1] < 1e-6 <= gains[-2]
    assert DiagonalGMM.from_state_dict(model.state_dict()).fit(frames, 300).trace == seen  # it knows that it is done


@pytest.mark.parametrize("kind", [DiagonalGMM, FullGMM])
def test_an_empty_component_is_put_beside_the_heaviest(kind):
    frames = clusters()
    means = frames.mean(axis=0) + [[0.0], [100.0]] * frames.std(axis=0)  # the second explains nothing
    variances = np.tile(frames.var(axis=0), (2, 1))
    model = kind([0.5, 0.5], means, variances if kind is DiagonalGMM else np.stack([np.diag(v) for v in variances]))
    model.fit(frames, 1)
    assert model.resplit == 1 and not model.converged
    assert model.weights.tolist() == [0.5, 0.5]
    np.testing.assert_allclose(model.means.mean(dim=0), frames.mean(axis=0))
    np.testing.assert_allclose(model.means[1] - model.means[0], 0.4 * frames.std(axis=0))
    model.fit(frames, 2, tolerance=1e3)
    assert model.resplit == 0 and not model.converged  # whatever a re-split gains or loses says nothing
    model.fit(frames, 30)
    assert model.weights.min() > 0.1 and model.trace[-1] > model.trace[1] + 0.1


@pytest.mark.parametrize("kind", ["diagonal", "full"])
def test_no_variance_falls_below_its_share_of_that_of_all_frames(kind):
    frames = clusters()
    frames[:200] = 2 * frames.max(axis=0)  # digital silence: far from speech, without any variance
    model = DiagonalGMM.sampled(frames, 4, seed=1).fit(frames, 20, variance_floor=0.01)
    if kind == "full":
        model = FullGMM.from_diagonal(model).fit(frames, 20, variance_floor=0.01)
        unit = frames.std(axis=0)
        least = np.linalg.eigvalsh(model.covariances.numpy() / np.outer(unit, unit)).min()
    else:
        least = (model.variances.numpy() / frames.var(axis=0)).min()
    assert least == pytest.approx(0.01, rel=1e-9)
    assert (np.diff(model.trace) > -1e-9).all()


@pytest.mark.parametrize("components", [1, 2, 6, 8])
def test_growing_by_splits_needs_no_chance(components):
    frames = clusters()
    model = DiagonalGMM.grown(frames, components, iterations=3)
    same(model, DiagonalGMM.grown(frames, components, iterations=3))
    assert model.components == components and model.trace == []
    model.fit(frames, 30)
    one = DiagonalGMM.grown(frames, 1, iterations=3)
    np.testing.assert_allclose(one.means[0], frames.mean(axis=0))
    if components >= 6:  # the three clusters are found
        assert model.trace[-1] > one.log_likelihood(frames).mean() + 1


def test_a_full_mixture_begins_as_the_diagonal_one_and_learns_correlation():
    rng = np.random.default_rng(0)
    factors = np.array([[[2.0, 0, 0], [1.9, 0.3, 0], [0, 0, 1]], [[1.0, 0, 0], [0, 1, 0], [0, -4, 0.5]]])
    which = rng.integers(2, size=4000)
    frames = np.einsum("tij,tj->ti", factors[which], rng.standard_normal((4000, 3))) + 8 * which[:, None]
    diagonal = DiagonalGMM.grown(frames, 2, iterations=5).fit(frames, 20)
    full = FullGMM.from_diagonal(diagonal)
    np.testing.assert_allclose(full.log_likelihood(frames), diagonal.log_likelihood(frames), rtol=1e-10)
    full.fit(frames, 20)
    assert (np.diff(full.trace) > -1e-10).all() and full.trace[-1] > full.trace[0] + 0.5
    order = full.means[:, 0].argsort()
    np.testing.assert_allclose(full.covariances[order], factors @ factors.transpose(0, 2, 1), atol=0.6)
    theirs = [multivariate_normal(m, c).logpdf(frames) for m, c in zip(full.means, full.covariances, strict=True)]
    expected = logsumexp(np.stack(theirs) + full.weights.log().numpy()[:, None], axis=0)
    np.testing.assert_allclose(full.log_likelihood(frames.astype(np.float32)), expected, rtol=1e-5)
    np.testing.assert_allclose(full.log_likelihood(frames), expected, rtol=1e-11)


def test_the_score_is_the_mean_ratio_and_higher_for_genuine():
    genuine, spoof = (DiagonalGMM([1.0], [[mean]], [[1.0]]) for mean in (1.0, -1.0))
    frames = np.array([[1.0], [2.0], [-0.5]])
    assert mean_log_likelihood_ratio(frames, genuine, spoof) == pytest.approx(2 * frames.mean())
    with pytest.raises(ValueError, match="none to score"):
        mean_log_likelihood_ratio(frames[:0], genuine, spoof)


FRAMES = clusters().astype(np.float32)
NAN, FLAT, EQUAL = FRAMES.copy(), FRAMES.copy(), FRAMES[:40].copy()
NAN[417, 2], FLAT[:, 1], EQUAL[5:] = np.nan, 5.0, EQUAL[5]
MODEL = DiagonalGMM.sampled(FRAMES, 3, seed=0)
REFUSED = {
    "too few to start": (lambda: DiagonalGMM.sampled(FRAMES[:7], 8, seed=0), "frames: 7 are fewer than the 8"),
    "too few to grow": (lambda: DiagonalGMM.grown(FRAMES[:7], 8, iterations=1), "7 are fewer than the 8"),
    "too few to train": (lambda: MODEL.fit(FRAMES[:2]), "frames: 2 are fewer than the 3 components"),
    "none": (lambda: DiagonalGMM.sampled(FRAMES[:0], 8, seed=0), "there are none"),
    "equal ones": (lambda: DiagonalGMM.sampled(EQUAL, 7, seed=0), "are fewer than the 7 components"),
    "NaN in training": (lambda: MODEL.fit([NAN[:100], NAN[100:]]), "frame 417, dimension 2 is nan"),
    "NaN in scoring": (lambda: MODEL.log_likelihood([NAN[:100], NAN[100:]]), "frame 417, dimension 2 is nan"),
    "other dimensions": (lambda: MODEL.log_likelihood(FRAMES[:, :3]), "3 dimensions; this mixture has 4"),
    "a vector": (lambda: MODEL.fit([FRAMES[0]]), "takes T × D"),
    "an iterator": (lambda: MODEL.fit(iter([FRAMES])), "ends after one pass"),
    "a constant": (lambda: DiagonalGMM.sampled(FLAT, 3, seed=0), "dimension 1 never varies"),
    "weights": (lambda: DiagonalGMM([0.5, 0.6], [[0.0], [1.0]], [[1.0], [1.0]]), "their sum is 1.1"),
    "variances": (lambda: DiagonalGMM([0.5, 0.5], [[0.0], [1.0]], [[1.0], [0.0]]), "above 0"),
    "a covariance": (lambda: FullGMM([1.0], [[0.0, 0.0]], [[[1.0, 2.0], [2.0, 1.0]]]).log_likelihood(np.zeros((1, 2))),
                     "component 0 is not positive definite"),
}  # fmt: skip


@pytest.mark.parametrize(("attempt", "complaint"), REFUSED.values(), ids=REFUSED)
def test_what_makes_no_mixture_is_refused(attempt, complaint):
    with pytest.raises(ValueError, match=complaint):
        attempt()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("kind", ["diagonal", "full"])
def test_a_gpu_trains_the_same_mixture(kind):
    frames = torch.from_numpy(clusters())
    start = DiagonalGMM.sampled(frames, 3, seed=0)
    make = DiagonalGMM.from_state_dict if kind == "diagonal" else lambda _: FullGMM.from_diagonal(start)
    here, there = make(start.state_dict()).fit(frames, 5), make(start.state_dict()).fit(frames.cuda(), 5)
    np.testing.assert_allclose(there.means, here.means, rtol=1e-9)
    assert there.log_likelihood(frames.cuda()).device.type == "cuda"
