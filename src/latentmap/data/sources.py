"""From what a user names to a `Dataset`: the one place that decides what a source is."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Literal

from latentmap.data.builtin import BUILTIN_NAMES, DEFAULT_SIZE, ProgressBar, load_digits_dataset, load_idx_dataset
from latentmap.data.dataset import Dataset
from latentmap.errors import DatasetError

_MIN_SIZE, _MAX_SIZE = 8, 256


def load_dataset(
    source: str,
    *,
    size: int | Literal["auto"] | None = "auto",
    data_dir: str | os.PathLike[str] | None = None,
    progress: ProgressBar | None = None,
) -> Dataset:
    """Load a dataset by name.

    Parameters
    ----------
    source : str
        ``"digits"`` (comes with scikit-learn), ``"mnist"``, ``"fashion_mnist"`` or ``"kmnist"``.
    size : int, None or "auto"
        Height and width to bring the images to, in pixels, 8 to 256; None keeps their own; ``"auto"`` is 32.
    data_dir : path, optional
        A folder with one folder per dataset (``mnist/train-images-idx3-ubyte.gz``, ...), looked into first, before
        ``$LATENTMAP_DATA`` and the cache. What is found in none of them is downloaded into the cache.
    progress : object, optional
        A progress bar as pooch takes it, told of the bytes of a download.

    Returns
    -------
    Dataset
        Images as uint8, shape (n, size, size, 1).

    Raises
    ------
    ValueError
        If `size` is out of range.
    DatasetError
        If there is no dataset of that name, or its files are missing, damaged or cannot be fetched.

    Examples
    --------
    >>> from latentmap import load_dataset
    >>> load_dataset("digits").class_names
    ('0', '1', '2', '3', '4', '5', '6', '7', '8', '9')
    """
    if size == "auto":
        size = DEFAULT_SIZE
    if size is not None and not (isinstance(size, int) and _MIN_SIZE <= size <= _MAX_SIZE):
        raise ValueError(f"size must be a whole number from {_MIN_SIZE} to {_MAX_SIZE} or None, got {size!r}.")
    if source == "digits":
        return load_digits_dataset(size)
    if source in BUILTIN_NAMES:
        return load_idx_dataset(source, size, None if data_dir is None else Path(data_dir), progress)
    nearest = difflib.get_close_matches(source, BUILTIN_NAMES, n=1, cutoff=0.5)
    hint = f"Did you mean {nearest[0]!r}?" if nearest else f"The built-in ones are {', '.join(BUILTIN_NAMES)}."
    raise DatasetError(f"there is no dataset {source!r}. {hint}")
