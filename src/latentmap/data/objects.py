"""What Python holds as sources: arrays, tensors, data frames, and PyTorch's datasets."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from PIL import Image

from latentmap.data.array_files import file_state
from latentmap.data.arrays import ArrayReader, Parts
from latentmap.data.images import Encoded
from latentmap.data.preprocessing import channels_last
from latentmap.data.readers import EncodedImages, Known, Reader
from latentmap.data.reading import Wishes
from latentmap.data.regions import file_region
from latentmap.data.tables import choose_columns
from latentmap.errors import DatasetError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


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
    columns: tuple[str, ...] | None = None
    notes: list[str] = []
    label: str | None = None
    if hasattr(source, "columns") and hasattr(source, "dtypes"):
        source, y, columns, label, notes = _from_frame(source, y, wishes)
    elif hasattr(source, "detach"):
        source = channels_last(source.detach().cpu().numpy())
    try:
        X = np.asarray(source)
    except ValueError as error:  # rows of different lengths
        raise DatasetError(f"the data must be an array of numbers, got {type(source).__name__}: {error}.") from error
    region = file_region(X)
    content = f"{file_state(Path(region.path))} {region}" if region is not None else ""
    reader = ArrayReader("the data", Parts(X, y), wishes, columns=columns, content=content)
    if label is not None:
        reader.reading = replace(reader.reading, label=label)
    reader.known.notes.extend(notes)
    return reader


def _from_frame(frame: Any, y: Any, wishes: Wishes) -> tuple[Any, Any, tuple[str, ...], str | None, list[str]]:
    """A data frame's features, classes, and what the columns are."""
    names = [str(name) for name in frame.columns]
    kinds = [np.asarray(frame[name]).dtype.kind for name in frame.columns]
    numeric = [name for name, kind in zip(names, kinds, strict=True) if kind in "buif"]
    others = [name for name in names if name not in numeric]
    columns, label, notes = choose_columns(numeric, others, wishes, "the data frame")
    place = dict(zip(names, frame.columns, strict=True))
    X = np.column_stack([np.asarray(frame[place[name]], np.float64) for name in columns])
    if label is not None and y is None:
        y = np.asarray(frame[place[label]])
    return X, y, columns, label, notes


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
    if not len(source):
        raise DatasetError(f"{name} is empty.")
    first = source[0]
    has_labels = isinstance(first, (tuple, list)) and len(first) >= 2
    classes = getattr(source, "classes", None)
    class_names = tuple(map(str, classes)) if isinstance(classes, (list, tuple)) else None
    x = first[0] if isinstance(first, (tuple, list)) else first
    if isinstance(x, Image.Image):
        labels = np.array([int(source[i][1]) for i in range(len(source))]) if has_labels else None
        if labels is not None and class_names is None:
            class_names = tuple(str(i) for i in range(int(labels.max()) + 1))
        known = Known(name, len(source), labels, class_names if has_labels else None, in_class_order=True)

        def fetch(row: int) -> Encoded:
            item = source[row]
            return cast("Image.Image", item[0] if isinstance(item, (tuple, list)) else item)

        return EncodedImages(known, fetch, wishes, content="")
    samples, found = [], []
    for i in range(len(source)):
        item = source[i]
        x = item[0] if isinstance(item, (tuple, list)) else item
        samples.append(x.detach().cpu().numpy() if hasattr(x, "detach") else np.asarray(x))
        if has_labels:
            found.append(int(item[1]) if not isinstance(item[1], str) else item[1])
    shapes = {x.shape for x in samples}
    if len(shapes) > 1:
        raise DatasetError(f"{name} must give samples of one shape, got {sorted(shapes)[:3]}. Resize them.")
    names = class_names if found and not isinstance(found[0], str) else None
    X = channels_last(np.stack(samples)) if hasattr(x, "detach") else np.stack(samples)
    return ArrayReader(name, Parts(X, np.asarray(found) if found else None), wishes, class_names=names)
