"""Parquet files as tables of numbers or of encoded images, one file or a folder of them.

What belongs here: Arrow's columns. Which of them are features is the business of ``tables``.
"""

from __future__ import annotations

import bisect
import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentmap.data.arrays import number_classes
from latentmap.data.images import Encoded, UnreadableImageError
from latentmap.data.readers import EncodedImages, Known, Reader
from latentmap.data.reading import Wishes
from latentmap.data.store import file_state
from latentmap.data.tables import Kind, Table, check_names, class_column, read_table
from latentmap.errors import DatasetError, LatentmapError, MissingExtraError


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
        raise MissingExtraError.of("Parquet", "pyarrow", "parquet") from error


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
        if not shard.is_file():  # a named pipe would be waited for
            raise DatasetError(f"{shard} is no regular file. Remove it, or mend the link.")
        with _explained(shard):
            files.append(parquet.ParquetFile(shard))
            check_names(files[-1].schema_arrow.names, str(shard))
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
    types = pyarrow().types
    image_columns = [field.name for field in schema if _holds_images(field.type, types)]
    if image_columns and wishes.columns is None:
        with _explained(path):
            return _parquet_images(name, files, image_columns[0], wishes, is_test, content, notes)
    table = Table(
        name,
        str(path),
        arrow_kinds(schema),
        lambda columns: arrow_numbers((file.read(columns=list(columns)) for file in files), columns),
        lambda label: _column(files, label),
        lambda label: _class_names(files[0], label),
        is_test=is_test,
        content=content,
        notes=notes,
    )
    with _explained(path):
        return read_table(table, wishes)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn whatever Arrow raises at a damaged file into one line; memory that it asks for in vain too."""
    try:
        yield
    except LatentmapError:
        raise
    except Exception as error:  # a damaged file can make its reader fail in any way
        raise DatasetError(f"{path} cannot be read as Parquet: {_first_line(error)}.") from error


def _first_line(error: Exception) -> str:
    """What an error of Arrow's says, in one line."""
    return (str(error).splitlines() or [type(error).__name__])[0].strip().rstrip(".")


def arrow_kinds(schema: Any) -> dict[str, Kind]:
    """What each column of an Arrow schema holds."""
    types = pyarrow().types
    kinds: dict[str, Kind] = {}
    for field in schema:
        of = field.type
        if types.is_integer(of) or types.is_floating(of) or types.is_boolean(of) or types.is_decimal(of):
            kinds[field.name] = "number"
        else:
            kinds[field.name] = "date" if types.is_temporal(of) else "empty" if types.is_null(of) else "text"
    return kinds


def arrow_numbers(tables: Iterable[Any], columns: Sequence[str]) -> NDArray[np.float64]:
    """Columns of Arrow tables, one below the other, as numbers; NaN where there is no value."""
    parts = []
    for table in tables:
        part = np.empty((table.num_rows, len(columns)))
        places = {name: i for i, name in enumerate(table.column_names)}
        for i, name in enumerate(columns):
            part[:, i] = table.column(places[name]).to_numpy()
        parts.append(part)
    return np.concatenate(parts)


def parquet_shards(folder: Path) -> list[Path]:
    """Return the Parquet files of a folder, all the way down, in order of their names."""
    files = (file.relative_to(folder) for file in folder.rglob("*.parquet") if file.is_file())
    return [folder / file for file in sorted(files) if not any(part.startswith(".") for part in file.parts)]


def _split_of(shard: Path) -> str | None:
    """The split that a file's name, or its folder's, begins with."""
    for name in (shard.stem, shard.parent.name):
        for split in ("train", "test", "validation", "valid", "val"):
            if re.match(rf"{split}([^a-z]|$)", name.lower()):
                return split
    return None


def _holds_images(kind: Any, types: Any) -> bool:
    """Whether a column's type is that of encoded images."""
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
    label = class_column(files[0].schema_arrow.names, wishes, name, guess=True)
    items = ParquetCells(files, column)
    labels, class_names = None, None
    if label is not None:
        labels, class_names = number_classes(
            [_column(files, label)], [len(items)], name, _class_names(files[0], label), notes=notes, is_test=is_test
        )
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
            try:
                cells = file.read_row_group(i, columns=[self._column]).column(0)
            except Exception as error:  # as in `_explained`
                cells = UnreadableImageError(_first_line(error))
            self._held = (group, cells)
        if isinstance(self._held[1], UnreadableImageError):
            raise self._held[1]
        start = self._ends[group - 1] if group else 0
        cell = self._held[1][row - start].as_py()
        if isinstance(cell, dict):
            cell = cell.get("bytes")
        return cell or b""


def _column(files: list[Any], name: str) -> NDArray[Any]:
    """A column of all files, as the classes of samples."""
    values: list[Any] = []
    for file in files:
        values += file.read(columns=[name]).column(0).to_pylist()
    return np.array(values, object)
