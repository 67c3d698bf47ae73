"""From the samples a user has to the tensors a network takes, and back.

A `Preprocessing` is fitted with a model and kept with it, so that new samples are treated exactly as those the model
learned from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import prod
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Scaling = Literal["auto", "standard", "global"]
SCALINGS = ("auto", "standard", "global")

CHANNELS = (1, 3, 4)

# Vectors with a feature whose range is more than this from the median are in different units, but for the exceptions.
_ONE_UNIT, _ONE_UNIT_OF_FEW = 10.0, 6.0  # times; few are mostly a table's, and many mixtures of the same
_JUMP, _MANY = 5.0, 16  # from a range to the next: of so many features in any order one jump is larger
_SPREAD = 1000.0  # from the smallest range of a signal to the largest; of columns in order of size it may be more
_STRONG = 0.01  # times the largest range: more is no mere noise of a spectrum's baseline
_TOGETHER = 0.8  # the median correlation of a spectrum's strong features with the next one
_FLANK = 2.5  # times the next range at least, beside a jump: the flank of a peak
_EMPTY, _ALL_BUT_FEW = 0.5, 0.9  # of the cells of counts, and of their columns: that are, or begin at, 0
_BLOCK, _LEVEL, _STEP = 12, 1.5, 2.5  # columns of a block at least; their ranges' ratio within it, and to the next
_SEVERAL = 4  # amounts in a row, for their being multiples of the least to say something
_WHOLE, _LEAST_APART = 1e-4, 0.01  # of a multiple, and at most: how far it may be from whole
_ODD = 0.02  # of the jumps of spectra: a dim detector, a spike
_DIMMEST = 300.0  # times a range the median may be: pixels that come to 1 beside others that come to 255
_SHARED = 0.25  # of features that are as high, and twice so many as low, as any: pixels, answers from 1 to 5

COMMON_RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
Levels = tuple[float, float, float]
"""The lowest and the highest value of pixels, and how far apart values are at least, see `find_levels`."""

_SLACK = 0.05  # of a common range: what resampling and rounding add at either end
_LEAST_BELOW = 0.75  # of a range that begins below 0, by its darkest and its brightest pixel
_LEAST_FILLED = 0.1  # of a range by its brightest pixel; below, all images would be nearly black
_DEPTHS = (2**8 - 1, 2**10 - 1, 2**12 - 1, 2**14 - 1, 2**16 - 1)  # the brightest values of sensors
_LOOKED_AT = 10_000  # vectors, for the middle of their numbers
_MANY_COLUMNS = 5000
_FAR = 20.0  # times the middle half's range from the median
_DECISIVE = 0.9  # of the squared distances from the median
_SCALED_AT_ONCE = 2**17  # numbers
_LEAST_SQUARED = 1e-150  # the square of less is no number of float64


@dataclass(frozen=True, eq=False)
class Preprocessing:
    """An affine map between samples in the user's units and network tensors: ``x = (X - offset) / scale``."""

    sample_shape: tuple[int, ...]
    dtype: str
    offset: NDArray[np.float64] = field(repr=False)
    scale: NDArray[np.float64] = field(repr=False)

    @classmethod
    def fit(cls, X: NDArray[Any], scaling: Scaling = "auto") -> Preprocessing:
        """Choose the map from training samples."""
        # Whole numbers of more than 16 bits need float64 to come back.
        dtype = "uint8" if X.dtype == np.uint8 else "float32" if np.can_cast(X.dtype, np.float32) else "float64"
        if X.ndim > 2:
            extremes = (0.0, 255.0) if X.dtype == np.uint8 else (float(X.min()), float(X.max()))
            low, high = pixel_range(X.dtype, *extremes)
            return cls(X.shape[1:], dtype, np.float64(low), np.float64(high - low))  # type: ignore[arg-type]
        with np.errstate(over="ignore", invalid="ignore"):
            offset = X.mean(axis=0, dtype=np.float64)
            deviation = _deviations(X)
        if not np.isfinite(deviation).all():
            raise ValueError("X must hold numbers whose squares can be added up, got larger ones. Divide it first.")
        # A constant feature has no scale of its own; rounding in the mean leaves a little deviation behind.
        low, high = X.min(axis=0).astype(np.float64), X.max(axis=0).astype(np.float64)
        varies = (deviation > 10 * np.finfo(np.float64).eps * np.abs(offset)) & (low < high)
        if scaling == "auto":
            scaling = "global" if _one_unit(X[:, varies], low[varies], high[varies]) else "standard"
        if scaling == "global":
            most = deviation[varies].max(initial=0.0)
            factor = 1.0 if most > _LEAST_SQUARED else most  # squares of less are zeros
            overall = factor * np.sqrt(np.mean((deviation[varies] / factor) ** 2)) if varies.any() else 1.0
            return cls(X.shape[1:], dtype, offset, np.float64(overall))  # type: ignore[arg-type]
        return cls(X.shape[1:], dtype, offset, np.where(varies, deviation, 1.0))

    @property
    def is_images(self) -> bool:
        """Whether samples are images rather than vectors."""
        return len(self.sample_shape) > 1

    @property
    def tensor_shape(self) -> tuple[int, ...]:
        """Shape of one sample as the network takes it: (channels, height, width) or (n_features,)."""
        if not self.is_images:
            return self.sample_shape
        height, width, *channels = self.sample_shape
        return (channels[0] if channels else 1, height, width)

    @property
    def output_dtype(self) -> np.dtype[Any]:
        """The dtype of samples that come back: float64 where `fit` saw it, else float32."""
        return np.dtype(np.float64 if self.dtype == "float64" else np.float32)

    @property
    def is_raw(self) -> bool:
        """Whether samples are held as bytes and scaled batch by batch: a quarter of the memory."""
        return self.is_images and self.dtype == "uint8"

    @property
    def pixel_range(self) -> tuple[float, float]:
        """The values of images that are black and white inside."""
        return float(self.offset.min()), float((self.offset + self.scale).max())

    def of_dataset(self) -> Preprocessing:
        """Return what does the same to images as a `Dataset` has them: with channels, floats from 0 to 1."""
        channels, height, width = self.tensor_shape
        offset, scale = (self.offset, self.scale) if self.is_raw else (np.zeros(()), np.ones(()))
        return Preprocessing((height, width, channels), self.dtype, offset, scale)

    def holds_as_is(self, dtype: np.dtype[Any]) -> bool:
        """Return whether samples of this type are held without a copy."""
        if dtype == np.uint8:
            return self.is_raw
        return self.is_images and dtype == np.float32 and self.pixel_range == (0.0, 1.0)

    def hold(self, X: NDArray[Any]) -> Tensor:
        """Return samples as the tensor that batches are taken from: bytes where `is_raw`, else scaled float32."""
        import torch

        if self.holds_as_is(X.dtype):
            return _shared_tensor(X)
        held = np.empty(X.shape, np.float32)
        step = max(1, _SCALED_AT_ONCE // self.n_values)
        for rows in (slice(start, start + step) for start in range(0, len(X), step)):
            scaled = np.subtract(X[rows], self.offset, dtype=np.float64)
            scaled /= self.scale
            held[rows] = scaled
        return torch.from_numpy(held)

    def to_input(self, rows: Tensor) -> Tensor:
        """Return rows of what `hold` returned as network input: (n, *sample_shape) -> (n, *tensor_shape), float32."""
        # Two quick passes: dividing bytes at once takes four times as long, a scalar tensor forty times.
        x = rows if rows.is_floating_point() else rows.float().mul_(1 / 255)
        if not self.is_images:
            return x
        if len(self.sample_shape) == 3 and self.sample_shape[2] > 1:
            return x.permute(0, 3, 1, 2).contiguous()
        return x.reshape(-1, *self.tensor_shape)

    def to_samples(self, x_hat: Tensor) -> NDArray[np.floating]:
        """Return network output in the user's shape and units."""
        array = x_hat.detach().cpu()
        if self.is_images:
            array = array.permute(0, 2, 3, 1)
        samples: NDArray[Any] = array.numpy().reshape(-1, *self.sample_shape).astype(self.output_dtype)
        samples *= self.scale.astype(self.output_dtype)
        samples += self.offset.astype(self.output_dtype)
        return samples

    def to_config(self) -> dict[str, Any]:
        """Return what JSON can hold of it; `offset` and `scale` are kept beside the weights."""
        return {"sample_shape": list(self.sample_shape), "dtype": self.dtype}

    @property
    def n_values(self) -> int:
        """How many numbers a sample has."""
        return prod(self.sample_shape)


def _one_unit(X: NDArray[Any], low: NDArray[np.float64], high: NDArray[np.float64]) -> bool:
    """Whether features with these lowest and highest values look like numbers of one kind, which one scale suits."""
    ranges = high - low
    if _in_blocks(X, ranges):
        return False
    median = np.median(ranges) if len(ranges) else 0.0
    apart = _ONE_UNIT if len(ranges) >= _MANY else _ONE_UNIT_OF_FEW
    if not len(ranges) or apart * ranges.min() >= median >= ranges.max() / apart:
        return True
    # Of signals and spectra, and of components by their variance, neighbours vary alike.
    if len(ranges) >= _MANY:
        jumps = np.diff(np.log(ranges))
        if np.abs(jumps).max() < np.log(_JUMP) and ranges.max() < _SPREAD * ranges.min():
            return True
        if _share_sudden(jumps) <= _ODD and run_together(X):
            return True
    graded = ~((low == X) | (high == X)).all(axis=0)  # flags share their bounds with flags, whatever is beside them
    if graded.sum() >= _MANY and _are_counts(X, ranges):
        return True
    n = max(int(graded.sum()), 8)  # of few features two are alike by chance
    lowest, highest = (np.unique(ends[graded], return_counts=True)[1].max(initial=0) / n for ends in (low, high))
    alike = ranges.max() / apart <= median <= _DIMMEST * ranges.min()
    return bool(alike and lowest >= 2 * _SHARED and highest >= _SHARED)


def _in_blocks(X: NDArray[Any], ranges: NDArray[np.float64]) -> bool:
    """Whether ranges are level, and from one step on level at another height: several sensors' last hours.

    On both sides features run together, which noise before a signal sets in does not.
    """
    if len(ranges) < 2 * _BLOCK:
        return False
    windows = np.lib.stride_tricks.sliding_window_view(np.log(ranges), _BLOCK)
    level = np.ptp(windows, axis=1) < np.log(_LEVEL)
    height = np.median(windows, axis=1)
    step = np.abs(height[_BLOCK:] - height[:-_BLOCK]) > np.log(_STEP)
    x = X[:: -(-len(X) // _LOOKED_AT)]
    starts = np.flatnonzero(step & level[_BLOCK:] & level[:-_BLOCK])[:_BLOCK]
    blocks = ((x[:, i : i + _BLOCK], x[:, i + _BLOCK : i + 2 * _BLOCK]) for i in starts)
    return any(all(_alike(side, 1) > _TOGETHER / 2 for side in sides) for sides in blocks)


def _alike(X: NDArray[Any], distance: int) -> float:
    """The median correlation of features that far apart."""
    x = X - X.mean(axis=0, dtype=np.float64)
    lengths = np.sqrt(np.square(x).sum(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):  # of features that vary in other rows only
        found = (x[:, distance:] * x[:, :-distance]).sum(axis=0) / (lengths[distance:] * lengths[:-distance])
    return float(np.median(np.abs(np.nan_to_num(found))))


def _share_sudden(jumps: NDArray[np.float64]) -> float:
    """The share of ranges far from the next one's, but for the flanks of peaks, which take more than one step."""
    beside = np.pad(jumps, 1)
    onward = np.maximum(beside[:-2] * np.sign(jumps), beside[2:] * np.sign(jumps))
    return float(np.mean((np.abs(jumps) > np.log(_JUMP)) & (onward < np.log(_FLANK))))


def run_together(X: NDArray[Any]) -> bool:
    """Whether most features rise and fall with the next one, as in spectra, however weak these are elsewhere.

    Those of narrow peaks that move do so less, but far more than with others.
    """
    ranges = np.ptp(X, axis=0)
    x = X[:: -(-len(X) // _LOOKED_AT), ranges > _STRONG * ranges.max(initial=0)]
    if x.shape[1] < _MANY:
        return False
    next_one = _alike(x, 1)
    return next_one > _TOGETHER or next_one > max(_TOGETHER / 2, 4 * _alike(x, x.shape[1] // 3))


def _are_counts(X: NDArray[Any], ranges: NDArray[np.float64]) -> bool:
    """Whether features are mostly 0, never less, count alike, and are as large as any between the extremes."""
    gaps = np.diff(np.log(np.sort(ranges))) > np.log(_JUMP)
    if gaps[len(gaps) // 2 :].any():
        return False
    x = X[:: -(-len(X) // _LOOKED_AT)]
    empty = np.mean(x == 0, axis=0)
    if x.min() < 0 or np.median(empty) < _EMPTY or np.mean(x.min(axis=0) == 0) < _ALL_BUT_FEW:
        return False
    rare = x[:, (empty >= _EMPTY) & (empty < 1)]  # what is counted often may never be counted once
    if not rare.shape[1]:
        return False
    steps = np.log(np.where(rare > 0, rare, np.inf).min(axis=0))
    if not gaps.any() and np.quantile(np.abs(steps - np.median(steps)), _ALL_BUT_FEW) < np.log(_JUMP):
        return True
    # Shares of what was counted in a row are multiples of its least, but that may be a flag's.
    x = x[:, ((x == x.min(axis=0)) | (x == x.max(axis=0))).mean(axis=0) < 1]
    x = x[(x > 0).sum(axis=1) >= _SEVERAL]
    if len(x) < len(X) // 10:
        return False
    times = x / np.where(x > 0, x, np.inf).min(axis=1, keepdims=True)
    whole = np.abs(times - np.round(times)) <= np.minimum(_WHOLE * times, _LEAST_APART)
    return bool(np.mean(whole.all(axis=1)) >= _ALL_BUT_FEW)


def _deviations(X: NDArray[Any]) -> NDArray[np.float64]:
    """Each feature's standard deviation, also of numbers so small that their squares are zeros."""
    deviation: NDArray[np.float64] = X.std(axis=0, dtype=np.float64)
    small = deviation < _LEAST_SQUARED
    if small.any():
        part = X[:, small].astype(np.float64)
        factor = np.abs(part).max(axis=0)
        factor[factor == 0] = 1.0
        deviation[small] = (part / factor).std(axis=0) * factor
    return deviation


def pixel_range(dtype: np.dtype[Any], low: float, high: float) -> tuple[float, float]:
    """Return which values are black and white in images of a type, of which all lie from low to high."""
    if dtype.kind == "b":
        return 0.0, 1.0
    if dtype == np.uint8:
        return 0.0, 255.0
    if dtype.kind in "iu":
        if low >= 0 and _LEAST_FILLED * _DEPTHS[0] <= high <= _DEPTHS[-1]:
            return 0.0, float(next(top for top in _DEPTHS if high <= top))
    else:
        for black, white in COMMON_RANGES:
            slack = _SLACK * (white - black)
            inside = black - slack <= low and high <= white + slack
            least = _LEAST_BELOW if black < 0 else _LEAST_FILLED
            if inside and high >= least * white and (black == 0 or low <= least * black):
                return black, white
    return (low, high) if high > low else (low, low + 1.0)


def find_levels(pieces: Iterable[NDArray[Any]]) -> Levels:
    """Return the lowest and the highest value of pixels, and how far values lie apart: 1, 1/255, or 0 for any less."""
    low, high, step = np.inf, -np.inf, 1.0
    for piece in pieces:
        finite = piece[np.isfinite(piece)] if piece.dtype.kind == "f" else piece
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
        if step == 1 and not _are_whole(finite, 1):
            step = 1 / 255
        if step == 1 / 255 and not _are_whole(finite, 255):
            step = 0.0
    return (low, high, step) if low <= high else (0.0, 0.0, step)


def _are_whole(pixels: NDArray[Any], factor: int) -> bool:
    """Whether pixels times a factor are whole numbers, but for rounding."""
    if pixels.dtype.kind != "f":
        return True
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = pixels * pixels.dtype.type(factor)
        return bool((np.abs(scaled - np.round(scaled)) < 1e-3).all())


def bytes_hold(low: float, high: float, step: float) -> bool:
    """Return whether 256 values tell apart all that images from low to high have, which lie so far apart."""
    return step * (1 - 1e-9) <= high - low <= 255 * step * (1 + 1e-9)


def range_in_words(pixels: tuple[float, float]) -> str:
    """Return a range as people write it, large numbers without their fraction: 0 to 4,095, or -0.5 to 1."""
    return " to ".join(f"{end:,.0f}" if 100 <= abs(end) < 1e9 else f"{end:.3g}" for end in pixels)


def range_mismatch(known: tuple[float, float], dtype: np.dtype[Any], low: float, high: float) -> str:
    """Return what speaks against taking images from low to high in a model's range, empty where nothing does."""
    black, white = known
    theirs, given = range_in_words(known), range_in_words(pixel_range(dtype, low, high))
    if dtype == np.uint8 and white > 2 * 255:
        return f"{theirs}, got uint8: these are taken as almost black images."
    most = 1 if dtype.kind == "f" else 2**14  # of ranges that values so small may be in
    if black >= 0 and 0 < high <= most and high < _LEAST_FILLED * white and (dtype.kind in "fb" or white > 255):
        return f"{theirs}, got {given}: these are taken as almost black images."
    if known == (-1.0, 1.0) and low >= 0:
        return f"{theirs}, got {given}: these are taken as images without any shadows."
    if high > white + (white - black) / 2 or low < black - (white - black) / 2:
        return f"{theirs}, got {given}: codes of what lies far outside mean nothing."
    return ""


def scale_remarks(X: NDArray[Any], columns: Sequence[str] | None) -> list[str]:
    """Say which features of vectors are the same throughout, and of which a few values far out decide the scale."""
    if X.shape[1] > _MANY_COLUMNS:  # it would take seconds, and nobody mends so many
        return []
    some = X[:: -(-len(X) // _LOOKED_AT)]
    low, middle, high = np.percentile(some, (25, 50, 75), axis=0)
    constant, far = [], []
    for i in range(X.shape[1]):
        name = repr(columns[i]) if columns else str(i)
        away = X[:, i].astype(np.float64) - middle[i]
        outside = np.abs(away) > _FAR * (high[i] - low[i])
        squares = np.square(away)
        if not away.any():
            constant.append(name)
        elif high[i] > low[i] and squares[outside].sum() > _DECISIVE * squares.sum():
            furthest = X[int(np.abs(away).argmax()), i]
            far.append(f"{name} ({int(outside.sum()):,} of {len(X):,}, up to {furthest:,.6g})")
    said = []
    if constant and columns:
        are = "is" if len(constant) == 1 else "are"
        said.append(
            f"{_some(constant)} {are} the same in all training samples, and tell{'s' * (are == 'is')} nothing."
        )
    if far:
        said.append(
            f"few values far from the rest decide the scale of {_some(far)}: what else is in there is hardly learned. "
            "Mend them, leave their rows out, or take logarithms."
        )
    return said


def _some(names: list[str]) -> str:
    """The first of some names, and how many there are more."""
    return ", ".join(names[:4]) + (f" and {len(names) - 4:,} more" if len(names) > 4 else "")


def channels_fault(shape: tuple[int, ...]) -> str:
    """What is wrong with the channels of images of this shape, if anything."""
    if len(shape) != 4 or shape[3] in CHANNELS:
        return ""
    way = "Images are (n, height, width, channels)."
    if shape[1] in CHANNELS:
        way += " Move the channels to the end: X.transpose(0, 2, 3, 1)."
    return f"must have 1, 3 or 4 channels in its last axis, got shape {shape}. {way}"


def channels_last(images: NDArray[Any]) -> NDArray[Any]:
    """Return a tensor's images (n, channels, height, width) as (n, height, width, channels), others as they are."""
    first = images.ndim == 4 and images.shape[1] in CHANNELS and images.shape[3] not in CHANNELS
    return np.moveaxis(images, 1, 3) if first else images


def _shared_tensor(X: NDArray[Any]) -> Tensor:
    """A tensor over an array's memory, read-only memory too: nothing here ever writes to it."""
    import torch

    if any(stride < 0 for stride in X.strides):  # a flipped view, which PyTorch cannot share
        X = X.copy()
    if not X.flags.writeable:  # PyTorch would warn; and warnings cannot be silenced in one thread alone
        pointer, *_ = X.__array_interface__["data"]
        interface = {**X.__array_interface__, "data": (pointer, False)}
        X = np.asarray(SimpleNamespace(__array_interface__=interface, owner=X))
    return torch.from_numpy(X)


Unit = float | NDArray[np.floating]
"""What one unit of reported error is in the units of the data: one number, or one for each feature."""


def measuring_unit(X: NDArray[Any]) -> Unit:
    """Return the unit in which errors and distances of such samples are reported: the one place that knows the rule.

    Images count with pixels in [0, 1], so uint8 has 255 to the unit; vectors as they are, except where their features
    are in different units: there each counts by its standard deviation, or the one with the largest numbers would
    decide alone.

    Parameters
    ----------
    X : ndarray, shape (n, ...)
        Training samples.

    Returns
    -------
    float or ndarray of float, shape (n_features,)

    Examples
    --------
    >>> import numpy as np
    >>> from latentmap.analysis import measuring_unit
    >>> measuring_unit(np.zeros((5, 8, 8, 1), np.uint8))
    255.0
    """
    if X.ndim > 2:
        return 255.0 if X.dtype == np.uint8 else 1.0
    scale = Preprocessing.fit(X, "auto").scale
    return scale if np.ndim(scale) else 1.0
