"""How raw samples become the samples of a dataset: recorded with a model, so that new data is treated alike.

What belongs here: the record and the choice of it. Carrying it out is the business of ``images``, ``arrays`` and
``tables``.
"""

from __future__ import annotations

import statistics
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

import numpy as np

from latentmap.checks import check_choice
from latentmap.data.preprocessing import COMMON_RANGES, Levels, bytes_hold, pixel_range, range_in_words, range_mismatch
from latentmap.errors import DatasetError

Fit = Literal["crop", "pad", "stretch"]
FITS: tuple[str, ...] = get_args(Fit)
Missing = Literal["drop", "mean"]
MISSING: tuple[str, ...] = get_args(Missing)

MIN_SIZE, MAX_SIZE = 8, 256
_MIXED_SIZE = 64  # pixels: images of mixed sizes are brought to at most this


@dataclass(frozen=True)
class Reading:
    """What was done to raw samples.

    Parameters
    ----------
    height, width : int, optional
        The size that images were brought to, in pixels; None for vectors.
    channels : int, optional
        1 for grey, 3 for colour, 4 for colour with opacity; None for vectors.
    fit : {"crop", "pad", "stretch"}, default "crop"
        How images of another shape came to that size: their middle, with black borders, or distorted.
    low, high : float, optional
        The pixel values that became black and white; None where they were bytes.
    dtype : {"uint8", "float32"}, optional
        How pixels are held: as bytes, 0 to 255, which None says too, or from 0 to 1 where they have more than 8 bits.
    columns : tuple of str, optional
        The columns of a table that are the features of its vectors, in order.
    label : str, optional
        The column of a table that names the class.
    missing : {"drop", "mean"}, optional
        What became of missing numbers: their rows were left out, or the feature's mean was put in; None where such
        data was refused.
    means : tuple of float, optional
        The mean of each feature of the training samples, to be put in.
    """

    height: int | None = None
    width: int | None = None
    channels: int | None = None
    fit: Fit = "crop"
    low: float | None = None
    high: float | None = None
    dtype: Literal["uint8", "float32"] | None = None
    columns: tuple[str, ...] | None = None
    label: str | None = None
    missing: Missing | None = None
    means: tuple[float, ...] | None = None

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
    def pixel_type(self) -> type[np.generic]:
        """The type in which pixels are held."""
        return np.float32 if self.dtype == "float32" else np.uint8

    def to_config(self) -> dict[str, Any]:
        """Return what JSON can hold of it, nothing that is not known."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], sample_shape: tuple[int, ...] | None = None) -> Reading:
        """Return what `to_config` gave.

        Parameters
        ----------
        config : mapping
            What it gave, maybe damaged since.
        sample_shape : tuple of int, optional
            The shape of the samples that it must lead to.

        Raises
        ------
        DatasetError
            If it is not that; the entry is named.
        """
        if not isinstance(config, Mapping):
            raise DatasetError(f"the model's record of how its data was read must be entries, got {config!r:.60}.")
        names = {field.name for field in fields(cls)}
        for name, value in config.items():
            rule, holds = _RULES.get(name, ("", _anything))
            if name not in names or not (value is None or holds(value)):
                must = f"must be {rule}, got {value!r:.60}" if name in names else "is unknown"
                raise DatasetError(f"the model's record of how its data was read is damaged: {name!r:.60} {must}.")
        known: dict[str, Any] = {name: value for name, value in config.items() if value is not None}
        for name in {"columns", "means"} & known.keys():
            known[name] = tuple(known[name])
        found = cls(**known)
        if found.low is not None and found.high is not None and not found.low < found.high:
            raise DatasetError(
                f"the model's record of how its data was read is damaged: 'high' must be more than {found.low:g}, "
                f"which 'low' is, got {found.high:g}."
            )
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
        for name in sorted(wanted, key=lambda name: getattr(self, name) is None):  # what is wrong, then what lacks
            value, size = getattr(self, name), wanted[name]
            value = len(value) if isinstance(value, tuple) else value
            if value != size:
                raise DatasetError(
                    f"the model's record of how its data was read is damaged: {name!r} must be "
                    f"{'left out' if size is None else size}, for samples of shape {sample_shape}, got {value}."
                )


def _anything(_: object) -> bool:
    """Take any value."""
    return True


def _is_count(value: object) -> bool:
    """Whether a value is a whole number of at least 1."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_number(value: object) -> bool:
    """Whether a value is a number that floats hold."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _is_text(value: object) -> bool:
    """Whether a value is text."""
    return isinstance(value, str)


_COUNT, _NUMBER = ("a whole number of at least 1", _is_count), ("a number", _is_number)
_RULES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "height": _COUNT,
    "width": _COUNT,
    "channels": _COUNT,
    "fit": (f"one of {', '.join(FITS)}", FITS.__contains__),
    "low": _NUMBER,
    "high": _NUMBER,
    "dtype": ("uint8 or float32", ("uint8", "float32").__contains__),
    "columns": ("a list of names", lambda value: isinstance(value, (list, tuple)) and all(map(_is_text, value))),
    "label": ("a name", _is_text),
    "missing": (f"one of {', '.join(MISSING)}", MISSING.__contains__),
    "means": ("a list of numbers", lambda value: isinstance(value, (list, tuple)) and all(map(_is_number, value))),
}
"""What each entry of a record must be; None is taken too, and what has no rule."""


@dataclass(frozen=True)
class Wishes:
    """What a user asked for.

    Parameters
    ----------
    size : int, (int, int), None or "auto"
        Height and width to bring images to; None and "auto" leave it to the data.
    fit : {"crop", "pad", "stretch"}
        How images of another shape come to that size.
    color : bool, optional
        Colour, or grey; None leaves it to the data.
    label : str, optional
        The column that names the class.
    reading : Reading, optional
        Of the model that the data is for; then nothing else is asked.
    columns : sequence of str, optional
        Names or patterns of the columns of a table that are features.
    header : bool, optional
        Whether the first line of a CSV file names the columns; None leaves it to the file.
    missing : {"drop", "mean"}, optional
        What to do about missing numbers; None refuses them.
    budget : int, optional
        The most bytes of samples to hold.
    """

    size: int | tuple[int, int] | Literal["auto"] | None = "auto"
    fit: Fit = "crop"
    color: bool | None = None
    label: str | None = None
    reading: Reading | None = None
    columns: Sequence[str] | None = None
    header: bool | None = None
    missing: Missing | None = None
    budget: int | None = None

    def __post_init__(self) -> None:
        check_choice("fit", self.fit, FITS)
        if self.missing is not None:
            check_choice("missing", self.missing, MISSING)
        if self.size not in (None, "auto"):
            self._check_size()

    def _check_size(self) -> None:
        """Refuse a size out of range."""
        sizes = self.size if isinstance(self.size, tuple) else (self.size,)
        whole = all(isinstance(size, int) and MIN_SIZE <= size <= MAX_SIZE for size in sizes)
        if not whole or len(sizes) not in (1, 2):
            raise ValueError(
                f"size must be a whole number from {MIN_SIZE} to {MAX_SIZE} or None, got {self.size!r}. "
                "Two numbers are height and width."
            )

    @property
    def height_and_width(self) -> tuple[int, int] | None:
        """The size asked for, None where the data decides."""
        if self.size is None or self.size == "auto":
            return None
        return self.size if isinstance(self.size, tuple) else (int(self.size), int(self.size))

    def choose(self, sizes: Mapping[tuple[int, int], int], *, grey: bool, notes: list[str]) -> Reading:
        """Settle what is left to the data.

        Parameters
        ----------
        sizes : mapping of (height, width) to int
            Which sizes occur, and how often.
        grey : bool
            Whether every image is grey.
        notes : list of str
            A line is added for what the user should know.

        Returns
        -------
        Reading

        Raises
        ------
        DatasetError
            If the model takes vectors.
        """
        if self.reading is not None:
            if not self.reading.is_images:
                raise DatasetError("this data holds images, and the model was fitted on vectors.")
            if self.reading.channels == 1 and not grey:
                notes.append("colour images are read as grey ones, as the model was fitted on.")
            return self.reading
        size = self.height_and_width
        if size is None:
            size = next(iter(sizes)) if len(sizes) == 1 else None
            if size is None or max(size) > MAX_SIZE:
                side = _median_side(sizes)
                what = f"images of {len(sizes):,} sizes" if size is None else f"images of {size[0]}x{size[1]}"
                size = (side, side)
                notes.append(f"{what} are brought to {side}x{side} ({self.fit}); choose another with --size.")
        color = not grey if self.color is None else self.color
        if not color and not grey:
            notes.append("colour images are read as grey ones.")
        return Reading(*size, channels=3 if color else 1, fit=self.fit)

    def choose_range(
        self, chosen: Reading, dtype: np.dtype[Any], levels: Levels, notes: list[str]
    ) -> tuple[Reading, tuple[float, float]]:
        """Return how pixels of a type and levels are held, and which of their values are black and white."""
        low, high, step = levels
        own = pixel_range(dtype, low, high)
        if not own[1] - own[0] < np.inf:
            raise DatasetError(
                "pixels must be numbers whose squares can be added up, got larger ones. Divide them first."
            )
        said = f"pixels from {range_in_words(own)} are taken as black to white"
        if self.reading is None:
            if dtype == np.uint8:
                return chosen, own
            deep = not bytes_hold(*own, step)
            notes.append(f"{said}, with more than 256 levels." if deep else f"{said}.")
            if own != (0.0, 255.0) or deep:
                chosen = replace(chosen, low=own[0], high=own[1], dtype="float32" if deep else None)
            return chosen, own
        known = chosen.pixel_range
        # Bytes and bits say their range by their type; so do deeper ones, beside a range that has no unit.
        if (
            dtype.kind == "b"
            or dtype == np.uint8
            or (dtype.kind in "iu" and known in COMMON_RANGES and high > known[1])
        ):
            if own != known and dtype.kind != "b":
                notes.append(f"{said}, as {range_in_words(known)} were where the model was fitted.")
            return chosen, own
        fault = range_mismatch(known, dtype, low, high)
        if fault:
            warnings.warn(
                f"pixels must be in the units that fit saw, {fault} Bring them to the range of fit.", stacklevel=2
            )
        return chosen, known


def _median_side(sizes: Mapping[tuple[int, int], int]) -> int:
    """The median of all heights and widths, within reason."""
    sides: list[int] = []
    for size, count in sizes.items():
        sides += [side for side in size for _ in range(count)]
    return min(_MIXED_SIZE, max(MIN_SIZE, int(statistics.median(sides))))


def parse_size(text: str) -> int | tuple[int, int]:
    """Return the size that ``32`` or ``24x32`` (height x width) stands for.

    Raises
    ------
    ValueError
        If the text is neither.
    """
    parts: Sequence[str] = text.lower().split("x")
    if len(parts) > 2 or not all(part.strip().isdecimal() for part in parts):
        raise ValueError(f"size must be N or HEIGHTxWIDTH in pixels, got {text!r}.")
    numbers = [int(part) for part in parts]
    return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1])
