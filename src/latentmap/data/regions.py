"""Arrays that lie in a file, read from there piece by piece.

What belongs here: finding where an array lies, and reading it. What is in the file is the business of others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FileRegion:
    """An array that lies in a file, read from there piece by piece rather than through the map.

    What is read through a map stays with the process until the system wants the memory back; this does not.

    Parameters
    ----------
    path : str
        The file.
    offset : int
        Where the array begins, in bytes.
    shape : tuple of int
        Of the array.
    dtype : dtype
        Of the array.
    """

    path: str
    offset: int
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

    def open(self) -> BinaryIO:
        """Open the file for `read_into`."""
        return Path(self.path).open("rb", buffering=0)

    def read_into(self, file: BinaryIO, start: int, out: NDArray[Any]) -> None:
        """Fill an unbroken array with the rows from `start` on.

        Raises
        ------
        OSError
            If the file is shorter than it was.
        """
        file.seek(self.offset + start * self.row_bytes)
        view = memoryview(out.data).cast("B")
        while len(view):
            n = file.readinto(view)  # type: ignore[attr-defined]  # raw files have it
            if not n:
                raise OSError(f"{self.path} is shorter than it was")
            view = view[n:]

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
