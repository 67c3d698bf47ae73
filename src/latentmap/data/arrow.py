"""Arrow's tables as sources, of numbers or of encoded images: Parquet files, and the Hugging Face hub."""

from __future__ import annotations

import bisect
import hashlib
import importlib
import itertools
import json
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from latentmap.data.arrays import number_classes
from latentmap.data.cache import file_state
from latentmap.data.images import Encoded, UnreadableImageError, read_encoded
from latentmap.data.reading import Read, ReadOptions, explained, words_of
from latentmap.data.tables import Kind, Table, check_names, class_column, read_table
from latentmap.errors import DatasetError, MissingExtraError


def _table(schema: Any, read: Callable[[list[str]], Iterable[Any]], **known: Any) -> Table:
    """Arrow's tables of a schema, one below the other, as one table; `read` gives some columns of each."""

    def column(name: str) -> NDArray[Any]:
        return np.array([value for table in read([name]) for value in table.column(0).to_pylist()], object)

    return Table(
        kinds=_kinds(schema), numbers=lambda names: _numbers(read(list(names)), names), classes=column, **known
    )


def _read(
    table: Table, n: int, images: Sequence[str], fetch: Callable[[str], Callable[[int], Encoded]], options: ReadOptions
) -> Read:
    """The images of the first column that holds some, where `fetch` gives that of a row; else columns of numbers."""
    if not images or options.columns is not None:
        return read_table(table, options)
    label = class_column(table.kinds, options, table.where, guess=True)
    notes = list(table.notes)
    classes: Any = (None, None)
    if label is not None:
        column, names = table.classes(label), table.class_names(label)
        classes = number_classes([column], [n], table.name, names, notes=notes, is_test=table.is_test)
    return read_encoded(
        table.name, n, fetch(images[0]), options, label=label, classes=classes, is_test=table.is_test,
        content=table.content, notes=notes,
    )  # fmt: skip


def _kinds(schema: Any) -> dict[str, Kind]:
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


def _numbers(tables: Iterable[Any], columns: Sequence[str]) -> NDArray[np.float64]:
    """Columns of tables, one below the other, as numbers; NaN where there is no value."""
    parts = []
    for table in tables:
        part = np.empty((table.num_rows, len(columns)))
        places = {name: i for i, name in enumerate(table.column_names)}
        for i, name in enumerate(columns):
            part[:, i] = table.column(places[name]).to_numpy()
        parts.append(part)
    return np.concatenate(parts)


# ---- Parquet -------------------------------------------------------------------------------------------------------


def pyarrow(module: str = "") -> Any:
    """Return pyarrow, or a module of it."""
    try:
        return importlib.import_module(f"pyarrow.{module}" if module else "pyarrow")
    except ImportError as error:
        raise MissingExtraError.of("Parquet", "pyarrow", "parquet") from error


def read_parquet(path: Path, options: ReadOptions, shards: Sequence[Path] | None = None) -> Read:
    """Return the samples of a Parquet file, or of those of a folder, of which train... and test... are the splits.

    A column of images (bytes, or structs of bytes and path as Hugging Face writes them) makes a dataset of images;
    else the columns of numbers are the features of vectors.
    """
    shards, is_of_test, notes = _choose_shards(shards or [path])
    files = [_opened(shard) for shard in shards]
    schema = files[0].schema_arrow
    for shard, file in zip(shards, files, strict=True):
        if file.schema_arrow.names != schema.names:
            raise DatasetError(f"{shard} has other columns than {shards[0]}. Keep one dataset in a folder.")
    counts = [file.metadata.num_rows for file in files]
    if not sum(counts):
        raise DatasetError(f"{path} has no rows.")
    with explained(f"{path} cannot be read as Parquet"):
        table = _table(
            schema,
            lambda columns: (file.read(columns=columns) for file in files),
            name=path.resolve().stem if path.is_file() else path.resolve().name,
            where=str(path),
            class_names=lambda label: _described_names(schema, label),
            is_test=None if is_of_test is None else np.repeat(is_of_test, counts),
            content=hashlib.blake2b("".join(map(file_state, shards)).encode(), digest_size=16).hexdigest(),
            notes=notes,
        )
        images = [field.name for field in schema if _holds_images(field.type)]
        return _read(table, sum(counts), images, lambda column: _ParquetCells(files, column).fetch, options)


def _choose_shards(shards: Sequence[Path]) -> tuple[Sequence[Path], list[bool] | None, list[str]]:
    """The files of the two splits, which of them is which, and what to say; all files where there are no splits."""
    kinds = [_split_of(shard) for shard in shards]
    if not {"train", "test"} <= set(kinds):
        return shards, None, []
    kept = [i for i, kind in enumerate(kinds) if kind in ("train", "test")]
    n_others = len(shards) - len(kept)
    notes = [f"{n_others} files of other splits than train and test are passed over."] if n_others else []
    return [shards[i] for i in kept], [kinds[i] == "test" for i in kept], notes


def _split_of(shard: Path) -> str | None:
    """The split that a file's name, or its folder's, begins with."""
    for name in (shard.stem, shard.parent.name):
        for split in ("train", "test", "validation", "valid", "val"):
            if re.match(rf"{split}([^a-z]|$)", name.lower()):
                return split
    return None


def _opened(shard: Path) -> Any:
    """A Parquet file to read from."""
    if not shard.is_file():  # a named pipe would be waited for
        raise DatasetError(f"{shard} is no regular file. Remove it, or mend the link.")
    with explained(f"{shard} cannot be read as Parquet"):
        file = pyarrow("parquet").ParquetFile(shard)
        check_names(file.schema_arrow.names, str(shard))
        return file


def _holds_images(kind: Any) -> bool:
    """Whether a column's type is that of encoded images."""
    types = pyarrow().types
    if types.is_struct(kind):
        return any(field.name == "bytes" for field in kind)
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _described_names(schema: Any, label: str) -> tuple[str, ...] | None:
    """The names of the classes, where Hugging Face's description of the table has them."""
    described = (schema.metadata or {}).get(b"huggingface")
    try:
        names = json.loads(described)["info"]["features"][label]["names"] if described else None
    except (ValueError, KeyError, TypeError):
        return None
    return tuple(map(str, names)) if isinstance(names, list) else None


class _ParquetCells:
    """The images of a column of Parquet files, bytes or structs with a field ``bytes``; a row group held at a time."""

    def __init__(self, files: list[Any], column: str) -> None:
        self._column = column
        self._groups = [(file, i) for file in files for i in range(file.metadata.num_row_groups)]
        self._ends = list(itertools.accumulate(file.metadata.row_group(i).num_rows for file, i in self._groups))
        self._held: tuple[int, Any] | None = None

    def fetch(self, row: int) -> Encoded:
        """Return the image of a row; an empty cell is empty bytes, which nothing can read."""
        group = bisect.bisect_right(self._ends, row)
        if self._held is None or self._held[0] != group:
            file, i = self._groups[group]
            try:
                cells = file.read_row_group(i, columns=[self._column]).column(0)
            except Exception as error:  # as in `explained`
                cells = UnreadableImageError(words_of(error))
            self._held = (group, cells)
        if isinstance(self._held[1], UnreadableImageError):
            raise self._held[1]
        start = self._ends[group - 1] if group else 0
        cell = self._held[1][row - start].as_py()
        if isinstance(cell, dict):
            cell = cell.get("bytes")
        return cell or b""


# ---- the Hugging Face hub ------------------------------------------------------------------------------------------


def read_hub(name: str, options: ReadOptions) -> Read:
    """Return the samples of ``owner/name`` on the hub, or of a folder that ``Dataset.save_to_disk`` wrote."""
    try:
        import datasets
    except ImportError as error:
        raise MissingExtraError.of("hf://", "the package datasets", "hub") from error
    with explained(f"hf://{name} cannot be loaded"):
        loaded = datasets.load_from_disk(name) if Path(name).is_dir() else datasets.load_dataset(name)
    splits = dict(loaded) if isinstance(loaded, dict) else {"train": loaded}
    given = [splits[part] for part in ("train", "test") if part in splits] or [next(iter(splits.values()))]
    counts, features = list(map(len, given)), given[0].features
    ends = np.cumsum(counts)

    def fetch(column: str) -> Callable[[int], Encoded]:
        cells = [part.cast_column(column, datasets.Image(decode=False)) for part in given]

        def of_row(row: int) -> Encoded:
            part = int(np.searchsorted(ends, row, side="right"))
            cell = cells[part][row - int(ends[part]) + counts[part]][column] or {}
            return cast("bytes", cell["bytes"]) if cell.get("bytes") else Path(cell.get("path") or "")

        return of_row

    table = _table(
        features.arrow_schema,
        lambda columns: (part.select_columns(columns).with_format("arrow")[:] for part in given),
        name=name.rstrip("/").rsplit("/", maxsplit=1)[-1],
        where=f"hf://{name}",
        class_names=lambda label: tuple(map(str, getattr(features[label], "names", None) or ())) or None,
        is_test=np.repeat([False, True], counts) if len(given) == 2 else None,
        content=" ".join(str(getattr(part, "_fingerprint", "")) for part in given),
    )
    images = [column for column, kind in features.items() if isinstance(kind, datasets.Image)]
    return _read(table, sum(counts), images, fetch, options)
