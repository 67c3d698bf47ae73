"""t-SNE keeps neighbours together, the same way each time."""

import sys
from pathlib import Path

import numpy as np

from latentmap.analysis import embed_tsne
from tests.processes import Process


def blobs(n=90):
    labels = np.arange(n) % 3
    return (np.random.default_rng(0).normal(size=(n, 6)) + 20 * labels[:, None]).astype(np.float32), labels


def test_separates_what_is_separate_and_repeats_itself():
    Z, labels = blobs()
    first, again = embed_tsne(Z, labels, n_jobs=1), embed_tsne(Z, labels, n_jobs=1)
    assert first.knn_accuracy == 1.0
    assert first.perplexity < 30
    np.testing.assert_array_equal(first.Z, again.Z)


def test_looks_at_samples_from_all_over_and_needs_a_few():
    Z, labels = blobs()
    some = embed_tsne(Z, np.sort(labels), n_samples=40)
    assert some.Z.shape == (40, 2)
    assert set(some.labels) == {0, 1, 2}
    np.testing.assert_array_equal(some.labels, np.sort(labels)[some.rows])
    assert embed_tsne(Z[:7], None) is None


def test_short_codes_and_no_labels():
    result = embed_tsne(blobs(20)[0][:, :1])
    assert result.Z.shape == (20, 2)
    assert result.knn_accuracy is None


def test_codes_that_are_all_the_same_have_no_picture():
    assert embed_tsne(np.ones((30, 3), np.float32)) is None


def end_with_what_compiles_itself():
    Path("pynndescent.py").write_text("")  # stands in for the real one, which openTSNE takes where it is installed
    sys.path.insert(0, "")
    embed_tsne(np.random.default_rng(0).normal(size=(1001, 3)), n_jobs=1, n_samples=1001)
    sys.exit("pynndescent" if "pynndescent" in sys.modules else 0)


def test_nothing_that_compiles_itself_is_imported(tmp_path):
    assert Process(tmp_path, end_with_what_compiles_itself).end() == (0, "", "")
