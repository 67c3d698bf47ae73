"""Reading IDX, the file format of MNIST and its relatives: a few header bytes, then one dense array.

Format (Y. LeCun, "The MNIST database of handwritten digits"): two zero bytes, a type byte, the number of dimensions,
each dimension as a big-endian uint32, then the values, row-major and big-endian. Only unsigned bytes occur in image
files; the other types are read too.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from math import prod
from pathlib import Path

import numpy as np

from latentmap.data.store import file_state, unpack
from latentmap.errors import DatasetError

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"
_MOST_DIMS = 32  # what every NumPy can hold


def read_content(path: Path, most: int | None = None) -> bytes:
    """Return the bytes of a file, uncompressed where it is gzip-compressed (by its content, not its name).

    Parameters
    ----------
    path : Path
        The file.
    most : int, optional
        How many bytes are looked at: some kilobytes of gzip can stand for gigabytes.

    Raises
    ------
    DatasetError
        If the file cannot be read, or its compression is damaged.
    """
    with _opened(path) as file:
        return file.read(-1 if most is None else most)


@contextmanager
def _opened(path: Path) -> Iterator[BufferedReader | gzip.GzipFile]:
    """A file to read from, uncompressed on the way where it is compressed; its errors are those of `read_content`."""
    try:
        with path.open("rb") as file:
            if file.peek(2)[:2] != _GZIP_MAGIC:
                yield file
                return
            with gzip.open(file) as unzipped:
                yield unzipped
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DatasetError(f"{path} is a truncated or corrupt gzip file ({error}). Fetch it again.") from error
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}.") from error


def parse_idx(content: bytes, name: str, n_dims: int | None = None) -> np.ndarray:
    """Return the array that IDX bytes hold.

    Parameters
    ----------
    content : bytes
        A whole uncompressed IDX file.
    name : str
        What to call it in an error.
    n_dims : int, optional
        The number of dimensions it must have: 3 for images, 1 for labels.

    Returns
    -------
    ndarray
        Of the shape and type that the header states; read-only where it shares memory with `content`.

    Raises
    ------
    DatasetError
        If the magic number or a dimension is wrong, or there are fewer or more values than the header states.
    """
    dtype, shape, n_header = _parse_header(content, name, n_dims)
    _check_length(len(content), n_header, dtype, shape, name)
    values = np.frombuffer(content, dtype, offset=n_header).reshape(shape)
    return values.astype(dtype.newbyteorder("="), copy=False)


def _parse_header(content: bytes, name: str, n_dims: int | None) -> tuple[np.dtype, tuple[int, ...], int]:
    """The type and shape that the first bytes of an IDX file state, and how many bytes state them."""
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _TYPES or content[3] == 0:
        raise DatasetError(f"{name} is not an IDX file: wrong magic number {content[:4].hex(' ') or '(empty file)'}.")
    dtype, found_dims = np.dtype(_TYPES[content[2]]), content[3]
    if n_dims is not None and found_dims != n_dims:
        raise DatasetError(f"{name} must have {n_dims} dimension(s), got {found_dims}. Are images and labels swapped?")
    if found_dims > _MOST_DIMS:
        raise DatasetError(f"{name} must have at most {_MOST_DIMS} dimensions, got {found_dims}.")
    n_header = 4 + 4 * found_dims
    if len(content) < n_header:
        raise DatasetError(f"{name} is truncated: its header needs {n_header} bytes, got {len(content)}.")
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", found_dims, offset=4))
    if 0 in shape:
        raise DatasetError(f"{name} is empty: its dimensions are {shape}.")
    return dtype, shape, n_header


def _check_length(found: int, n_header: int, dtype: np.dtype, shape: tuple[int, ...], name: str) -> None:
    """Refuse fewer or more bytes than a header states."""
    wanted = n_header + prod(shape) * dtype.itemsize
    if found != wanted:
        fault = "truncated" if found < wanted else "longer than its header says"
        raise DatasetError(
            f"{name} is {fault}: dimensions {shape} need {wanted:,} bytes, got {found:,}. Fetch it again."
        )


def read_idx(path: Path, n_dims: int | None = None, budget: int | None = None) -> np.ndarray:
    """Return the array of an IDX file: mapped from it, or held in memory where it is compressed and fits.

    What is compressed and larger is unpacked into the cache, and mapped from there.

    Parameters
    ----------
    path : Path
        The file.
    n_dims : int, optional
        The number of dimensions it must have.
    budget : int, optional
        The most bytes that may be held; larger labels and vectors are refused.

    Returns
    -------
    ndarray
        Of the shape and type that the header states.

    Raises
    ------
    DatasetError
        If the file is damaged; see `parse_idx` for the other errors.
    """
    with _opened(path) as file:
        dtype, shape, n_header = _parse_header(file.read(4 + 4 * _MOST_DIMS), str(path), n_dims)
        if not isinstance(file, gzip.GzipFile):
            _check_length(path.stat().st_size, n_header, dtype, shape, str(path))
            return np.memmap(path, dtype, "r", n_header, shape)
        file.seek(0)
        n_bytes = n_header + prod(shape) * dtype.itemsize
        if budget is not None and n_bytes - n_header > budget:
            check_images(path, shape, n_bytes - n_header, budget)
            unpacked, found = unpack(file, n_bytes, file_state(path))  # type: ignore[arg-type]  # it reads bytes
            _check_length(found, n_header, dtype, shape, str(path))
            return np.memmap(unpacked, dtype, "r", n_header, shape)
        file.seek(n_header)
        try:
            values = np.empty(shape, dtype)
        except (MemoryError, ValueError) as error:
            raise DatasetError(f"{path} states dimensions {shape}, which no memory holds.") from error
        left = memoryview(values.data).cast("B")
        while n := file.readinto(left):
            left = left[n:]
        _check_length(n_header + values.nbytes - len(left) + len(file.read(1)), n_header, dtype, shape, str(path))
        return values.astype(dtype.newbyteorder("="), copy=False)


def check_images(path: Path, shape: tuple[int, ...], n_bytes: int, budget: int) -> None:
    """Refuse more than may be held of what cannot be read piece by piece: vectors and labels."""
    if len(shape) < 3:
        raise DatasetError(
            f"{path} must be held as a whole, and takes {n_bytes / 2**20:,.1f} MiB, more than the "
            f"{budget / 2**20:,.1f} MiB allowed. Allow more with --memory."
        )
