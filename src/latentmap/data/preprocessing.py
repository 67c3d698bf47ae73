"""From the samples a user has to the tensors a network takes, and back.

A `Preprocessing` is fitted with a model and kept with it, so that new samples are treated exactly as those the model
learned from. What belongs here: shapes, units and scales. What does not: anything learned by gradient descent.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Scaling = Literal["auto", "standard", "global"]
SCALINGS = ("auto", "standard", "global")

# Vectors whose features differ in range by more than this are in different units, and each gets its own scale.
_ONE_UNIT = 10.0


@dataclass(frozen=True, eq=False)
class Preprocessing:
    """An affine map between samples in the user's units and network tensors: ``x = (X - offset) / scale``.

    Parameters
    ----------
    sample_shape : tuple of int
        Shape of one sample as `fit` saw it: (height, width), (height, width, channels) or (n_features,).
    dtype : str
        The samples' dtype as `fit` saw it, ``"uint8"`` or a float; decides the dtype of what `to_samples` returns.
    offset, scale : ndarray of float64, shape () or (n_features,)
        In the units of the samples.
    """

    sample_shape: tuple[int, ...]
    dtype: str
    offset: NDArray[np.float64] = field(repr=False)
    scale: NDArray[np.float64] = field(repr=False)

    @classmethod
    def fit(cls, X: NDArray[Any], scaling: Scaling = "auto") -> Preprocessing:
        """Choose the map from training samples.

        uint8 images map 0..255 to [0, 1]; float images map their range to [0, 1]. Vectors are centred per feature
        and divided by the standard deviation, of each feature (``"standard"``) or over all of them (``"global"``).
        ``"auto"`` takes one scale for all where the features have one unit (no range above ten times the median one):
        flattened images would otherwise have their rarest pixels blown up.

        Parameters
        ----------
        X : ndarray, shape (n, height, width), (n, height, width, channels) or (n, n_features)
            Finite numbers.
        scaling : {"auto", "standard", "global"}
            For vectors only.

        Returns
        -------
        Preprocessing
        """
        dtype = str(X.dtype)
        if X.ndim > 2:
            low, high = (0.0, 255.0) if X.dtype == np.uint8 else _unit_range(float(X.min()), float(X.max()))
            return cls(X.shape[1:], dtype, np.float64(low), np.float64(high - low))  # type: ignore[arg-type]
        with np.errstate(over="ignore", invalid="ignore"):
            offset = X.mean(axis=0, dtype=np.float64)
            deviation = X.std(axis=0, dtype=np.float64)
        if not np.isfinite(deviation).all():
            raise ValueError("X must hold numbers whose squares can be added up, got larger ones. Divide it first.")
        # A constant feature has no scale of its own; rounding in the mean leaves a little deviation behind.
        varies = deviation > 10 * np.finfo(np.float64).eps * np.abs(offset)
        if scaling == "auto":
            ranges = np.ptp(X, axis=0)[varies].astype(np.float64)
            one_unit = ranges.size == 0 or ranges.max() <= _ONE_UNIT * np.median(ranges)
            scaling = "global" if one_unit else "standard"
        if scaling == "global":
            overall = np.sqrt(np.mean(deviation[varies] ** 2)) if varies.any() else 1.0
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

    def hold(self, X: NDArray[Any]) -> Tensor:
        """Return samples as the tensor that batches are taken from: bytes where `is_raw`, else scaled float32.

        Parameters
        ----------
        X : ndarray, shape (n, *sample_shape)
            In the user's units.

        Returns
        -------
        Tensor, shape (n, *sample_shape)
            uint8, sharing memory with `X` where that is possible, or float32.
        """
        import torch

        if X.dtype == np.uint8 and self.is_raw:
            return _shared_tensor(X)
        scaled = np.subtract(X, self.offset, dtype=np.float64)
        scaled /= self.scale
        return torch.from_numpy(scaled.astype(np.float32))

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
        """Return network output in the user's shape and units.

        Parameters
        ----------
        x_hat : Tensor, shape (n, *tensor_shape)

        Returns
        -------
        ndarray of float64 where `fit` saw float64, else float32, shape (n, *sample_shape)
        """
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


def _unit_range(low: float, high: float) -> tuple[float, float]:
    """The range that maps to [0, 1]: [0, 1] itself where the pixels are in it, else the pixels' own."""
    if low >= 0.0 and high <= 1.0:
        return 0.0, 1.0
    return (low, high) if high > low else (low, low + 1.0)


def _shared_tensor(X: NDArray[np.uint8]) -> Tensor:
    """A tensor over an array's memory, read-only memory too: nothing here ever writes to it."""
    import torch

    if any(stride < 0 for stride in X.strides):  # a flipped view, which PyTorch cannot share
        X = X.copy()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable", category=UserWarning)
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
    """
    if X.ndim > 2:
        return 255.0 if X.dtype == np.uint8 else 1.0
    scale = Preprocessing.fit(X, "auto").scale
    return scale if np.ndim(scale) else 1.0
