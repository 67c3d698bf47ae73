"""The one shape in which data travels through Latentmap: two splits of samples, with labels where there are any."""

from __future__ import annotations

import base64
import html
import io
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentmap.data.preprocessing import Unit, measuring_unit
from latentmap.data.source import Reading, ReadOptions, check_limit, memory_budget
from latentmap.data.windows import last_rows
from latentmap.errors import DatasetError, count, printable

NO_LABEL = "(no label)"
_MAX_TEST = 10_000  # more would only take time: figures of 10,000 samples are exact enough
_BROUGHT = "load_dataset(X) brings arrays to this form."
_LOOKED_AT, _LOOKED_AT_BYTES = 1024, 2**24
_THUMBNAILS = 10
_THUMBNAIL_SIDE = 64  # pixels: what a notebook keeps of a picture stays at some kilobytes


@dataclass(frozen=True, eq=False)
class Split:
    """Samples that belong together, with their labels.

    Parameters
    ----------
    X : ndarray, shape (n, height, width, channels) uint8 or float32, or (n, n_features) float32 or float64
        Images with values 0..255, as float32 from 0 to 1 where they have more than 8 bits, or vectors in their own
        units.
    labels : ndarray of int64, shape (n,), or None
        Class indices, ``0 <= label < len(class_names)``; never used to learn. -1 and NaN are samples without a label,
        which in a `Dataset` are a class of their own, or none where a whole split has no label.
    names : tuple of str, length n, or None
        What each sample is called: its file, say.
    rows : ndarray of int64, shape (n,), or None
        Where each sample stands in a source without splits of its own, from 0.
    values : ndarray of float64, shape (n,), or None
        In place of labels a measurement of each sample, which colours pictures on a scale; NaN where there is none.

    Raises
    ------
    DatasetError
        If `X` is not of this form, `labels`, `names`, `rows` or `values` has another length, or `labels` holds
        anything but numbers of classes.

    Examples
    --------
    >>> import numpy as np
    >>> from latentmap.data import Split
    >>> Split(np.zeros((6, 8, 8, 1), np.uint8), labels=np.array([0, 0, 0, 0, 1, 1]))
    Split: 6 images 8x8x1, labelled
    """

    X: NDArray[np.uint8] | NDArray[np.floating]
    labels: NDArray[np.int64] | None = None
    names: tuple[str, ...] | None = None
    rows: NDArray[np.int64] | None = None
    values: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        _check_form(self.X)
        if self.labels is not None and len(self.labels) != len(self.X):
            raise DatasetError(
                f"images and labels must be of the same length, got {len(self.X):,} images and "
                f"{len(self.labels):,} labels. Check that both files belong to the same split."
            )
        if self.labels is not None:
            object.__setattr__(self, "labels", _as_numbers(np.asarray(self.labels)))
        for name in ("names", "rows", "values"):
            known = getattr(self, name)
            if known is not None and len(known) != len(self.X):
                raise DatasetError(f"{name} must be one for each of {len(self.X):,} samples, got {len(known):,}.")
            if known is not None:
                object.__setattr__(self, name, tuple(known) if name == "names" else np.asarray(known))

    def __len__(self) -> int:
        return len(self.X)

    def __repr__(self) -> str:
        known = "measured" if self.values is not None else "unlabelled" if self.labels is None else "labelled"
        return f"Split: {len(self):,} {_shaped(self.X)}, {known}"

    @property
    def images(self) -> NDArray[np.uint8]:
        """The samples as images, shape (n, height, width, channels), uint8 0..255; deeper ones are rounded."""
        if self.X.ndim != 4:
            raise DatasetError("this data holds vectors, not images. Use .X for the array of vectors.")
        X: NDArray[Any] = self.X
        return X if X.dtype == np.uint8 else np.clip(np.round(X * 255), 0, 255).astype(np.uint8)

    def called(self, row: int) -> str:
        """Return how pictures call a sample that has no name: by its row of the source, or its number in the split."""
        return f"no. {row:,}" if self.rows is None else f"row {self.rows[row]:,}"

    def source(self, row: int) -> str:
        """Return where a sample is to be found: in which file, else as it is `called`."""
        return self.called(row) if self.names is None or self.X.ndim == 2 else self.names[row]

    def few(self, n: int) -> Split:
        """Return at most `n` samples in their order: evenly spaced, of each class its share and at least one.

        Examples
        --------
        >>> from latentmap import load_dataset
        >>> load_dataset("digits").test.few(20)
        Split: 20 images 32x32x1, labelled
        """
        return self if n >= len(self) else self.at(choose_few(len(self), self.labels, n))

    def at(self, rows: NDArray[Any]) -> Split:
        """Return the samples at these places, numbers or a mask, with what is known of them.

        Examples
        --------
        >>> import numpy as np
        >>> from latentmap import load_dataset
        >>> test = load_dataset("digits").test
        >>> test.at(np.array([5, 3])).labels.tolist() == [test.labels[5], test.labels[3]]
        True
        """
        places = np.arange(len(self))[rows]
        names = None if self.names is None else tuple(self.names[place] for place in places)
        labels, own, values = (None if one is None else one[places] for one in (self.labels, self.rows, self.values))
        return Split(self.X[places], labels, names, own, values)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A training and a test split of the same kind of data.

    Parameters
    ----------
    name : str
        What people call it; shown in reports.
    train, test : Split
        The samples to learn from, and those kept for the final figures.
    class_names : tuple of str, or None
        The name of each class, in the order of the labels; their numbers where none are given; None where the data has
        no labels.
    reading : Reading, optional
        What was done to the samples on their way here; kept with a model, so that new data is treated alike.
    notes : tuple of str
        What the user should know of it.
    split : str
        Where the two splits come from.

    Raises
    ------
    DatasetError
        If a label is none of the classes, the splits are not alike, or a look at some samples finds NaN, or floats of
        images that are not from 0 to 1.

    Examples
    --------
    >>> from latentmap import load_dataset
    >>> digits = load_dataset("digits")
    >>> digits.train.images.shape, digits.test.images.shape
    ((1437, 32, 32, 1), (360, 32, 32, 1))
    >>> digits
    Dataset digits: 1,437 train + 360 test images 32x32x1, 10 classes
    """

    name: str
    train: Split
    test: Split
    class_names: tuple[str, ...] | None = None
    reading: Reading | None = None
    notes: tuple[str, ...] = ()
    split: str = "given"

    def __post_init__(self) -> None:
        _check_alike(self.train, self.test)
        # What was read is in order; and what is only shown (one split as both) may lie outside of a model's range.
        if self.reading is None and self.train is not self.test:
            _look_at(self.train.X, "train.X")
            _look_at(self.test.X, "test.X")
        train, test, names = _without_hidden(self.train), _without_hidden(self.test), self.class_names
        labels = [split.labels for split in (train, test) if split.labels is not None and len(split)]
        if names is None and labels:
            names = _numbers_as_names(max(int(some.max()) for some in labels), len(train) + len(test))
        for some in labels:
            _check_labels(some, names or ())
        if any((some < 0).any() for some in labels):
            names = names if names and names[-1] == NO_LABEL else (*(names or ()), NO_LABEL)
            train, test = (_hidden_as(split, len(names) - 1) for split in (train, test))
        for name, value in {"train": train, "test": test, "class_names": names}.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        classes = f", {count(len(self.class_names), 'class')}" if self.class_names else ""
        counts = f"{len(self.train):,} train + {len(self.test):,} test"
        return f"Dataset {printable(self.name)}: {counts} {_shaped(self.train.X)}{classes}"

    def _repr_html_(self) -> str:
        """What a notebook shows: the counts, and a few samples where they are images."""
        pictures = _thumbnails(self.train, self.class_names) if self.is_images else ""
        notes = "".join(f"<br><small>{html.escape(printable(note))}</small>" for note in self.notes)
        return f"<div>{html.escape(repr(self))}{notes}{pictures}</div>"

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample: (height, width, channels) or (n_features,)."""
        return self.train.X.shape[1:]

    @cached_property
    def unit(self) -> Unit:
        """What errors and distances of these samples count as one: `measuring_unit` of the training samples."""
        return measuring_unit(self.train.X)

    def in_unit(self, unit: Unit) -> Dataset:
        """Return the same data, its errors and distances in another unit: that of what a model was fitted on."""
        same = replace(self)
        same.__dict__["unit"] = unit  # where a cached property keeps it
        return same

    @property
    def facts(self) -> dict[str, Any]:
        """What a model fitted on this data remembers of it, as JSON can hold it."""
        return {
            "dataset": self.name,
            "class_names": list(self.class_names) if self.class_names else None,
            "reading": self.reading.to_config() if self.reading else None,
            "split": self.split,
        }

    @property
    def is_images(self) -> bool:
        """Whether the samples are images rather than vectors."""
        return self.train.X.ndim == 4

    @property
    def values_name(self) -> str:
        """What measurements are called."""
        return (self.reading.label if self.reading is not None else None) or "y"

    @property
    def measured(self) -> dict[str, Any]:
        """What colours the test samples on a scale, as figures take it; nothing where no measurement is known."""
        return {} if self.test.values is None else {"values": self.test.values, "values_name": self.values_name}

    @property
    def known_names(self) -> tuple[str, ...] | None:
        """The names of the classes, without that of samples that have none."""
        names = self.class_names
        return names[:-1] if names and names[-1] == NO_LABEL else names

    def known_labels(self, split: Split) -> NDArray[np.int64] | None:
        """Return the labels by which codes are scored: -1 where a sample's class is that of having none."""
        if split.labels is None or self.known_names == self.class_names:
            return split.labels
        return np.where(split.labels == len(self.known_names or ()), -1, split.labels)

    def limit(self, n: int) -> Dataset:
        """Return the data with at most `n` samples of each split: for a quick look, not for figures to quote.

        They are spaced evenly and stay in order, of each class its share and, where `n` allows, at least one.

        Raises
        ------
        ValueError
            If `n` is no whole number of at least 2.

        Examples
        --------
        >>> from latentmap import load_dataset
        >>> load_dataset("digits").limit(100)
        Dataset digits: 100 train + 100 test images 32x32x1, 10 classes
        """
        check_limit(n)
        train = self.train.few(n)
        return replace(self, train=train, test=train if self.is_one else self.test.few(n))

    def of(self, split: str) -> Dataset:
        """Return the data with the samples of a split, ``"train"`` or ``"all"``, as both: measured and shown are they.

        Examples
        --------
        >>> from latentmap import load_dataset
        >>> load_dataset("digits").of("all")
        Dataset digits: 1,797 train + 1,797 test images 32x32x1, 10 classes
        """
        if split not in ("train", "test", "all"):
            raise ValueError(f"split must be train, test or all, got {split!r}.")
        if split == "test":
            return self
        part = self.train if split == "train" else _joined(self.train, self.test)
        return replace(self, train=part, test=part)

    @property
    def is_one(self) -> bool:
        """Whether the samples to learn from and those to test are the same."""
        return self.train.X is self.test.X


def _check_form(X: Any) -> None:
    """Refuse what is no array of the form in which samples travel."""
    if not isinstance(X, np.ndarray):
        raise DatasetError(f"X must be an array, got {type(X).__name__}. {_BROUGHT}")
    if X.ndim not in (2, 4):
        raise DatasetError(
            f"X must be images (n, height, width, channels) or vectors (n, n_features), got shape {X.shape}. "
            f"{_BROUGHT}"
        )
    if X.dtype.kind not in "biuf" or (X.ndim == 4 and X.dtype != np.uint8 and X.dtype.kind != "f"):
        wanted = "uint8, or floats from 0 to 1" if X.ndim == 4 else "numbers"
        raise DatasetError(f"X must hold {wanted}, got {X.dtype}. {_BROUGHT}")


def _check_alike(train: Split, test: Split) -> None:
    """Refuse splits of different kinds of samples."""
    for name, split in (("train", train), ("test", test)):
        if not isinstance(split, Split):
            raise DatasetError(f"{name} must be a Split, got {type(split).__name__}. {_BROUGHT}")
    bytes_of = [split.X.dtype == np.uint8 for split in (train, test)]
    if train.X.shape[1:] != test.X.shape[1:] or (train.X.ndim == 4 and bytes_of[0] != bytes_of[1]):
        raise DatasetError(
            f"train and test must hold samples of one kind, got {train.X.shape[1:]} of {train.X.dtype} and "
            f"{test.X.shape[1:]} of {test.X.dtype}. Bring both to one shape and type."
        )


def _look_at(X: NDArray[Any], name: str) -> None:
    """Refuse what some samples, evenly spaced, show to be NaN or no pixels from 0 to 1; data may be large."""
    if X.dtype.kind != "f" or not X.size:
        return
    most = 1 + min(_LOOKED_AT, _LOOKED_AT_BYTES // X[:1].nbytes)
    some = X[:: -(-len(X) // most)]
    low, high = float(some.min()), float(some.max())
    if not np.isfinite([low, high]).all():
        raise DatasetError(f"{name} must hold finite numbers, got NaN or infinity. {_BROUGHT}")
    if X.ndim == 4 and not -1 <= low <= high <= 2:  # with room for what resampling does
        raise DatasetError(f"{name} must hold images of floats from 0 to 1, got {low:g} to {high:g}. {_BROUGHT}")


def _joined(*splits: Split) -> Split:
    """The samples of several splits as one, in their order."""
    splits = tuple(split for split in splits if len(split)) or splits[:1]
    if len(splits) == 1:
        return splits[0]
    if sum(split.X.nbytes for split in splits) > memory_budget(None):  # mapped, as they may be, they are no one array
        raise DatasetError("both splits together are more than memory may hold. Take one of them: train or test.")
    parts: dict[str, list[Any]] = {
        name: [getattr(split, name) for split in splits] for name in ("X", "labels", "names", "rows", "values")
    }
    if any(labels is not None for labels in parts["labels"]):  # a split without any has samples without a label
        parts["labels"] = [np.full(len(one), -1) if one.labels is None else one.labels for one in splits]
    known: dict[str, Any] = {
        name: None if any(part is None for part in found) else np.concatenate(found) for name, found in parts.items()
    }
    return Split(**known | {"names": None if known["names"] is None else tuple(known["names"].tolist())})


def _as_numbers(labels: NDArray[Any]) -> NDArray[np.int64]:
    """Labels as numbers of classes, -1 for none; refuse what is none."""
    if labels.dtype.kind == "f":
        labels = np.where(np.isnan(labels), -1, labels)
    whole = labels.dtype.kind in "iu" or (labels.dtype.kind == "f" and bool((labels == np.round(labels)).all()))
    if labels.ndim != 1 or (len(labels) and not whole):
        raise DatasetError(
            f"labels must be whole numbers, one a sample, got {labels.dtype} of shape {labels.shape}. Number "
            "the classes from 0, or give their names to load_dataset."
        )
    numbers = labels.astype(np.int64, copy=False)
    _check_labels(numbers, None)
    return numbers


def _without_hidden(split: Split) -> Split:
    """A split without its labels, where all of them are hidden."""
    hides_all = split.labels is not None and len(split) > 0 and bool((split.labels < 0).all())
    return replace(split, labels=None) if hides_all else split


def _hidden_as(split: Split, number: int) -> Split:
    """A split whose hidden labels are a class of their own, of this number."""
    return split if split.labels is None else replace(split, labels=np.where(split.labels < 0, number, split.labels))


def _numbers_as_names(highest: int, n: int) -> tuple[str, ...]:
    """The numbers of classes as their names, up to the highest label of n samples."""
    if highest >= max(1000, n):  # no numbers of classes, and names without end
        raise DatasetError(
            f"labels must be numbers of classes, counted from 0, got {highest:,}. Number the classes, or give "
            "class_names."
        )
    return tuple(map(str, range(highest + 1)))


def _check_labels(labels: NDArray[np.int64], class_names: tuple[str, ...] | None) -> None:
    """Refuse labels that are none of the classes, naming the first."""
    most = np.inf if class_names is None else len(class_names)
    if not len(labels) or (labels.min() >= -1 and labels.max() < most):
        return
    row = int(np.argmax((labels < -1) | (labels >= most)))
    rule = "of at least 0" if class_names is None else f"from 0 to {len(class_names) - 1}, one for each class name"
    raise DatasetError(
        f"labels must be whole numbers {rule}, or -1 for none, got {labels[row]} in row {row:,}. Number the "
        "classes from 0."
    )


def _shaped(X: NDArray[Any]) -> str:
    """What samples are and their shape, in words."""
    return f"images {'x'.join(map(str, X.shape[1:]))}" if X.ndim == 4 else f"vectors of {count(X.shape[1], 'number')}"


def _thumbnails(split: Split, class_names: tuple[str, ...] | None) -> str:
    """A few images of a split as HTML that needs no other file, each with the name of its class."""
    from PIL import Image

    few, pictures = split.few(_THUMBNAILS), []
    for i, pixels in enumerate(few.images):
        image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
        image.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE))
        buffer = io.BytesIO()
        image.save(buffer, "png")
        name = class_names[few.labels[i]] if few.labels is not None and class_names else ""
        pictures.append(
            f'<img width="{_THUMBNAIL_SIDE}" style="display:inline;image-rendering:pixelated;margin:2px" '
            f'alt="{(name := html.escape(printable(name)))}" title="{name}" '
            f'src="data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}">'
        )
    return f"<div>{''.join(pictures)}</div>"


# ---- which samples -------------------------------------------------------------------------------------------------


def choose_rows(
    n: int,
    labels: NDArray[Any] | None,
    is_test: NDArray[np.bool_] | None,
    options: ReadOptions,
    overlapping: int = 0,
) -> dict[str, NDArray[np.int64]]:
    """The rows of each split, ascending: those given, or drawn, or of windows along a series the last."""
    labels = None if labels is not None and labels.dtype.kind == "f" else labels  # measurements are no classes
    if is_test is None and overlapping:
        train, test = last_rows(n, n_test(n, options.test_fraction), overlapping)
    else:
        is_test = choose_test(n, labels, options.test_fraction) if is_test is None else is_test
        train, test = np.flatnonzero(~is_test), np.flatnonzero(is_test)
    parts = {"train": train, "test": test}
    for name, rows in parts.items():
        if options.limit is not None and len(rows) > options.limit:
            parts[name] = rows[choose_few(len(rows), None if labels is None else labels[rows], options.limit)]
    return parts


def n_test(n: int, fraction: float) -> int:
    """How many samples are kept for testing."""
    return min(_MAX_TEST, max(1, round(n * fraction)), max(n - 1, 0)) if fraction else 0


def choose_test(n: int, labels: NDArray[np.int64] | None, fraction: float) -> NDArray[np.bool_]:
    """Choose the test samples at random: of each class the same share, where there are classes."""
    rng = np.random.default_rng(0)
    wanted = n_test(n, fraction)
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
