"""Files of arrays as sources: ``.npy``, ``.npz`` and IDX.

What belongs here: which arrays a file holds. What they must be like is the business of ``arrays``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, cast
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from latentmap.data.arrays import ArrayReader, Parts
from latentmap.data.idx import check_images, read_idx
from latentmap.data.reading import Wishes
from latentmap.data.store import file_state, unpack
from latentmap.errors import DatasetError

_X_NAMES, _Y_NAMES = ("X", "x", "images", "data"), ("y", "labels", "targets")


def read_npy(path: Path, wishes: Wishes) -> ArrayReader:
    """Return the reader of a ``.npy`` file: an array of images or vectors, without labels.

    Raises
    ------
    DatasetError
        If it is damaged or holds objects, which would have to be unpickled.
    """
    return ArrayReader(path.stem, Parts(_load(path)), wishes, content=file_state(path))


def read_npz(path: Path, wishes: Wishes) -> ArrayReader:
    """Return the reader of an ``.npz`` file: ``X`` (or images, data), with ``y`` (or labels) where it is there.

    ``x_train``, ``y_train``, ``x_test`` and ``y_test`` are the splits; with one array alone its name does not matter.

    Raises
    ------
    DatasetError
        If it is damaged, holds objects, has no such arrays, or has larger vectors than may be held.
    """
    archive = _load(path)
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise DatasetError(f"{path} is a single array, though named .npz. Name it .npy.")
    with archive:
        names = archive.files

        def find(*wanted: str) -> str | None:
            return next((name for name in wanted if name in names), None)

        X, X_test = find("x_train", "X_train"), find("x_test", "X_test")
        if X is not None and X_test is not None:
            chosen = [X, find("y_train"), X_test, find("y_test")]
        elif len(names) == 1:
            chosen = [names[0]]
        else:
            chosen = [find(*_X_NAMES), find(*_Y_NAMES)]
        if chosen[0] is None:
            raise DatasetError(
                f"{path} must hold one of {', '.join(_X_NAMES)} (and y or labels), got {', '.join(names) or '-'}."
            )
        headers = {name: _header(archive, name, path) for name in chosen if name is not None}
        room = wishes.budget or 2**63
        fits = sum(n_bytes for _, n_bytes in headers.values()) <= room
        arrays = []
        for place, name in enumerate(chosen):
            if name is None or fits or place % 2:  # labels are held
                arrays.append(None if name is None else _member(archive, name, path))
                continue
            check_images(path, *headers[name], room)
            arrays.append(_unpacked(archive, name, path))
        parts = Parts(cast("NDArray[Any]", arrays[0]), *arrays[1:])
    return ArrayReader(path.stem, parts, wishes, content=file_state(path))


def read_idx_file(path: Path, wishes: Wishes) -> ArrayReader:
    """Return the reader of an IDX file of samples, with the labels of the file beside it that MNIST would have.

    Raises
    ------
    DatasetError
        If it is damaged.
    """
    parts = Parts(read_idx(path, budget=wishes.budget), _labels_beside(path, wishes))
    return ArrayReader(path.name.split(".")[0], parts, wishes, content=file_state(path))


def read_idx_folder(folder: Path, wishes: Wishes) -> ArrayReader:
    """Return the reader of a folder with IDX files as MNIST has them: train-images..., t10k-images..."""
    train, test = idx_images(folder, "train"), idx_images(folder, "t10k")
    if train is None:
        raise DatasetError(f"{folder} has no train-images IDX file.")
    parts, content = Parts(read_idx(train, budget=wishes.budget), _labels_beside(train, wishes)), file_state(train)
    if test is not None:
        parts = replace(parts, X_test=read_idx(test, budget=wishes.budget), y_test=_labels_beside(test, wishes))
        content += file_state(test)
    return ArrayReader(folder.resolve().name, parts, wishes, content=content)


def idx_images(folder: Path, part: str) -> Path | None:
    """Return the IDX file of a folder that holds the images of a part, if there is one."""
    return next((path for path in sorted(folder.glob(f"{part}-images*idx3-ubyte*")) if path.is_file()), None)


def _labels_beside(path: Path, wishes: Wishes) -> NDArray[Any] | None:
    """The labels of an IDX file of images, where MNIST's naming leads to a file."""
    labels = path.with_name(path.name.replace("-images", "-labels").replace("idx3", "idx1"))
    return read_idx(labels, 1, wishes.budget) if labels != path and labels.is_file() else None


def _load(path: Path) -> Any:
    """What a NumPy file holds, mapped or to be taken from an archive, never unpickled."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # a damaged header can make its reader fail in any way
        raise _unreadable(path, error) from error


def _header(archive: np.lib.npyio.NpzFile, name: str, path: Path) -> tuple[tuple[int, ...], int]:
    """The shape of an array of an ``.npz`` file and the bytes it takes once uncompressed, by its header."""
    try:
        with cast("ZipFile", archive.zip).open(f"{name}.npy") as file:
            is_first = np.lib.format.read_magic(file) == (1, 0)
            read_header = np.lib.format.read_array_header_1_0 if is_first else np.lib.format.read_array_header_2_0
            shape, _, dtype = read_header(file)
    except Exception as error:  # as below
        raise _unreadable(path, error) from error
    return shape, prod(shape) * int(dtype.itemsize)


def _unpacked(archive: np.lib.npyio.NpzFile, name: str, path: Path) -> Any:
    """One array of an ``.npz`` file, mapped from the cache."""
    zipped = cast("ZipFile", archive.zip)
    n_bytes = zipped.getinfo(f"{name}.npy").file_size
    try:
        with zipped.open(f"{name}.npy") as file:
            unpacked, found = unpack(
                cast("BinaryIO", file), n_bytes, f"{file_state(path)}-{archive.files.index(name)}"
            )
        if found != n_bytes:
            raise ValueError(f"{name} is of another size than is said")
        return np.load(unpacked, mmap_mode="r", allow_pickle=False)
    except DatasetError:
        raise
    except Exception as error:  # as below
        raise _unreadable(path, error) from error


def _member(archive: Mapping[str, Any], name: str, path: Path) -> NDArray[Any]:
    """One array of an ``.npz`` file."""
    try:
        return cast("NDArray[Any]", archive[name])
    except Exception as error:  # as above
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> DatasetError:
    """Say that a NumPy file cannot be read, and why."""
    words = " ".join(str(error).split()) or type(error).__name__
    if "pickle" in words or "Python objects" in words:
        words = "it holds Python objects, which are never unpickled. Save it as an array of numbers"
    elif isinstance(error, PermissionError):
        words = "no permission"
    return DatasetError(f"{path} cannot be read as NumPy's: {words.rstrip('.')}.")
