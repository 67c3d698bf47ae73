"""Samples larger than memory: decoded once into files of bytes, mapped from there, and read back in pieces.

A store is a folder of the cache: ``PART.bin`` with the samples of a part one after another, ``PART.rows`` with the row
of the source that each is, and ``done.json`` once it is whole. A build that was interrupted is gone on with.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from latentmap.data.readers import Reader
from latentmap.errors import DatasetError

_DONE = "done.json"


class Bar(Protocol):
    """A progress bar: of bytes downloaded, of samples decoded."""

    total: int
    kind: str

    def update(self, n: int) -> None:
        """Move on by so many."""

    def close(self) -> None:
        """Be done."""


def cache_dir() -> Path:
    """Return the folder in which stores are kept."""
    from latentmap.data.builtin import cache_dir as root

    return root() / "stores"


# ---- writing -------------------------------------------------------------------------------------------------------


def store(
    reader: Reader, key: str, parts: dict[str, NDArray[np.int64]], bar: Bar | None = None
) -> tuple[dict[str, tuple[NDArray[Any], NDArray[np.int64]]], dict[int, str]]:
    """Return the samples of each part, mapped from files that are written first where they are not there yet.

    Parameters
    ----------
    reader : Reader
        The source.
    key : str
        Changes when the content, its reading or the parts do.
    parts : dict of str to ndarray of int64
        The rows of each part, ascending.
    bar : progress bar, optional
        Told of the samples decoded.

    Returns
    -------
    dict of str to (ndarray, ndarray of int64)
        Of each part the samples, mapped read-only, and their rows.
    dict of int to str
        The rows that could not be read, and why.

    Raises
    ------
    DatasetError
        If the cache cannot be written.
    """
    from filelock import FileLock

    folder = cache_dir() / key
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "lock"):  # two runs on the same data do not write over each other
            if not (folder / _DONE).is_file():
                _build(reader, folder, parts, bar)
            done = json.loads((folder / _DONE).read_text(encoding="utf-8"))
            unreadable = {int(row): str(why) for row, why in done["unreadable"].items()}
            mapped = {name: _mapped(reader, folder / name) for name in parts}
    except OSError as error:
        raise DatasetError(
            f"the cache {folder} cannot be written: {error.strerror or error}. Make room, clear it with `latentmap "
            "data --clear`, or hold the data in memory with a larger --memory."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"the cache {folder} is damaged. Clear it with `latentmap data --clear`.") from error
    return mapped, unreadable


def _build(reader: Reader, folder: Path, parts: dict[str, NDArray[np.int64]], bar: Bar | None) -> None:
    """Write what is missing of a store."""
    unreadable: dict[int, str] = {}
    if bar is not None:
        bar.kind, bar.total = "decoding", sum(len(rows) for rows in parts.values())
    for name, rows in parts.items():
        with (folder / f"{name}.bin").open("ab") as samples, (folder / f"{name}.rows").open("ab") as kept:
            n_done = _whole(reader, folder / name)
            samples.truncate(n_done * _row_bytes(reader))
            kept.truncate(8 * n_done)
            # What cannot be read leaves no trace: it is tried again where it comes after the last that could.
            found = np.fromfile(folder / f"{name}.rows", np.int64, n_done)
            todo = rows[np.searchsorted(rows, found[-1], side="right") :] if n_done else rows
            unreadable.update(
                {int(row): "skipped before" for row in np.setdiff1d(rows[: len(rows) - len(todo)], found)}
            )
            if bar is not None:
                bar.update(len(rows) - len(todo))
            for chunk in reader.read(todo):
                samples.write(np.ascontiguousarray(chunk.X, reader.dtype).data)
                kept.write(chunk.rows.astype(np.int64).data)
                unreadable.update(chunk.unreadable)
                if bar is not None:
                    bar.update(len(chunk.rows) + len(chunk.unreadable))
            for file in (samples, kept):
                file.flush()
                os.fsync(file.fileno())
    if bar is not None:
        bar.close()
    temporary = folder / f"{_DONE}.part"
    temporary.write_text(json.dumps({"unreadable": unreadable}), encoding="utf-8")
    temporary.replace(folder / _DONE)


def _whole(reader: Reader, part: Path) -> int:
    """How many samples of a part are there with both their values and their row."""
    sizes = (part.with_suffix(".bin").stat().st_size, part.with_suffix(".rows").stat().st_size)
    return min(sizes[0] // _row_bytes(reader), sizes[1] // 8)


def _row_bytes(reader: Reader) -> int:
    """The bytes of a sample."""
    return int(np.prod(reader.sample_shape)) * np.dtype(reader.dtype).itemsize


def _mapped(reader: Reader, part: Path) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """A part's samples, mapped, and their rows."""
    rows = np.fromfile(part.with_suffix(".rows"), np.int64)
    shape = (len(rows), *reader.sample_shape)
    if not len(rows):  # nothing can be mapped from an empty file
        return np.empty(shape, reader.dtype), rows
    return np.memmap(part.with_suffix(".bin"), reader.dtype, "r", shape=shape), rows


# ---- the cache -----------------------------------------------------------------------------------------------------


def stores_size() -> int:
    """Return how many bytes all stores take."""
    return sum(file.stat().st_size for file in cache_dir().rglob("*") if file.is_file())


def clear_stores() -> int:
    """Remove all stores, and return how many bytes that freed."""
    freed = stores_size()
    shutil.rmtree(cache_dir(), ignore_errors=True)
    return freed


# ---- the budget ----------------------------------------------------------------------------------------------------


def memory_budget(memory: int | str | None) -> int:
    """Return how many bytes of samples may be held in memory: a third of it, if nothing else is asked.

    Parameters
    ----------
    memory : int, str or None
        Bytes, or a text like ``"2GiB"`` or ``"500MB"``.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if memory is None:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 3 if hasattr(os, "sysconf") else 2**31
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*", str(memory).lower())
    if not found or isinstance(memory, bool):
        raise ValueError(f"memory must be a number of bytes, such as 2GiB or 500MB, got {memory!r}.")
    number, letter, binary = found.groups()
    return int(float(number) * (1024 if binary else 1000) ** " kmgt".index(letter or " "))
