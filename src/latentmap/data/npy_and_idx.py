"""Files of arrays as sources: ``.npy``, ``.npz`` and IDX.

IDX (Y. LeCun, "The MNIST database of handwritten digits"): two zero bytes, a type byte, the number of dimensions, each
dimension as a big-endian uint32, then the values, row-major and big-endian. Image files hold unsigned bytes; the other
types are read too.
"""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from math import prod
from pathlib import Path
from typing import Any, cast
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from latentmap.data.arrays import Side, read_arrays
from latentmap.data.cache import file_state, unpack
from latentmap.data.source import ReadOptions, Samples, explained
from latentmap.errors import DatasetError

_X_NAMES, _Y_NAMES = ("X", "x", "images", "data"), ("y", "labels", "targets")
_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"
_MOST_DIMS = 32  # what every NumPy can hold


def read_npy(path: Path, options: ReadOptions) -> Samples:
    """Return the samples of a ``.npy`` file: an array of images or vectors, without labels."""
    return read_arrays(path.stem, [(_load(path), None)], options, content=file_state(path))


def read_npz(path: Path, options: ReadOptions) -> Samples:
    """Return the samples of an ``.npz`` file: ``X`` (or images, data), with ``y`` (or labels) where it is there.

    ``x_train``, ``y_train``, ``x_test`` and ``y_test`` are the splits; with one array alone its name does not matter.
    """
    archive = _load(path)
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise DatasetError(f"{path} is a single array, though named .npz. Name it .npy.")
    with archive:
        chosen = _choose(archive.files, path)
        headers = {name: _header(archive, name, path) for side in chosen for name in side if name is not None}
        fits = sum(n_bytes for _, n_bytes in headers.values()) <= options.budget

        def read(name: str, *, of_samples: bool) -> NDArray[Any]:
            if fits or not of_samples:
                with explained(f"{path} cannot be read as NumPy's"):
                    return archive[name]
            _check_held(path, *headers[name], options.budget)
            return _unpacked(archive, name, path)

        sides: list[Side] = [
            (read(X, of_samples=True), None if y is None else read(y, of_samples=False)) for X, y in chosen
        ]
    return read_arrays(path.stem, sides, options, content=file_state(path))


def _choose(names: list[str], path: Path) -> list[tuple[str, str | None]]:
    """The names of an archive's samples and classes, of one side or two."""

    def find(*wanted: str) -> str | None:
        return next((name for name in wanted if name in names), None)

    X, X_test = find("x_train", "X_train"), find("x_test", "X_test")
    if X is not None and X_test is not None:
        return [(X, find("y_train")), (X_test, find("y_test"))]
    if len(names) == 1:
        return [(names[0], None)]
    if {"indptr", "indices", "shape"} <= set(names):
        raise DatasetError(
            f"{path} holds a sparse matrix of scipy, which networks can't take. Save scipy.sparse.load_npz(path)"
            ".toarray() with numpy.save."
        )
    X = find(*_X_NAMES)
    if X is None:
        raise DatasetError(
            f"{path} must hold one of {', '.join(_X_NAMES)} (and y or labels), got {', '.join(names) or '-'}."
        )
    return [(X, find(*_Y_NAMES))]


def read_idx_file(path: Path, options: ReadOptions) -> Samples:
    """Return the samples of an IDX file, with the labels of the file beside it that MNIST would have."""
    return read_arrays(path.name.split(".")[0], [_idx_side(path, options)], options, content=file_state(path))


def read_idx_folder(folder: Path, options: ReadOptions) -> Samples:
    """Return the samples of a folder with IDX files as MNIST has them: train-images..., t10k-images..."""
    files = [file for part in ("train", "t10k") if (file := idx_images(folder, part)) is not None]
    sides = [_idx_side(file, options) for file in files]
    return read_arrays(folder.resolve().name, sides, options, content="".join(map(file_state, files)))


def idx_images(folder: Path, part: str) -> Path | None:
    """Return the IDX file of a folder that holds the images of a part, if there is one."""
    return next((path for path in sorted(folder.glob(f"{part}-images*idx3-ubyte*")) if path.is_file()), None)


def _idx_side(path: Path, options: ReadOptions) -> Side:
    """The samples of an IDX file, and their labels where MNIST's naming leads to a file."""
    labels = path.with_name(path.name.replace("-images", "-labels").replace("idx3", "idx1"))
    beside = labels != path and labels.is_file()
    return read_idx(path, budget=options.budget), read_idx(labels, 1, options.budget) if beside else None


# ---- NumPy's files -------------------------------------------------------------------------------------------------


def _load(path: Path) -> Any:
    """What a NumPy file holds, mapped or to be taken from an archive, never unpickled."""
    with explained(f"{path} cannot be read as NumPy's"):
        return np.load(path, mmap_mode="r", allow_pickle=False)


def _header(archive: np.lib.npyio.NpzFile, name: str, path: Path) -> tuple[tuple[int, ...], int]:
    """The shape of an array of an ``.npz`` file and the bytes it takes once uncompressed, by its header."""
    with explained(f"{path} cannot be read as NumPy's"), cast("ZipFile", archive.zip).open(f"{name}.npy") as file:
        is_first = np.lib.format.read_magic(file) == (1, 0)
        read_header = np.lib.format.read_array_header_1_0 if is_first else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(file)
    return shape, prod(shape) * int(dtype.itemsize)


def _unpacked(archive: np.lib.npyio.NpzFile, name: str, path: Path) -> NDArray[Any]:
    """One array of an ``.npz`` file, mapped from the cache."""
    zipped = cast("ZipFile", archive.zip)
    n_bytes, key = zipped.getinfo(f"{name}.npy").file_size, f"{file_state(path)}-{archive.files.index(name)}"
    with explained(f"{path} cannot be read as NumPy's"):
        with zipped.open(f"{name}.npy") as file:
            unpacked, found = unpack(file, n_bytes, key)
        if found != n_bytes:
            raise ValueError(f"{name} is of another size than is said")
        return cast("NDArray[Any]", np.load(unpacked, mmap_mode="r", allow_pickle=False))


# ---- IDX -----------------------------------------------------------------------------------------------------------


def read_content(path: Path, most: int | None = None) -> bytes:
    """Return the bytes of a file, uncompressed where it is gzip-compressed (by its content, not its name)."""
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
    """Return the array that IDX bytes hold."""
    dtype, shape, n_header = _parse_header(content, name, n_dims)
    _check_length(len(content), n_header, dtype, shape, name)
    values = np.frombuffer(content, dtype, offset=n_header).reshape(shape)
    return values.astype(dtype.newbyteorder("="), copy=False)


def _parse_header(content: bytes, name: str, n_dims: int | None) -> tuple[np.dtype, tuple[int, ...], int]:
    """The type and shape that the first bytes of an IDX file state, and how many bytes state them."""
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _TYPES or content[3] == 0:
        way = " What else is compressed must be unpacked first: gunzip -k FILE" if name.endswith(".gz") else ""
        raise DatasetError(
            f"{name} is not an IDX file: wrong magic number {content[:4].hex(' ') or '(empty file)'}.{way}"
        )
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
    """Return the array of an IDX file: mapped from it, or held in memory where it is compressed and fits."""
    with _opened(path) as file:
        dtype, shape, n_header = _parse_header(file.read(4 + 4 * _MOST_DIMS), str(path), n_dims)
        if not isinstance(file, gzip.GzipFile):
            _check_length(path.stat().st_size, n_header, dtype, shape, str(path))
            return np.memmap(path, dtype, "r", n_header, shape)
        file.seek(0)
        n_bytes = n_header + prod(shape) * dtype.itemsize
        if budget is not None and n_bytes - n_header > budget:
            _check_held(path, shape, n_bytes - n_header, budget)
            unpacked, found = unpack(file, n_bytes, file_state(path))
            _check_length(found, n_header, dtype, shape, str(path))
            return np.memmap(unpacked, dtype, "r", n_header, shape)
        try:
            content = file.read(n_bytes + 1)
        except (MemoryError, OverflowError) as error:
            raise DatasetError(f"{path} states dimensions {shape}, which no memory holds.") from error
        return parse_idx(content, str(path), n_dims)


def _check_held(path: Path, shape: tuple[int, ...], n_bytes: int, budget: int) -> None:
    """Refuse more than may be held of what cannot be read piece by piece: vectors and labels."""
    if len(shape) < 3:
        raise DatasetError(
            f"{path} must be held as a whole, and takes {n_bytes / 2**20:,.3g} MiB, more than the "
            f"{budget / 2**20:,.3g} MiB allowed. Allow more with --memory."
        )
