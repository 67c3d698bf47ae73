"""The one shape in which data travels through Latentmap: two splits of samples, with labels where there are any.

What belongs here: the containers and what can be asked of them. Reading files into them is the business of the other
modules of this package.
"""

from __future__ import annotations

import base64
import html
import io
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from latentmap.data.preprocessing import Unit, measuring_unit
from latentmap.data.reading import Reading
from latentmap.data.splits import choose_few
from latentmap.errors import DatasetError, printable

Samples = NDArray[np.uint8] | NDArray[np.floating]

_THUMBNAILS = 10
_THUMBNAIL_SIDE = 64  # pixels: what a notebook keeps of a picture stays at some kilobytes


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
        If `labels` has another length than `X`, or holds anything but whole numbers of at least 0.
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
        if self.labels is not None:
            labels = np.asarray(self.labels)
            if labels.ndim != 1 or (len(labels) and labels.dtype.kind not in "iu"):
                raise DatasetError(
                    f"labels must be whole numbers, one a sample, got {labels.dtype} of shape {labels.shape}. Number "
                    "the classes from 0, or give their names to load_dataset."
                )
            _check_labels(labels, None)
            object.__setattr__(self, "labels", labels.astype(np.int64, copy=False))

    def __len__(self) -> int:
        return len(self.X)

    def __repr__(self) -> str:
        return f"Split: {len(self):,} {_shaped(self.X)}, {'un' if self.labels is None else ''}labelled"

    @property
    def images(self) -> NDArray[np.uint8]:
        """The samples as images, shape (n, height, width, channels), uint8 0..255; deeper ones are rounded."""
        if self.X.ndim != 4:
            raise DatasetError("this data holds vectors, not images. Use .X for the array of vectors.")
        if self.X.dtype == np.uint8:
            return self.X  # type: ignore[return-value]
        return cast("NDArray[np.uint8]", np.clip(np.round(self.X * 255), 0, 255).astype(np.uint8))

    def few(self, n: int) -> Split:
        """Return at most `n` samples in their order: evenly spaced, of each class its share and at least one."""
        if n >= len(self):
            return self
        rows = choose_few(len(self), self.labels, n)
        labels = None if self.labels is None else self.labels[rows]
        return Split(self.X[rows], labels, None if self.names is None else tuple(self.names[row] for row in rows))


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
        The name of each class, in the order of the labels; their numbers where none are given; None where the data has
        no labels.
    reading : Reading, optional
        What was done to the samples on their way here; kept with a model, so that new data is treated alike.
    notes : tuple of str
        What the user should know of it.
    split : str
        Where the two splits come from.

    Raises
    ------
    DatasetError
        If a label is none of the classes.

    Examples
    --------
    >>> from latentmap import load_dataset
    >>> digits = load_dataset("digits")
    >>> digits.train.images.shape, digits.test.images.shape
    ((1437, 32, 32, 1), (360, 32, 32, 1))
    >>> digits
    Dataset digits: 1,437 train + 360 test images 32x32x1, 10 classes
    """

    name: str
    train: Split
    test: Split
    class_names: tuple[str, ...] | None = None
    reading: Reading | None = None
    notes: tuple[str, ...] = ()
    split: str = "given"

    def __post_init__(self) -> None:
        found = [split.labels for split in (self.train, self.test) if split.labels is not None and len(split)]
        if self.class_names is None and found:
            highest = max(int(labels.max()) for labels in found)
            if highest >= max(1000, len(self.train) + len(self.test)):  # no numbers of classes, and names without end
                raise DatasetError(
                    f"labels must be numbers of classes, counted from 0, got {highest:,}. Number the classes, or give "
                    "class_names."
                )
            object.__setattr__(self, "class_names", tuple(map(str, range(highest + 1))))
        for labels in found:
            _check_labels(labels, self.class_names)

    def __repr__(self) -> str:
        classes = f", {len(self.class_names):,} classes" if self.class_names else ""
        counts = f"{len(self.train):,} train + {len(self.test):,} test"
        return f"Dataset {printable(self.name)}: {counts} {_shaped(self.train.X)}{classes}"

    def _repr_html_(self) -> str:
        """What a notebook shows: the counts, and a few samples where they are images."""
        pictures = _thumbnails(self.train, self.class_names) if self.is_images else ""
        notes = "".join(f"<br><small>{html.escape(printable(note))}</small>" for note in self.notes)
        return f"<div>{html.escape(repr(self))}{notes}{pictures}</div>"

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
        """Return the data with at most `n` samples of each split: for a quick look, not for figures to quote.

        They are spaced evenly and stay in order, of each class its share and, where `n` allows, at least one.

        Raises
        ------
        ValueError
            If `n` is no whole number of at least 2.
        """
        check_limit(n)
        return replace(self, train=self.train.few(n), test=self.test.few(n))


def check_limit(n: object) -> None:
    """Refuse a number of samples that leaves nothing to learn from."""
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 2:
        raise ValueError(f"limit must be a whole number of at least 2, got {n!r}. Leave it out to use every sample.")


def _check_labels(labels: NDArray[Any], class_names: tuple[str, ...] | None) -> None:
    """Refuse labels that are none of the classes, naming the first."""
    most = np.inf if class_names is None else len(class_names)
    if not len(labels) or (labels.min() >= 0 and labels.max() < most):
        return
    row = int(np.argmax((labels < 0) | (labels >= most)))
    rule = "of at least 0" if class_names is None else f"from 0 to {len(class_names) - 1}, one for each class name"
    raise DatasetError(
        f"labels must be whole numbers {rule}, got {labels[row]} in row {row:,}. Leave out samples that "
        "have no class, or give them one of their own."
    )


def _shaped(X: Samples) -> str:
    """What samples are and their shape, in words."""
    return f"images {'x'.join(map(str, X.shape[1:]))}" if X.ndim == 4 else f"vectors of {X.shape[1]:,} numbers"


def _thumbnails(split: Split, class_names: tuple[str, ...] | None) -> str:
    """A few images of a split as HTML that needs no other file, each with the name of its class."""
    from PIL import Image

    few, pictures = split.few(_THUMBNAILS), []
    for i, pixels in enumerate(few.images):
        image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
        image.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE))
        buffer = io.BytesIO()
        image.save(buffer, "png")
        name = class_names[few.labels[i]] if few.labels is not None and class_names else ""
        pictures.append(
            f'<img width="{_THUMBNAIL_SIDE}" style="display:inline;image-rendering:pixelated;margin:2px" '
            f'alt="{(name := html.escape(printable(name)))}" title="{name}" '
            f'src="data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}">'
        )
    return f"<div>{''.join(pictures)}</div>"
