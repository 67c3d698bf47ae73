"""Which samples are learned from and which are kept for the final figures, where the source does not say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TEST_FRACTION = 0.2
_MAX_TEST = 10_000  # more would only take time: figures of 10,000 samples are exact enough


def choose_test(n: int, labels: NDArray[np.int64] | None, fraction: float, seed: int = 0) -> NDArray[np.bool_]:
    """Choose the test samples at random: of each class the same share, where there are classes.

    Parameters
    ----------
    n : int
        How many samples there are.
    labels : ndarray of int64, shape (n,), or None
        Their classes. A class of one sample is learned from.
    fraction : float
        The share wanted, at most 10,000 samples and at least one.
    seed : int, default 0
        The same seed gives the same split of the same number of samples and labels.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    rng = np.random.default_rng(seed)
    wanted = min(_MAX_TEST, max(1, round(n * fraction)), max(n - 1, 0))
    is_test = np.zeros(n, bool)
    if labels is None:
        is_test[rng.choice(n, wanted, replace=False)] = True
        return is_test
    # One random order of all; in each class the first take part. Sorting by relative rank spreads the rounding.
    order = rng.permutation(n)
    rank = np.empty(n)
    for label in np.unique(labels):
        members = order[labels[order] == label]
        rank[members] = (np.arange(len(members)) + 0.5) / len(members) if len(members) > 1 else 1.0
    is_test[order[np.argsort(rank[order], kind="stable")[:wanted]]] = True
    return is_test


def choose_few(n: int, labels: NDArray[np.int64] | None, wanted: int) -> NDArray[np.int64]:
    """Choose `wanted` of `n` rows, evenly spaced and ascending: of each class its share, and one at least."""
    if labels is None:
        return np.linspace(0, n - 1, wanted).astype(np.int64)
    by_class = np.argsort(labels, kind="stable")
    _, sizes = np.unique(labels, return_counts=True)
    starts = np.cumsum(sizes) - sizes
    # The members of a class come at even steps from 0 to 1, so that the first come from all classes in their shares.
    rank = (np.arange(n) - np.repeat(starts, sizes)) / np.repeat(sizes, sizes)
    classes = np.repeat(np.arange(len(sizes)), sizes)[np.argsort(rank, kind="stable")[:wanted]]
    shares = np.bincount(classes, minlength=len(sizes))
    found = [
        start + np.linspace(0, size - 1, share).astype(np.int64)
        for start, size, share in zip(starts, sizes, shares, strict=True)
    ]
    return np.sort(by_class[np.concatenate(found)])


def shuffled_rows(n: int) -> NDArray[np.int64]:
    """Return the order in which `n` test samples are shown and measured, the same every time."""
    return np.random.default_rng(0).permutation(n)
