"""What every source of samples is to the rest: rows that can be read in order, with what is known of each.

What belongs here: the contract, and the reader of encoded images that folders, tables and PyTorch's datasets share.
Splitting, holding and storing what is read is the business of ``assembly`` and ``store``.
"""

from __future__ import annotations

import itertools
import os
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentmap.data.images import Encoded, UnreadableImageError, decode, levels_of, probe
from latentmap.data.preprocessing import Levels
from latentmap.data.reading import Reading, Wishes
from latentmap.errors import DatasetError

_CHUNK = 256  # images decoded between two looks at what is done
_LOOKED_AT = 4096  # of images with more than 8 bits, evenly spaced, to find the range of their pixels
_BATCH = 16  # of them at once by one thread


@dataclass(eq=False)
class Known:
    """What is known of the samples of a source before they are read.

    Parameters
    ----------
    name : str
        What people call the data.
    n : int
        How many samples there are.
    labels : ndarray of int64, shape (n,), or None
        The class of each.
    class_names : tuple of str, or None
        The name of each class.
    is_test : ndarray of bool, shape (n,), or None
        Which samples belong to the test split, where the source says so.
    names : sequence of str, or None
        What each sample is called: its file, say.
    in_class_order : bool
        Whether neighbours tend to be alike.
    notes : list of str
        What the user should be told.
    """

    name: str
    n: int
    labels: NDArray[np.int64] | None = None
    class_names: tuple[str, ...] | None = None
    is_test: NDArray[np.bool_] | None = None
    names: Sequence[str] | None = None
    in_class_order: bool = False
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some samples that were read.

    Parameters
    ----------
    rows : ndarray of int64, shape (m,)
        Which they are.
    X : ndarray, shape (m, *sample_shape)
        The samples.
    unreadable : mapping of int to str
        Which others could not be read, and why.
    """

    rows: NDArray[np.int64]
    X: NDArray[Any]
    unreadable: dict[int, str] = field(default_factory=dict)


class Reader(ABC):
    """A source of samples that can be read in any ascending order of rows."""

    known: Known
    reading: Reading
    sample_shape: tuple[int, ...]
    dtype: type[np.generic] = np.uint8  # of images, or float32: from 0 to 1 with more than 8 bits, and vectors

    @abstractmethod
    def read(self, rows: NDArray[np.int64]) -> Iterator[Chunk]:
        """Yield the samples at these ascending rows, piece by piece."""

    @abstractmethod
    def fingerprint(self) -> str | None:
        """Return what changes when the content does; None where that cannot be told, so that nothing can be kept."""

    def name_of(self, row: int) -> str:
        """Return what a sample is called."""
        return self.known.names[row] if self.known.names is not None else f"image {row:,}"


class EncodedImages(Reader):
    """Images in files of their own, or in a table's cells: each is decoded when it is read, on all cores.

    Parameters
    ----------
    known : Known
        What is known of the images.
    fetch : callable
        Gives the image of a row: a path, bytes or an open image, or raises `UnreadableImageError`; asked in ascending
        order, by one thread.
    wishes : Wishes
        What the user asked for.
    content : str
        Changes when the images do; empty where that cannot be told.
    """

    def __init__(self, known: Known, fetch: Callable[[int], Encoded], wishes: Wishes, content: str) -> None:
        self._fetch = fetch
        self._content = content
        sizes: Counter[tuple[int, int]] = Counter()
        grey = True
        depths: dict[str, list[int]] = {}
        self.unreadable: dict[int, str] = {}
        for row, found in self._in_parallel(np.arange(known.n), probe):
            if isinstance(found, UnreadableImageError):
                self.unreadable[row] = str(found)
            else:
                sizes[found[0]] += 1
                grey = grey and found[1]
                depths.setdefault(found[2], []).append(row)
        self.known = known
        if not sizes:
            raise DatasetError(
                f"none of the {known.n:,} images in {known.name} can be read. The first is {self.name_of(0)}: "
                f"{self.unreadable.get(0, '')}."
            )
        chosen = wishes.choose(sizes, grey=grey, notes=known.notes)
        dtype, levels = self._find_levels(depths.get("deep", []))
        self.reading, self._pixels = wishes.choose_range(chosen, dtype, levels, known.notes)
        self.sample_shape, self.dtype = self.reading.shape, self.reading.pixel_type
        if "deep" in depths and len(depths) > 1:
            known.notes.append(f"{len(depths['deep']):,} images have more than 8 bits, the others are of 0 to 255.")
        if "cut to 8 bits" in depths:
            known.notes.append(f"{len(depths['cut to 8 bits']):,} colour images of 16 bits are read by their upper 8.")

    def _find_levels(self, rows: list[int]) -> tuple[np.dtype[Any], Levels]:
        """The type and the levels of the pixels of deep images; of bytes where there are none."""
        some = np.asarray(rows, np.int64)[:: max(1, -(-len(rows) // _LOOKED_AT))]
        found = [result for _, result in self._in_parallel(some, levels_of) if isinstance(result, tuple)]
        if not found:
            return np.dtype(np.uint8), (0.0, 255.0, 1.0)
        low, high, step = zip(*(levels for _, levels in found), strict=True)
        dtype = max((dtype for dtype, _ in found), key=lambda dtype: (dtype.kind == "f", dtype.itemsize))
        return dtype, (min(low), max(high), min(step))

    def fingerprint(self) -> str | None:
        """Return what changes when the images or their reading do."""
        return f"{self._content} {self.reading} {self._pixels}" if self._content else None

    def read(self, rows: NDArray[np.int64]) -> Iterator[Chunk]:
        """Yield the images at these rows; those that are damaged are named."""
        results = self._in_parallel(rows, lambda encoded: decode(encoded, self.reading, self._pixels))
        while piece := list(itertools.islice(results, _CHUNK)):
            bad = {row: str(found) for row, found in piece if isinstance(found, UnreadableImageError)}
            good = [row for row, _ in piece if row not in bad]
            X = np.asarray([found for row, found in piece if row not in bad], self.dtype)
            yield Chunk(np.asarray(good, np.int64), X.reshape(-1, *self.sample_shape), bad)

    def _in_parallel(self, rows: NDArray[np.int64], work: Callable[[Encoded], Any]) -> Iterator[tuple[int, Any]]:
        """The work's result for each row, or the error of one that could not be read."""

        def attempt(items: list[Encoded | UnreadableImageError]) -> list[Any]:
            found: list[Any] = []
            for item in items:
                try:
                    found.append(item if isinstance(item, UnreadableImageError) else work(item))
                except UnreadableImageError as error:
                    found.append(error)
            return found

        # Threads, since Pillow lets others run while it decodes; the items themselves are fetched in order.
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for start in range(0, len(rows), _CHUNK):
                piece = rows[start : start + _CHUNK].tolist()
                items = [self._item(row) for row in piece]
                # Several at once: handing over a small image takes a thread longer than its work.
                batches = [items[i : i + _BATCH] for i in range(0, len(items), _BATCH)]
                yield from zip(piece, itertools.chain.from_iterable(pool.map(attempt, batches)), strict=True)

    def _item(self, row: int) -> Encoded | UnreadableImageError:
        """The image of a row, still encoded, or why there is none."""
        try:
            return self._fetch(row)
        except UnreadableImageError as error:
            return error
