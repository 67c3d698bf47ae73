"""Arrow's tables as sources, of numbers or of encoded images: Parquet files, and the Hugging Face hub."""

import bisect
import hashlib
import importlib
import itertools
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from latentmap.data.cache import file_state
from latentmap.data.images import Encoded, UnreadableImageError, read_encoded
from latentmap.data.labels import Classes, in_order, number_classes, values_of
from latentmap.data.source import ReadOptions, Samples, explained, words_of
from latentmap.data.storage import Storage, StoredFile
from latentmap.data.tables import Kind, Table, check_names, class_column, listed, read_table
from latentmap.errors import DatasetError, MissingExtraError, count

_GROUPS_LOOKED_AT = 16  # of object storage, evenly spaced, and
_CELLS_LOOKED_AT = 256  # of each


def _table(
    schema: Any,
    read: Callable[[list[str]], Iterable[Any]],
    class_names: Callable[[str], tuple[str, ...] | None],
    **known: Any,
) -> Table:
    """Arrow's tables of a schema, one below the other, as one table; `read` gives some columns of each."""

    def classes(name: str) -> Classes:
        cells = [chunk for table in read([name]) for chunk in table.column(0).chunks]
        names = class_names(name)
        return in_order(cells) if names is None else (values_of(cells), names)

    return Table(
        kinds=_kinds(schema), numbers=lambda names: _numbers(read(list(names)), names), classes=classes, **known
    )


def _read(
    table: Table,
    n: int,
    options: ReadOptions,
    *,
    fetch: Callable[[int], Encoded] | None,  # the image of a row, where a column holds some
    arrays: Mapping[str, Callable[[], NDArray[Any]]],  # columns of arrays, read when they are called
    looked_at: NDArray[np.int64] | None = None,  # see `read_encoded`
) -> Samples:
    """The images of a column that holds some, else the arrays of the first of those, else numbers."""
    asked = options.columns or options.known.columns
    images = fetch if asked is None else None
    chosen = next((name for name in arrays if asked is None or asked[0] in (name, f"{name}[0]")), "")
    if images is None and not chosen:
        return read_table(table, options)
    label = class_column(table.kinds, options, table.where, guess=True)
    notes = list(table.notes)
    others = [name for name, kind in table.kinds.items() if kind == "number" and name not in (label, chosen)]
    if others and asked is None:
        beside = "the images" if images is not None else repr(chosen)
        notes.append(f"{count(len(others), 'column')} of numbers passed over beside {beside}: {listed(others)}.")
    classes = None if label is None else table.classes(label)
    if images is not None:
        y, names = classes or (None, None)
        numbered = number_classes(
            y, table.name, names, notes=notes, is_test=table.is_test, measure=options.known.measured
        )
        return read_encoded(
            table.name, n, images, options, label=label, classes=numbered, is_test=table.is_test,
            looked_at=looked_at, content=table.content, notes=notes,
        )  # fmt: skip
    X = arrays[chosen]()
    columns: tuple[str, ...] | None = None if asked is None else (chosen,)
    if X.ndim == 2:
        columns = tuple(f"{chosen}[{i}]" for i in range(X.shape[1]))
    return table.samples(X, classes, options, label, columns, notes)


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


Shard = Path | StoredFile


def read_parquet(
    path: Path | Storage,
    options: ReadOptions,
    shards: Sequence[Shard] | None = None,
    some: range | None = None,  # the row groups of one file
) -> Samples:
    """Return the samples of a Parquet file, or of those of a folder, of which train... and test... are the splits.

    A column of images (bytes, or structs of bytes and path as Hugging Face writes them) or of arrays of one shape
    makes a dataset of these; else the columns of numbers are the features of vectors.
    """
    shards, is_of_test, notes = _choose_shards(shards or [cast("Path", path)])
    files = [opened(shard) for shard in shards]
    schema = files[0].schema_arrow
    for shard, file in zip(shards, files, strict=True):
        if file.schema_arrow.names != schema.names:
            if set(file.schema_arrow.names) == set(schema.names):
                raise DatasetError(f"{shard} has its columns in another order than {shards[0]}. Write them in one.")
            raise DatasetError(f"{shard} has other columns than {shards[0]}. Keep one dataset in a folder.")
    groups = _RowGroups(files, some, are_remote=isinstance(path, Storage))
    n, counts = groups.n, [file.metadata.num_rows for file in files]
    if not n:
        raise DatasetError(f"{path} has no rows.")
    with explained(f"{path} cannot be read as Parquet"):
        whole = path.resolve() if isinstance(path, Path) else path
        table = _table(
            schema,
            groups.tables,
            lambda label: _described_names(schema, label),
            name=whole.stem if isinstance(whole, Path) and whole.is_file() else whole.name,
            where=str(path),
            is_test=None if is_of_test is None else np.repeat(is_of_test, counts),
            content=hashlib.blake2b("".join(map(file_state, shards)).encode(), digest_size=16).hexdigest(),
            notes=notes,
        )
        images = next((field.name for field in schema if _holds_images(field.type)), None)
        return _read(
            table,
            n,
            options,
            fetch=None if images is None else partial(_image_at, groups, images),
            arrays={
                field.name: partial(_array_column, groups, field, str(path))
                for field in schema
                if _holds_arrays(field)
            },
            looked_at=groups.some() if isinstance(path, Storage) else None,
        )


def _choose_shards(shards: Sequence[Shard]) -> tuple[Sequence[Shard], list[bool] | None, list[str]]:
    """The files of the two splits, which of them is which, and what to say; all files where there are no splits."""
    kinds = [_split_of(shard) for shard in shards]
    if not {"train", "test"} <= set(kinds):
        return shards, None, []
    kept = [i for i, kind in enumerate(kinds) if kind in ("train", "test")]
    n_others = len(shards) - len(kept)
    notes = [f"{n_others} files of other splits than train and test are passed over."] if n_others else []
    return [shards[i] for i in kept], [kinds[i] == "test" for i in kept], notes


def _split_of(shard: Shard) -> str | None:
    """The split that a file's name, or its folder's, begins with."""
    path = PurePosixPath(shard.path) if isinstance(shard, StoredFile) else shard
    for name in (path.stem, path.parent.name):
        for split in ("train", "test", "validation", "valid", "val"):
            if re.match(rf"{split}([^a-z]|$)", name.lower()):
                return split
    return None


def opened(shard: Shard) -> Any:
    """A Parquet file to read from."""
    if isinstance(shard, Path) and not shard.is_file():  # a named pipe would be waited for
        raise DatasetError(f"{shard} is no regular file. Remove it, or mend the link.")
    with explained(f"{shard} cannot be read as Parquet"):
        file = pyarrow("parquet").ParquetFile(shard if isinstance(shard, Path) else shard.seekable())
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


class _RowGroups:
    """The row groups of Parquet files, one below the other."""

    def __init__(self, files: list[Any], some: range | None = None, *, are_remote: bool = False) -> None:
        self.are_remote = are_remote
        groups = [(file, i) for file in files for i in some or range(file.metadata.num_row_groups)]
        self._groups = [(file, i) for file, i in groups if file.metadata.row_group(i).num_rows]
        counts = [file.metadata.row_group(i).num_rows for file, i in self._groups]
        self.ends = list(itertools.accumulate(counts))
        self.n: int = sum(counts)
        self._held: tuple[tuple[int, str] | None, Any] = None, None  # the column of a group that was read last

    def tables(self, columns: list[str]) -> Iterator[Any]:
        """Some columns of each file."""
        for file, groups in itertools.groupby(self._groups, key=lambda group: group[0]):
            yield file.read_row_groups([i for _, i in groups], columns=columns)

    def at(self, row: int) -> tuple[int, int]:
        """The group that a row is in, and the group's first row."""
        group = bisect.bisect_right(self.ends, row)
        return group, self.ends[group - 1] if group else 0

    def read(self, group: int, column: str) -> Any:
        """A column of a group; what reading a file failed with, it fails with each time."""
        if self._held[0] != (group, column):
            self._held = None, None  # two would be held else
            file, i = self._groups[group]
            try:
                cells = file.read_row_group(i, columns=[column]).column(0)
            except Exception as error:  # as in `explained`
                if self.are_remote:
                    raise  # the next time it may be there
                cells = error
            self._held = (group, column), cells
        if isinstance(self._held[1], Exception):
            raise self._held[1]
        return self._held[1]

    def some(self) -> NDArray[np.int64]:
        """Rows that stand for all, of few groups: to look at each would be to fetch all."""
        step = -(-len(self.ends) // _GROUPS_LOOKED_AT)
        starts = [(self.ends[group - 1] if group else 0, self.ends[group]) for group in range(0, len(self.ends), step)]
        return np.concatenate([np.arange(start, min(end, start + _CELLS_LOOKED_AT)) for start, end in starts])


def _image_at(groups: _RowGroups, column: str, row: int) -> Encoded:
    """The image in a cell, bytes or a struct with such a field; of an empty one none, which nothing can read."""
    group, start = groups.at(row)
    try:
        cell = groups.read(group, column)[row - start].as_py()
    except Exception as error:
        if groups.are_remote:  # the next time it may be there
            raise DatasetError(f"a row group cannot be fetched: {words_of(error)}.") from error
        raise UnreadableImageError(words_of(error)) from error
    return (cell.get("bytes") if isinstance(cell, dict) else cell) or b""


def _holds_arrays(field: Any) -> bool:
    """Whether a column holds arrays of numbers: lists of them, lists of such lists, or tensors."""
    types = pyarrow().types
    of = getattr(field.type, "storage_type", field.type)  # in which Arrow holds a type that extends it
    if not _is_list(of):
        return False
    while _is_list(of):
        of = of.value_type
    return bool(types.is_integer(of) or types.is_floating(of))


def _is_list(of: Any) -> bool:
    """Whether a type is that of lists."""
    types = pyarrow().types
    return bool(types.is_list(of) or types.is_large_list(of) or types.is_fixed_size_list(of))


def _array_column(groups: _RowGroups, field: Any, where: str) -> NDArray[Any]:
    """The arrays of a column, (n, *shape): vectors as they are, images to be read when they are asked for."""
    column = _ParquetArrays(groups, field, where)
    return cast("NDArray[Any]", column) if column.ndim > 2 else column[np.arange(len(column))]


class _ParquetArrays:
    """A column of arrays of one shape, as one array that is read from its files, a row group held at a time."""

    def __init__(self, groups: _RowGroups, field: Any, where: str) -> None:
        self._groups, self._column, self._where = groups, field.name, where
        first = groups.read(0, field.name)
        if not first[0].is_valid:
            raise DatasetError(f"{where}, column {field.name!r}: nothing in place of an array.")
        self._shape = _declared_shape(field) or _shape_of(first[0].as_py())
        self.dtype = self._values(first[:1]).dtype
        self.shape = (groups.n, *self._shape)
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return self._groups.n

    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """The arrays at some ascending rows."""
        pieces = []
        while len(rows):
            group, start = self._groups.at(int(rows[0]))
            n = int(np.searchsorted(rows, self._groups.ends[group]))
            pieces.append(self._values(self._groups.read(group, self._column))[rows[:n] - start])
            rows = rows[n:]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces or [np.empty(self.shape, self.dtype)[:0]])

    def _values(self, column: Any) -> NDArray[Any]:
        """A column's arrays, (n, *shape)."""
        n, cells = len(column), column.combine_chunks()
        cells = getattr(cells, "storage", cells)
        while _is_list(cells.type):
            if cells.null_count:
                raise DatasetError(f"{self._where}, column {self._column!r}: nothing in place of an array.")
            cells = cells.flatten()
        values = cells.to_numpy(zero_copy_only=False)
        if len(values) != n * math.prod(self._shape):
            raise DatasetError(
                f"{self._where}, column {self._column!r}: arrays must be of one shape, {self._shape} as the first is."
            )
        return cast("NDArray[Any]", values.reshape(n, *self._shape))


def _declared_shape(field: Any) -> tuple[int, ...] | None:
    """The shape that the type of a column of tensors says, Arrow's own or Ray's; None of plain lists."""
    if shape := getattr(field.type, "shape", None):
        return tuple(shape)
    metadata = field.metadata or {}
    if b"ARROW:extension:name" not in metadata:
        return None
    said = json.loads(metadata.get(b"ARROW:extension:metadata") or b"null")
    return tuple(said["shape"] if isinstance(said, dict) else said) if said else None


def _shape_of(cell: Any) -> tuple[int, ...]:
    """The shape of lists in lists."""
    return (len(cell), *_shape_of(cell[0])) if isinstance(cell, list) and cell else ()


# ---- the Hugging Face hub ------------------------------------------------------------------------------------------


def read_hub(name: str, options: ReadOptions) -> Samples:
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

    images = next((column for column, kind in features.items() if isinstance(kind, datasets.Image)), None)
    cells = [] if images is None else [part.cast_column(images, datasets.Image(decode=False)) for part in given]

    def fetch(row: int) -> Encoded:
        part = int(np.searchsorted(ends, row, side="right"))
        cell = cells[part][row - int(ends[part]) + counts[part]][images] or {}
        return cast("bytes", cell["bytes"]) if cell.get("bytes") else Path(cell.get("path") or "")

    table = _table(
        features.arrow_schema,
        lambda columns: (part.select_columns(columns).with_format("arrow")[:] for part in given),
        lambda label: tuple(map(str, getattr(features[label], "names", None) or ())) or None,
        name=name.rstrip("/").rsplit("/", maxsplit=1)[-1],
        where=f"hf://{name}",
        is_test=np.repeat([False, True], counts) if len(given) == 2 else None,
        content=" ".join(str(getattr(part, "_fingerprint", "")) for part in given),
    )
    return _read(table, sum(counts), options, fetch=None if images is None else fetch, arrays={})
