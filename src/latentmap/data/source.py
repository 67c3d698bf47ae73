"""What a reader takes (`ReadOptions`) and gives (`Samples`), and the record in a model (`Reading`)."""

from __future__ import annotations

import os
import re
import statistics
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from math import prod
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from latentmap.checks import check_choice
from latentmap.data.preprocessing import COMMON_RANGES, Levels, bytes_hold, pixel_range, range_in_words, range_mismatch
from latentmap.errors import DatasetError, LatentmapError, printable, warn
from latentmap.errors import words_of as words_of  # noqa: PLC0414  # the readers take it from here

Fit = Literal["crop", "pad", "stretch"]
FITS: tuple[str, ...] = get_args(Fit)
Missing = Literal["drop", "mean"]
MISSING: tuple[str, ...] = get_args(Missing)

TEST_FRACTION = 0.2
MIN_SIZE, MAX_SIZE = 8, 256
_MIXED_SIZE = 64  # pixels: images of mixed sizes are brought to at most this


@dataclass(frozen=True)
class Reading:
    """What was done to raw samples; None is what does not apply."""

    height: int | None = None  # in pixels, that images were brought to
    width: int | None = None
    channels: int | None = None  # 1 for grey, 3 for colour, 4 for colour with opacity
    fit: Fit = "crop"  # how images of another shape came to that size: their middle, with black borders, or distorted
    low: float | None = None  # the pixel value that became black; None where they were bytes
    high: float | None = None  # and the one that became white
    # Pixels are held as bytes, which None says too, or from 0 to 1 where they have more than 8 bits; vectors as
    # float32, which None says too, or as float64 where their digits are needed.
    dtype: Literal["uint8", "float32", "float64"] | None = None
    columns: tuple[str, ...] | None = None  # of a table: the features of vectors, or the one chosen that holds images
    label: str | None = None  # the column of a table that names the class
    measured: bool | None = None  # labels were measurements; None where they were classes, or there were none
    missing: Missing | None = None  # rows with gaps were left out, or had the feature's mean put in; None refused them
    means: tuple[float, ...] | None = None  # of each feature in the training samples, to be put in

    @property
    def is_images(self) -> bool:
        """Whether samples are images rather than vectors."""
        return self.height is not None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        if self.height is None or self.width is None or self.channels is None:
            raise DatasetError("vectors have no height and width.")
        return self.height, self.width, self.channels

    @property
    def pixel_range(self) -> tuple[float, float]:
        """The pixel values that became black and white."""
        return (0.0, 255.0) if self.low is None or self.high is None else (self.low, self.high)

    @property
    def sample_dtype(self) -> np.dtype[Any]:
        """The type in which samples are held."""
        possible = ("uint8", "float32") if self.is_images else ("float32", "float64")
        return np.dtype(self.dtype if self.dtype in possible else possible[0])

    def to_config(self) -> dict[str, Any]:
        """Return what JSON can hold of it, nothing that is not known or does not apply."""
        known = {name: value for name, value in asdict(self).items() if value is not None}
        return known if self.is_images else {name: value for name, value in known.items() if name != "fit"}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], sample_shape: tuple[int, ...] | None = None) -> Reading:
        """Return what `to_config` gave."""
        if not isinstance(config, Mapping):
            raise DatasetError(f"the model's record of how its data was read must be entries, got {config!r:.60}.")
        names = {field.name for field in fields(cls)}
        for name, value in config.items():
            rule, holds = _RULES.get(name, ("", lambda _: True))
            if name not in names or not (value is None or holds(value)):
                raise _damaged(name, f"must be {rule}, got {value!r:.60}" if name in names else "is unknown")
        known: dict[str, Any] = {name: value for name, value in config.items() if value is not None}
        for name in {"columns", "means"} & known.keys():
            known[name] = tuple(known[name])
        found = cls(**known)
        if found.low is not None and found.high is not None and not found.low < found.high:
            raise _damaged("high", f"must be more than {found.low:g}, which 'low' is, got {found.high:g}")
        if sample_shape is not None:
            found._check_shape(sample_shape)
        return found

    def _check_shape(self, sample_shape: tuple[int, ...]) -> None:
        """Refuse a record that does not lead to samples of this shape."""
        of_images = len(sample_shape) > 1
        sizes = (*sample_shape, 1)[:3] if of_images else (None, None, None)
        wanted = dict(zip(("height", "width", "channels"), sizes, strict=True))
        for name in ("columns", "means"):
            wanted[name] = None if of_images or getattr(self, name) is None else sample_shape[0]
        if of_images and self.columns is not None:
            wanted["columns"] = 1  # that holds them
        for name in sorted(wanted, key=lambda name: getattr(self, name) is None):  # what is wrong, then what lacks
            value, size = getattr(self, name), wanted[name]
            value = len(value) if isinstance(value, tuple) else value
            if value != size:
                must = f"must be {'left out' if size is None else size}, for samples of shape {sample_shape}"
                raise _damaged(name, f"{must}, got {value}")


def _damaged(name: str, fault: str) -> DatasetError:
    """Say what is wrong with an entry of a record."""
    return DatasetError(f"the model's record of how its data was read is damaged: {name!r:.60} {fault}.")


def _is_number(value: object) -> bool:
    """Whether a value is a number that floats hold."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _are(holds: Callable[[object], bool]) -> Callable[[object], bool]:
    """A rule for each value of a list."""
    return lambda values: isinstance(values, (list, tuple)) and all(map(holds, values))


_RULES: dict[str, tuple[str, Callable[[Any], bool]]] = {  # what each entry of a record must be, unless it is None
    **dict.fromkeys(
        ("height", "width", "channels"),
        ("a whole number of at least 1", lambda value: type(value) is int and value >= 1),
    ),
    "fit": (f"one of {', '.join(FITS)}", FITS.__contains__),
    **dict.fromkeys(("low", "high"), ("a number", _is_number)),
    "dtype": ("uint8, float32 or float64", ("uint8", "float32", "float64").__contains__),
    "columns": ("a list of names", _are(lambda value: isinstance(value, str))),
    "label": ("a name", lambda value: isinstance(value, str)),
    "measured": ("true or false", lambda value: isinstance(value, bool)),
    "missing": (f"one of {', '.join(MISSING)}", MISSING.__contains__),
    "means": ("a list of numbers", _are(_is_number)),
}


@dataclass(frozen=True)
class ReadOptions:
    """How to read a source: what `load_dataset` was asked for."""

    size: int | tuple[int, int] | Literal["auto"] | None = "auto"  # None and "auto" leave it to the data
    fit: Fit = "crop"
    color: bool | None = None  # None leaves it to the data
    label: str | None = None  # the column that names the class
    columns: Sequence[str] | None = None  # names or patterns of those that are features
    header: bool | None = None  # None leaves it to the file
    missing: Missing | None = None  # None refuses gaps
    reading: Reading | None = None  # of the model that the data is for; then nothing else is asked
    pixels: tuple[float, float] | None = None  # with it: which are black and white; nothing is looked at beforehand
    test_fraction: float = TEST_FRACTION  # where the source has no splits; 0 keeps all in order
    limit: int | None = None  # the most samples of a split
    budget: int = 2**63  # the most bytes of samples to hold
    skip_bad: bool = False  # pass over any number of unreadable images
    bar: Any = None  # a progress bar, told of bytes downloaded and of samples decoded

    def __post_init__(self) -> None:
        check_choice("fit", self.fit, FITS)
        if self.missing is not None:
            check_choice("missing", self.missing, MISSING)
        self.height_and_width()  # which refuses a size out of range
        if isinstance(self.columns, str):
            raise TypeError(f"columns must be a sequence of names, got {self.columns!r}. Put it into a list.")
        if not 0 <= self.test_fraction < 1:
            raise ValueError(f"test_fraction must be at least 0 and less than 1, got {self.test_fraction!r}.")
        if self.limit is not None:
            check_limit(self.limit)

    @property
    def known(self) -> Reading:
        """How the data of the model was read; nothing is known without one."""
        return self.reading or Reading()

    def height_and_width(self) -> tuple[int, int] | None:
        """Return the size asked for, None where the data decides."""
        if self.size is None or self.size == "auto":
            return None
        size = self.size if isinstance(self.size, tuple) else (self.size, self.size)
        if len(size) != 2 or not all(isinstance(side, int) and MIN_SIZE <= side <= MAX_SIZE for side in size):
            raise ValueError(
                f"size must be a whole number from {MIN_SIZE} to {MAX_SIZE} or None, got {self.size!r}. "
                "Two numbers are height and width."
            )
        return size

    def choose(self, sizes: Mapping[tuple[int, int], int], *, grey: bool, notes: list[str]) -> Reading:
        """Settle what is left to the data."""
        if self.reading is not None:
            if not self.reading.is_images:
                raise DatasetError("this data holds images, and the model was fitted on vectors.")
            if self.reading.channels == 1 and not grey:
                notes.append("colour images are read as grey ones, as the model was fitted on.")
            return self.reading
        size = self.height_and_width()
        if size is None:
            size = next(iter(sizes))
            if len(sizes) > 1:
                sides = [side for one, n in sizes.items() for side in one for _ in range(n)]
                side = min(_MIXED_SIZE, max(MIN_SIZE, int(statistics.median(sides))))
                size, what = (side, side), f"images of {len(sizes):,} sizes"
                notes.append(f"{what} are brought to {side}x{side} ({self.fit}); choose another with --size.")
            elif max(size) > MAX_SIZE:
                height, width = (max(MIN_SIZE, round(side * _MIXED_SIZE / max(size))) for side in size)
                notes.append(
                    f"images of {size[0]}x{size[1]} are brought to {height}x{width}; choose another with --size."
                )
                size = (height, width)
        color = not grey if self.color is None else self.color
        if not color and not grey:
            notes.append("colour images are read as grey ones.")
        return Reading(*size, channels=3 if color else 1, fit=self.fit)

    def choose_range(
        self, chosen: Reading, dtype: np.dtype[Any], levels: Levels, notes: list[str]
    ) -> tuple[Reading, tuple[float, float]]:
        """Return how pixels of a type and levels are held, and which of their values are black and white."""
        if self.pixels is not None:
            return chosen, self.pixels
        low, high, step = levels
        own = pixel_range(dtype, low, high)
        if not own[1] - own[0] < np.inf:
            raise DatasetError(
                "pixels must be numbers whose squares can be added up, got larger ones. Divide them first."
            )
        if self.reading is not None:
            return chosen, _beside_fit(own, chosen.pixel_range, dtype, levels, notes)
        return chosen if dtype == np.uint8 else _in_own_range(chosen, own, step, notes), own


def _in_own_range(chosen: Reading, own: tuple[float, float], step: float, notes: list[str]) -> Reading:
    """How pixels are held whose black and white are these, and which come in steps of that size."""
    deep = not bytes_hold(*own, step)
    notes.append(f"{_taken(own)}, with more than 256 levels." if deep else f"{_taken(own)}.")
    if own == (0.0, 255.0) and not deep:
        return chosen
    return replace(chosen, low=own[0], high=own[1], dtype="float32" if deep else None)


def _beside_fit(
    own: tuple[float, float], known: tuple[float, float], dtype: np.dtype[Any], levels: Levels, notes: list[str]
) -> tuple[float, float]:
    """Black and white of new pixels: their own where their type says so, else those of the fit."""
    low, high, _ = levels
    # Bytes and bits say their range by their type; so do deeper ones, beside a range that has no unit.
    has_unit = dtype.kind == "b" or dtype == np.uint8
    if has_unit or (dtype.kind in "iu" and known in COMMON_RANGES and high > known[1]):
        if own != known and dtype.kind != "b":
            notes.append(f"{_taken(own)}, as {range_in_words(known)} were where the model was fitted.")
        return own
    if fault := range_mismatch(known, dtype, low, high):
        warn(f"pixels must be in the units that fit saw, {fault} Bring them to the range of fit.")
    return known


def _taken(pixels: tuple[float, float]) -> str:
    """What is done with pixels, in words."""
    return f"pixels from {range_in_words(pixels)} are taken as black to white"


@dataclass(frozen=True, eq=False)
class SourceInfo:
    """What is known of the samples of a source."""

    name: str  # what people call the data
    n: int
    reading: Reading  # how the samples are read, to be kept with a model
    labels: NDArray[Any] | None = None  # (n,) int64; float64 where they are measurements
    class_names: tuple[str, ...] | None = None
    is_test: NDArray[np.bool_] | None = None  # (n,), where the source says which samples test
    names: Sequence[str] | None = None  # what each sample is called: its file, say
    overlapping: int = 0  # with how many rows after it each shares values, of windows along a series
    in_class_order: bool = False  # whether neighbours tend to be alike
    notes: tuple[str, ...] = ()  # what the user should be told

    def name_of(self, row: int) -> str:
        """Return what a sample is called, in a message."""
        return printable(self.names[row]) if self.names is not None else f"image {row:,}"


Parts = Mapping[str, NDArray[np.int64]]
"""The rows of each part, train and test, ascending."""
Held = tuple[NDArray[Any], NDArray[np.int64]]
"""The samples of a part (m, *sample_shape), and the row of the source that each is."""
Piece = tuple[NDArray[np.int64], NDArray[Any], dict[int, str]]
"""Rows (m,), their samples (m, *sample_shape), and which others could not be read, and why."""


@dataclass(eq=False)
class Samples(ABC):
    """The samples of a source, which can be read in any ascending order of rows: what a reader gives."""

    info: SourceInfo
    pixels: tuple[float, float]  # which of their values are black and white
    content: str  # changes when they do; empty where that cannot be told
    unreadable: Mapping[int, str]  # what is known of them before they are read

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Of one: (height, width, channels) or (n_features,)."""
        return self.info.reading.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of images uint8, or float32: from 0 to 1 with more than 8 bits; of vectors float32, or float64."""
        return self.info.reading.sample_dtype

    @property
    def row_bytes(self) -> int:
        """The bytes of a sample."""
        return prod(self.sample_shape) * self.dtype.itemsize

    @abstractmethod
    def read(self, rows: NDArray[np.int64]) -> Iterator[Piece]:
        """Yield the samples at these ascending rows, piece by piece."""

    def whole(self) -> NDArray[Any] | None:
        """All samples where they are one array of bytes to which nothing needs to be done."""
        return None


@contextmanager
def explained(what: str, kind: type[LatentmapError] = DatasetError) -> Iterator[None]:
    """Turn whatever a library raises at damaged data into one line, which begins with what could not be done."""
    try:
        yield
    except LatentmapError:
        raise
    except Exception as error:  # a damaged file can make its reader fail in any way
        words = "no permission" if isinstance(error, PermissionError) else words_of(error)
        if "allow_pickle" in words or "Python objects" in words:
            words = "it holds Python objects, which are never unpickled. Save it as an array of numbers"
        raise kind(f"{what}: {words}.") from error


def parse_size(text: str) -> int | tuple[int, int]:
    """Return the size that ``32`` or ``24x32`` (height x width) stands for."""
    parts: Sequence[str] = text.lower().split("x")
    if len(parts) > 2 or not all(part.strip().isdecimal() for part in parts):
        raise ValueError(f"size must be N or HEIGHTxWIDTH in pixels, got {text!r}.")
    numbers = [int(part) for part in parts]
    return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1])


def memory_budget(memory: int | str | None) -> int:
    """Return how many bytes of samples may be held in memory: a third of it, if nothing else is asked."""
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


def check_limit(n: object) -> None:
    """Refuse a number of samples that leaves nothing to learn from."""
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 2:
        raise ValueError(f"limit must be a whole number of at least 2, got {n!r}. Leave it out to use every sample.")
