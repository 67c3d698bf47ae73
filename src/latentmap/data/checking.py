"""Checks of the samples a user passes in: each refuses what cannot be learned from or encoded, in one line."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array

from latentmap.data.objects import as_numbers, kind_of_values
from latentmap.data.preprocessing import CHANNELS, Preprocessing, pixel_range, range_mismatch
from latentmap.data.tables import describe_others


def check_images(images: NDArray[Any], known: Preprocessing | None = None) -> NDArray[Any]:
    """Return images as an array of the shape that `known` was fitted to.

    Parameters
    ----------
    images : ndarray, shape (n, height, width) or (n, height, width, channels)
        Of any number type.
    known : Preprocessing, optional
        What they must fit; without it they are to be learned from.

    Returns
    -------
    ndarray of whole numbers, booleans or floats, shape (n, *sample_shape)

    Raises
    ------
    ValueError
        If they are empty, not finite, or have a wrong shape.
    """
    if 0 in images.shape:
        raise ValueError(f"X must hold at least one image of at least one pixel, got shape {images.shape}.")
    if images.ndim == 4 and images.shape[3] not in CHANNELS:
        first = images.shape[1] in CHANNELS
        way = " Move the channels to the end: X.transpose(0, 2, 3, 1)." if first else ""
        raise ValueError(
            f"X must have 1, 3 or 4 channels in its last axis, got shape {images.shape}. Images are "
            f"(n, height, width, channels).{way}"
        )
    if images.dtype.kind not in "biu":
        images = check_array(
            images, dtype=[np.float64, np.float32], allow_nd=True, ensure_min_samples=1, input_name="X"
        )
    if known is None:
        if len(images) < 2:
            raise ValueError(f"X must hold at least 2 samples to learn from, got {len(images)} sample.")
        return images
    if not known.is_images:
        raise ValueError(f"X must be vectors of {known.n_values} features, as in fit, got shape {images.shape}.")
    wanted = known.sample_shape
    if images.shape[1:] != wanted:
        if _with_channels(images.shape[1:]) != _with_channels(wanted):
            raise ValueError(f"X must be samples of shape {wanted}, as in fit, got {images.shape[1:]}.")
        images = images.reshape(-1, *wanted)
    return images


def name_first_gap(error: Exception, X: Any) -> Exception:
    """Say where samples hold no numbers, where an error of scikit-learn's does not; other errors stay as they are.

    Parameters
    ----------
    error : Exception
        From a check of `X`.
    X : array or data frame
        What was checked.

    Returns
    -------
    Exception
        In one line where a place is named.
    """
    names = None
    if hasattr(X, "columns") and hasattr(X, "dtypes"):
        columns = {name: np.asarray(X[name]) for name in X.columns}
        others = describe_others({str(name): kind_of_values(values) for name, values in columns.items()})
        if others:
            return ValueError(
                f"X must hold numbers, got {'; '.join(others)}. Leave them out, or read X by load_dataset, which "
                "passes over them."
            )
        names, X = list(columns), np.column_stack([as_numbers(values) for values in columns.values()])
    if "NaN" not in str(error) and "infinity" not in str(error):
        return error
    try:
        finite = np.isfinite(np.asarray(X, dtype=np.float64))
    except (TypeError, ValueError):
        return error
    if finite.ndim != 2 or finite.all():
        return error
    row, column = (int(i) for i in np.argwhere(~finite)[0])
    where = f"column {names[column]!r}" if names is not None else f"column {column}"
    first = " ".join(str(error).splitlines()[0].split()).rstrip(".")
    return ValueError(f"{first}. The first is in row {row}, {where}. Fill it in, or leave the row out.")


def check_units(images: NDArray[Any], known: Preprocessing) -> None:
    """Refuse uint8 where fit saw floats from 0 to 1; warn of images that are in other units than those of fit."""
    if images.dtype == np.uint8 and known.is_raw:
        return
    black, white = known.pixel_range
    if images.dtype == np.uint8 and white <= 1:
        way = "Divide it by 255." if black == 0 else "Bring it to that range."
        raise ValueError(f"X must be in the units that fit saw, floats from {black:g} to {white:g}, got uint8. {way}")
    extremes = float(images.min()), float(images.max())
    fault = range_mismatch((black, white), images.dtype, *extremes)
    if fault:
        way = "Bring X to the range of fit."
        if (black, white) == (0, 255) and extremes[1] <= 1:
            way = "Multiply X by 255."
        elif (black, white) == (0, 1) and pixel_range(images.dtype, *extremes) == (0, 255):
            way = "Divide X by 255."
        warnings.warn(f"X must be in the units that fit saw, {fault} {way}", stacklevel=4)


def _with_channels(shape: tuple[int, ...]) -> tuple[int, ...]:
    """An image's shape with its channel axis written out."""
    return (*shape, 1) if len(shape) == 2 else shape
