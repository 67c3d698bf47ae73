"""The numbers by which models are compared, gathered for one model."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentmap.analysis.neighbours import (
    OriginalRanks,
    knn_accuracy_within,
    knn_explained,
    knn_hits,
    knn_r2_within,
)
from latentmap.analysis.reconstruction import reconstruction_errors
from latentmap.analysis.transformers import Brief, Transformer, as_samples, drawn_rows, encode
from latentmap.data.dataset import Dataset

TRAIN_SAMPLES = 5000


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation(Brief):
    """What one model does on one data set.

    Parameters
    ----------
    latent_dim : int
        How many numbers a code has.
    test_mse : float
        Mean reconstruction error of the test split, in squared `measuring_unit`: per pixel with pixels in [0, 1] for
        images.
    knn_accuracy : float or None
        10 nearest neighbours among the training codes, scored on the test split; by cross-validation where both splits
        are the same samples; None without labels.
    knn_r2 : float or None
        How much of measurements the mean of the 10 nearest training codes' explains; None where classes are known
        instead, or nothing.
    trustworthiness : float or None
        12 neighbours, 5,000 test samples drawn once; None for fewer than 3.
    train_mse : float
        The same of 5,000 training samples drawn once.
    errors : ndarray of float32 (float64 where that cannot hold them), shape (n_test,)
        Reconstruction error of each test sample.
    hits : ndarray of bool or float, or None
        Whether each test sample is classified rightly, or how much of its measurement is explained; their mean is
        `knn_accuracy`, or `knn_r2`; None where these are by cross-validation.
    trusted : ndarray of float, or None
        What each of the samples compared adds to `trustworthiness`; their mean it is.
    Z_train, Z_test : ndarray of float32 (float64 where the model gives that), shape (n, latent_dim)
        The codes of both splits.

    Examples
    --------
    >>> from latentmap import load_dataset
    >>> from latentmap.analysis import PcaBaseline, evaluate
    >>> digits = load_dataset("digits", size=8).limit(100)
    >>> pca = PcaBaseline(2).fit(digits.train.images)
    >>> evaluate(pca, digits).Z_test.shape
    (100, 2)
    """

    latent_dim: int
    test_mse: float
    knn_accuracy: float | None
    knn_r2: float | None
    trustworthiness: float | None
    train_mse: float
    errors: NDArray[np.floating]
    hits: NDArray[np.bool_] | NDArray[np.float64] | None
    trusted: NDArray[np.float64] | None
    Z_train: NDArray[np.floating]
    Z_test: NDArray[np.floating]

    @property
    def scores(self) -> dict[str, float | int | None]:
        """The numbers by which models are compared, by their names."""
        names = ["latent_dim", "test_mse", "knn_accuracy", "knn_r2", "trustworthiness"]
        if self.knn_r2 is None:
            names.remove("knn_r2")
        return {name: getattr(self, name) for name in names}


def evaluate(transformer: Transformer, dataset: Dataset, *, ranks: OriginalRanks | None = None) -> Evaluation:
    """Measure a fitted model on the test split of a data set.

    Parameters
    ----------
    transformer : Transformer
        A fitted model.
    dataset : Dataset
        The data it was fitted on the training split of.
    ranks : OriginalRanks, optional
        The neighbourhoods of the test samples; worth passing when several models are measured.

    Returns
    -------
    Evaluation
        Errors, codes and scores.

    Examples
    --------
    >>> from latentmap import load_dataset
    >>> from latentmap.analysis import PcaBaseline, evaluate
    >>> digits = load_dataset("digits", size=8).limit(100)
    >>> pca = PcaBaseline(2).fit(digits.train.images)
    >>> scores = evaluate(pca, digits).scores
    >>> round(scores["test_mse"], 2), round(scores["trustworthiness"], 1)
    (0.06, 0.8)
    """
    train, test, unit = dataset.train, dataset.test, dataset.unit
    Z_train, Z_test = encode(transformer, train.X), encode(transformer, test.X)
    errors = reconstruction_errors(transformer, test.X, Z_test, unit=unit)
    some = drawn_rows(len(train), TRAIN_SAMPLES)
    train_errors = reconstruction_errors(transformer, train.X[some], Z_train[some], unit=unit)
    hits = explained = None
    if dataset.is_one:  # no code is to vote for itself
        accuracy = knn_accuracy_within(Z_test, dataset.known_labels(test))
        r2 = knn_r2_within(Z_test, test.values)
    else:
        hits = knn_hits(Z_train, dataset.known_labels(train), Z_test, dataset.known_labels(test))
        explained = knn_explained(Z_train, train.values, Z_test, test.values)
        accuracy = None if hits is None else float(hits.mean())
        r2 = None if explained is None else float(explained.mean())
    trusted = (ranks or OriginalRanks(test.X, unit=unit)).trusted(Z_test)
    return Evaluation(
        latent_dim=Z_test.shape[1],
        test_mse=float(errors.mean(dtype="float64")),
        knn_accuracy=accuracy,
        knn_r2=r2,
        trustworthiness=None if trusted is None else float(trusted.mean()),
        train_mse=float(train_errors.mean(dtype="float64")),
        errors=errors,
        hits=hits if explained is None else explained,
        trusted=trusted,
        Z_train=Z_train,
        Z_test=Z_test,
    )


def active_units(Z: NDArray[Any], *, threshold: float = 0.01) -> int:
    """Count the numbers of a variational model's codes that say anything.

    Parameters
    ----------
    Z : ndarray, shape (n, latent_dim)
        Mean codes of test samples, as `transform` gives them.
    threshold : float, default 0.01
        The variance from which a number counts.

    Returns
    -------
    int
        From 0 to latent_dim.

    References
    ----------
    Y. Burda, R. Grosse and R. Salakhutdinov (2016), "Importance weighted autoencoders", section 5.2.

    Examples
    --------
    >>> import numpy as np
    >>> from latentmap.analysis import active_units
    >>> Z = np.random.default_rng(0).normal(size=(100, 3)) * [1, 1, 0.001]
    >>> active_units(Z)
    2
    """
    return int((np.var(as_samples(Z, "Z"), axis=0) > threshold).sum())
