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
