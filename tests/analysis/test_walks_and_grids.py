"""Interpolation ends where it should, and grids point upward."""

import numpy as np
import pytest

from latentmap import report
from latentmap.analysis import PcaBaseline, interpolate, latent_grid
from latentmap.analysis.walks_and_grids import choose_pairs
from latentmap.data import Dataset, Split


@pytest.fixture(name="X")
def samples():
    return np.random.default_rng(0).integers(0, 256, (60, 4, 3, 1), dtype=np.uint8)


def test_a_walk_begins_and_ends_at_the_reconstructions(X):
    model = PcaBaseline(3).fit(X)
    pairs = np.array([[0, 5], [7, 2]])
    walks = interpolate({"pca": model}, Dataset("some", Split(X), Split(X)), pairs, n_steps=5)
    for column, step in ((0, 0), (1, -1)):
        expected = model.inverse_transform(model.transform(X[pairs[:, column]]))
        np.testing.assert_allclose(walks.walks["pca"][:, step], expected, atol=1e-3)
        np.testing.assert_allclose(walks.blend[:, step], X[pairs[:, column]])
    middle = (X[pairs[:, 0]].astype(float) + X[pairs[:, 1]]) / 2
    np.testing.assert_allclose(walks.blend[:, 2], middle)


def test_a_walk_has_two_ends(X):
    with pytest.raises(ValueError, match="n_steps must be at least 2, got 1"):
        interpolate({}, Dataset("some", Split(X), Split(X)), np.array([[0, 1]]), n_steps=1)


@pytest.mark.parametrize("n_classes", [2, 3, 10, 20])
def test_pairs_join_different_classes_the_same_way_each_time(n_classes):
    labels = np.arange(100) % n_classes
    pairs = choose_pairs(labels, 100)
    assert pairs.shape == (4, 2)
    assert (labels[pairs[:, 0]] != labels[pairs[:, 1]]).all()
    assert (pairs == choose_pairs(labels, 100)).all()
    assert (pairs != choose_pairs(labels, 100, seed=1)).any()


def test_pairs_of_few_classes_are_different_while_they_can_be():
    labels = np.arange(60) % 3
    pairs = [frozenset(labels[pair].tolist()) for pair in choose_pairs(labels, 60, n_pairs=3)]
    assert len(set(pairs)) == 3


@pytest.mark.parametrize("labels", [None, np.zeros(5, dtype=np.int64)])
def test_pairs_without_classes_join_different_samples(labels):
    pairs = choose_pairs(labels, 5)
    assert (pairs[:, 0] != pairs[:, 1]).all()


class Echo:
    """Decodes a code to an image of its two numbers."""

    def transform(self, X):
        return X.reshape(len(X), 2)

    def inverse_transform(self, Z):
        return Z.reshape(len(Z), 1, 2, 1)


def test_grid_rows_are_z2_and_columns_are_z1():
    Z = np.random.default_rng(0).normal(size=(500, 2)) * [1, 10]
    grid = latent_grid(Echo(), Z, n_cells=5)
    for i in range(5):
        for j in range(5):
            assert grid.pictures[i, j].ravel().tolist() == [grid.z1[j], grid.z2[i]]
    assert (np.diff(grid.z1) > 0).all()
    assert (np.diff(grid.z2) > 0).all()
    np.testing.assert_allclose(grid.z2, np.quantile(Z[:, 1], np.linspace(0.01, 0.99, 5)), rtol=1e-5)


@pytest.mark.parametrize(("shape", "cells"), [((4, 40), (20, 4)), ((40, 10), (10, 20)), ((9, 18), (20, 20))])
def test_strips_have_room(shape, cells):
    X = np.random.default_rng(0).integers(0, 256, (30, *shape, 1), dtype=np.uint8)
    pca = PcaBaseline(2).fit(X)
    Z = pca.transform(X)
    grid = latent_grid(pca, Z)
    assert (len(grid.z2), len(grid.z1)) == grid.pictures.shape[:2] == grid.distance.shape == cells
    assert grid.pictures.shape[2:] == (*shape, 1)
    np.testing.assert_allclose(grid.z2, np.quantile(Z[:, 1], np.linspace(0.01, 0.99, cells[0])), rtol=1e-4)
    axes = report.latent_grid([grid]).axes[0]
    assert (len(axes.get_xticks()), len(axes.get_yticks())) == (min(cells[1], 6), min(cells[0], 6))
    assert latent_grid(pca, Z, n_cells=3).pictures.shape[:2] == (3, 3)


def test_cells_far_from_codes_are_known():
    line = np.linspace(0, 1, 400)
    grid = latent_grid(Echo(), np.stack([line, line], axis=1), n_cells=10)
    nearness = grid.nearness
    assert (np.diag(nearness) == 1).all()
    assert nearness[0, -1] == 0
    assert nearness[-1, 0] == 0


def test_a_dead_dimension_makes_a_grid_all_the_same():
    grid = latent_grid(Echo(), np.stack([np.linspace(0, 1, 50), np.zeros(50)], axis=1), n_cells=4)
    assert np.isfinite(grid.distance).all()


def test_a_grid_needs_two_numbers():
    with pytest.raises(ValueError, match=r"Z must be of shape \(n, 2\), got \(5, 3\)"):
        latent_grid(Echo(), np.zeros((5, 3)))
