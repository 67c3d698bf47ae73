"""Datasets of the Hugging Face hub, read through its own library."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from latentmap.data.arrays import number_classes
from latentmap.data.images import Encoded
from latentmap.data.parquet_files import arrow_kinds, arrow_numbers
from latentmap.data.readers import EncodedImages, Known, Reader
from latentmap.data.reading import Wishes
from latentmap.data.tables import Table, class_column, read_table
from latentmap.errors import DatasetError, MissingExtraError


def read_hub(name: str, wishes: Wishes) -> Reader:
    """Return the reader of a dataset that the ``datasets`` library loads.

    Parameters
    ----------
    name : str
        ``owner/name`` on the hub, or the path of a folder that ``Dataset.save_to_disk`` wrote.
    wishes : Wishes
        What the user asked for.

    Raises
    ------
    MissingExtraError
        If the extra ``hub`` is not installed.
    DatasetError
        If it cannot be loaded, or has neither images nor numbers.
    """
    try:
        import datasets
    except ImportError as error:
        raise MissingExtraError.of("hf://", "the package datasets", "hub") from error
    try:
        loaded = datasets.load_from_disk(name) if Path(name).is_dir() else datasets.load_dataset(name)
    except Exception as error:  # the network, the hub and the library each have their own
        words = " ".join(str(error).split()) or type(error).__name__
        raise DatasetError(f"hf://{name} cannot be loaded: {words[:200].rstrip('.')}.") from error
    splits = dict(loaded) if isinstance(loaded, dict) else {"train": loaded}
    given = [splits[part] for part in ("train", "test") if part in splits] or [next(iter(splits.values()))]
    features = given[0].features
    columns = [column for column, kind in features.items() if isinstance(kind, datasets.Image)]
    if columns and wishes.columns is None:
        return _images(name, given, columns[0], class_column(features, wishes, f"hf://{name}", guess=True), wishes)

    def classes(label: str) -> Any:
        return np.array([value for part in given for value in part[label]], object)

    table = Table(
        name.rstrip("/").rsplit("/", maxsplit=1)[-1],
        f"hf://{name}",
        arrow_kinds(features.arrow_schema),
        lambda names: arrow_numbers(
            (part.select_columns(list(names)).with_format("arrow")[:] for part in given), names
        ),
        classes,
        lambda label: tuple(map(str, getattr(features[label], "names", None) or ())) or None,
        is_test=np.repeat([False, True], list(map(len, given))) if len(given) == 2 else None,
    )
    return read_table(table, wishes)


def _images(name: str, given: list[Any], column: str, label: str | None, wishes: Wishes) -> EncodedImages:
    """The reader of a column of images."""
    from datasets import Image

    counts = [len(part) for part in given]
    labels, class_names = None, None
    notes: list[str] = []
    if label is not None:
        classes = [np.array(list(part[label]), object) for part in given]
        names = getattr(given[0].features[label], "names", None)
        labels, class_names = number_classes(
            classes, counts, name, tuple(map(str, names)) if names else None, notes=notes
        )
    known = Known(
        name=name.rstrip("/").split("/")[-1],
        n=sum(counts),
        labels=labels,
        class_names=class_names,
        is_test=np.repeat([False, True], counts) if len(given) == 2 else None,
        in_class_order=True,
        notes=notes,
    )
    cells = [part.cast_column(column, Image(decode=False)) for part in given]
    content = " ".join(str(getattr(part, "_fingerprint", "")) for part in given)
    ends = np.cumsum(counts)

    def fetch(row: int) -> Encoded:
        part = int(np.searchsorted(ends, row, side="right"))
        cell = cells[part][row - int(ends[part]) + counts[part]][column] or {}
        return cast("bytes", cell["bytes"]) if cell.get("bytes") else Path(cell.get("path") or "")

    reader = EncodedImages(known, fetch, wishes, content)
    reader.reading = replace(reader.reading, label=label)
    return reader
