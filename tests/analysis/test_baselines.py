"""PCA over images is scikit-learn's PCA over rows."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from latentmap import load_dataset
from latentmap.analysis import PcaBaseline, continuity, evaluate
from latentmap.analysis.baselines import linear_rank, most_components


@pytest.mark.parametrize("shape", [(6, 5, 1), (4, 4, 3), (20,)])
def test_reconstructs_as_scikit_learn_does(shape):
    X = np.random.default_rng(0).integers(0, 256, (80, *shape)).astype(np.uint8)
    rows = X.reshape(80, -1).astype(np.float64)
    expected = PCA(3, svd_solver="full").fit(rows)
    model = PcaBaseline(3).fit(X)
    X_hat = model.inverse_transform(model.transform(X))
    assert X_hat.shape == X.shape
    assert X_hat.dtype == np.float32
    np.testing.assert_allclose(
        X_hat.reshape(80, -1), expected.inverse_transform(expected.transform(rows)), rtol=1e-3, atol=0.05
    )
    assert model.explained_variance_ratio_ == pytest.approx(expected.explained_variance_ratio_.sum(), abs=1e-5)
    assert model.n_parameters_ == 4 * rows.shape[1]


def test_many_features_do_not_need_their_covariance():
    X = np.random.default_rng(0).integers(0, 256, (12, 40, 60, 1), dtype=np.uint8)
    model = PcaBaseline(11).fit(X)
    np.testing.assert_allclose(model.inverse_transform(model.transform(X)), X, atol=0.1)


@pytest.mark.parametrize("latent_dim", [0, 5])
def test_refuses_more_components_than_there_can_be(latent_dim):
    with pytest.raises(ValueError, match=f"latent_dim must be between 1 and 4 .* got {latent_dim}"):
        PcaBaseline(latent_dim).fit(np.zeros((9, 2, 2, 1), dtype=np.uint8))


def test_linear_rank_counts_directions():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3)) @ rng.normal(size=(3, 40))
    assert linear_rank(X) == 3
    assert linear_rank(np.ones((5, 4))) == 1


@pytest.mark.parametrize("offset", [0, 1e6, 1e9])
def test_what_is_far_from_zero_is_measured_as_near_it(offset):
    rng = np.random.default_rng(0)
    near = rng.normal(size=(300, 2)) @ rng.normal(size=(2, 4)) + 0.1 * rng.normal(size=(300, 4))
    found = []
    for X in (near, near + offset):
        dataset = load_dataset(X)
        pca = PcaBaseline(1).fit(dataset.train.X)
        found.append([*evaluate(pca, dataset).scores.values(), pca.explained_variance_ratio_, continuity(X, X[:, :1])])
    wanted = PCA(1).fit(load_dataset(near).train.X.astype(float))
    assert found[0][-2] == pytest.approx(wanted.explained_variance_ratio_.sum(), rel=1e-4)
    assert [one for one in found[1] if one is not None] == pytest.approx(
        [one for one in found[0] if one is not None], rel=1e-3
    )


def test_of_very_many_samples_evenly_spaced_ones_are_taken(monkeypatch):
    X = np.random.default_rng(0).normal(size=(1000, 5)) @ np.diag([5, 4, 1, 1, 1]) + 3
    whole = PcaBaseline(2).fit(X)
    monkeypatch.setattr("latentmap.analysis.baselines._MOST_BYTES", 4 * 5 * 250)
    some = PcaBaseline(2).fit(X)
    np.testing.assert_allclose(some.scale_.centre + some.pca_.mean_ * some.scale_.unit, X[::4].mean(axis=0), atol=1e-5)
    alike = np.abs(np.sum(some.pca_.components_ * whole.pca_.components_, axis=1))
    assert (alike > 0.95).all()


def test_no_more_components_are_promised_than_the_samples_fitted_allow(monkeypatch):
    X = np.random.default_rng(0).random((100, 60)).astype(np.float32)
    assert most_components(X) == 60
    monkeypatch.setattr("latentmap.analysis.baselines._MOST_BYTES", 4 * X.size // 5)  # every fifth
    assert most_components(X) == 20
    assert PcaBaseline(20).fit(X).transform(X).shape == (100, 20)
    with pytest.raises(ValueError, match="latent_dim must be between 1 and 20"):
        PcaBaseline(21).fit(X)
    monkeypatch.undo()
    assert most_components(np.zeros((1000, 50, 50, 1), np.uint8)[:, :46, :46]) == 256  # for more would take minutes
