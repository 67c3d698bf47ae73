"""Reconstruction errors, in the one unit reports use."""

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.manifold import trustworthiness as reference_trustworthiness

from latentmap.analysis import (
    PcaBaseline,
    class_medians,
    compare_reconstructions,
    evaluate,
    latent_grid,
    reconstruction_errors,
)
from latentmap.analysis.reconstruction import best_median_worst, some_of_each_class
from latentmap.analysis.transformers import chunks
from latentmap.analysis.walks_and_grids import choose_pairs
from latentmap.data import Dataset, Split
from latentmap.data.dataset import NO_LABEL


class Constant:
    """Encodes to zeros and decodes to one value."""

    def __init__(self, value, shape):
        self.value, self.shape = value, shape

    def transform(self, X):
        return np.zeros((len(X), 2), dtype=np.float32)

    def inverse_transform(self, Z):
        return np.full((len(Z), *self.shape), self.value, dtype=np.float32)


def test_errors_on_images_count_pixels_from_0_to_1():
    X = np.full((3, 2, 2, 1), 255, dtype=np.uint8)
    np.testing.assert_allclose(reconstruction_errors(Constant(0, (2, 2, 1)), X), [1, 1, 1])


def test_errors_on_vectors_are_in_their_own_units():
    X = np.full((3, 4), 5.0, dtype=np.float32)
    np.testing.assert_allclose(reconstruction_errors(Constant(2.0, (4,)), X), [9, 9, 9])


def test_chunks_do_not_change_errors(monkeypatch):
    X = np.random.default_rng(0).integers(0, 256, (101, 5, 4, 3), dtype=np.uint8)
    model = PcaBaseline(3).fit(X)
    whole = reconstruction_errors(model, X)
    monkeypatch.setattr("latentmap.analysis.transformers.CHUNK_BYTES", 4 * 60 * 7)
    assert len(list(chunks(X))) == 15
    np.testing.assert_allclose(reconstruction_errors(model, X), whole, rtol=1e-5)
    np.testing.assert_allclose(reconstruction_errors(model, X, model.transform(X)), whole, rtol=1e-5)


def test_best_median_and_worst():
    assert best_median_worst(np.array([3.0, 1.0, 5.0, 2.0, 4.0])).tolist() == [1, 0, 2]


def test_the_first_of_each_class_is_shown():
    assert some_of_each_class(np.array([2, 0, 2, 5, 0]), 5, 3).tolist() == [1, 0, 3]
    assert some_of_each_class(np.array([2, 0, 2, 5, 0]), 5).tolist() == [1, 4, 0, 2, 3]
    assert some_of_each_class(np.arange(12)[::-1], 12).tolist() == list(range(12))[::-1]
    assert some_of_each_class(None, 100).tolist()[:2] == [0, 11]
    assert some_of_each_class(None, 3).tolist() == [0, 1, 2]


def test_comparison_holds_each_models_own_extremes():
    X = np.random.default_rng(0).integers(0, 256, (20, 3, 3, 1), dtype=np.uint8)
    labels = np.arange(20) % 4
    model = PcaBaseline(2).fit(X)
    comparison = compare_reconstructions({"pca": model}, Dataset("some", Split(X), Split(X, labels), tuple("abcd")))
    errors = reconstruction_errors(model, X)
    (shown,) = comparison.models
    assert comparison.names == tuple("aabbccdd")
    assert shown.extremes_errors[0] == errors.min()
    assert shown.extremes_errors[2] == errors.max()
    first = [0, 4, 1, 5, 2, 6, 3, 7]
    np.testing.assert_allclose(shown.X_hat, model.inverse_transform(model.transform(X[first])), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("labels", [None, np.array([0, 0, 1])])
def test_comparison_names_samples_without_class_names(labels):
    X = np.random.default_rng(0).integers(0, 256, (3, 2, 2, 1), dtype=np.uint8)
    dataset = Dataset("some", Split(X), Split(X, labels))
    names = compare_reconstructions({"pca": PcaBaseline(1).fit(X)}, dataset).names
    assert names == (("no. 0", "no. 1", "no. 2") if labels is None else ("0", "0", "1"))


def test_samples_without_a_label_are_no_class_to_show(vectors):
    labels = np.array([0, 1, 2, -1] * 10)
    dataset = Dataset("x", Split(vectors[:40], labels), Split(vectors[40:80], labels), ("a", "b", "c"))
    pca = PcaBaseline(2).fit(dataset.train.X)
    assert set(compare_reconstructions({"PCA": pca}, dataset).names) == {"a", "b", "c"}
    pairs = choose_pairs(dataset.known_labels(dataset.test), 40, n_pairs=12)
    assert (labels[pairs] >= 0).all()
    learned = Split(vectors[:40], np.where(labels < 0, 3, labels))
    hidden = Dataset("x", learned, Split(vectors[40:80], np.full(40, 3)), ("a", "b", "c", NO_LABEL))
    assert len(compare_reconstructions({"PCA": pca}, hidden).X) == 10


def test_codes_of_other_libraries_keep_their_digits():
    X = np.random.default_rng(0).normal(size=(300, 6)) + 1e7
    model = TruncatedSVD(2, random_state=0).fit(X)
    Z = model.transform(X)
    expected = np.square(model.inverse_transform(Z) - X).mean()
    assert reconstruction_errors(model, X).mean() == pytest.approx(expected, rel=1e-5)
    found = evaluate(model, Dataset("far", Split(X), Split(X)))
    assert found.test_mse == pytest.approx(expected, rel=1e-5)
    near = reference_trustworthiness(X - X.mean(axis=0), Z - Z.mean(axis=0), n_neighbors=12)
    assert found.trustworthiness == pytest.approx(near)
    np.testing.assert_array_equal(class_medians(Z, np.zeros(300, int)).Z[0], np.median(Z, axis=0))
    grid = latent_grid(model, Z, n_cells=3)
    np.testing.assert_array_equal(grid.z1, np.quantile(Z[:, 0], [0.01, 0.5, 0.99]))
