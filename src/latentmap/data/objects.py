"""What Python holds: arrays, tensors, frames and PyTorch's datasets as sources; checks of an estimator's input."""

import contextlib
import datetime
import decimal
import numbers
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from sklearn.base import BaseEstimator
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from latentmap.data.arrays import LARGEST, read_arrays
from latentmap.data.cache import file_region, file_state
from latentmap.data.codes import code_names
from latentmap.data.dataset import Split
from latentmap.data.images import read_encoded
from latentmap.data.labels import Classes, in_order, missing_cells, number_classes
from latentmap.data.preprocessing import Preprocessing, channels_fault, channels_last, pixel_range, range_mismatch
from latentmap.data.source import ReadOptions, Samples
from latentmap.data.tables import Kind, Table, check_names, describe_others, listed, read_table
from latentmap.errors import DatasetError, warn

_NO_CLASS = object()
DENSE_IN_PIPELINES = "In pipelines: OneHotEncoder(sparse_output=False), ColumnTransformer(..., sparse_threshold=0)."
_FEWEST, _LOOKED_AT, _FAR = 16, 1024, 20  # vectors, and standard deviations that half of all numbers are away
_LARGEST_INPUT = 1e15  # the same in float32, in which networks compute


def read_object(source: Any, labels: ArrayLike | None, options: ReadOptions) -> Samples:
    """Return the samples of an array, a tensor or a data frame."""
    classes = None if labels is None else classes_of(labels)
    check_rows(source, labels)
    if is_frame(source):
        return _read_frame(source, classes, options)
    y, names = classes or (None, None)
    source = as_array(source)
    if hasattr(source, "toarray"):
        raise DatasetError("the data is sparse, which networks can't take. Pass source.toarray().")
    try:
        X = np.asarray(source)
    except ValueError as error:  # rows of different lengths
        raise DatasetError(f"the data must be an array of numbers, got {type(source).__name__}: {error}.") from error
    region = file_region(X)
    content = f"{file_state(Path(region.path))} {region}" if region is not None else ""
    return read_arrays("the data", [(X, y)], options, class_names=names, content=content)


def check_rows(X: Any, y: Any) -> None:
    """Refuse labels of pandas whose index names the same rows in another order."""
    ours: Any = getattr(X, "index", None)
    theirs: Any = getattr(y, "index", None)
    if not (hasattr(ours, "equals") and hasattr(theirs, "equals")) or ours.equals(theirs):
        return
    if ours.nlevels != theirs.nlevels:
        return
    if ours.is_unique and len(ours) == len(theirs) and ours.isin(theirs).all():
        raise ValueError(
            "the labels have the rows of the samples in another order. Bring them to it: labels.loc[samples.index]; "
            "or pass labels.to_numpy() if their places count."
        )


def _read_frame(frame: Any, classes: Classes | None, options: ReadOptions) -> Samples:
    """The samples of a data frame."""
    columns = _columns(frame)

    def take(wanted: Sequence[str]) -> NDArray[np.float64]:
        return np.column_stack([np.empty((len(frame), 0)), *(as_numbers(columns[name]) for name in wanted)])

    kinds = {name: kind_of_values(values) for name, values in columns.items()}
    own = dict(zip(columns, _names(frame), strict=True))  # which need not be texts
    table = Table("the data", "the data frame", kinds, take, lambda name: classes_of(frame[own[name]]))
    return read_table(table, options, classes)


def classes_of(column: Any) -> Classes:
    """Labels; of an ordered Categorical the places of its values in its order, -1 for none, and its names."""
    if str(getattr(column, "type", "")).startswith("dictionary"):  # of Arrow, whose arrays forget what is missing
        return in_order(getattr(column, "chunks", [column]))
    if not getattr(getattr(column, "dtype", None), "ordered", False):
        return np.asarray(column), None
    ordered = getattr(column, "cat", column).remove_unused_categories()
    ordered = getattr(ordered, "cat", ordered)
    return np.asarray(ordered.codes, np.int64), tuple(map(str, ordered.categories))


def kind_of_values(values: NDArray[Any]) -> Kind:
    """What a column of a data frame holds."""
    if values.dtype.kind in "buif":
        return "number"
    if values.dtype.kind != "O":
        return "date" if values.dtype.kind in "mM" else "text"
    found = {type(value) for value in values[~missing_cells(values)]}
    if all(issubclass(one, (numbers.Real, np.bool_, decimal.Decimal)) for one in found):
        return "number" if found else "empty"
    return "date" if all(issubclass(one, (datetime.date, datetime.time)) for one in found) else "text"


def as_numbers(values: NDArray[Any]) -> NDArray[np.float64]:
    """A column of a data frame as numbers; NaN where there is no value."""
    if values.dtype.kind == "O":
        values = np.where(missing_cells(values), np.nan, values)
    return values.astype(np.float64)


def is_frame(X: Any) -> bool:
    """Whether something is a data frame, or a table of Arrow."""
    if type(X).__name__ == "LazyFrame":
        raise TypeError("the data must be in memory, got a LazyFrame. Pass its collect().")
    return hasattr(X, "columns") and (hasattr(X, "dtypes") or hasattr(X, "column_names"))


def _names(frame: Any) -> list[Any]:
    """The names of a frame's columns, of whatever type they are."""
    return list(getattr(frame, "column_names", frame.columns))


def names_of_fit(model: Any) -> list[str] | None:
    """The columns that a model was fitted on: those of a data frame, or of a table that the command line read."""
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        reading = (getattr(model, "metadata_", None) or {}).get("reading")
        names = reading.get("columns") if isinstance(reading, dict) else None
    return None if names is None else [str(name) for name in names]


def _columns(frame: Any) -> dict[str, NDArray[Any]]:
    """The columns of a data frame by their names."""
    check_names(map(str, _names(frame)), "the data frame")
    return {str(name): np.asarray(frame[name]) for name in _names(frame)}


def frame_numbers(frame: Any, names: Sequence[str] | None = None) -> tuple[tuple[str, ...], NDArray[Any]]:
    """Columns of a data frame and their numbers: those of these names, in whatever order they stand there, or all."""
    columns = _columns(frame)
    names = tuple(columns if names is None else map(str, names))
    if lacking := [name for name in names if name not in columns]:
        raise ValueError(f"X lacks the column(s) {listed(lacking)}, which fit saw.")
    kinds = {name: kind_of_values(columns[name]) for name in names}
    if others := describe_others(kinds):
        raise ValueError(f"X must hold numbers, got {'; '.join(others)}. Leave them out.")
    # In the type that they have in common, as models saw them.
    numbers = [columns[name] if columns[name].dtype.kind in "buif" else as_numbers(columns[name]) for name in names]
    return names, np.column_stack(numbers)


def is_torch_dataset(source: Any) -> bool:
    """Return whether this is a ``torch.utils.data.Dataset`` of known length."""
    if "torch" not in sys.modules:  # then nobody has made one
        return False
    from torch.utils.data import Dataset

    return isinstance(source, Dataset) and hasattr(source, "__len__")


def read_torch_dataset(source: Any, options: ReadOptions) -> Samples:
    """Return the samples of a PyTorch dataset of images or vectors, alone or with their classes."""
    name = type(source).__name__
    n = len(source)
    if not n:
        raise DatasetError(f"{name} is empty.")
    classes = getattr(source, "classes", None)
    class_names = tuple(map(str, classes)) if isinstance(classes, (list, tuple)) else None
    notes: list[str] = []
    labels: dict[int, Any] = {}
    held: dict[int, Any] = {}
    room = options.budget // 2

    def fetch(row: int) -> Any:
        """The sample of a row; its label is noted. What fits in memory is asked for once."""
        nonlocal room
        if row in held:
            return held[row]
        item = source[row]
        x, *rest = item if isinstance(item, (tuple, list)) else (item,)
        if row not in labels:
            labels[row] = _as_label(rest[0]) if rest else None
            size = _load(x) if isinstance(x, Image.Image) else 0
            if size and size <= room:
                held[row] = x
                room -= size
        return x

    first = fetch(0)
    if isinstance(first, Image.Image):
        images = read_encoded(name, n, fetch, options)  # which asks for each item, and so for its label
        notes += images.info.notes
        given = _labels(labels, notes)
        numbers, names = number_classes(given, name, class_names, notes=notes, measure=options.known.measured)
        images.info = replace(images.info, labels=numbers, class_names=names, notes=tuple(notes))
        return images
    samples = [first, *map(fetch, range(1, n))]
    arrays = [np.asarray(as_array(x)) for x in samples]
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise DatasetError(f"{name} must give samples of one shape, got {sorted(shapes)[:3]}. Resize them.")
    y = _labels(labels, notes)
    X = np.stack(arrays)
    X = channels_last(X) if hasattr(first, "detach") else X
    return read_arrays(name, [(X, y)], options, class_names=class_names, notes=notes)


def _load(image: Image.Image) -> int:
    """Read an image that waits in a file, which then need not stay open; how many bytes it takes, 0 if damaged."""
    try:
        image.load()
    except Exception:  # its reader names it, and the reason
        return 0
    return image.width * image.height * len(image.getbands())


def _as_label(y: Any) -> Any:
    """A label as Python has it; `_NO_CLASS` where it is none that can name a class, such as a mask."""
    with contextlib.suppress(AttributeError, ValueError, RuntimeError):
        y = y.item()  # of a tensor, or of NumPy
    return y if y is None or isinstance(y, (str, int, float)) else _NO_CLASS


def _labels(found: dict[int, Any], notes: list[str]) -> Any:
    """The labels of all rows in order; None where there are none, or none that name classes."""
    values = [found[row] for row in sorted(found)]
    if any(value is _NO_CLASS for value in values):
        notes.append("what the data set gives beside its samples are neither numbers nor names: no classes.")
        return None
    return None if all(value is None for value in values) else np.array(values, object)


# ---- the X and Z of an estimator -----------------------------------------------------------------------------------


def check_input(estimator: BaseEstimator, X: ArrayLike, known: Preprocessing | None = None) -> NDArray[Any]:
    """Return the `X` of an estimator as an array that `known` takes, or say what is wrong.

    Without `known`, `X` is what the estimator is fitted to, and its numbers and names of features are noted there.
    """
    X = _columns_of_fit(estimator, as_input(X), known)
    _refuse_sources(X)
    try:
        n_dims = len(X.shape) if hasattr(X, "shape") else np.asarray(X).ndim
    except ValueError as error:  # NumPy's is of inhomogeneous shapes
        raise ValueError("X must be samples of one shape, got several. Bring them to one size first.") from error
    is_images = n_dims in (3, 4)
    if known is not None and known.is_images and not is_images:
        raise ValueError(f"X must be images of shape {known.sample_shape}, as in fit.")
    try:
        if is_images:
            samples = _check_images(np.asarray(X), known)
        else:
            given = {"reset": known is None, "ensure_min_samples": 2 if known is None else 1}
            with np.errstate(over="ignore", invalid="ignore"):  # scikit-learn adds all numbers up
                samples = np.asarray(validate_data(estimator, X, dtype=[np.float64, np.float32], **given))
    except (ValueError, TypeError) as error:
        raise _in_one_line(_name_first_gap(error, X)) from error
    _check_size(samples, known)
    if known is None and is_images:
        estimator.n_features_in_ = int(np.prod(samples.shape[1:]))
        vars(estimator).pop("feature_names_in_", None)
    if known is not None and is_images:
        _check_units(samples, known)
    elif known is not None:
        _check_place(samples, known, names_of_fit(estimator))
    return samples


def _refuse_sources(X: Any) -> None:
    """Say how samples come from what holds them."""
    source = isinstance(X, str) or is_torch_dataset(X)
    is_dataset = hasattr(X, "train") and hasattr(X, "test") and not is_frame(X)
    if source or is_dataset or isinstance(X, Split):
        read = "Read it by load_dataset, and pass" if source else "Pass"
        its = "X" if isinstance(X, Split) else "train.X"
        raise TypeError(f"X must be an array of samples, got {type(X).__name__}. {read} its {its}.")


def _columns_of_fit(estimator: BaseEstimator, X: Any, known: Preprocessing | None) -> Any:
    """Of a data frame the columns by which the command line, which passes arrays, fitted a model."""
    if known is None or not is_frame(X) or hasattr(estimator, "feature_names_in_"):
        return X
    columns = names_of_fit(estimator)
    return frame_numbers(X, columns)[1] if columns else X


def check_codes(Z: ArrayLike, latent_dim: int) -> NDArray[np.float32]:
    """Return the `Z` of an estimator as an array, or say what is wrong; a frame's columns are taken by their names."""
    names = code_names(latent_dim)
    if is_frame(Z) and set(names) <= set(_columns(Z)):
        Z = frame_numbers(Z, names)[1]
    try:
        # PyTorch takes neither flipped nor (without a warning) read-only memory.
        codes: NDArray[np.float32] = check_array(
            as_array(Z), dtype=np.float32, order="C", force_writeable=True, input_name="Z"
        )
    except (ValueError, TypeError) as error:
        raise _in_one_line(error) from error
    if codes.shape[1] != latent_dim:
        raise ValueError(f"Z must have {latent_dim} columns (latent_dim), got {codes.shape[1]}.")
    return codes


def as_input(X: Any) -> Any:
    """What `as_array` gives, of float16 as float32: scikit-learn would make float64 of it."""
    X = as_array(X)
    return X.astype(np.float32) if isinstance(X, np.ndarray) and X.dtype == np.float16 else X


def as_array(X: Any) -> Any:
    """A tensor of PyTorch, of any layout and precision, as an array, images with channels last; the masked as NaN."""
    if isinstance(X, np.ma.MaskedArray):
        return np.ma.filled(X.astype(np.float64), np.nan) if X.mask.any() else X.data
    torch = sys.modules.get("torch")  # without it nobody has made a tensor
    if torch is None or not isinstance(X, torch.Tensor):
        return X
    X = X.detach().cpu()
    X = X if X.layout == torch.strided else X.to_dense()
    return channels_last((X.float() if X.dtype in (torch.bfloat16, torch.float16) else X).numpy())


def _check_images(images: NDArray[Any], known: Preprocessing | None) -> NDArray[Any]:
    """Return images as an array of the shape that `known` was fitted to."""
    if 0 in images.shape:
        raise ValueError(f"X must hold at least one image of at least one pixel, got shape {images.shape}.")
    if fault := channels_fault(images.shape):
        raise ValueError(f"X {fault}")
    if images.dtype.kind not in "biu":
        images = check_array(
            images, dtype=[np.float64, np.float32], allow_nd=True, ensure_min_samples=1, input_name="X"
        )
    if known is None:
        if len(images) < 2:
            raise ValueError(f"X must hold at least 2 samples to learn from, got {len(images)} sample.")
        return images
    if not known.is_images:
        raise ValueError(f"X must be vectors of {known.n_values} features, as in fit, got shape {images.shape}.")
    wanted = known.sample_shape
    if images.shape[1:] != wanted:
        if (*images.shape[1:], 1)[:3] != (*wanted, 1)[:3]:  # grey images may lack the axis of channels
            raise ValueError(f"X must be samples of shape {wanted}, as in fit, got {images.shape[1:]}.")
        images = images.reshape(-1, *wanted)
    return images


def _name_first_gap(error: Exception, X: Any) -> Exception:
    """Say where samples hold no numbers, where an error of scikit-learn's does not; other errors stay as they are."""
    names = None
    if is_frame(X):
        columns = {name: np.asarray(X[name]) for name in _names(X)}
        others = describe_others({str(name): kind_of_values(values) for name, values in columns.items()})
        if others:
            return ValueError(
                f"X must hold numbers, got {'; '.join(others)}. Leave them out, or read X by load_dataset, which "
                "passes over them."
            )
        names, X = list(columns), np.column_stack([as_numbers(values) for values in columns.values()])
    if "Sparse data" in str(error):
        return TypeError(f"{error} {DENSE_IN_PIPELINES}")
    if "NaN" not in str(error) and "infinity" not in str(error):
        return error
    try:
        finite = np.isfinite(np.asarray(X, dtype=np.float64))
    except (TypeError, ValueError):
        return error
    if finite.ndim < 2 or finite.all():
        return error
    row, *place = (int(i) for i in np.argwhere(~finite)[0])
    where = (
        f"pixel {tuple(place[:2])}" if place[1:] else f"column {place[0] if names is None else repr(names[place[0]])}"
    )
    first = " ".join(str(error).splitlines()[0].split()).rstrip(".")
    what = "image" if place[1:] else "row"
    return ValueError(f"{first}. The first is in {what} {row}, {where}. Fill it in, or leave the {what} out.")


def _check_units(images: NDArray[Any], known: Preprocessing) -> None:
    """Refuse uint8 where fit saw floats from 0 to 1; warn of images that are in other units than those of fit."""
    if images.dtype == np.uint8 and known.is_raw:
        return
    black, white = known.pixel_range
    if images.dtype == np.uint8 and white <= 1:
        way = "Divide it by 255." if black == 0 else "Bring it to that range."
        raise ValueError(f"X must be in the units that fit saw, floats from {black:g} to {white:g}, got uint8. {way}")
    extremes = float(images.min()), float(images.max())
    fault = range_mismatch((black, white), images.dtype, *extremes)
    if fault:
        way = "Bring X to the range of fit."
        if (black, white) == (0, 255) and extremes[1] <= 1:
            way = "Multiply X by 255."
        elif (black, white) == (0, 1) and pixel_range(images.dtype, *extremes) == (0, 255):
            way = "Divide X by 255."
        warn(f"X must be in the units that fit saw, {fault} {way}")


def _check_place(vectors: NDArray[Any], known: Preprocessing, names: list[str] | None) -> None:
    """Warn of vectors that lie far outside of what fit saw: in other units, most likely."""
    if len(vectors) < _FEWEST:  # a few may well be what is looked for: anomalies
        return
    some = vectors[:: -(-len(vectors) // _LOOKED_AT)]
    away = np.median(np.abs((some - known.offset) / known.scale), axis=0)
    far = np.flatnonzero(away > _FAR)
    if len(far):
        column = repr(names[far[0]]) if names else str(far[0])
        which = "numbers" if len(far) == len(away) else f"numbers in column {column}"
        more = f" (and in {len(far) - 1:,} more)" if 1 < len(far) < len(away) else ""
        # How far is not told: of one fault in many pieces Python then shows one warning.
        warn(
            f"X must be in the units that fit saw, got {which} more than {_FAR} standard deviations away{more}: "
            "codes of what lies far outside mean nothing. Bring X to the units of fit, or fit anew."
        )


def _check_size(samples: NDArray[Any], known: Preprocessing | None) -> None:
    """Refuse numbers that are too large to compute with."""
    if samples.dtype.kind != "f":
        return
    low, high = samples.min(axis=0), samples.max(axis=0)
    fits = max(-float(low.min()), float(high.max())) <= LARGEST
    if fits and known is not None:
        most = _LARGEST_INPUT * known.scale
        fits = bool((high - known.offset <= most).all() and (low - known.offset >= -most).all())
        if not fits:
            raise ValueError(
                "X must be in the units that fit saw, got numbers far larger. Bring X to the units of fit."
            )
    elif not fits:
        raise ValueError("X must hold numbers whose squares can be added up, got larger ones. Divide it first.")


def _in_one_line(error: Exception) -> Exception:
    """An error that says the same in one line."""
    kind = TypeError if isinstance(error, TypeError) else ValueError
    return kind(" ".join(str(error).split()))
