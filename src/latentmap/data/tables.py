"""Tables as sources: CSV and Parquet, of numbers or of encoded images.

What belongs here: which columns are features, which one names the class, and which hold images. What numbers and
images must be like is the business of ``arrays`` and ``images``.
"""

from __future__ import annotations

import bisect
import csv
import hashlib
import itertools
import json
import re
from array import array
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentmap.data.array_files import file_state
from latentmap.data.arrays import ArrayReader, Parts, number_classes
from latentmap.data.images import Encoded
from latentmap.data.readers import EncodedImages, Known, Reader
from latentmap.data.reading import Wishes
from latentmap.errors import DatasetError, MissingExtraError

CLASS_LIKE = ("label", "labels", "class", "target", "y")  # columns that are probably not features
_DELIMITERS = ",;\t"


def pyarrow(module: str = "") -> Any:
    """Return pyarrow, or a module of it.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    import importlib

    try:
        return importlib.import_module(f"pyarrow.{module}" if module else "pyarrow")
    except ImportError as error:
        raise MissingExtraError("Parquet needs pyarrow. Install it with: pip install 'latentmap[parquet]'") from error


# ---- choosing columns ----------------------------------------------------------------------------------------------


def choose_columns(
    numeric: Sequence[str], others: Sequence[str], wishes: Wishes, name: str
) -> tuple[tuple[str, ...], str | None, list[str]]:
    """Choose the columns that are features, and the one that names the class.

    Parameters
    ----------
    numeric, others : sequence of str
        The columns that hold numbers, and those that do not.
    wishes : Wishes
        What the user asked for; a model's own columns come first.
    name : str
        What to call the table in an error.

    Returns
    -------
    columns : tuple of str
    label : str or None
    notes : list of str
        What the user should be told.

    Raises
    ------
    DatasetError
        If a column is missing, or none holds numbers.
    """
    every = [*numeric, *others]
    reading = wishes.reading
    label = wishes.label if wishes.label is not None else (reading.label if reading else None)
    if label is not None and label not in every:
        if wishes.label is not None:
            raise DatasetError(f"{name} has no column {label!r}. It has {_listed(every)}.")
        label = None  # new data of a labelled model may well have no labels
    if reading is not None and reading.columns is not None:
        missing = [column for column in reading.columns if column not in numeric]
        if missing:
            raise DatasetError(
                f"{name} lacks the column(s) {_listed(missing)} of numbers, which the model was fitted on."
            )
        return reading.columns, label, []
    columns = tuple(column for column in numeric if column != label)
    passed = [column for column in others if column != label]
    notes = []
    if not columns:
        raise DatasetError(f"{name} has no usable columns: neither images nor numbers, but {_listed(every)}.")
    if passed:
        notes.append(f"{len(passed):,} columns that hold no numbers are passed over: {_listed(passed)}.")
    if label is None:
        likely = next((column for column in every if column.lower() in CLASS_LIKE), None)
        if likely is not None:
            notes.append(f"should column {likely!r} name the class, add --label {likely}.")
    return columns, label, notes


def _listed(names: Sequence[str], most: int = 8) -> str:
    """Names for a message, not too many."""
    shown = ", ".join(repr(name) for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


# ---- CSV -----------------------------------------------------------------------------------------------------------


def read_csv(path: Path, wishes: Wishes) -> ArrayReader:
    """Return the reader of a CSV file: a row a sample, with a header line or without.

    Parameters
    ----------
    path : Path
        UTF-8, values separated by commas, semicolons or tabs.
    wishes : Wishes
        What the user asked for.

    Raises
    ------
    DatasetError
        If the file is no such table, or a value is no number; by row and column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            delimiter = max(_DELIMITERS, key=first.count)
            header = next(csv.reader([first], delimiter=delimiter), [])
            has_header = not all(_is_number(cell) for cell in header)
            if not has_header:
                file.seek(0)
            names = [cell.strip() if has_header and cell.strip() else f"column {i}" for i, cell in enumerate(header)]
            rows = csv.reader(file, delimiter=delimiter)
            return _read_rows(path, rows, names, int(has_header), wishes)
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is not UTF-8 text ({error.reason}). Save it as UTF-8.") from error
    except csv.Error as error:
        raise DatasetError(f"{path} cannot be read as CSV: {error}.") from error


def _read_rows(path: Path, rows: Any, names: list[str], n_before: int, wishes: Wishes) -> ArrayReader:
    """The reader of the rows that a csv reader gives, gone through once; so many lines came before."""
    if duplicates := sorted({name for name in names if names.count(name) > 1}):
        raise DatasetError(f"{path} has more than one column {duplicates[0]!r}. Rename them.")
    first = next((row for row in rows if row), None)
    if first is None:
        raise DatasetError(f"{path} has no rows.")
    numeric = [name for name, cell in zip(names, first, strict=False) if _is_number(cell) or not cell.strip()]
    others = [name for name in names if name not in numeric]
    columns, label, notes = choose_columns(numeric, others, wishes, str(path))
    places = [names.index(column) for column in columns]
    class_place = None if label is None else names.index(label)
    values, classes = array("d"), []
    for row in itertools.chain([first], rows):
        if not row:
            continue
        if len(row) != len(names):
            raise DatasetError(
                f"{path}, line {rows.line_num + n_before:,}: {len(row)} values in place of {len(names)}."
            )
        try:
            values.extend([float(row[place]) for place in places])
        except ValueError:
            cell, column = next((row[p], names[p]) for p in places if not _is_number(row[p]))
            what = repr(cell) if cell.strip() else "nothing"
            raise DatasetError(
                f"{path}, line {rows.line_num + n_before:,}, column {column!r}: {what} in "
                "place of a number. Fill it in, leave the row out, or name the column with --label."
            ) from None
        if class_place is not None:
            classes.append(row[class_place].strip())
    y = None if label is None else np.array(classes)
    if y is not None and all(_is_whole(value) for value in np.unique(y)):
        y = y.astype(np.float64).astype(np.int64)
    X = np.frombuffer(values).reshape(-1, len(columns))
    reader = ArrayReader(path.stem, Parts(X, y), wishes, columns=columns, content=file_state(path))
    return _with_label(reader, label, notes)


def _is_number(cell: str) -> bool:
    """Whether text stands for a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _is_whole(cell: str) -> bool:
    """Whether text stands for a whole number."""
    return bool(re.fullmatch(r"[+-]?\d{1,15}(\.0*)?", cell))


def _with_label(reader: ArrayReader, label: str | None, notes: list[str]) -> ArrayReader:
    """The reader, with what the table told."""
    reader.reading = replace(reader.reading, label=label)
    reader.known.notes.extend(notes)
    return reader


# ---- Parquet -------------------------------------------------------------------------------------------------------


def read_parquet(path: Path, wishes: Wishes) -> Reader:
    """Return the reader of a Parquet file, or of a folder of them.

    A column of images (bytes, or structs of bytes and path as Hugging Face writes them) makes a dataset of images;
    else the columns of numbers are the features of vectors. Files named train... and test... are the splits.

    Parameters
    ----------
    path : Path
        The file, or the folder.
    wishes : Wishes
        What the user asked for.

    Raises
    ------
    DatasetError
        If a file is damaged, files differ in their columns, or no column can be used.
    MissingExtraError
        If pyarrow is not installed.
    """
    parquet = pyarrow("parquet")
    shards = [path] if path.is_file() else parquet_shards(path)
    files = []
    for shard in shards:
        try:
            files.append(parquet.ParquetFile(shard))
        except Exception as error:
            words = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DatasetError(f"{shard} cannot be read as Parquet: {words.rstrip('.')}.") from error
    notes: list[str] = []
    kinds = [_split_of(shard) for shard in shards]
    if {"train", "test"} <= set(kinds):
        kept = [i for i, kind in enumerate(kinds) if kind in ("train", "test")]
        if len(kept) < len(shards):
            notes.append(f"{len(shards) - len(kept)} files of other splits than train and test are passed over.")
        shards, files, kinds = [shards[i] for i in kept], [files[i] for i in kept], [kinds[i] for i in kept]
        counts = [file.metadata.num_rows for file in files]
        is_test = np.repeat([kind == "test" for kind in kinds], counts)
    else:
        is_test = None
    schema = files[0].schema_arrow
    for shard, file in zip(shards, files, strict=True):
        if file.schema_arrow.names != schema.names:
            raise DatasetError(f"{shard} has other columns than {shards[0]}. Keep one dataset in a folder.")
    if not sum(file.metadata.num_rows for file in files):
        raise DatasetError(f"{path} has no rows.")
    content = hashlib.blake2b("".join(map(file_state, shards)).encode(), digest_size=16).hexdigest()
    name = path.resolve().stem if path.is_file() else path.resolve().name
    image_columns = [field.name for field in schema if _holds_images(field.type)]
    if image_columns:
        return _parquet_images(name, files, image_columns[0], wishes, is_test, content, notes)
    return _parquet_vectors(name, path, files, wishes, is_test, content, notes)


def parquet_shards(folder: Path) -> list[Path]:
    """Return the Parquet files of a folder, all the way down, in order of their names."""
    files = (file.relative_to(folder) for file in folder.rglob("*.parquet"))
    return [folder / file for file in sorted(files) if not any(part.startswith(".") for part in file.parts)]


def _split_of(shard: Path) -> str | None:
    """The split that a file's name, or its folder's, begins with."""
    for name in (shard.stem, shard.parent.name):
        for split in ("train", "test", "validation", "valid", "val"):
            if re.match(rf"{split}([^a-z]|$)", name.lower()):
                return split
    return None


def _holds_images(kind: Any) -> bool:
    """Whether a column's type is that of encoded images."""
    types = pyarrow().types
    if types.is_struct(kind):
        return any(field.name == "bytes" for field in kind)
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _parquet_images(
    name: str,
    files: list[Any],
    column: str,
    wishes: Wishes,
    is_test: NDArray[np.bool_] | None,
    content: str,
    notes: list[str],
) -> EncodedImages:
    """The reader of a table with a column of images."""
    names = files[0].schema_arrow.names
    label = wishes.label or (wishes.reading.label if wishes.reading else None)
    if label is None:
        label = next((other for other in CLASS_LIKE if other in names), None)
    if label is not None and label not in names:
        if wishes.label:
            raise DatasetError(f"{name} has no column {label!r}. It has {_listed(names)}.")
        label = None
    items = ParquetCells(files, column)
    labels, class_names = None, None
    if label is not None:
        y = _column(files, label)
        labels, class_names = number_classes([y], [len(items)], name, _class_names(files[0], label))
    known = Known(name, len(items), labels, class_names, is_test, in_class_order=True, notes=notes)
    reader = EncodedImages(known, items.fetch, wishes, content)
    reader.reading = replace(reader.reading, label=label)
    return reader


def _class_names(file: Any, label: str) -> tuple[str, ...] | None:
    """The names of the classes, where Hugging Face's description of the table has them."""
    described = (file.schema_arrow.metadata or {}).get(b"huggingface")
    try:
        names = json.loads(described)["info"]["features"][label]["names"] if described else None
    except (ValueError, KeyError, TypeError):
        return None
    return tuple(map(str, names)) if isinstance(names, list) else None


class ParquetCells:
    """The images of a column of Parquet files, a row group held at a time.

    Parameters
    ----------
    files : list of pyarrow.parquet.ParquetFile
        In order.
    column : str
        Of bytes, or of structs with a field ``bytes``.
    """

    def __init__(self, files: list[Any], column: str) -> None:
        self._column = column
        self._groups = [(file, i) for file in files for i in range(file.metadata.num_row_groups)]
        counts = [file.metadata.row_group(i).num_rows for file, i in self._groups]
        self._ends = list(itertools.accumulate(counts))
        self._held: tuple[int, Any] | None = None

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def fetch(self, row: int) -> Encoded:
        """Return the image of a row; an empty cell is empty bytes, which nothing can read."""
        group = bisect.bisect_right(self._ends, row)
        if self._held is None or self._held[0] != group:
            file, i = self._groups[group]
            self._held = (group, file.read_row_group(i, columns=[self._column]).column(0))
        start = self._ends[group - 1] if group else 0
        cell = self._held[1][row - start].as_py()
        if isinstance(cell, dict):
            cell = cell.get("bytes")
        return cell or b""


def _parquet_vectors(
    name: str,
    path: Path,
    files: list[Any],
    wishes: Wishes,
    is_test: NDArray[np.bool_] | None,
    content: str,
    notes: list[str],
) -> ArrayReader:
    """The reader of a table of numbers."""
    types = pyarrow().types
    schema = files[0].schema_arrow
    numeric = [field.name for field in schema if types.is_integer(field.type) or types.is_floating(field.type)]
    others = [field.name for field in schema if field.name not in numeric]
    columns, label, told = choose_columns(numeric, others, wishes, str(path))
    X = np.concatenate([_features(file, columns) for file in files])
    y = None if label is None else _column(files, label)
    parts = Parts(X, y)
    if is_test is not None:
        parts = Parts(X[~is_test], None if y is None else y[~is_test], X[is_test], None if y is None else y[is_test])
    reader = ArrayReader(name, parts, wishes, columns=columns, content=content)
    return _with_label(reader, label, [*notes, *told])


def _features(file: Any, columns: tuple[str, ...]) -> NDArray[np.float64]:
    """Some columns of a file as numbers; what is missing is NaN."""
    table = file.read(columns=list(columns))
    return np.column_stack([table.column(name).to_numpy().astype(np.float64) for name in columns])


def _column(files: list[Any], name: str) -> NDArray[Any]:
    """A column of all files, as the classes of samples."""
    values: list[Any] = []
    for file in files:
        values += file.read(columns=[name]).column(0).to_pylist()
    if any(value is None for value in values):
        raise DatasetError(f"column {name!r} has no value in row {values.index(None):,}. Fill it in.")
    return np.asarray(values)
