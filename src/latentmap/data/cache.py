"""Samples larger than memory: decoded once into files of bytes, mapped from there, and read back in pieces.

A store is a folder of the cache: ``PART.bin`` with the samples of a part one after another, ``PART.rows`` with the row
of the source that each is, and ``done.json`` once it is whole, with the sizes and digests of the others. A build that
was interrupted is gone on with; a store that was damaged since is built anew.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from io import BufferedIOBase, FileIO
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from latentmap.data.dataset import shuffled_rows
from latentmap.data.source import Held, Parts, Piece, Samples
from latentmap.data.storage import StoredFile
from latentmap.errors import DatasetError
from latentmap.files import flush

_DONE = "done.json"
_PIECE_BYTES = 2**24


def cache_root() -> Path:
    """The folder in which downloads and stores are kept."""
    import pooch

    return Path(pooch.os_cache("latentmap"))


def cache_dir() -> Path:
    """The folder in which stores are kept."""
    return cache_root() / "stores"


# ---- writing -------------------------------------------------------------------------------------------------------


def store(
    samples: Samples, key: str, parts: Parts, shuffled: Collection[str], notes: list[str], bar: Any
) -> tuple[dict[str, Held], dict[int, str]]:
    """Return the samples of each part, mapped from files that are written first where they are not there yet."""
    from filelock import FileLock

    folder = cache_dir() / key
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "lock"):  # two runs on the same data do not write over each other
            try:
                unreadable = _checked(folder, parts)
            except (ValueError, KeyError, TypeError, AttributeError, FileNotFoundError):
                notes.append("what the cache held of it was damaged, and is decoded anew.")
                unreadable = None
                # Removed, not written over: another process may have them mapped.
                for file in [folder / _DONE, *folder.glob("*.bin"), *folder.glob("*.rows")]:
                    file.unlink(missing_ok=True)
            if unreadable is None:
                unreadable = _build(samples, folder, parts, shuffled, bar)
            mapped = {name: _mapped(samples, folder / name) for name in parts}
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


def _build(samples: Samples, folder: Path, parts: Parts, shuffled: Collection[str], bar: Any) -> dict[int, str]:
    """Write what is missing of a store; return the rows that cannot be read, and why."""
    unreadable: dict[int, str] = {}
    if bar is not None:
        bar.kind, bar.total = "decoding", sum(len(rows) for rows in parts.values())
    for name, rows in parts.items():
        ascending = folder / (f"{name}-ascending" if name in shuffled else name)
        unreadable.update(_append(samples, ascending, rows, bar))
        if name in shuffled:
            _shuffle(samples, ascending, folder / name)
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


def _append(samples: Samples, part: Path, rows: NDArray[np.int64], bar: Any) -> dict[int, str]:
    """Write what is missing of a part, in the order of the rows; return those that cannot be read, and why."""
    unreadable: dict[int, str] = {}
    with part.with_suffix(".bin").open("ab") as values, part.with_suffix(".rows").open("ab") as kept:
        n_done = min(values.tell() // samples.row_bytes, kept.tell() // 8)  # with both its values and its row
        found = np.fromfile(part.with_suffix(".rows"), np.int64, n_done)
        if not np.isin(found, rows).all() or (np.diff(found) <= 0).any():  # not what an interrupted build leaves
            n_done, found = 0, found[:0]
        values.truncate(n_done * samples.row_bytes)
        kept.truncate(8 * n_done)
        # What cannot be read leaves no trace: it is tried again where it comes after the last that could.
        todo = rows[np.searchsorted(rows, found[-1], side="right") :] if n_done else rows
        unreadable.update({int(row): "skipped before" for row in np.setdiff1d(rows[: len(rows) - len(todo)], found)})
        if bar is not None:
            bar.update(len(rows) - len(todo))
        for there, X, others in _read(samples, todo):
            values.write(np.ascontiguousarray(X, samples.dtype).data)
            kept.write(there.astype(np.int64).data)
            unreadable.update(others)
            if bar is not None:
                bar.update(len(there) + len(others))
    for kind in (".bin", ".rows"):
        flush(part.with_suffix(kind))
    return unreadable


def _read(samples: Samples, rows: NDArray[np.int64]) -> Iterator[Piece]:
    """What the reader gives; its errors are of the source, not of the cache."""
    try:
        yield from samples.read(rows)
    except OSError as error:
        raise DatasetError(f"{samples.info.name} cannot be read: {error.strerror or error}.") from error


def _shuffle(samples: Samples, ascending: Path, part: Path) -> None:
    """Write a part in random order: its first samples are looked at, and must not be of the first classes."""
    X, rows = _mapped(samples, ascending)
    order = shuffled_rows(len(rows))
    step = max(1, _PIECE_BYTES // samples.row_bytes)
    with part.with_suffix(".bin").open("wb") as values, part.with_suffix(".rows").open("wb") as kept:
        kept.write(rows[order].data)
        if (region := file_region(X)) is not None:  # None where there is no row
            with region.open() as file:
                for start in range(0, len(order), step):
                    values.write(region.take(file, order[start : start + step]).data)
    for kind in (".bin", ".rows"):
        flush(part.with_suffix(kind))


def _mapped(samples: Samples, part: Path) -> Held:
    """A part's samples, mapped, and their rows."""
    rows = np.fromfile(part.with_suffix(".rows"), np.int64)
    shape = (len(rows), *samples.sample_shape)
    if not len(rows):  # nothing can be mapped from an empty file
        return np.empty(shape, samples.dtype), rows
    return np.memmap(part.with_suffix(".bin"), samples.dtype, "r", shape=shape), rows


def file_state(file: Path | StoredFile) -> str:
    """Return what changes when a file does: its place, size and time."""
    if isinstance(file, StoredFile):
        return file.state
    stat = file.stat()
    return hashlib.blake2b(
        f"{file.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}".encode("utf-8", "surrogateescape"), digest_size=16
    ).hexdigest()


def unpack(source: IO[bytes] | BufferedIOBase, n_bytes: int, key: str) -> tuple[Path, int]:
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


# ---- arrays in files ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FileRegion:
    """An array in a file, read from there piece by piece: what is read through a map would stay with the process."""

    path: str
    offset: int  # where the array begins, in bytes
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def row_bytes(self) -> int:
        """The bytes of a row."""
        return int(np.prod(self.shape[1:])) * self.dtype.itemsize

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return the rows from start to stop."""
        n_values = int(np.prod(self.shape[1:]))
        flat = np.fromfile(
            self.path, self.dtype, (stop - start) * n_values, offset=self.offset + start * self.row_bytes
        )
        return flat.reshape(-1, *self.shape[1:])

    def open(self) -> FileIO:
        """Open the file for `read_into`."""
        return Path(self.path).open("rb", buffering=0)

    def read_into(self, file: FileIO, start: int, out: NDArray[Any]) -> None:
        """Fill an unbroken array with the rows from `start` on."""
        file.seek(self.offset + start * self.row_bytes)
        view = memoryview(out.data).cast("B")
        while len(view):
            n = file.readinto(view)
            if not n:
                raise OSError(f"{self.path} is shorter than it was")
            view = view[n:]

    def take(self, file: FileIO, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return rows by their numbers, each read on its own."""
        held = np.empty((len(rows), *self.shape[1:]), self.dtype)
        for place, row in enumerate(rows.tolist()):
            self.read_into(file, row, held[place : place + 1])
        return held

    def pieces(self, n_bytes: int = 2**24) -> Iterator[tuple[slice, NDArray[Any]]]:
        """Yield all rows in pieces of about so many bytes, with where each lies."""
        step = max(1, n_bytes // self.row_bytes)
        for start in range(0, len(self), step):
            stop = min(start + step, len(self))
            yield slice(start, stop), self.read(start, stop)


def file_region(X: NDArray[Any]) -> FileRegion | None:
    """Return where an array lies in a file, or None where it is not (an unbroken piece of) a mapped one."""
    if not X.flags.c_contiguous:
        return None
    root: Any = X
    mapped = None
    while isinstance(root, np.ndarray):
        if isinstance(root, np.memmap):
            mapped = root
        root = root.base
    # A map opened to be written to may hold what its file does not have yet.
    if mapped is None or mapped.mode != "r" or mapped.filename is None:
        return None
    offset = mapped.offset + X.__array_interface__["data"][0] - mapped.__array_interface__["data"][0]
    return FileRegion(str(mapped.filename), offset, X.shape, X.dtype)
