"""Our neighbourhood measures are scikit-learn's."""

import numpy as np
import pytest
from sklearn.manifold import trustworthiness as reference_trustworthiness
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor, NearestNeighbors
from sklearn.preprocessing import FunctionTransformer

from latentmap.analysis import (
    OriginalRanks,
    PcaBaseline,
    cluster_accuracy,
    continuity,
    knn_accuracy,
    knn_r2,
    nearest_samples,
    reconstruction_errors,
    trustworthiness,
)
from latentmap.analysis.baselines import linear_rank
from latentmap.analysis.neighbours import knn_accuracy_within, knn_r2_within
from latentmap.analysis.transformers import Scale, chunks


@pytest.mark.parametrize("n", [30, 257, 600])
def test_trustworthiness_is_scikit_learns(n):
    rng = np.random.default_rng(n)
    X = rng.integers(0, 256, (n, 6, 5, 1), dtype=np.uint8)
    Z = X.reshape(n, -1)[:, :2] + rng.normal(size=(n, 2)).astype(np.float32)
    expected = reference_trustworthiness(X.reshape(n, -1).astype(float), Z.astype(np.float32), n_neighbors=12)
    assert trustworthiness(X, Z) == pytest.approx(expected, abs=1e-7)


def test_continuity_is_scikit_learns_trustworthiness_the_other_way():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5)) * [1, 10, 100, 1, 1]  # in units of their own
    Z = X[:, :2] / [1, 10] + rng.normal(size=(200, 2))
    expected = reference_trustworthiness(Z, X / X.std(axis=0), n_neighbors=12)
    assert continuity(X, Z) == pytest.approx(expected, abs=1e-6)
    assert continuity(X[:2], Z[:2]) is None


def test_clusters_are_matched_with_classes_one_to_one():
    labels = np.repeat([3, 5, 9], 20)
    Z = np.random.default_rng(0).normal(0, 0.1, (60, 2)) + labels[:, None] * 10.0
    assert cluster_accuracy(Z, labels) == 1
    mixed = labels.copy()
    mixed[:5] = 5
    assert cluster_accuracy(Z, mixed) == 55 / 60
    split = np.array([[0.0], [0.0], [9.0], [9.0], [18.0], [18.0]])  # two clusters of one class, of which one counts
    assert cluster_accuracy(split, np.array([0, 0, 0, 0, 1, 2])) == 3 / 6


def test_trustworthiness_of_the_samples_themselves_is_perfect():
    X = np.random.default_rng(0).normal(size=(50, 7)).astype(np.float32)
    assert trustworthiness(X, X) == 1.0


def test_trustworthiness_is_of_samples_from_all_over_the_data():
    X = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    Z = X[:, :2].copy()
    ranks = OriginalRanks(X, n_samples=40)
    assert ranks.rows.max() >= 50
    assert len(np.unique(ranks.rows)) == 40
    np.testing.assert_array_equal(ranks.rows, OriginalRanks(X, n_samples=40).rows)
    assert ranks.trustworthiness(Z) == trustworthiness(X[ranks.rows], Z[ranks.rows])


def test_features_in_different_units_count_alike():
    X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    mixed = X * [1, 1, 1, 1000]
    assert OriginalRanks(mixed).trustworthiness(X) > 0.99
    assert (nearest_samples(np.add(mixed[:9], [0, 0, 0, 1]), mixed, 1)[:, 0] == np.arange(9)).all()


@pytest.mark.parametrize(("n", "n_neighbors"), [(3, 1), (4, 1), (9, 4), (24, 11), (25, 12), (500, 12)])
def test_few_samples_mean_fewer_neighbours(n, n_neighbors):
    X = np.random.default_rng(0).normal(size=(n, 5)).astype(np.float32)
    expected = reference_trustworthiness(X, X[:, :1], n_neighbors=n_neighbors)
    assert trustworthiness(X, X[:, :1]) == pytest.approx(expected)
    assert trustworthiness(X[:2], X[:2]) is None


@pytest.mark.parametrize("latent_dim", [2, 40])
def test_knn_accuracy_is_scikit_learns(latent_dim):
    rng = np.random.default_rng(0)
    labels, labels_test = rng.integers(0, 4, 300), rng.integers(0, 4, 100)
    Z, Z_test = (rng.normal(size=(len(y), latent_dim)).astype(np.float32) + y[:, None] for y in (labels, labels_test))
    expected = KNeighborsClassifier(10).fit(Z, labels).score(Z_test, labels_test)
    assert knn_accuracy(Z, labels, Z_test, labels_test) == expected


def test_knn_accuracy_needs_labels_but_not_ten_codes():
    Z, labels = np.eye(4, 2, dtype=np.float32), np.zeros(4, dtype=np.int64)
    assert knn_accuracy(Z, None, Z, None) is None
    assert knn_accuracy(Z, labels, Z, labels) == 1.0


def test_accuracy_within_an_embedding():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 40)
    apart = rng.normal(size=(120, 2)) + 50 * labels[:, None]
    assert knn_accuracy_within(apart, labels) == 1.0
    assert knn_accuracy_within(rng.normal(size=(120, 2)), labels) < 0.6
    assert knn_accuracy_within(apart, None) is None
    assert knn_accuracy_within(apart, np.arange(120)) is None


@pytest.mark.parametrize("sizes", [[5, 7], [12], [40], [40, 4, 4], [5, 7, *[1] * 20]])
def test_too_few_samples_or_classes_have_no_accuracy_within(sizes):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    assert knn_accuracy_within(np.random.default_rng(0).normal(size=(len(labels), 2)), labels) is None


def test_thirteen_samples_of_two_classes_have_an_accuracy_within():
    labels = np.repeat([0, 1], [6, 7])
    assert 0 <= knn_accuracy_within(np.random.default_rng(0).normal(size=(13, 2)), labels) <= 1


def test_nearest_samples_streams_to_the_same_neighbours(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (500, 4, 4, 1), dtype=np.uint8)
    queries = rng.uniform(0, 255, (7, 4, 4, 1)).astype(np.float32)
    expected = (
        NearestNeighbors(n_neighbors=10)
        .fit(X.reshape(500, -1))
        .kneighbors(queries.reshape(7, -1), return_distance=False)
    )
    monkeypatch.setattr("latentmap.analysis.transformers.CHUNK_BYTES", 4 * 16 * 60)
    assert len(list(chunks(X))) == 9
    np.testing.assert_array_equal(nearest_samples(queries, X, 10), expected)


def test_measurements_are_told_by_scikit_learns_regression():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(300, 2)).astype(np.float32)
    values = Z[:, 0] + rng.normal(0, 0.1, 300)
    nearest = KNeighborsRegressor(10).fit(Z[:200], values[:200])
    found = knn_r2(Z[:200], values[:200], Z[200:], values[200:])
    assert found == pytest.approx(nearest.score(Z[200:], values[200:]))
    assert 0.9 < found < 1
    holes = values.copy()
    holes[[3, 250]] = np.nan
    kept = np.isfinite(holes)
    train, test = kept[:200], kept[200:]
    assert knn_r2(Z[:200], holes[:200], Z[200:], holes[200:]) == pytest.approx(
        knn_r2(Z[:200][train], values[:200][train], Z[200:][test], values[200:][test])
    )
    assert knn_r2(Z[:200], values[:200], Z[200:], np.ones(100)) is None
    assert knn_r2(Z[:200], values[:200], Z[200:], np.full(100, 0.1)) is None
    assert knn_r2_within(Z, np.full(300, 0.1)) is None
    assert knn_r2(Z, None, Z, values) is None


@pytest.mark.parametrize("scale", [1e-100, 1e-24, 1e-12, 1e12, 1e19, 1e20, 1e100])
def test_the_scale_of_samples_and_codes_is_no_matter(scale):
    X = np.random.default_rng(0).normal(size=(300, 6))
    Z = X[:, :2] + X[:, 2:4]
    assert trustworthiness(X * scale, Z) == pytest.approx(trustworthiness(X, Z), abs=1e-4)
    assert trustworthiness(X, Z * scale) == pytest.approx(trustworthiness(X, Z), abs=1e-4)
    assert continuity(X * scale, Z) == pytest.approx(continuity(X, Z), abs=1e-4)
    np.testing.assert_array_equal(nearest_samples(X[:9] * scale, X * scale, 5), nearest_samples(X[:9], X, 5))
    errors = reconstruction_errors(PcaBaseline(2).fit(X * scale), X * scale)
    np.testing.assert_allclose(errors / scale**2, reconstruction_errors(PcaBaseline(2).fit(X), X), rtol=1e-4)
    assert linear_rank(X * scale, 0.5) == linear_rank(X, 0.5)


def test_ordinary_numbers_are_measured_as_they_are():
    X = np.random.default_rng(0).normal(size=(30, 6)) * 1e6
    assert {float(Scale(x, 2.0).unit) for x in (X, X / 1e12, 0 * X, X[:0])} == {2.0}
    assert Scale(np.outer([-1, 1], np.full(3, 2.0**50)), 1.0).unit == 2.0**51
    assert reconstruction_errors(PcaBaseline(2).fit(X), X).dtype == np.float32
    same = FunctionTransformer()
    assert reconstruction_errors(same.fit(X), X).dtype == np.float32
