"""Files of codes: ``.npy``, ``.csv`` or ``.parquet``, written piece by piece and read back as one array.

A table has one column per latent number, named as scikit-learn names them, and before them what is known of each
sample: its split and its class.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from latentmap.data.parquet_files import pyarrow as load_pyarrow
from latentmap.errors import DatasetError
from latentmap.files import new_file

SUFFIXES = (".npy", ".csv", ".parquet")

Piece = tuple[NDArray[np.float32], Mapping[str, list[str]]]
"""Codes, shape (n, latent_dim), and columns of n values that describe the same samples."""


def check_suffix(path: Path) -> None:
    """Refuse a file name whose ending is not one of `SUFFIXES`."""
    if path.suffix not in SUFFIXES:
        raise ValueError(f"output must end in {', '.join(SUFFIXES)}, got {path.name}.")


def write_codes(path: Path, pieces: Iterable[Piece], n: int, names: list[str]) -> None:
    """Write codes as they come.

    Parameters
    ----------
    path : Path
        Ends in one of `SUFFIXES`, which chooses the format.
    pieces : iterable of Piece
        In order; none is held longer than it takes to write it.
    n : int
        How many codes there will be in all.
    names : list of str
        The columns of the codes, latent_dim of them.

    Raises
    ------
    ValueError
        If the ending is another.
    OutputError
        If the file cannot be written.
    MissingExtraError
        If Parquet is asked for and the extra is not installed.
    """
    check_suffix(path)
    with new_file(path) as temporary:
        if path.suffix == ".npy":
            _write_npy(temporary, pieces, (n, len(names)))
        elif path.suffix == ".csv":
            _write_csv(temporary, pieces, names)
        else:
            _write_parquet(temporary, pieces, names)


def read_codes(path: str | os.PathLike[str], latent_dim: int) -> NDArray[np.float32]:
    """Return the codes of a file that `write_codes` wrote, or of any table whose last columns are codes.

    Parameters
    ----------
    path : path
        Ends in one of `SUFFIXES`.
    latent_dim : int
        How many columns a code has; columns before them are passed over.

    Returns
    -------
    ndarray of float32, shape (n, latent_dim)

    Raises
    ------
    DatasetError
        If the file cannot be read, or has fewer columns.
    """
    file = Path(path)
    check_suffix(file)
    try:
        if file.suffix == ".npy":
            codes = np.load(file, mmap_mode="r", allow_pickle=False)
        elif file.suffix == ".csv":
            codes = _read_csv(file, latent_dim)
        else:
            table = load_pyarrow("parquet").read_table(file)
            codes = np.column_stack([column.to_numpy() for column in table.columns[-latent_dim:]])
        codes = np.asarray(codes, dtype=np.float32)
    except FileNotFoundError as error:
        raise DatasetError(f"{file} cannot be read as codes: there is no such file.") from error
    except (OSError, ValueError, TypeError, EOFError) as error:
        raise DatasetError(f"{file} cannot be read as codes: {str(error).splitlines()[0]}.") from error
    if codes.ndim != 2 or codes.shape[1] != latent_dim:
        raise DatasetError(f"{file} must hold codes of {latent_dim} numbers each, got shape {codes.shape}.")
    return codes


def _write_npy(path: Path, pieces: Iterable[Piece], shape: tuple[int, int]) -> None:
    """Codes alone: the format has no room for more."""
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for Z, _ in pieces:
            file.write(np.ascontiguousarray(Z, dtype="<f4").tobytes())


def _write_csv(path: Path, pieces: Iterable[Piece], names: list[str]) -> None:
    """A header line, then a line a sample; numbers in as many digits as give the same float32 back."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        header_written = False
        for Z, described in pieces:
            if not header_written:
                writer.writerow([*described, *names])
                header_written = True
            rows = [[str(value) for value in code] for code in Z]
            writer.writerows([*known, *row] for *known, row in zip(*described.values(), rows, strict=True))


def _write_parquet(path: Path, pieces: Iterable[Piece], names: list[str]) -> None:
    """A row group a piece."""
    pyarrow, parquet = load_pyarrow(), load_pyarrow("parquet")
    writer = None
    for Z, described in pieces:
        columns = {**described, **{name: Z[:, i] for i, name in enumerate(names)}}
        table = pyarrow.table(columns)
        if writer is None:
            writer = parquet.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def _read_csv(path: Path, latent_dim: int) -> NDArray[np.float32]:
    """The last columns of a CSV file with a header line."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        header = next(rows, [])
        if len(header) < latent_dim:
            raise ValueError(f"it has {len(header)} columns")
        return np.array([row[-latent_dim:] for row in rows], dtype=np.float32).reshape(-1, latent_dim)
