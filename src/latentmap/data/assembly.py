"""From a reader to a dataset: which samples test, what is held in memory, and what is not fit for use."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentmap.data.arrays import ArrayReader
from latentmap.data.dataset import Dataset, Split
from latentmap.data.readers import Reader
from latentmap.data.splits import choose_few, choose_test, shuffled_rows
from latentmap.data.store import Bar, store
from latentmap.errors import DatasetError

_MOST_UNREADABLE = 0.1


@dataclass(frozen=True)
class Terms:
    """On what terms a source becomes a dataset.

    Parameters
    ----------
    test_fraction : float
        The share kept for testing where the source has no splits; 0 keeps none, and leaves everything in its order.
    limit : int, optional
        The most samples of a split.
    budget : int
        The most bytes of samples held in memory.
    skip_bad : bool
        Whether any number of unreadable images is passed over.
    bar : progress bar, optional
        Told of the samples decoded into the cache.
    """

    test_fraction: float
    limit: int | None
    budget: int
    skip_bad: bool = False
    bar: Bar | None = None


def assemble(reader: Reader, terms: Terms) -> Dataset:
    """Read a source into a dataset.

    Parameters
    ----------
    reader : Reader
        The source.
    terms : Terms
        Split, limit, memory.

    Returns
    -------
    Dataset
        Training samples in the order of the source; test samples too where the source has them in no order of class.

    Raises
    ------
    DatasetError
        If there are too few samples, too many cannot be read, or all are the same.
    """
    known = reader.known
    parts = _parts(reader, terms)
    if isinstance(reader, ArrayReader):
        reader.settle(parts["train"])
    n_bytes = sum(map(len, parts.values())) * int(np.prod(reader.sample_shape)) * np.dtype(reader.dtype).itemsize
    content = reader.fingerprint()
    # Some measures look at the first test samples only, which must not be of the first classes.
    shuffled = known.is_test is None or known.in_class_order
    if n_bytes > terms.budget and reader.reading.is_images and content is not None:
        rows = "".join(hashlib.blake2b(part.data, digest_size=8).hexdigest() for part in parts.values())
        key = hashlib.blake2b(f"2 {content} {rows}".encode(), digest_size=16).hexdigest()
        known.notes.append(
            f"{n_bytes / 2**30:.1f} GiB of samples are more than may be held, and are read from the cache."
        )
        held, unreadable = store(reader, key, parts, ("test",) if shuffled else (), terms.bar)
    else:
        held, unreadable = _hold(reader, parts)
        test_X, test_rows = held["test"]
        if shuffled and len(test_rows):
            order = shuffled_rows(len(test_rows))
            held["test"] = test_X[order], test_rows[order]
    seen_before = getattr(reader, "unreadable", {})
    unreadable = {row: seen_before.get(row, why) for row, why in unreadable.items()}
    _judge(reader, unreadable, sum(map(len, parts.values())), skip_bad=terms.skip_bad)
    train, test = (_split(reader, *held[name]) for name in ("train", "test"))
    _check_enough(train, known.name, alone=terms.test_fraction == 0)
    return Dataset(
        known.name,
        train,
        test,
        known.class_names,
        reading=reader.reading,
        notes=tuple(known.notes),
        split=_origin(reader, terms),
    )


def _origin(reader: Reader, terms: Terms) -> str:
    """Where the two splits come from."""
    if reader.known.is_test is not None:
        return "given"
    return f"random, {terms.test_fraction:g} for testing" if terms.test_fraction else "none"


def _parts(reader: Reader, terms: Terms) -> dict[str, NDArray[np.int64]]:
    """The rows of each split, ascending."""
    known = reader.known
    is_test = known.is_test
    if is_test is None:
        is_test = np.zeros(known.n, bool)
        if terms.test_fraction:
            is_test = choose_test(known.n, known.labels, terms.test_fraction)
    parts = {"train": np.flatnonzero(~is_test), "test": np.flatnonzero(is_test)}
    for name, rows in parts.items():
        if terms.limit is not None and len(rows) > terms.limit:
            parts[name] = rows[
                choose_few(len(rows), None if known.labels is None else known.labels[rows], terms.limit)
            ]
    return parts


def _hold(
    reader: Reader, parts: dict[str, NDArray[np.int64]]
) -> tuple[dict[str, tuple[NDArray[Any], NDArray[np.int64]]], dict[int, str]]:
    """Read the samples of each part into memory."""
    unreadable: dict[int, str] = {}
    held = {}
    for name, rows in parts.items():
        ready = reader.ready if isinstance(reader, ArrayReader) and len(rows) == reader.known.n else None
        if ready is not None and reader.dtype is np.uint8:
            held[name] = np.ascontiguousarray(ready), rows  # as it is: nothing is copied
            continue
        X = np.empty((len(rows), *reader.sample_shape), reader.dtype)
        kept: list[NDArray[np.int64]] = []
        n = 0
        for chunk in reader.read(rows):
            X[n : n + len(chunk.rows)] = chunk.X
            n += len(chunk.rows)
            kept.append(chunk.rows)
            unreadable.update(chunk.unreadable)
        held[name] = X[:n], np.concatenate(kept) if kept else rows[:0]
    return held, unreadable


def _split(reader: Reader, X: NDArray[Any], rows: NDArray[np.int64]) -> Split:
    """The samples at these rows with what is known of them."""
    known = reader.known
    labels = None if known.labels is None else known.labels[rows]
    if labels is not None and len(rows) and (labels < 0).all():  # hidden throughout the split
        labels = None
    names = None if known.names is None else tuple(known.names[row] for row in rows)
    return Split(X, labels, names)


def _judge(reader: Reader, unreadable: dict[int, str], n: int, *, skip_bad: bool) -> None:
    """Say which images could not be read; refuse to go on without too many."""
    if not unreadable:
        return
    rows = sorted(unreadable)
    first = "; ".join(f"{reader.name_of(row)} ({unreadable[row]})" for row in rows[:3])
    more = f" and {len(rows) - 3:,} more" if len(rows) > 3 else ""
    said = f"{len(rows):,} of {n:,} images in {reader.known.name} cannot be read: {first}{more}."
    if len(rows) == n:
        raise DatasetError(said)
    if len(rows) > _MOST_UNREADABLE * n and not skip_bad:
        raise DatasetError(f"{said} Mend or remove them, or pass over them with --skip-bad.")
    warnings.warn(f"{said} They are passed over.", stacklevel=5)


def _check_enough(train: Split, name: str, *, alone: bool) -> None:
    """Refuse what cannot be learned from."""
    if alone:
        return
    if len(train) < 2:
        raise DatasetError(
            f"{name} must have at least 3 samples, 2 to learn from and 1 to test by, got {len(train)} to learn from."
        )
    first = train.X[:1]
    step = max(1, 2**20 // first.size)
    if all((train.X[i : i + step] == first).all() for i in range(0, len(train), step)):
        what = "images" if train.X.ndim == 4 else "samples"
        raise DatasetError(f"all {len(train):,} training {what} in {name} are the same: there is nothing to learn.")
