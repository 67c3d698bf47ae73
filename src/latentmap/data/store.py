"""Samples larger than memory: decoded once into files of bytes, mapped from there, and read back in pieces.

A store is a folder of the cache: ``PART.bin`` with the samples of a part one after another, ``PART.rows`` with the row
of the source that each is, and ``done.json`` once it is whole, with the sizes and digests of the others. A build that
was interrupted is gone on with; a store that was damaged since is built anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from latentmap.data.readers import Chunk, Reader
from latentmap.data.regions import file_region
from latentmap.data.splits import shuffled_rows
from latentmap.errors import DatasetError

_DONE = "done.json"
_PIECE_BYTES = 2**24


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
    reader: Reader,
    key: str,
    parts: dict[str, NDArray[np.int64]],
    shuffled: Collection[str] = (),
    bar: Bar | None = None,
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
    shuffled : collection of str
        The parts whose samples are stored in random order.
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
        If the cache cannot be written, or the source not read.
    """
    from filelock import FileLock

    folder = cache_dir() / key
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "lock"):  # two runs on the same data do not write over each other
            try:
                unreadable = _checked(folder, parts)
            except (ValueError, KeyError, TypeError, AttributeError, FileNotFoundError):
                reader.known.notes.append("what the cache held of it was damaged, and is decoded anew.")
                unreadable = None
                # Removed, not written over: another process may have them mapped.
                for file in [folder / _DONE, *folder.glob("*.bin"), *folder.glob("*.rows")]:
                    file.unlink(missing_ok=True)
            if unreadable is None:
                unreadable = _build(reader, folder, parts, shuffled, bar)
            mapped = {name: _mapped(reader, folder / name) for name in parts}
    except OSError as error:
        raise _no_cache(folder, error) from error
    return mapped, unreadable


def _checked(folder: Path, parts: Collection[str]) -> dict[int, str] | None:
    """The unreadable rows that a whole store names, or None where it is unfinished; an error where it is damaged."""
    if not (folder / _DONE).is_file():
        return None
    done = json.loads((folder / _DONE).read_text(encoding="utf-8"))
    for name in _files(parts):
        n_bytes, changed, digest = done["files"][name]
        stat = (folder / name).stat()
        # A digest of many gigabytes takes as long as an epoch: samples are gone through only if they were touched.
        trusted = name.endswith(".bin") and stat.st_mtime_ns == changed
        if stat.st_size != n_bytes or not (trusted or _digest(folder / name) == digest):
            raise ValueError(f"{name} is not what was written")
    return {int(row): str(why) for row, why in done["unreadable"].items()}


def _files(parts: Collection[str]) -> list[str]:
    """The files of a store that hold its parts."""
    return [f"{part}.{kind}" for part in parts for kind in ("bin", "rows")]


def _digest(path: Path) -> str:
    """A digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _build(
    reader: Reader, folder: Path, parts: dict[str, NDArray[np.int64]], shuffled: Collection[str], bar: Bar | None
) -> dict[int, str]:
    """Write what is missing of a store; return the rows that cannot be read, and why."""
    unreadable: dict[int, str] = {}
    if bar is not None:
        bar.kind, bar.total = "decoding", sum(len(rows) for rows in parts.values())
    for name, rows in parts.items():
        ascending = folder / (f"{name}-ascending" if name in shuffled else name)
        unreadable.update(_append(reader, ascending, rows, bar))
        if name in shuffled:
            _shuffle(reader, ascending, folder / name)
    if bar is not None:
        bar.close()
    files = {}
    for name in _files(parts):
        stat = (folder / name).stat()
        files[name] = [stat.st_size, stat.st_mtime_ns, _digest(folder / name)]
    temporary = folder / f"{_DONE}.part"
    temporary.write_text(json.dumps({"unreadable": unreadable, "files": files}), encoding="utf-8")
    temporary.replace(folder / _DONE)
    for name in shuffled:
        for kind in ("bin", "rows"):
            (folder / f"{name}-ascending.{kind}").unlink()
    return unreadable


def _append(reader: Reader, part: Path, rows: NDArray[np.int64], bar: Bar | None) -> dict[int, str]:
    """Write what is missing of a part, in the order of the rows; return those that cannot be read, and why."""
    unreadable: dict[int, str] = {}
    with part.with_suffix(".bin").open("ab") as samples, part.with_suffix(".rows").open("ab") as kept:
        n_done = _whole(reader, part)
        found = np.fromfile(part.with_suffix(".rows"), np.int64, n_done)
        if not np.isin(found, rows).all() or (np.diff(found) <= 0).any():  # not what an interrupted build leaves
            n_done, found = 0, found[:0]
        samples.truncate(n_done * _row_bytes(reader))
        kept.truncate(8 * n_done)
        # What cannot be read leaves no trace: it is tried again where it comes after the last that could.
        todo = rows[np.searchsorted(rows, found[-1], side="right") :] if n_done else rows
        unreadable.update({int(row): "skipped before" for row in np.setdiff1d(rows[: len(rows) - len(todo)], found)})
        if bar is not None:
            bar.update(len(rows) - len(todo))
        for chunk in _read(reader, todo):
            samples.write(np.ascontiguousarray(chunk.X, reader.dtype).data)
            kept.write(chunk.rows.astype(np.int64).data)
            unreadable.update(chunk.unreadable)
            if bar is not None:
                bar.update(len(chunk.rows) + len(chunk.unreadable))
        _flush(samples, kept)
    return unreadable


def _read(reader: Reader, rows: NDArray[np.int64]) -> Iterator[Chunk]:
    """What the reader gives; its errors are of the source, not of the cache."""
    try:
        yield from reader.read(rows)
    except OSError as error:
        raise DatasetError(f"{reader.known.name} cannot be read: {error.strerror or error}.") from error


def _shuffle(reader: Reader, ascending: Path, part: Path) -> None:
    """Write a part in random order: its first samples are looked at, and must not be of the first classes."""
    X, rows = _mapped(reader, ascending)
    order = shuffled_rows(len(rows))
    step = max(1, _PIECE_BYTES // _row_bytes(reader))
    with part.with_suffix(".bin").open("wb") as samples, part.with_suffix(".rows").open("wb") as kept:
        kept.write(rows[order].data)
        if (region := file_region(X)) is not None:  # None where there is no row
            with region.open() as file:
                for start in range(0, len(order), step):
                    piece = order[start : start + step]
                    held = np.empty((len(piece), *reader.sample_shape), reader.dtype)
                    for place, row in enumerate(piece.tolist()):
                        region.read_into(file, row, held[place : place + 1])
                    samples.write(held.data)
        _flush(samples, kept)


def _flush(*files: Any) -> None:
    """Have the operating system write files out."""
    for file in files:
        file.flush()
        os.fsync(file.fileno())


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


def file_state(path: Path) -> str:
    """Return what changes when a file does: its place, size and time."""
    stat = path.stat()
    return hashlib.blake2b(
        f"{path.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}".encode("utf-8", "surrogateescape"), digest_size=16
    ).hexdigest()


def unpack(source: BinaryIO, n_bytes: int, key: str) -> tuple[Path, int]:
    """Write what a compressed file holds to the cache; the file, and its bytes: kept only if they are so many."""
    path = cache_dir() / f"{key}.unpacked"
    if path.is_file() and path.stat().st_size == n_bytes:
        return path, n_bytes
    temporary = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = temporary.open("wb")
    except OSError as error:
        raise _no_cache(path.parent, error) from error
    try:
        with file:
            left = n_bytes + 1
            while left and (piece := source.read(min(left, _PIECE_BYTES))):
                left -= len(piece)
                try:
                    file.write(piece)
                except OSError as error:
                    raise _no_cache(path.parent, error) from error
        if left == 1:
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path, n_bytes + 1 - left


def _no_cache(folder: Path, error: OSError) -> DatasetError:
    """Say that the cache cannot be written, and the ways out."""
    return DatasetError(
        f"the cache {folder} cannot be written: {error.strerror or error}. Make room, clear it with `latentmap data "
        "--clear`, or hold the data in memory with a larger --memory."
    )


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
    n_bytes = 0
    if found and not isinstance(memory, bool):
        number, letter, binary = found.groups()
        n_bytes = int(min(float(number) * (1024 if binary else 1000) ** " kmgt".index(letter or " "), 2**63))
    if not n_bytes:
        raise ValueError(f"memory must be a number of bytes, such as 2GiB or 500MB, got {memory!r}.")
    return n_bytes
