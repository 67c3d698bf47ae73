"""How well samples come back, one error per sample, and which samples are worth showing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentmap.analysis.transformers import (
    Brief,
    FloatArray,
    IntArray,
    Transformer,
    as_samples,
    chunks,
    decode,
    encode,
    named,
)
from latentmap.data.dataset import Dataset
from latentmap.data.objects import frame_numbers, is_frame, names_of_fit
from latentmap.data.preprocessing import Unit, measuring_unit

_LEAST = 1e-30  # mean square; of less, float32 loses digits


def reconstruction_errors(
    transformer: Transformer,
    X: NDArray[Any],
    Z: NDArray[np.floating] | None = None,
    *,
    unit: Unit | None = None,
) -> NDArray[np.floating]:
    """Measure how far each sample is from its reconstruction, chunk by chunk.

    Parameters
    ----------
    transformer : Transformer
        A fitted model.
    X : ndarray, shape (n, ...)
        Samples: uint8 images, or anything in its own units.
    Z : ndarray, shape (n, latent_dim), optional
        The codes of `X` where they are known already; saves encoding again.
    unit : float or ndarray, shape (n_features,), optional
        What counts as one; by default `measuring_unit` of `X`.

    Returns
    -------
    ndarray of float32, shape (n,)
        Mean squared error over each sample's pixels or features, in squared units; float64 where float32 cannot hold
        them.

    Examples
    --------
    >>> from latentmap import load_dataset
    >>> from latentmap.analysis import PcaBaseline, reconstruction_errors
    >>> digits = load_dataset("digits", size=8).limit(100)
    >>> pca = PcaBaseline(2).fit(digits.train.images)
    >>> errors = reconstruction_errors(pca, digits.test.images)
    >>> errors.shape, round(float(errors.mean()), 2)
    ((100,), 0.06)
    """
    if is_frame(X):  # the model may know its columns by their names
        Z = encode(transformer, X) if Z is None else Z
        X = frame_numbers(X, names_of_fit(transformer))[1]
    X = as_samples(X)
    Z = None if Z is None else as_samples(Z, "Z", n=len(X))
    errors: list[NDArray[np.floating]] = []
    scale = np.asarray(measuring_unit(X) if unit is None else unit)
    for part in chunks(X):
        codes = transformer.transform(X[part]) if Z is None else Z[part]
        difference = decode(transformer, codes).reshape(part.stop - part.start, -1)
        difference = difference - X[part].reshape(difference.shape)
        difference /= scale.astype(difference.dtype)
        errors.append(_mean_squares(difference))
    return np.concatenate(errors)


def _mean_squares(difference: NDArray[np.floating]) -> NDArray[np.floating]:
    """The mean square of each row as float32, or as float64 where that is too large or too small for it."""
    n = difference.shape[1]
    with np.errstate(over="ignore", under="ignore"):
        squares: FloatArray = (np.einsum("ij,ij->i", difference, difference) / n).astype(np.float32, copy=False)
    if np.isfinite(squares).all() and (squares.max() > _LEAST or not difference.any()):
        return squares
    exact = difference.astype(np.float64)
    return np.asarray(np.einsum("ij,ij->i", exact, exact) / n)


@dataclass(frozen=True, eq=False, repr=False)
class Reconstructions(Brief):
    """One model's reconstructions of m chosen samples, and of the ones it does best, middling and worst."""

    title: str
    X_hat: FloatArray  # (m, ...), in the units of the data
    errors: NDArray[np.floating]  # (m,)
    extremes_names: tuple[str, ...]  # what these samples are called
    extremes_X: NDArray[Any]  # (3, ...)
    extremes_X_hat: FloatArray  # (3, ...)
    extremes_errors: NDArray[np.floating]  # (3,)


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Brief):
    """The same samples under several models.

    Parameters
    ----------
    X : ndarray, shape (m, ...)
        The chosen samples.
    names : tuple of str
        What stands above each: its class, or its number in the split.
    models : tuple of Reconstructions
        What each model makes of them.
    n : int
        How many samples the split has that best, median and worst were chosen from.
    unit : float or ndarray, shape (n_features,)
        `measuring_unit` of the samples: what full brightness is in the units of images.
    rows : ndarray of int64, shape (m,)
        Which of the split the samples are.

    Examples
    --------
    >>> from latentmap import load_dataset
    >>> from latentmap.analysis import PcaBaseline, compare_reconstructions
    >>> digits = load_dataset("digits", size=8).limit(100)
    >>> pca = PcaBaseline(2).fit(digits.train.images)
    >>> compare_reconstructions({"PCA": pca}, digits).models[0].extremes_X.shape  # best, median and worst
    (3, 8, 8, 1)
    """

    X: NDArray[Any]
    names: tuple[str, ...]
    models: tuple[Reconstructions, ...]
    n: int
    unit: Unit
    rows: IntArray


def some_of_each_class(labels: IntArray | None, n: int, n_wanted: int = 10) -> IntArray:
    """Choose samples to show, in the order of the classes: the first of each, or evenly spaced ones without labels."""
    if labels is None or not (labels >= 0).any():
        return np.unique(np.linspace(0, n - 1, min(n, n_wanted)).astype(np.int64))
    present = np.unique(labels[labels >= 0])
    each = max(1, n_wanted // len(present))
    return np.concatenate([np.flatnonzero(labels == label)[:each] for label in present]).astype(np.int64)


def best_median_worst(errors: NDArray[np.floating]) -> IntArray:
    """Return the indices of the smallest, the median and the largest error, shape (3,)."""
    order = np.argsort(errors, kind="stable")
    return order[[0, (len(order) - 1) // 2, -1]].astype(np.int64)


def compare_reconstructions(
    models: Mapping[str, Transformer],
    dataset: Dataset,
    *,
    errors: Mapping[str, NDArray[np.floating]] | None = None,
    rows: IntArray | None = None,
) -> Comparison:
    """Reconstruct test samples of each class, and each model's best, median and worst, for comparison.

    Parameters
    ----------
    models : mapping of str to Transformer
        Fitted models by the title to show.
    dataset : Dataset
        The data; without labels the samples are evenly spaced.
    errors : mapping of str to ndarray of shape (n_test,), optional
        `reconstruction_errors` of each model where they are known already.
    rows : ndarray of int64, shape (m,), optional
        Which test samples to show; by default some of each class.

    Returns
    -------
    Comparison
        Samples, reconstructions and errors, ready to draw.

    Examples
    --------
    >>> from latentmap import load_dataset
    >>> from latentmap.analysis import PcaBaseline, compare_reconstructions
    >>> digits = load_dataset("digits", size=8).limit(100)
    >>> pca = PcaBaseline(2).fit(digits.train.images)
    >>> compare_reconstructions({"PCA": pca}, digits).names
    ('0', '1', '2', '3', '4', '5', '6', '7', '8', '9')
    """
    X, labels, unit = dataset.test.X, dataset.known_labels(dataset.test), dataset.unit
    chosen = some_of_each_class(labels, len(X)) if rows is None else rows
    results = []
    for title, model in models.items():
        all_errors = reconstruction_errors(model, X, unit=unit) if errors is None else np.asarray(errors[title])
        extremes = best_median_worst(all_errors)
        shown = X[np.concatenate([chosen, extremes])]
        X_hat = decode(model, np.asarray(model.transform(shown)))
        results.append(
            Reconstructions(
                title=title,
                X_hat=X_hat[: len(chosen)],
                errors=all_errors[chosen],
                extremes_names=tuple(map(dataset.test.source, extremes)),
                extremes_X=X[extremes],
                extremes_X_hat=X_hat[len(chosen) :],
                extremes_errors=all_errors[extremes],
            )
        )
    return Comparison(
        X[chosen], named(chosen, dataset.test, dataset.class_names), tuple(results), len(X), unit, chosen
    )
