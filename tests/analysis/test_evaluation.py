"""The numbers of the summary table are what they are called."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from latentmap.analysis import PcaBaseline, evaluate
from latentmap.data import load_dataset


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
