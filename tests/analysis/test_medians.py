"""Medians by hand, and what their pictures look like."""

import numpy as np
import pytest

from latentmap.analysis import PcaBaseline, class_medians, generate
from latentmap.analysis.medians import clarity
from latentmap.data import Dataset, Split


def dataset(X, labels=None):
    return Dataset("some", Split(X, labels), Split(X, labels))


def test_medians_by_hand():
    Z = np.array([[0, 0], [1, 10], [5, 2], [7, 7], [9, 9]], dtype=np.float32)
    medians = class_medians(Z, np.array([3, 3, 3, 1, 1]), class_names=("a", "b", "c", "d"))
    assert medians.names == ("b", "d")
    assert medians.Z.tolist() == [[8, 8], [1, 2]]
    assert medians.classes.tolist() == [1, 3]
    assert medians.counts.tolist() == [2, 3]
    assert medians.groups.tolist() == [1, 1, 1, 0, 0]


def test_without_labels_clusters_take_the_place_of_classes():
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0], [50, 0], [0, 50]])
    Z = np.concatenate([centre + rng.normal(size=(n, 2)) for centre, n in zip(centres, (30, 50, 10), strict=True)])
    medians = class_medians(Z, n_clusters=3)
    assert not medians.by_class
    assert medians.counts.tolist() == [50, 30, 10]
    assert medians.names == ("group 1", "group 2", "group 3")
    np.testing.assert_allclose(medians.Z, centres[[1, 0, 2]], atol=1.5)


def test_no_more_clusters_than_different_codes():
    assert len(class_medians(np.array([[0.0], [0.0], [1.0]])).names) == 2


def test_a_training_sample_looks_like_its_class():
    X = np.concatenate([np.full((20, 2, 2, 1), 10), np.full((20, 2, 2, 1), 240)]).astype(np.uint8)
    labels = np.repeat([0, 1], 20)
    pictures = np.array([X[0], X[-1], X[-1]]).astype(np.float32)
    found = clarity(pictures, np.array([0, 1, 0]), dataset(X, labels))
    assert found.looks_like.tolist() == [0, 1, 1]
    assert found.share.tolist() == [1, 1, 1]
    assert found.right.tolist() == [True, True, False]


@pytest.mark.parametrize("nearest", [2, 3])
def test_of_equally_common_classes_that_of_the_nearest_counts(nearest):
    X = np.full((10, 2, 2, 1), 10, np.uint8)
    X[3] = 9  # of class 2, or 3
    labels = np.array([5 - nearest, nearest] * 5)
    found = clarity(X[3:4].astype(np.float32), np.array([2]), dataset(X, labels))
    assert (found.looks_like[0], found.share[0], found.right[0]) == (nearest, 0.5, nearest == 2)


def test_generated_pictures_are_the_decoded_medians():
    X = np.random.default_rng(0).integers(0, 256, (40, 3, 4, 1), dtype=np.uint8)
    model = PcaBaseline(2).fit(X)
    medians = class_medians(model.transform(X), np.arange(40) % 2)
    result = generate("pca", model, medians, dataset(X, np.arange(40) % 2))
    np.testing.assert_allclose(result.pictures, model.inverse_transform(medians.Z), rtol=1e-5)
    assert generate("pca", model, class_medians(model.transform(X)), dataset(X)).clarity is None
