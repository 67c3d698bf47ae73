"""Reading IDX, the file format of MNIST and its relatives: a few header bytes, then one dense array.

Format (Y. LeCun, "The MNIST database of handwritten digits"): two zero bytes, a type byte, the number of dimensions,
each dimension as a big-endian uint32, then the values, row-major and big-endian. Only unsigned bytes occur in image
files; the other types are read too.
"""

from __future__ import annotations

import gzip
import zlib
from math import prod
from pathlib import Path

import numpy as np

from latentmap.errors import DatasetError

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"


def read_content(path: Path) -> bytes:
    """Return the bytes of a file, uncompressed where it is gzip-compressed (by its content, not its name).

    Raises
    ------
    DatasetError
        If the file cannot be read, or its compression is damaged.
    """
    try:
        with path.open("rb") as file:
            if file.peek(2)[:2] != _GZIP_MAGIC:
                return file.read()
            with gzip.open(file) as unzipped:
                return unzipped.read()
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
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _TYPES or content[3] == 0:
        raise DatasetError(f"{name} is not an IDX file: wrong magic number {content[:4].hex(' ') or '(empty file)'}.")
    dtype, found_dims = np.dtype(_TYPES[content[2]]), content[3]
    if n_dims is not None and found_dims != n_dims:
        raise DatasetError(f"{name} must have {n_dims} dimension(s), got {found_dims}. Are images and labels swapped?")
    header = 4 + 4 * found_dims
    if len(content) < header:
        raise DatasetError(f"{name} is truncated: its header needs {header} bytes, got {len(content)}.")
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", found_dims, offset=4))
    if 0 in shape:
        raise DatasetError(f"{name} is empty: its dimensions are {shape}.")
    expected = header + prod(shape) * dtype.itemsize
    if len(content) != expected:
        fault = "truncated" if len(content) < expected else "longer than its header says"
        raise DatasetError(
            f"{name} is {fault}: dimensions {shape} need {expected:,} bytes, got {len(content):,}. Fetch it again."
        )
    values = np.frombuffer(content, dtype, offset=header).reshape(shape)
    return values.astype(dtype.newbyteorder("="), copy=False)


def read_idx(path: Path, n_dims: int | None = None) -> np.ndarray:
    """Return the array of an IDX file, gzip-compressed or not; see `read_content` and `parse_idx` for the errors."""
    return parse_idx(read_content(path), str(path), n_dims)
