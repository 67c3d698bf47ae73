"""The one shape in which data travels through Latentmap: two splits of samples, with labels where there are any.

What belongs here: the containers and what can be asked of them. Reading files into them is the business of the other
modules of this package.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from latentmap.data.preprocessing import Unit, measuring_unit
from latentmap.data.reading import Reading
from latentmap.errors import DatasetError

Samples = NDArray[np.uint8] | NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Split:
    """Samples that belong together, with their labels.

    Parameters
    ----------
    X : ndarray, shape (n, height, width, channels) uint8 or float32, or (n, n_features) float32
        Images with values 0..255, as float32 from 0 to 1 where they have more than 8 bits, or vectors in their own
        units.
    labels : ndarray of int64, shape (n,), or None
        Class indices, ``0 <= label < len(class_names)``; never used to learn.
    names : tuple of str, length n, or None
        What each sample is called: its file, say.

    Raises
    ------
    DatasetError
        If `labels` has another length than `X`.
    """

    X: Samples
    labels: NDArray[np.int64] | None = None
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.labels is not None and len(self.labels) != len(self.X):
            raise DatasetError(
                f"images and labels must be of the same length, got {len(self.X):,} images and "
                f"{len(self.labels):,} labels. Check that both files belong to the same split."
            )

    def __len__(self) -> int:
        return len(self.X)

    @property
    def images(self) -> NDArray[np.uint8]:
        """The samples as images, shape (n, height, width, channels), uint8 0..255; deeper ones are rounded."""
        if self.X.ndim != 4:
            raise DatasetError("this data holds vectors, not images. Use .X for the array of vectors.")
        if self.X.dtype == np.uint8:
            return self.X  # type: ignore[return-value]
        return cast("NDArray[np.uint8]", np.clip(np.round(self.X * 255), 0, 255).astype(np.uint8))

    def head(self, n: int) -> Split:
        """Return the first `n` samples (all of them where there are fewer)."""
        labels = None if self.labels is None else self.labels[:n]
        return Split(self.X[:n], labels, None if self.names is None else self.names[:n])


@dataclass(frozen=True, eq=False)
class Dataset:
    """A training and a test split of the same kind of data.

    Parameters
    ----------
    name : str
        What people call it; shown in reports.
    train, test : Split
        The samples to learn from, and those kept for the final figures.
    class_names : tuple of str, or None
        The name of each class, in the order of the labels; None where the data has no labels.
    reading : Reading, optional
        What was done to the samples on their way here; kept with a model, so that new data is treated alike.
    notes : tuple of str
        What the user should know of it.
    split : str
        Where the two splits come from.

    Examples
    --------
    >>> from latentmap import load_dataset
    >>> digits = load_dataset("digits")
    >>> digits.train.images.shape, digits.test.images.shape
    ((1437, 32, 32, 1), (360, 32, 32, 1))
    """

    name: str
    train: Split
    test: Split
    class_names: tuple[str, ...] | None = None
    reading: Reading | None = None
    notes: tuple[str, ...] = ()
    split: str = "given"

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample: (height, width, channels) or (n_features,)."""
        return self.train.X.shape[1:]

    @cached_property
    def unit(self) -> Unit:
        """What errors and distances of these samples count as one: `measuring_unit` of the training samples."""
        return measuring_unit(self.train.X)

    @property
    def facts(self) -> dict[str, Any]:
        """What a model fitted on this data remembers of it, as JSON can hold it."""
        return {
            "dataset": self.name,
            "class_names": list(self.class_names) if self.class_names else None,
            "reading": self.reading.to_config() if self.reading else None,
            "split": self.split,
        }

    @property
    def is_images(self) -> bool:
        """Whether the samples are images rather than vectors."""
        return self.train.X.ndim == 4

    def limit(self, n: int) -> Dataset:
        """Return the data with the first `n` samples of each split: for a quick look, not for figures to quote.

        Raises
        ------
        ValueError
            If `n` is less than 2.
        """
        if n < 2:
            raise ValueError(f"limit must be at least 2, got {n}. Leave it out to use every sample.")
        return replace(self, train=self.train.head(n), test=self.test.head(n))
