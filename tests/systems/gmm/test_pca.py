"""Principal components of frames."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from afn.features.deltas import with_deltas
from afn.systems.gmm.pca import PrincipalComponents
from afn.systems.gmm.settings import Reduction


def frames(seed=0, count=400, dims=10):
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(dims, dims)) * np.linspace(3, 0.1, dims)
    return (rng.normal(size=(count, dims)) @ mixing + 100).astype(np.float32)


def test_the_components_are_scikit_learns(tmp_path):
    x = frames()
    found = PrincipalComponents.fit([x[:150], x[150:]], Reduction(components=4, deltas=0, delta_window=3))
    expected = PCA(4).fit(x.astype(np.float64))
    signs = np.sign((found.directions * expected.components_.T).sum(axis=0))
    np.testing.assert_allclose(found.directions * signs, expected.components_.T, atol=1e-9)
    np.testing.assert_allclose(found(x) * signs, expected.transform(x.astype(np.float64)), atol=1e-4)
    assert found(x).dtype == np.float32


def test_slopes_stand_behind_the_components():
    x = frames()
    plain, sloped = (
        PrincipalComponents.fit([x], Reduction(components=3, deltas=deltas, delta_window=3)) for deltas in (0, 2)
    )
    np.testing.assert_allclose(sloped(x), with_deltas(plain(x), 2, 3), atol=1e-4)


def test_what_is_kept_gives_the_same_frames():
    x = frames()
    reduction = PrincipalComponents.fit([x], Reduction(components=5, deltas=1, delta_window=2))
    np.testing.assert_array_equal(PrincipalComponents.from_state_dict(reduction.state_dict())(x), reduction(x))


def test_constant_frames_and_too_few_of_them():
    assert np.isfinite(
        PrincipalComponents.fit(
            [np.ones((9, 4), np.float32)], Reduction(components=2, deltas=0, delta_window=3)
        ).directions
    ).all()
    with pytest.raises(ValueError, match="components: 3 are more than 3 frames of 10 dimensions have"):
        PrincipalComponents.fit([frames(count=3)], Reduction(components=3, deltas=0, delta_window=3))
