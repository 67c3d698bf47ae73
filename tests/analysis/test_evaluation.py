"""The numbers of the summary table are what they are called."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from latentmap.analysis import PcaBaseline, compare_reconstructions, evaluate
from latentmap.analysis.baselines import linear_rank
from latentmap.data import Dataset, Split, load_dataset


def test_pca_on_digits_scores_what_scikit_learn_says():
    digits = load_dataset("digits")
    found = evaluate(PcaBaseline(2).fit(digits.train.X), digits)
    rows, test_rows = (split.X.reshape(len(split), -1) / 255 for split in (digits.train, digits.test))
    pca = PCA(2).fit(rows)
    expected = np.mean((pca.inverse_transform(pca.transform(test_rows)) - test_rows) ** 2)
    assert found.test_mse == pytest.approx(expected, rel=1e-4)
    assert found.latent_dim == 2
    assert found.errors.shape == (360,)
    assert 0.4 < found.knn_accuracy < 0.7
    assert "test_mse=0.0" in repr(found)
    assert "errors=<float32 (360,)>" in repr(found)
    assert len(repr(found)) < 400
    assert "'pca'" in repr(compare_reconstructions({"pca": PcaBaseline(2).fit(digits.train.X)}, digits))


def test_features_in_different_units_are_measured_in_standard_deviations():
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(90, 5)) * [1, 2, 3, 4, 1000]).astype(np.float32)
    dataset = Dataset("wine", Split(X[:60]), Split(X[60:]))
    model = PcaBaseline(2).fit(dataset.train.X)
    scaled = (model.inverse_transform(model.transform(X[60:])) - X[60:]) / X[:60].std(axis=0)
    assert evaluate(model, dataset).test_mse == pytest.approx(np.square(scaled).mean(), rel=1e-4)
    assert compare_reconstructions({"pca": model}, dataset).models[0].errors.max() < 10
    assert linear_rank(X, 0.9) == 5  # the one with large numbers does not hold all the variance
