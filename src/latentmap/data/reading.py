"""How raw samples become the samples of a dataset: recorded with a model, so that new data is treated alike.

What belongs here: the record and the choice of it. Carrying it out is the business of ``images``, ``arrays`` and
``tables``.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from latentmap.checks import check_choice
from latentmap.errors import DatasetError

Fit = Literal["crop", "pad", "stretch"]
FITS: tuple[str, ...] = get_args(Fit)

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
        The pixel values of an array that became 0 and 255; None where they were bytes.
    columns : tuple of str, optional
        The columns of a table that are the features of its vectors, in order.
    label : str, optional
        The column of a table that names the class.
    """

    height: int | None = None
    width: int | None = None
    channels: int | None = None
    fit: Fit = "crop"
    low: float | None = None
    high: float | None = None
    columns: tuple[str, ...] | None = None
    label: str | None = None

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

    def to_config(self) -> dict[str, Any]:
        """Return what JSON can hold of it, nothing that is not known."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Reading:
        """Return what `to_config` gave.

        Raises
        ------
        DatasetError
            If it is not that.
        """
        try:
            known = dict(config)
            if known.get("columns") is not None:
                known["columns"] = tuple(str(name) for name in known["columns"])
            return cls(**known)
        except TypeError as error:
            raise DatasetError(f"the model's record of how its data was read is damaged ({error}).") from error


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
    budget : int, optional
        The most bytes of samples to hold.
    """

    size: int | tuple[int, int] | Literal["auto"] | None = "auto"
    fit: Fit = "crop"
    color: bool | None = None
    label: str | None = None
    reading: Reading | None = None
    budget: int | None = None

    def __post_init__(self) -> None:
        check_choice("fit", self.fit, FITS)
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
