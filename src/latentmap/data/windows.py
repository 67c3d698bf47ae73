"""Vectors that are windows along a series: neighbours share values, and parts drawn at random would share them too."""

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEWEST_TO_SPLIT = 20  # samples; below this a part to judge by tells nothing, and learning needs every one
_LOOKED_AT = 64  # pairs of samples that say whether these overlap
_FEWEST_VALUES = 8  # of vectors that may be windows
_SURELY, _MOVED = 0.9, 0.3  # of these pairs, those that share a value; and of the values, those that are shared
_BY_CHANCE = 0.6  # of values, those that other pairs share, or the same columns, at most


def n_overlapping(X: NDArray[Any]) -> int:
    """Return with how many rows after it a row shares values: of vectors that are windows along a series, else 0.

    There may be several series, their windows beside each other. Rows that are nearly like the ones before them, as in
    sorted tables, are none.
    """
    if X.ndim != 2 or len(X) < FEWEST_TO_SPLIT or X.shape[1] < _FEWEST_VALUES:
        return 0
    rows = np.unique(np.linspace(0, len(X) - 2, _LOOKED_AT).astype(np.int64))
    before, after = X[rows], X[rows + 1]
    others = before[np.random.default_rng(0).permutation(len(rows))]
    n = X.shape[1]
    few = np.unique(np.linspace(0, n - 1, _LOOKED_AT).astype(np.int64))
    for step, way in itertools.product(range(1, n // 2 + 1), (1, -1)):
        columns = few[(few + way * step >= 0) & (few + way * step < n)]
        if ((before[:, columns + way * step] == after[:, columns]).mean(axis=0) > _SURELY).mean() <= _MOVED:
            continue
        to, of = (slice(None, -step), slice(step, None))[::way]
        moved = (before[:, of] == after[:, to]).mean(axis=0) > _SURELY
        by_chance = max((one[:, of] == after[:, to])[:, moved].mean() for one in (others, after) if moved.any())
        if moved.mean() > _MOVED and by_chance < _BY_CHANCE and (before == after).mean() < _BY_CHANCE:
            ends = np.flatnonzero(np.diff(moved, prepend=False, append=False))
            length = step + int((ends[1::2] - ends[::2]).max())
            return -(-length // step) - 1
    return 0


def last_rows(n: int, wanted: int, overlapping: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows to learn from, and the last, kept to judge by; those that share values with these are in neither."""
    rows = np.arange(n)
    between = min(overlapping, (n - wanted) // 2) if wanted else 0
    return rows[: n - wanted - between], rows[n - wanted :]
