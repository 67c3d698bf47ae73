"""What analysis asks of a model, and how it walks through data without copying all of it."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from latentmap.data.dataset import Split
from latentmap.data.labels import missing_cells, of_one_type
from latentmap.data.objects import as_array, classes_of, frame_numbers, is_frame
from latentmap.data.preprocessing import Unit, measuring_unit
from latentmap.errors import words_of

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]

# The power of two up to which numbers, and down to whose inverse, float32 can square and add up.
_SQUARED = 32
CHUNK_BYTES = 16 * 2**20  # float32 working memory of one chunk: enough for fast products, small beside any data set


class Transformer(Protocol):
    """Anything that encodes samples to codes and decodes codes to samples: our estimator, PCA, yours.

    ``transform(X)`` gives codes of shape (n, latent_dim); ``inverse_transform(Z)`` gives samples in the shape and
    the units of the `X` it was fitted on.
    """

    def transform(self, X: Any) -> Any:
        """Return one code per sample of `X`, shape (n, latent_dim)."""

    def inverse_transform(self, Z: Any) -> Any:
        """Return one sample per code, in the shape and units of the training data."""


class Brief:
    """A result whose repr gives the shapes of arrays instead of their numbers."""

    def __repr__(self) -> str:
        facts = ", ".join(f"{one.name}={_brief(getattr(self, one.name))}" for one in fields(self))  # type: ignore[arg-type]
        return f"{type(self).__name__}({facts})"


def _brief(value: object) -> str:
    """Arrays by type and shape, also inside dicts, tuples and lists."""
    if isinstance(value, np.ndarray):
        return f"<{value.dtype} {value.shape}>"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {_brief(one)}" for key, one in value.items()) + "}"
    if isinstance(value, tuple | list) and any(isinstance(one, np.ndarray) for one in value):
        return "[" + ", ".join(_brief(one) for one in value) + "]"
    return f"{value:.4g}" if isinstance(value, float) else repr(value)


def as_samples(
    X: Any, name: str = "X", *, least: int = 1, n: int | None = None, shape: tuple[int, ...] | None = None
) -> NDArray[Any]:
    """Samples or codes as an array of finite numbers, `n` of them, of as many values as `shape`; or what is wrong."""
    if is_frame(X):
        array = frame_numbers(X)[1]
    else:
        try:
            array = np.asarray(as_array(X))
            array = array.astype(np.float64) if array.dtype.kind == "O" else array
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{name} must be an array of numbers, got {type(X).__name__}: {words_of(error)}."
            ) from error
    if array.dtype.kind not in "biuf" or not array.ndim:
        raise ValueError(f"{name} must be an array of numbers, got {array.dtype} of shape {array.shape}.")
    array = array[:, None] if array.ndim == 1 else array
    if len(array) < least or 0 in array.shape[1:]:
        raise ValueError(f"{name} must hold at least one sample of one number, got shape {array.shape}.")
    if n is not None and len(array) != n:
        raise ValueError(f"{name} must have a row for each of the {n:,} samples, got {len(array):,}.")
    if shape is not None and np.prod(array.shape[1:]) != np.prod(shape):
        raise ValueError(f"{name} must be of shape (n, {', '.join(map(str, shape))}), got {array.shape}.")
    if array.dtype.kind == "f" and array.size:
        with np.errstate(invalid="ignore"):
            finite = np.isfinite(array.min()) and np.isfinite(array.max())  # no array of the size of this one
        if not finite:
            raise ValueError(f"{name} must hold finite numbers, got NaN or infinity. Fill them in, or leave them out.")
    return array


def as_labels(labels: Any, n: int, name: str = "labels") -> NDArray[Any]:
    """Labels or measurements as an array, one for each of n codes."""
    array = np.asarray(labels)
    if array.shape != (n,):
        raise ValueError(f"{name} must be one for each of {n:,} codes, got shape {array.shape}.")
    return array


def as_classes(labels: Any, n: int) -> tuple[IntArray, tuple[str, ...] | None]:
    """Labels as numbers of classes, -1 for none; where they are names, the classes' in their order."""
    given, ordered = classes_of(labels)
    array = as_labels(given, n)
    if ordered is not None:
        return array, ordered
    missing, found = missing_cells(array), np.full(n, -1, np.int64)
    values = of_one_type(array[~missing])
    if values.dtype.kind not in "biuf":
        names, found[~missing] = np.unique(values.astype(str), return_inverse=True)
        return found, tuple(names.tolist())
    if not (np.isfinite(values) & (values == np.round(values))).all():
        raise ValueError("labels must be whole numbers or names, got others. Number the classes from 0.")
    found[~missing] = values
    return found, None


def chunks(X: NDArray[Any]) -> Iterator[slice]:
    """Yield slices that cut `X` into pieces of at most `CHUNK_BYTES` as float32 (one sample at least)."""
    per_sample = 4 * max(1, int(np.prod(X.shape[1:])))
    step = max(1, CHUNK_BYTES // per_sample)
    for start in range(0, len(X), step):
        yield slice(start, min(start + step, len(X)))


class Scale:
    """What lets float32 hold rows of samples and their squares: distances and variances stay."""

    def __init__(self, X: NDArray[Any], unit: Unit | None = None) -> None:
        # The mean of vectors, which may be so far from zero that float32 would keep little else; images begin there.
        self.centre = np.asarray(X.mean(axis=0, dtype=np.float64) if X.ndim == 2 and len(X) else 0.0)
        self.unit = np.asarray(measuring_unit(X) if unit is None else unit)
        if X.dtype.itemsize >= 4 and X.size:
            farthest = np.maximum(X.max(axis=0) - self.centre, self.centre - X.min(axis=0)) / self.unit
            exponent = int(np.frexp(np.max(farthest))[1])
            if abs(exponent) > _SQUARED:
                self.unit = self.unit * 2.0**exponent

    def rows(self, X: NDArray[Any]) -> FloatArray:
        """Samples as float32 rows, shape (n, n_features), in the unit, from the centre."""
        samples = X.reshape(len(X), -1)
        rows: NDArray[np.floating] = samples - self.centre if self.centre.ndim else samples.astype(np.float32)
        rows /= self.unit.astype(rows.dtype)
        return rows.astype(np.float32, copy=False)


def drawn_rows(n: int, most: int) -> IntArray:
    """Return the rows, ascending, of at most `most` of n samples, drawn with a fixed seed."""
    # Never the first ones: stored data is often in the order of its classes.
    return np.sort(np.random.default_rng(0).permutation(n)[:most]) if n > most else np.arange(n)


def named(rows: IntArray, split: Split, class_names: Sequence[str] | None) -> tuple[str, ...]:
    """What to call those samples: by their classes, or where there are none by their rows of the source."""
    if split.labels is None:
        return tuple(map(split.called, rows))
    return tuple(class_names[label] if class_names else str(label) for label in split.labels[rows])


def encode(transformer: Transformer, X: NDArray[Any]) -> NDArray[np.floating]:
    """The codes of samples, (n, latent_dim), `as_codes`; the model cuts what is large into pieces itself."""
    return as_codes(transformer.transform(X)).reshape(len(X), -1)


def as_codes(Z: Any) -> NDArray[np.floating]:
    """Codes as float32, or float64 where the model gives that: far from zero, float32 would keep little of them."""
    codes = np.asarray(Z)
    return codes if codes.dtype == np.float64 else codes.astype(np.float32, copy=False)


def decode(transformer: Transformer, Z: NDArray[Any]) -> NDArray[np.floating]:
    """What codes stand for, (n, ...), neither rounded nor clipped: of a picture, not of a data set.

    It is float32, or float64 where the model gives that, whose samples may need its digits.
    """
    X_hat = np.asarray(transformer.inverse_transform(as_codes(Z)))
    return X_hat if X_hat.dtype == np.float64 else X_hat.astype(np.float32, copy=False)
