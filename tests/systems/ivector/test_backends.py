"""The back-ends of i-vectors: what each transformation makes of its training data, and the scores' formulas."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from afn.systems.ivector.backends import CosineBackend, GaussianBackend, Projection, length_normalised


def vectors(seed=0, count=200, size=6, shift=1.5):
    """i-vectors of two classes with a correlated spread, and whether each is genuine."""
    rng = np.random.default_rng(seed)
    genuine = np.arange(count) % 3 == 0
    spread = rng.standard_normal((size, size))
    means = np.where(genuine[:, None], shift, -0.5) * rng.standard_normal(size)
    return rng.standard_normal((count, size)) @ spread + means + 5, genuine


def fitted(w, genuine, centre=True, whiten=True, wccn=True, unit=False):
    return Projection.fit(w, genuine, centre, whiten, wccn, unit)


def cosine(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def test_whitened_training_vectors_have_mean_zero_and_unit_covariance():
    w, genuine = vectors()
    z = fitted(w, genuine, wccn=False)(w)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(np.cov(z.T), np.eye(6), atol=1e-8)


@pytest.mark.parametrize("whiten", [True, False])
def test_wccn_makes_the_mean_covariance_of_the_classes_the_unit_matrix(whiten):
    w, genuine = vectors()
    z = fitted(w, genuine, whiten=whiten)(w)
    np.testing.assert_allclose((np.cov(z[genuine].T) + np.cov(z[~genuine].T)) / 2, np.eye(6), atol=1e-8)


def test_wccn_is_the_lower_cholesky_factor_of_the_inverse():
    w, genuine = vectors()
    projection = fitted(w, genuine, whiten=False)
    within = (np.cov(w[genuine].T) + np.cov(w[~genuine].T)) / 2
    np.testing.assert_allclose(projection.matrix, np.linalg.cholesky(np.linalg.inv(within)), rtol=1e-9, atol=1e-12)


def test_without_any_step_the_vectors_stay_and_unit_length_comes_last():
    w, genuine = vectors()
    np.testing.assert_array_equal(fitted(w, genuine, centre=False, whiten=False, wccn=False)(w), w)
    whole = fitted(w, genuine, unit=True)
    np.testing.assert_allclose(np.linalg.norm(whole(w), axis=1), 1)
    np.testing.assert_allclose(whole(w), length_normalised(fitted(w, genuine)(w)))


def test_the_cosine_score_is_the_difference_of_two_cosines():
    w, genuine = vectors()
    z = fitted(w, genuine)(w)
    scores = CosineBackend.fit(z, genuine).score(z)
    n, r = z[genuine].mean(axis=0), z[~genuine].mean(axis=0)
    assert scores[17] == pytest.approx(cosine(z[17], n) - cosine(z[17], r), rel=1e-12)
    assert scores[genuine].mean() > scores[~genuine].mean()
    np.testing.assert_allclose(CosineBackend.fit(z, genuine).score(3 * z), scores)


def test_the_gaussian_score_is_the_log_likelihood_ratio():
    w, genuine = vectors()
    scores = GaussianBackend.fit(w, genuine).score(w)
    means = [w[genuine].mean(axis=0), w[~genuine].mean(axis=0)]
    around = np.where(genuine[:, None], w - means[0], w - means[1])
    shared = around.T @ around / len(w)
    logs = [multivariate_normal(mean, shared).logpdf(w) for mean in means]
    np.testing.assert_allclose(scores, logs[0] - logs[1], rtol=1e-9, atol=1e-9)
    assert scores[genuine].mean() > 0 > scores[~genuine].mean()


def test_vectors_that_do_not_suffice_are_refused():
    w, genuine = vectors()
    for fit in (fitted, CosineBackend.fit, GaussianBackend.fit):
        with pytest.raises(ValueError, match="no spoof i-vectors"):
            fit(w, np.ones(len(w), bool))
    few, classes = vectors(count=5)
    for what, fit in (
        ("whitening", lambda: fitted(few, classes, wccn=False)),
        ("WCCN", lambda: fitted(few, classes, whiten=False)),
        ("Gaussian back-end", lambda: GaussianBackend.fit(few, classes)),
    ):
        with pytest.raises(ValueError, match=f"{what}: 5 i-vectors span [34] of their 6"):
            fit()
    with pytest.raises(ValueError, match="Set centre: true"):
        fitted(w, genuine, centre=False)
    w[3] = 0
    with pytest.raises(ValueError, match="i-vector 3 has length 0"):
        length_normalised(w)
    w[4, 2] = np.nan
    with pytest.raises(ValueError, match="i-vector 4 has a value that is not finite"):
        fitted(w, genuine)
