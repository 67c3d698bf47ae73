"""Windows along a series are recognised, and no part shares values with what another is judged by."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from latentmap import Autoencoder, load_dataset
from latentmap.analysis import sweep
from latentmap.data import Dataset, Split
from latentmap.data.windows import last_rows, n_overlapping


def windows(n, length, step, seed=0):
    """Windows along a series of noise, each a step further than the one before."""
    return np.random.default_rng(seed).normal(size=n * step + length)[np.arange(n)[:, None] * step + np.arange(length)]


def test_windows_along_series_are_told_from_other_vectors():
    rng = np.random.default_rng(0)
    for (length, step), wanted in {(10, 1): 9, (50, 1): 49, (50, 7): 7, (50, 25): 1, (50, 50): 0}.items():
        assert n_overlapping(windows(100, length, step)) == wanted
    two = np.hstack([windows(100, 24, 2), 100 * windows(100, 24, 2, seed=1)])
    assert (n_overlapping(two), n_overlapping(two[:, ::-1]), n_overlapping(two.round())) == (11, 11, 11)
    others = [two[rng.permutation(100)], two[:19], rng.normal(size=(100, 20)), np.eye(9)[rng.integers(0, 9, 100)]]
    ramp = np.sort(rng.uniform(0, 20, 100))[:, None] > np.arange(20)  # sorted: rows are nearly as those before them
    flags = (np.arange(100) < 50)[:, None] ^ (rng.random((100, 20)) < 0.03)
    others += [
        ramp,
        flags,
        np.repeat(rng.normal(size=(20, 10)), 5, axis=0),
        two[:, :5],
        np.ones((100, 20)),
        rng.poisson(0.5, (100, 30)),
        load_digits().data,
        np.zeros((100, 8, 8)),
    ]
    rain = np.where(rng.random(200) < 0.65, 0, rng.gamma(2, 1, 200))
    assert n_overlapping(rain[np.arange(150)[:, None] + np.arange(48)]) == 47
    assert [n_overlapping(X) for X in others] == [0] * len(others)


def test_the_last_rows_are_kept_and_those_that_share_values_with_them_left_out():
    learned, kept = last_rows(100, 20, 9)
    assert (learned.tolist(), kept.tolist()) == ([*range(71)], [*range(80, 100)])
    assert [len(rows) for rows in last_rows(30, 10, 49)] == [10, 10]  # half of the rest at most
    assert [len(rows) for rows in last_rows(30, 0, 9)] == [30, 0]


@pytest.mark.parametrize("kind", ["csv", "parquet", "npy", "array"])
def test_of_windows_in_a_file_the_last_are_for_testing(kind, tmp_path):
    X = windows(200, 12, 1)
    path = tmp_path / f"series.{kind}"
    frame = pd.DataFrame(X, columns=[f"hour{i}" for i in range(12)])
    if kind in ("csv", "parquet"):
        pytest.importorskip("pyarrow")
        frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path)
    elif kind == "npy":
        np.save(path, X)
    dataset = load_dataset(X if kind == "array" else path)
    assert (len(dataset.train), len(dataset.test)) == (149, 40)
    assert not np.isin(dataset.train.X, dataset.test.X).any()
    assert dataset.split == "the last samples, 0.2 for testing"
    assert "windows along a series, each sharing values with the 11 after it" in " ".join(dataset.notes)
    assert n_overlapping(dataset.train.X) == 11  # so that fit keeps no such rows either
    whole = load_dataset(X if kind == "array" else path, test_fraction=0)
    assert (len(whole.train), len(whole.test), whole.split) == (200, 0, "none")


def test_windows_with_classes_are_drawn_of_each(tmp_path):
    X = windows(200, 12, 1)
    dataset = load_dataset(X, labels=np.arange(200) // 100)  # the last are of one class
    assert dataset.split.startswith("random")
    assert np.bincount(dataset.test.labels).tolist() == [20, 20]
    measured = load_dataset(X, labels=np.arange(200) + 0.5)
    assert measured.split.startswith("the last")


def test_a_sweep_judges_by_windows_that_share_nothing_with_those_learned_from():
    learned = []

    def make(k):
        class Seen(Autoencoder):
            def fit(self, X, y=None):
                learned.append(X)
                return super().fit(X)

        return Seen("linear", k, epochs=1, random_state=0)

    dataset = load_dataset(windows(300, 12, 1))
    sweep(dataset, [2], make)
    kept = dataset.train.X[-round(0.1 * len(dataset.train)) :]
    assert len(learned[0]) > 150
    assert not np.isin(learned[0], kept).any()
    labelled = Dataset("two", Split(dataset.train.X, np.arange(len(dataset.train)) // 120), dataset.test)
    sweep(labelled, [2], make)
    assert np.isin(learned[-1], kept).any()  # the last may be of one class
