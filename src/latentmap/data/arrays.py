"""Arrays as sources, wherever they come from: their shapes, types and units.

Images come to uint8, 0 to 255, or where they have more than 8 bits to float32, 0 to 1; vectors to float32 in their own
units, or to float64 where that would round away what tells them apart.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from latentmap.data.cache import file_region
from latentmap.data.dataset import choose_rows
from latentmap.data.images import bring_images
from latentmap.data.labels import number_classes
from latentmap.data.preprocessing import channels_fault, find_levels
from latentmap.data.source import Piece, Reading, ReadOptions, Samples, SourceInfo
from latentmap.data.windows import n_overlapping
from latentmap.errors import DatasetError, count

_CHUNK_BYTES = 16 * 2**20
LARGEST = 1e150  # numbers whose squares can still be added up
_LOOKED_AT = 8192  # vectors, for how far their numbers are from zero
_MOST_SHIFTED = 1e-4  # of a range, by rounding to float32


Side = tuple[NDArray[Any], NDArray[Any] | None]
"""Samples and their classes; a source has one such side, or one for training and one for testing."""


@dataclass(eq=False)
class ArraySamples(Samples):
    """Samples held in arrays or mapped from a file, brought to one type and size when they are read."""

    arrays: Sequence[NDArray[Any]]

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Of one: (height, width, channels) or (n_features,)."""
        return self.info.reading.shape if self.info.reading.is_images else self.arrays[0].shape[1:]

    def whole(self) -> NDArray[Any] | None:
        """All samples where they are one array of bytes to which nothing needs to be done."""
        X: object = self.arrays[0]
        if not isinstance(X, np.ndarray):  # it is read where it lies, when rows are asked for
            return None
        X = _with_channels(self.arrays[0])
        as_it_is = X.dtype == self.dtype == np.uint8 and X.shape[1:] == self.sample_shape
        return X if as_it_is and len(self.arrays) == 1 and self.pixels == (0.0, 255.0) else None

    def read(self, rows: NDArray[np.int64]) -> Iterator[Piece]:
        """Yield the samples at these rows."""
        first = 0
        for X in self.arrays:
            inside = rows[(rows >= first) & (rows < first + len(X))] - first
            for piece, samples in _pieces(X, inside):
                yield piece + first, self._bring(samples, piece + first), {}
            first += len(X)

    def _bring(self, samples: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[Any]:
        """Some samples as the dataset has them."""
        reading = self.info.reading
        if reading.means is not None:
            samples = np.where(np.isnan(samples), reading.means, samples)
        if samples.ndim == 2:
            with np.errstate(over="ignore"):
                samples = samples.astype(self.dtype)
        if samples.dtype.kind == "f":
            check_finite(
                samples,
                self.info.name,
                rows,
                reading.columns,
                " Of vectors --missing drop and --missing mean do so (missing= in Python).",
            )
        if samples.ndim == 2:
            return samples
        return bring_images(_scale(_with_channels(samples), self.pixels, self.dtype), reading)


def read_arrays(
    name: str,
    sides: Sequence[Side],
    options: ReadOptions,
    *,
    label: str | None = None,
    columns: tuple[str, ...] | None = None,  # the names of the features of vectors
    class_names: tuple[str, ...] | None = None,  # where the classes are given as numbers
    is_test: NDArray[np.bool_] | None = None,  # of one side
    content: str = "",  # changes when the arrays do; without it they are held in memory, where they are already
    notes: Sequence[str] = (),
) -> Samples:
    """Return the samples of arrays, one side or two, and what is known of them."""
    told = list(notes)
    missing = options.missing or options.known.missing
    names = None
    if missing == "drop":
        sides, names = _without_gaps(sides, is_test, name, told)
        is_test = is_test if is_test is None or names is None else is_test[np.array(names, np.int64)]
    arrays = [check_samples(X, name) for X, _ in sides]
    shapes = {X.shape[1:] for X in arrays}
    if len(shapes) > 1:
        raise DatasetError(f"{name}: training and test samples must have one shape, got {sorted(shapes)}.")
    counts = [len(X) for X in arrays]
    is_test = is_test if len(counts) == 1 else np.repeat([False, True], counts)
    labels, class_names = number_classes(
        _all_labels(sides, name),
        name,
        class_names,
        notes=told,
        is_test=is_test,
        measure=options.known.measured,
        of_table=label is not None,
    )
    pixels = (0.0, 255.0)
    overlapping = 0
    if arrays[0].ndim == 2:
        # Where there are classes, the last rows may be of one of them.
        has_classes = labels is not None and labels.dtype.kind != "f"
        overlapping = 0 if is_test is not None or has_classes else n_overlapping(arrays[0])
        kept = any(map(_needs_float64, arrays)) if options.reading is None else options.reading.dtype == "float64"
        dtype: Any = "float64" if kept else None
        reading = Reading(columns=columns, label=label, measured=options.known.measured, missing=missing, dtype=dtype)
        if options.reading is not None and options.reading.is_images:
            raise DatasetError(f"{name} holds vectors of {arrays[0].shape[1]} numbers; images were wanted.")
        if missing == "mean":
            train = choose_rows(sum(counts), labels, is_test, options, overlapping)["train"]
            reading = replace(reading, means=_means(arrays, train, options, name, columns, told))
    else:
        reading, pixels = _reading_of_images(arrays, options, told)
        reading = replace(reading, label=label, columns=columns)
    info = SourceInfo(name, sum(counts), reading, labels, class_names, is_test, names, overlapping, notes=tuple(told))
    return ArraySamples(info, pixels, content, {}, arrays)


def _all_labels(sides: Sequence[Side], name: str) -> NDArray[Any] | None:
    """The labels of all sides, one for each sample; None where no side has any."""
    if all(labels is None for _, labels in sides):
        return None
    found = []
    for X, labels in sides:
        flat = None if labels is None else np.asarray(labels).reshape(-1)
        if flat is None or len(flat) != len(X):
            n = "no" if flat is None else f"{len(flat):,}"
            raise DatasetError(
                f"{name}: samples and labels must be of the same length, got {len(X):,} samples and {n} labels."
            )
        found.append(flat)
    return np.concatenate(found)


def _needs_float64(X: NDArray[Any]) -> bool:
    """Whether float32 can't hold some vectors, or would move numbers by much of their range: times, for example."""
    if X.dtype.kind == "b" or np.can_cast(X.dtype, np.float32):
        return False
    some = np.asarray(X[np.arange(0, len(X), -(-len(X) // _LOOKED_AT))], np.float64)
    low, high = np.fmin.reduce(some), np.fmax.reduce(some)  # which pass over what is missing
    most = np.fmax(np.abs(low), np.abs(high))
    with np.errstate(over="ignore", invalid="ignore"):
        is_coarse = (high > low) & (np.finfo(np.float32).eps * most > _MOST_SHIFTED * (high - low))
    return bool(((most <= LARGEST) & (is_coarse | (most > np.finfo(np.float32).max))).any())


def _reading_of_images(
    arrays: Sequence[NDArray[Any]], options: ReadOptions, notes: list[str]
) -> tuple[Reading, tuple[float, float]]:
    """How images in arrays are read, and which of their values are black and white."""
    first = arrays[0]
    channels = 1 if first.ndim == 3 else int(first.shape[3])
    chosen = options.choose({first.shape[1:3]: len(first)}, grey=channels == 1, notes=notes)
    if options.reading is None and options.color is None:
        chosen = replace(chosen, channels=channels)
    dtype = np.result_type(*(X.dtype for X in arrays))
    levels = (0.0, 255.0, 1.0)
    if dtype != np.uint8 and options.pixels is None:
        levels = find_levels(samples for X in arrays for _, samples in _pieces(X, np.arange(len(X))))
    return options.choose_range(chosen, dtype, levels, notes)


def _means(
    arrays: Sequence[NDArray[Any]],
    train: NDArray[np.int64],
    options: ReadOptions,
    name: str,
    columns: Sequence[str] | None,
    notes: list[str],
) -> tuple[float, ...]:
    """The means to put in for missing numbers: the model's, or those of the training samples."""
    n_features = arrays[0].shape[1]
    known = options.known.means
    if options.reading is not None and known is None:
        raise DatasetError(f"{name}: the model keeps no means to fill in. Fit it with missing='mean'.")
    if known is not None and len(known) != n_features:
        raise DatasetError(f"{name} holds vectors of {n_features} numbers; the model was fitted on {len(known)}.")
    n_gaps = sum(int(np.isnan(X).sum()) for X in arrays)
    if n_gaps:
        notes.append(
            f"{count(n_gaps, 'missing number')} {'is' if n_gaps == 1 else 'are'} filled with the means of the "
            "training samples."
        )
    if known is not None:
        return known
    there = ~np.isnan(arrays[0][train])
    counts = there.sum(axis=0)
    if not counts.all():
        place = int(np.argmin(counts))
        column = repr(columns[place]) if columns else str(place)
        raise DatasetError(
            f"{name}: column {column} has no value in the training split, so that it has no mean. Leave it out."
        )
    means = np.sum(arrays[0][train], axis=0, dtype=np.float64, where=there) / counts
    return tuple(means.tolist())


def _pieces(X: NDArray[Any], rows: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], NDArray[Any]]]:
    """The samples at ascending rows in pieces, with the rows of each."""
    step = max(1, _CHUNK_BYTES // (4 * int(np.prod(X.shape[1:]))))
    region = file_region(X) if isinstance(X, np.ndarray) else None
    for start in range(0, len(rows), step):
        piece = rows[start : start + step]
        # Read, not touched through the map: a large file would stay in memory as it is gone through.
        spread = int(piece[-1]) + 1 - int(piece[0])
        if region is not None and spread <= 4 * len(piece):
            yield piece, region.read(int(piece[0]), int(piece[0]) + spread)[piece - piece[0]]
        else:
            yield piece, X[piece]


def check_samples(X: Any, name: str) -> NDArray[Any]:
    """Return an array of numbers with the shape of vectors or images, or say what is wrong with it."""
    array = cast("NDArray[Any]", X if hasattr(X, "dtype") else np.asarray(X))
    if array.dtype.kind not in "buif":
        raise DatasetError(f"{name} must hold numbers, got an array of {array.dtype}. Convert it first.")
    if array.ndim not in (2, 3, 4):
        raise DatasetError(
            f"{name} must be (n, n_features), (n, height, width) or (n, height, width, channels), got shape "
            f"{array.shape}."
        )
    if 0 in array.shape:
        raise DatasetError(f"{name} is empty: its shape is {array.shape}.")
    if fault := channels_fault(array.shape):
        raise DatasetError(f"{name} {fault}")
    return array


def _without_gaps(
    sides: Sequence[Side], is_test: NDArray[np.bool_] | None, name: str, notes: list[str]
) -> tuple[Sequence[Side], tuple[str, ...] | None]:
    """Vectors without the rows that lack a number, and the numbers of those kept; None where none is left out."""
    gaps = [
        np.asarray(np.isnan(X).any(axis=1)) if X.ndim == 2 and X.dtype.kind == "f" else np.zeros(X.shape[:1], bool)
        for X, _ in sides
    ]
    dropped = [str(row) for gap in gaps for row in np.flatnonzero(gap)]
    if not dropped:
        return sides, None
    splits = gaps if is_test is None else [gaps[0][~is_test], gaps[0][is_test]]
    if any(len(split) and split.all() for split in splits):
        raise DatasetError(f"{name}: every row lacks a number. Leave out the columns where most are missing.")
    kept = [
        (X[~gap], y[~gap] if y is not None and len(y) == len(gap) else y)
        for (X, y), gap in zip(sides, gaps, strict=True)
    ]
    more = f" and {len(dropped) - 5:,} more" if len(dropped) > 5 else ""
    notes.append(
        f"{len(dropped):,} rows that lack a number are left out, counted from 0: {', '.join(dropped[:5])}{more}."
    )
    return kept, tuple(str(i) for gap in gaps for i in np.flatnonzero(~gap))


def check_finite(
    X: NDArray[Any], name: str, rows: NDArray[np.int64], columns: tuple[str, ...] | None = None, way: str = ""
) -> None:
    """Refuse numbers that are none, naming the first, and a way out where some of vectors are missing."""
    finite = np.isfinite(X)
    if finite.all():
        return
    row, *place = (int(i) for i in np.unravel_index(int(np.argmin(finite)), X.shape))
    value = X[(row, *place)]
    where = f"pixel {tuple(place[:2])}" if X.ndim > 2 else f"column {(columns or range(X.shape[1]))[place[0]]!r}"
    way = way if X.ndim == 2 and np.isnan(value) else ""
    raise DatasetError(f"{name} has {value} in row {rows[row]:,}, {where}. Fill it in or leave the row out.{way}")


def _scale(images: NDArray[Any], pixels: tuple[float, float], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Images whose black and white are these pixels, as bytes or as floats from 0 to 1."""
    if images.dtype == dtype == np.uint8 and pixels == (0.0, 255.0):
        return images
    black, white = pixels
    scaled = np.subtract(images, black, dtype=np.float64)
    if dtype == np.uint8:
        scaled *= 255 / (white - black)
        scaled = np.clip(np.round(scaled), 0, 255)
    else:
        scaled /= white - black
    return cast("NDArray[Any]", scaled.astype(dtype))


def _with_channels(X: NDArray[Any]) -> NDArray[Any]:
    """Images with their channel axis, vectors as they are."""
    return X[..., None] if X.ndim == 3 else X
