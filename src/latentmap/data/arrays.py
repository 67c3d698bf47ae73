"""Arrays as sources, wherever they come from.

Images come to uint8, 0 to 255, or where they have more than 8 bits to float32, 0 to 1; vectors to float32 in their own
units. What belongs here: shapes, types and units of
arrays. Their splits and where they are held are the business of ``assembly``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from latentmap.data.preprocessing import CHANNELS, find_levels
from latentmap.data.readers import Chunk, Known, Reader
from latentmap.data.reading import Reading, Wishes
from latentmap.data.regions import file_region
from latentmap.data.resize import crop_images, pad_images, resize_images
from latentmap.errors import DatasetError

_CHUNK_BYTES = 16 * 2**20
NO_LABEL = "(no label)"
_GREY = np.array([0.299, 0.587, 0.114], np.float32)  # of red, green and blue, as Pillow weighs them (ITU-R 601)


@dataclass(frozen=True, eq=False)
class Parts:
    """Arrays of a source: samples and classes, and those of a test split where there is one."""

    X: NDArray[Any]
    y: NDArray[Any] | None = None
    X_test: NDArray[Any] | None = None
    y_test: NDArray[Any] | None = None


class ArrayReader(Reader):
    """Samples held in arrays or mapped from a file, brought to one type and size when they are read.

    Parameters
    ----------
    name : str
        What people call the data.
    parts : Parts
        The arrays.
    wishes : Wishes
        What the user asked for.
    columns : tuple of str, optional
        The names of the features of vectors.
    class_names : tuple of str, optional
        The names of the classes, where `parts.y` holds their numbers.
    content : str, optional
        Changes when the arrays do; without it they are held in memory, where they are already.
    """

    def __init__(
        self,
        name: str,
        parts: Parts,
        wishes: Wishes,
        *,
        columns: tuple[str, ...] | None = None,
        class_names: tuple[str, ...] | None = None,
        content: str = "",
    ) -> None:
        missing = wishes.missing or (wishes.reading.missing if wishes.reading else None)
        notes: list[str] = []
        rows = None
        if missing == "drop":
            parts, rows = _without_gaps(parts, name, notes)
        self._arrays = [check_samples(X, name) for X in (parts.X, parts.X_test) if X is not None]
        self._content = content
        self._wishes = wishes
        shapes = {X.shape[1:] for X in self._arrays}
        if len(shapes) > 1:
            raise DatasetError(f"{name}: training and test samples must have one shape, got {sorted(shapes)}.")
        counts = [len(X) for X in self._arrays]
        is_test = None if len(counts) == 1 else np.repeat([False, True], counts)
        labels, names = number_classes([parts.y, parts.y_test], counts, name, class_names, notes=notes)
        self.known = Known(name, sum(counts), labels, names, is_test, rows, notes=notes)
        first = self._arrays[0]
        self._pixels = (0.0, 255.0)  # black and white
        if first.ndim == 2:
            known = wishes.reading
            self.reading = Reading(columns=columns, missing=missing, means=known.means if known else None)
            if missing == "mean":
                _check_means(self.reading.means, first.shape[1], name, wishes)
            if wishes.reading is not None and wishes.reading.is_images:
                raise DatasetError(f"{name} holds vectors of {first.shape[1]} numbers; images were wanted.")
            self.sample_shape, self.dtype = first.shape[1:], np.float32
            return
        chosen = wishes.choose({first.shape[1:3]: len(first)}, grey=_channels(first) == 1, notes=self.known.notes)
        if wishes.reading is None and wishes.color is None:
            chosen = replace(chosen, channels=_channels(first))
        dtype = np.result_type(*(X.dtype for X in self._arrays))
        levels = (
            (0.0, 255.0, 1.0)
            if dtype == np.uint8
            else find_levels(samples for X in self._arrays for _, samples in _pieces(X, np.arange(len(X))))
        )
        self.reading, self._pixels = wishes.choose_range(chosen, dtype, levels, self.known.notes)
        self.sample_shape, self.dtype = self.reading.shape, self.reading.pixel_type

    @property
    def ready(self) -> NDArray[Any] | None:
        """The samples as they are, where nothing needs to be done to them and they are one array."""
        X = self._arrays[0]
        as_wanted = X.dtype == self.dtype and (X.ndim == 2 or (_with_channels(X).shape[1:] == self.sample_shape))
        whole = X.ndim == 2 or self._pixels == (0.0, 255.0)
        return _with_channels(X) if len(self._arrays) == 1 and as_wanted and whole else None

    def fingerprint(self) -> str | None:
        """Return what changes when the content or its reading do."""
        return f"{self._content} {self.reading} {self._pixels}" if self._content else None

    def read(self, rows: NDArray[np.int64]) -> Iterator[Chunk]:
        """Yield the samples at these rows."""
        first = 0
        for X in self._arrays:
            inside = rows[(rows >= first) & (rows < first + len(X))] - first
            for piece, samples in _pieces(X, inside):
                yield Chunk(piece + first, self._bring(samples, piece + first))
            first += len(X)

    def settle(self, rows: NDArray[np.int64]) -> None:
        """Take from the training samples, which are at these rows, the means to put in for missing numbers."""
        if self.reading.missing != "mean":
            return
        gaps = [np.isnan(X) for X in self._arrays]
        n_gaps = sum(int(gap.sum()) for gap in gaps)
        if n_gaps:
            self.known.notes.append(f"{n_gaps:,} missing numbers are filled with the means of the training samples.")
        if self.reading.means is not None:
            return
        there = ~gaps[0][rows]
        counts = there.sum(axis=0)
        if not counts.all():
            place = int(np.argmin(counts))
            column = repr(self.reading.columns[place]) if self.reading.columns else str(place)
            raise DatasetError(
                f"{self.known.name}: column {column} has no value in the training split, so that it has no mean. "
                "Leave it out."
            )
        means = np.sum(self._arrays[0][rows], axis=0, dtype=np.float64, where=there) / counts
        self.reading = replace(self.reading, means=tuple(means.tolist()))

    def _bring(self, samples: NDArray[Any], names: NDArray[np.int64]) -> NDArray[Any]:
        """Some samples as the dataset has them."""
        if self.reading.means is not None:
            samples = np.where(np.isnan(samples), self.reading.means, samples)
        if samples.dtype.kind == "f":
            check_finite(samples, self.known.name, names, self.reading.columns)
        if samples.ndim == 2:
            with np.errstate(over="ignore"):
                vectors = samples.astype(np.float32)
            check_finite(vectors, self.known.name, names, self.reading.columns)
            return vectors
        return bring_images(_scale(_with_channels(samples), self._pixels, self.dtype), self.reading)


def _pieces(X: NDArray[Any], rows: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], NDArray[Any]]]:
    """The samples at ascending rows in pieces, with the rows of each."""
    step = max(1, _CHUNK_BYTES // (4 * int(np.prod(X.shape[1:]))))
    region = file_region(X)
    for start in range(0, len(rows), step):
        piece = rows[start : start + step]
        # Read, not touched through the map: a large file would stay in memory as it is gone through.
        spread = int(piece[-1]) + 1 - int(piece[0])
        if region is not None and spread <= 4 * len(piece):
            yield piece, region.read(int(piece[0]), int(piece[0]) + spread)[piece - piece[0]]
        else:
            yield piece, X[piece]


def check_samples(X: Any, name: str) -> NDArray[Any]:
    """Return an array of numbers with the shape of vectors or images, or say what is wrong with it.

    Raises
    ------
    DatasetError
        If it is empty, of objects or text, or of a shape that is neither.
    """
    array = cast("NDArray[Any]", X if isinstance(X, np.ndarray) else np.asarray(X))
    if array.dtype.kind not in "buif":
        raise DatasetError(f"{name} must hold numbers, got an array of {array.dtype}. Convert it first.")
    if array.ndim not in (2, 3, 4):
        raise DatasetError(
            f"{name} must be (n, n_features), (n, height, width) or (n, height, width, channels), got shape "
            f"{array.shape}."
        )
    if 0 in array.shape:
        raise DatasetError(f"{name} is empty: its shape is {array.shape}.")
    if array.ndim == 4 and array.shape[3] not in CHANNELS:
        way = " Move the channels to the end: X.transpose(0, 2, 3, 1)." if array.shape[1] in CHANNELS else ""
        raise DatasetError(f"{name} must have 1, 3 or 4 channels in its last axis, got shape {array.shape}.{way}")
    return array


def _without_gaps(parts: Parts, name: str, notes: list[str]) -> tuple[Parts, tuple[str, ...] | None]:
    """Vectors without the rows that lack a number, and the numbers of those kept; None where none is left out."""
    sides = [(parts.X, parts.y), *([] if parts.X_test is None else [(parts.X_test, parts.y_test)])]
    gaps = [
        np.asarray(np.isnan(X).any(axis=1)) if X.ndim == 2 and X.dtype.kind == "f" else np.zeros(X.shape[:1], bool)
        for X, _ in sides
    ]
    dropped = [str(row) for gap in gaps for row in np.flatnonzero(gap)]
    if not dropped:
        return parts, None
    if any(gap.all() for gap in gaps):
        raise DatasetError(f"{name}: every row lacks a number. Leave out the columns where most are missing.")
    kept = [
        (X[~gap], y[~gap] if y is not None and len(y) == len(gap) else y)
        for (X, y), gap in zip(sides, gaps, strict=True)
    ]
    more = f" and {len(dropped) - 5:,} more" if len(dropped) > 5 else ""
    notes.append(
        f"{len(dropped):,} rows that lack a number are left out, counted from 0: {', '.join(dropped[:5])}{more}."
    )
    return Parts(*kept[0], *(kept[1] if len(kept) > 1 else ())), tuple(
        str(i) for gap in gaps for i in np.flatnonzero(~gap)
    )


def _check_means(means: Sequence[float] | None, n_features: int, name: str, wishes: Wishes) -> None:
    """Refuse to fill in what a model does not know the means of."""
    if wishes.reading is not None and means is None:
        raise DatasetError(f"{name}: the model keeps no means to fill in. Fit it with missing='mean'.")
    if means is not None and len(means) != n_features:
        raise DatasetError(f"{name} holds vectors of {n_features} numbers; the model was fitted on {len(means)}.")


def check_finite(X: NDArray[Any], name: str, rows: NDArray[np.int64], columns: tuple[str, ...] | None = None) -> None:
    """Refuse numbers that are none, naming the first.

    Raises
    ------
    DatasetError
        If `X` holds NaN or infinity.
    """
    finite = np.isfinite(X.reshape(len(X), -1))
    if finite.all():
        return
    row, column = np.unravel_index(int(np.argmin(finite)), finite.shape)
    value = X.reshape(len(X), -1)[row, column]
    where = f"column {columns[column]!r}" if columns else f"column {column}"
    if X.ndim > 2:
        where = f"pixel {tuple(int(i) for i in np.unravel_index(column, X.shape[1:3]))}"
    way = " Of vectors --missing drop and --missing mean do so." if X.ndim == 2 and np.isnan(value) else ""
    raise DatasetError(f"{name} has {value} in row {rows[row]:,}, {where}. Fill it in or leave the row out.{way}")


def bring_images(images: NDArray[Any], reading: Reading) -> NDArray[Any]:
    """Return images in the channels and the size that a reading wants.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, height, width, channels)
        With 1, 3 or 4 channels.
    reading : Reading
        What is wanted.

    Returns
    -------
    ndarray of the same type, shape (n, *reading.shape)
    """
    height, width, channels = reading.shape
    images = _in_channels(images, channels)
    if images.shape[1:3] != (height, width):
        if reading.fit == "crop":
            images = crop_images(images, height, width)
        elif reading.fit == "pad":
            images = pad_images(images, height, width)
    return resize_images(images, height, width)


def _in_channels(images: NDArray[Any], channels: int) -> NDArray[Any]:
    """Images with so many channels: opacity is laid on white, colours are weighed for grey."""
    if images.shape[3] == channels:
        return images
    in_bytes = images.dtype == np.uint8
    white = 255 if in_bytes else 1
    if images.shape[3] == 4:
        opacity = images[..., 3:].astype(np.float32) / white
        images = images[..., :3] * opacity + white * (1 - opacity)
        images = np.round(images).astype(np.uint8) if in_bytes else images
    if channels == 1:
        if images.shape[3] == 1:
            return images
        grey = (images @ _GREY)[..., None]
        return np.round(grey).astype(np.uint8) if in_bytes else grey
    colour = np.repeat(images, 3, axis=3) if images.shape[3] == 1 else images
    return colour if channels == 3 else np.concatenate([colour, np.full_like(colour[..., :1], white)], axis=3)


def _scale(images: NDArray[Any], pixels: tuple[float, float], dtype: type[np.generic]) -> NDArray[Any]:
    """Images whose black and white are these pixels, as bytes or as floats from 0 to 1."""
    if images.dtype == dtype == np.uint8 and pixels == (0.0, 255.0):
        return images
    black, white = pixels
    scaled = np.subtract(images, black, dtype=np.float64)
    if dtype is np.uint8:
        scaled *= 255 / (white - black)
        scaled = np.clip(np.round(scaled), 0, 255)
    else:
        scaled /= white - black
    return cast("NDArray[Any]", scaled.astype(dtype))


def _channels(X: NDArray[Any]) -> int:
    """How many channels images have."""
    return 1 if X.ndim == 3 else int(X.shape[3])


def _with_channels(X: NDArray[Any]) -> NDArray[Any]:
    """Images with their channel axis, vectors as they are."""
    return X[..., None] if X.ndim == 3 else X


def number_classes(
    parts: Sequence[NDArray[Any] | None],
    counts: list[int],
    name: str,
    class_names: tuple[str, ...] | None = None,
    *,
    notes: list[str],
    is_test: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.int64] | None, tuple[str, ...] | None]:
    """Number the classes of all samples from 0, and name them; -1 throughout a split whose labels are all hidden.

    None, NaN and empty text are hidden labels, and -1 is where the classes have names: a plain -1 may well be a class.
    """
    labels = _all_labels(parts[: len(counts)], counts, name)
    if labels is None:
        return None, None
    if is_test is None:
        is_test = np.repeat([False, True], counts) if len(counts) == 2 else np.zeros(len(labels), bool)
    splits = {"training": ~is_test, "test": is_test}
    hidden = missing_cells(labels)
    values = np.asarray(labels[~hidden].tolist()) if labels.dtype.kind == "O" else labels[~hidden]
    if values.dtype.kind in "if":
        minus = np.asarray(labels == -1)
        for rows in splits.values():
            if class_names is not None or minus[rows & ~hidden].all():
                hidden |= rows & minus
        values = labels[~hidden].astype(values.dtype)
    if hidden.all():
        notes.append("every label is hidden (-1 or missing): the samples have none.")
        return None, None
    numbers = np.full(len(labels), -1, np.int64)
    numbers[~hidden], names = _numbered(values, np.flatnonzero(~hidden), name, class_names)
    for split, rows in splits.items():
        if rows.any() and hidden[rows].all():
            notes.append(f"every label of the {split} split is hidden (-1 or missing): it has none.")
            hidden &= ~rows
    if hidden.any():
        notes.append(
            f"{hidden.sum():,} of {len(labels):,} samples have no label (-1 or missing): their class is {NO_LABEL!r}."
        )
        numbers[hidden] = len(names)
        names = (*names, NO_LABEL)
    return numbers, names


def _all_labels(parts: Sequence[NDArray[Any] | None], counts: list[int], name: str) -> NDArray[Any] | None:
    """The labels of all splits, one for each sample; None where no split has any."""
    if all(labels is None for labels in parts):
        return None
    found = []
    for labels, count in zip(parts, counts, strict=True):
        flat = None if labels is None else np.asarray(labels).reshape(-1)
        if flat is None or len(flat) != count:
            n = "no" if flat is None else f"{len(flat):,}"
            raise DatasetError(
                f"{name}: samples and labels must be of the same length, got {count:,} samples and {n} labels."
            )
        found.append(flat)
    return np.concatenate(found)


def missing_cells(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Which of some labels, or cells of a table, are no values at all."""
    if values.dtype.kind == "O":
        empty = [value is None or str(value) in ("", "nan", "<NA>", "NaT") for value in values]
        return np.array(empty, bool)
    if values.dtype.kind == "f":
        return np.asarray(np.isnan(values))
    return np.asarray(values == "") if values.dtype.kind == "U" else np.zeros(len(values), bool)


def _numbered(
    values: NDArray[Any], rows: NDArray[np.int64], name: str, class_names: tuple[str, ...] | None
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Labels as numbers of classes, and the names of these: those given, else the values in order."""
    if class_names is not None and values.dtype.kind in "biuf":
        wrong = ~np.isin(values, np.arange(len(class_names)))
        if wrong.any():
            first = int(np.argmax(wrong))
            raise DatasetError(
                f"{name}: labels must be whole numbers from 0 to {len(class_names) - 1}, since there are "
                f"{len(class_names):,} names of classes, got {values[first]} in row {rows[first]:,}. Mend it."
            )
        return values.astype(np.int64), class_names
    if values.dtype.kind == "f":
        check_finite(values[:, None], f"{name}: the labels", rows)
    found, numbers = np.unique(values.astype(str) if values.dtype.kind == "O" else values, return_inverse=True)
    if values.dtype.kind == "f" and (found == found.round()).all():
        found = found.astype(np.int64)
    return numbers.astype(np.int64), tuple(str(value) for value in found)
