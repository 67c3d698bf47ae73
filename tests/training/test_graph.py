"""Neighbours of the training data: of few samples exact, never a sample's own, never of the validation part."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from latentmap.data.preprocessing import Preprocessing
from latentmap.training import graph
from latentmap.training.batches import Batches
from latentmap.training.graph import neighbour_graph


def batches_of(X, fraction=0.1):
    preprocessing = Preprocessing.fit(X)
    return Batches(
        preprocessing.hold(X), preprocessing, batch_size=50, seed=0, validation_fraction=fraction,
        device=torch.device("cpu"),
    )  # fmt: skip


@pytest.fixture
def vectors():
    rng = np.random.default_rng(0)
    return rng.normal(size=(700, 6)) @ rng.normal(size=(6, 20)) + 5


def wanted(X, batches, k):
    """By scikit-learn, over the training part."""
    rows = batches.train_rows.numpy()
    found = NearestNeighbors(n_neighbors=k + 1).fit(X[rows]).kneighbors(X, return_distance=False)
    return [[int(rows[j]) for j in row if rows[j] != i][:k] for i, row in enumerate(found)]


def test_neighbours_are_those_of_scikit_learn(vectors):
    batches = batches_of(vectors)
    found = neighbour_graph(batches, 7)
    assert found.shape == (700, 7)
    scaled = (vectors - batches.preprocessing.offset) / batches.preprocessing.scale
    same = np.mean([set(a) == set(b) for a, b in zip(found.tolist(), wanted(scaled, batches, 7), strict=True)])
    assert same > 0.99  # rounding may swap equals


def test_no_sample_is_its_own_neighbour_and_none_is_of_the_validation_part(vectors):
    batches = batches_of(np.repeat(vectors[:50], 4, axis=0))  # with equals
    found = neighbour_graph(batches, 15)
    assert (found != torch.arange(200)[:, None]).all()
    assert not set(found.flatten().tolist()) & set(batches.validation_rows.tolist())


def test_there_are_fewer_neighbours_where_there_are_fewer_samples(vectors):
    assert neighbour_graph(batches_of(vectors[:9]), 15).shape == (9, 8)
    with pytest.raises(ValueError, match="needs at least 2 training samples, got 1"):
        neighbour_graph(batches_of(vectors[:1]), 15)


def shifted(seed=0, n=30, copies=4):
    """Smooth random images, each with copies moved by up to 2 pixels; rows in blocks of 1 + copies."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:16, :16]
    images = []
    for _ in range(n):
        blobs = rng.uniform(4, 12, size=(3, 2))
        for copy in range(1 + copies):
            move = rng.uniform(-2, 2, size=2) * (copy > 0)
            images.append(sum(np.exp(-((y - b - move[0]) ** 2 + (x - a - move[1]) ** 2) / 4) for b, a in blobs))
    return (255 * np.clip(images, 0, 1)).astype(np.uint8)


def test_affine_neighbours_are_more_often_moved_copies():
    X = shifted()
    batches = batches_of(X, fraction=0)
    hits = []
    for affine in (False, True):
        found = neighbour_graph(batches, 4, affine=affine)
        hits.append((found // 5 == torch.arange(len(X))[:, None] // 5).float().mean().item())
    assert hits[1] > hits[0] > 0.3


def test_differences_in_the_planes_of_both_images_do_not_count():
    rng = np.random.default_rng(0)
    points, tangents = rng.normal(size=(40, 20)), rng.normal(size=(40, 6, 20)) * rng.uniform(0.1, 10, (40, 1, 1))
    others = np.array([rng.permutation(np.delete(np.arange(40), i))[:12] for i in range(40)])
    given = [torch.from_numpy(a.astype(np.float32)) for a in (points, tangents)]
    found = graph._nearest_by_tangents(*given, torch.from_numpy(others), 3)
    hits = []
    for i, row in enumerate(found.tolist()):
        left = []
        for j in others[i]:
            plane, difference = np.concatenate([tangents[i], tangents[j]]), points[j] - points[i]
            lengths = [np.square(tangents[which]).sum(axis=1).mean() for which in (i, j)]
            ridge = np.diag(np.repeat(np.sqrt(graph._RIDGE * np.array(lengths)), 6))
            # Least squares with a ridge: rows that say that all moves are small.
            rows, wanted = np.r_[plane.T, ridge], np.r_[difference, np.zeros(12)]
            left.append(np.linalg.lstsq(rows, wanted)[1].item())
        hits += [j in others[i][np.argsort(left)[:3]] for j in row]
    assert np.mean(hits) > 0.99


def test_equal_and_blank_images_have_neighbours():
    X = np.zeros((60, 9, 9), np.uint8)
    X[20:40, 2:6, 3:5] = 255
    found = neighbour_graph(batches_of(X, fraction=0), 4, affine=True)
    assert (found != torch.arange(60)[:, None]).all()
    assert (found[20:40] // 20 == 1).all()


def test_large_images_and_colour_are_taken():
    X = np.random.default_rng(0).integers(0, 255, size=(25, 80, 90, 3), dtype=np.uint8)
    found = neighbour_graph(batches_of(X), 5, affine=True)
    assert found.shape == (25, 5)


@pytest.mark.parametrize("in_space", [False, True])
def test_of_many_samples_nearly_all_neighbours_are_found(monkeypatch, in_space):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 2 if not in_space else 20)) @ rng.normal(size=(2 if not in_space else 20, 20))
    exact = neighbour_graph(batches_of(X), 7)
    monkeypatch.setattr(graph, "_ALL", 500)
    compared = []
    product = torch.mm
    monkeypatch.setattr(torch, "mm", lambda a, b, **out: compared.append(len(a) * b.shape[1]) or product(a, b, **out))
    near = neighbour_graph(batches_of(X), 7)
    assert (near != torch.arange(3000)[:, None]).all()
    assert not set(near.flatten().tolist()) & set(batches_of(X).validation_rows.tolist())
    overlap = [len(set(a) & set(b)) / 7 for a, b in zip(exact.tolist(), near.tolist(), strict=True)]
    assert np.mean(overlap) > 0.95
    assert (sum(compared) < 0.5 * 3000 * 2700) == (not in_space)  # cells do not help where data fills its space


@pytest.mark.parametrize("kind", ["equal rows", "a grid", "far clusters", "all equal"])
def test_cells_without_points_are_passed_over(monkeypatch, kind):
    rng = np.random.default_rng(0)
    X = {
        "equal rows": np.r_[np.zeros((400, 3)), rng.normal(size=(1600, 3))],
        "a grid": rng.integers(0, 6, (2000, 2)).astype(float),
        "far clusters": 0.1 * rng.normal(size=(2000, 2)) + 100.0 * rng.choice([-1, 1], (2000, 1)),
        "all equal": np.r_[np.ones((1999, 2)), np.zeros((1, 2))],
    }[kind]
    monkeypatch.setattr(graph, "_ALL", 500)
    found = neighbour_graph(batches_of(X), 7)
    assert (found != torch.arange(2000)[:, None]).all()
    assert all(len(set(row)) == 7 for row in found.tolist())


@pytest.mark.parametrize("shape", [(1, 1, 7), (1, 7, 1), (1, 1, 1), (3, 2, 5)])
def test_images_of_one_row_or_column_have_neighbours(shape):
    from latentmap import Autoencoder

    X = np.random.default_rng(0).random((40, *shape[1:], shape[0])).astype(np.float32)
    ae = Autoencoder("linear", 1, objective="neighbors", epochs=1, random_state=0).fit(X)
    assert np.isfinite(ae.transform(X)).all()
