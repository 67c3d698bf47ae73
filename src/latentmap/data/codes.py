"""Files of codes: ``.npy``, ``.csv`` or ``.parquet``, written piece by piece and read back as one array.

A table has one column per latent number, z1, z2 and so on, and before them what is known of each sample: its split,
its file and its class.
"""

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, islice, takewhile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentmap.data.csv_files import has_header, is_number
from latentmap.data.parquet_and_hub import pyarrow as load_pyarrow
from latentmap.data.source import explained
from latentmap.errors import DatasetError, count, printable, warn
from latentmap.files import new_file

SUFFIXES = (".npy", ".csv", ".parquet")

_FORMULA = ("=", "+", "-", "@", "\t", "\r")

Piece = tuple[NDArray[np.floating], Mapping[str, Sequence[Any]]]
"""Codes, shape (n, latent_dim), and columns of n texts or numbers that describe the same samples."""


def check_suffix(path: Path) -> None:
    """Refuse a file name whose ending is not one of `SUFFIXES`."""
    if path.suffix not in SUFFIXES:
        raise ValueError(f"output must end in {', '.join(SUFFIXES)}, got {path.name}.")


def code_names(latent_dim: int) -> list[str]:
    """What the columns of codes are called."""
    return [f"z{i + 1}" for i in range(latent_dim)]


def write_codes(
    path: Path,
    pieces: Iterable[Piece],
    shape: tuple[int, ...],
    *,
    names: Sequence[str] | None = None,
    for_spreadsheet: bool = False,
    replace: bool = True,  # what is there by the time that they are written
) -> None:
    """Write codes as they come, (n, latent_dim) in all; or vectors, of these columns; or, to .npy, any samples."""
    check_suffix(path)
    names = code_names(shape[1]) if names is None else names
    with new_file(path, replace=replace) as temporary:
        if path.suffix == ".npy":
            _write_npy(temporary, pieces, shape)
        elif path.suffix == ".csv":
            _write_csv(temporary, pieces, names, for_spreadsheet=for_spreadsheet)
        else:
            _write_parquet(temporary, pieces, names)


def read_codes(path: str | os.PathLike[str], latent_dim: int) -> NDArray[np.float32]:
    """Return the codes of a file or folder that `encode` wrote, or of any table: z1, z2, ..., or its last columns."""
    file = Path(path)
    if parts := sorted(file.glob("part-*.parquet")):
        return np.concatenate([read_codes(part, latent_dim) for part in parts])
    if not file.exists():
        raise DatasetError(f"{file} cannot be read as codes: there is no such file.")
    if file.suffix not in SUFFIXES:
        raise DatasetError(f"{file} cannot be read as codes: these are in files ending in {', '.join(SUFFIXES)}.")
    if not file.is_file():  # a named pipe would be waited for
        raise DatasetError(f"{file} is no regular file. Write what it gives to a file first.")
    with explained(f"{file} cannot be read as codes"):
        if file.suffix == ".npy":
            codes = np.load(file, mmap_mode="r", allow_pickle=False)
        elif file.suffix == ".csv":
            codes = _read_csv(file, latent_dim)
        else:
            table = load_pyarrow("parquet").read_table(file)
            chosen = _find_codes(table.column_names, latent_dim, file)
            codes = np.column_stack([table.column(place).to_numpy() for place in chosen])
        codes = np.asarray(codes, dtype=np.float32)
    if codes.ndim != 2 or codes.shape[1] != latent_dim:
        raise DatasetError(f"{file} must hold codes of {latent_dim} numbers each, got shape {codes.shape}.")
    return codes


def _write_npy(path: Path, pieces: Iterable[Piece], shape: tuple[int, ...]) -> None:
    """Codes alone: the format has no room for more."""
    with path.open("wb") as file:
        for Z, _ in chain(pieces, [(np.empty((0, *shape[1:]), np.float32), {})]):  # of none, the header alone
            if not file.tell():
                descr = np.lib.format.dtype_to_descr(Z.dtype)
                header = {"descr": descr, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
            file.write(np.ascontiguousarray(Z).data)


def _write_csv(path: Path, pieces: Iterable[Piece], names: Sequence[str], *, for_spreadsheet: bool) -> None:
    """A header line, then a line a sample; numbers in as many digits as give the same float32 back."""
    n_formulas = 0

    def guarded(value: Any) -> Any:
        nonlocal n_formulas
        text = as_utf8(value)
        if not isinstance(text, str) or not text.startswith(_FORMULA) or is_number(text):
            return text
        n_formulas += 1
        return f"'{text}" if for_spreadsheet else text

    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        for i, (Z, described) in enumerate(pieces):
            if i == 0:
                writer.writerow([*described, *names])
            columns = [list(map(guarded, values)) for values in described.values()]
            rows = [[str(value) for value in code] for code in Z]
            writer.writerows([*known, *row] for *known, row in zip(*columns, rows, strict=True))
    if n_formulas and not for_spreadsheet:
        warn(
            f"{n_formulas:,} names begin with = + - @ or a tab, which a spreadsheet takes for formulas. To open the "
            "file in one, write it with --spreadsheet."
        )


def _write_parquet(path: Path, pieces: Iterable[Piece], names: Sequence[str]) -> None:
    """A row group a piece."""
    pyarrow, parquet = load_pyarrow(), load_pyarrow("parquet")
    writer = None
    for Z, described in pieces:
        known = {name: list(map(as_utf8, values)) for name, values in described.items()}
        table = pyarrow.table({**known, **{name: Z[:, i] for i, name in enumerate(names)}})
        if writer is None:
            writer = parquet.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def as_utf8(text: Any) -> Any:
    """Text that UTF-8 can hold: the bytes of a file name that is none are written out, as messages do."""
    if not isinstance(text, str):
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return printable(text)
    return text


def _find_codes(names: Sequence[str], latent_dim: int, path: Path) -> list[int]:
    """The columns that are codes: those called z1, z2, ..., as many as a code has numbers; else the last ones."""
    n = sum(1 for _ in takewhile(names.__contains__, (f"z{i}" for i in range(1, len(names) + 1))))
    if n == latent_dim:
        return [names.index(name) for name in code_names(n)]
    if n > 1 or (n and list(names[-n:]) == code_names(n)):
        raise DatasetError(f"{path} must hold codes of {count(latent_dim, 'number')} each, got {n}: z1 to z{n}.")
    if len(names) < latent_dim:
        raise DatasetError(
            f"{path} must hold codes of {count(latent_dim, 'number')} each, got {count(len(names), 'column')}."
        )
    last = names[-latent_dim:]
    if len(names) > latent_dim and not all(name[-1:].isdigit() for name in last):
        warn(f"of {path} the last columns are taken for codes: {', '.join(last)}.")
    return list(range(len(names) - latent_dim, len(names)))


def _read_csv(path: Path, latent_dim: int) -> NDArray[np.float32]:
    """The codes of a CSV file, with a header line or without."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = csv.reader(file)
        rows = (row for row in lines if row)
        first = next(rows, [])
        if len(first) < latent_dim:
            raise ValueError(f"it has {len(first)} columns")
        sampled = list(islice(rows, 20))
        header, _ = has_header(first[-latent_dim:], [row[-latent_dim:] for row in sampled])
        header = header or set(code_names(latent_dim)) <= set(first)
        places = range(len(first) - latent_dim, len(first))
        chosen = _find_codes(first, latent_dim, path) if header else list(places)
        codes = []
        for row in chain(sampled if header else [first, *sampled], rows):
            if len(row) != len(first):
                raise ValueError(f"line {lines.line_num} has {len(row)} columns")
            codes.append(np.array([row[place] for place in chosen], dtype=np.float32))
        return np.array(codes, np.float32).reshape(-1, latent_dim)
