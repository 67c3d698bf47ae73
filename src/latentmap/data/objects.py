"""What Python holds as sources: arrays, tensors, data frames, and PyTorch's datasets."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import numbers
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latentmap.data.arrays import ArrayReader, Parts, missing_cells, number_classes
from latentmap.data.preprocessing import channels_last
from latentmap.data.readers import EncodedImages, Known, Reader
from latentmap.data.reading import Wishes
from latentmap.data.regions import file_region
from latentmap.data.store import file_state, memory_budget
from latentmap.data.tables import Kind, Table, check_names, read_table
from latentmap.errors import DatasetError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_NO_CLASS = object()


def read_object(source: Any, labels: ArrayLike | None, wishes: Wishes) -> ArrayReader:
    """Return the reader of an array, a tensor or a data frame.

    Parameters
    ----------
    source : array, tensor or data frame
        Samples; a tensor of images may have its channels first.
    labels : array, shape (n,), optional
        The class of each.
    wishes : Wishes
        What the user asked for.

    Raises
    ------
    DatasetError
        If it is none of these, or not fit for use.
    """
    y = None if labels is None else np.asarray(labels)
    if hasattr(source, "columns") and hasattr(source, "dtypes"):
        return _read_frame(source, y, wishes)
    if hasattr(source, "detach"):
        source = channels_last(source.detach().cpu().numpy())
    try:
        X = np.asarray(source)
    except ValueError as error:  # rows of different lengths
        raise DatasetError(f"the data must be an array of numbers, got {type(source).__name__}: {error}.") from error
    region = file_region(X)
    content = f"{file_state(Path(region.path))} {region}" if region is not None else ""
    return ArrayReader("the data", Parts(X, y), wishes, content=content)


def _read_frame(frame: Any, y: Any, wishes: Wishes) -> ArrayReader:
    """The reader of a data frame."""
    check_names(map(str, frame.columns), "the data frame")
    names = {str(name): name for name in frame.columns}
    columns = {name: np.asarray(frame[place]) for name, place in names.items()}

    def take(wanted: Sequence[str]) -> NDArray[np.float64]:
        return np.column_stack([as_numbers(columns[name]) for name in wanted])

    kinds = {name: kind_of_values(values) for name, values in columns.items()}
    return read_table(Table("the data", "the data frame", kinds, take, columns.__getitem__), wishes, y)


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


def is_torch_dataset(source: Any) -> bool:
    """Return whether this is a ``torch.utils.data.Dataset`` of known length."""
    if "torch" not in sys.modules:  # then nobody has made one
        return False
    from torch.utils.data import Dataset

    return isinstance(source, Dataset) and hasattr(source, "__len__")


def read_torch_dataset(source: Any, wishes: Wishes) -> Reader:
    """Return the reader of a PyTorch dataset of images or vectors, alone or with their classes.

    Parameters
    ----------
    source : torch.utils.data.Dataset
        Of x, or (x, y): x a Pillow image, a tensor or an array, y a number or a name.
    wishes : Wishes
        What the user asked for.

    Raises
    ------
    DatasetError
        If it is empty, or its items are something else.
    """
    name = type(source).__name__
    n = len(source)
    if not n:
        raise DatasetError(f"{name} is empty.")
    classes = getattr(source, "classes", None)
    class_names = tuple(map(str, classes)) if isinstance(classes, (list, tuple)) else None
    notes: list[str] = []
    labels: dict[int, Any] = {}
    held: dict[int, Any] = {}
    room = (memory_budget(None) if wishes.budget is None else wishes.budget) // 2

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
        reader = EncodedImages(Known(name, n, in_class_order=True, notes=notes), fetch, wishes, content="")
        reader.known.labels, reader.known.class_names = number_classes(
            [_labels(labels, notes)], [n], name, class_names, notes=notes
        )
        return reader
    samples = [first, *map(fetch, range(1, n))]
    arrays = [x.detach().cpu().numpy() if hasattr(x, "detach") else np.asarray(x) for x in samples]
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise DatasetError(f"{name} must give samples of one shape, got {sorted(shapes)[:3]}. Resize them.")
    y = _labels(labels, notes)
    X = np.stack(arrays)
    X = channels_last(X) if hasattr(first, "detach") else X
    vectors = ArrayReader(name, Parts(X, y), wishes, class_names=class_names)
    vectors.known.notes.extend(notes)
    return vectors


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
