"""Principal component analysis over images, with the face of every other model."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from latentmap.analysis.transformers import FloatArray, Scale, as_samples, chunks
from latentmap.data.preprocessing import measuring_unit
from latentmap.models.layers import Description, describe_linear

_MOST_BYTES = 2**31  # of samples as float32
_MOST_COMPONENTS = 256  # of more than `COVARIANCE_LIMIT` features

COVARIANCE_LIMIT = 2048  # features, to which the covariance matrix is small and its eigenvectors take seconds


class PcaBaseline:
    """Project samples of any shape on their first principal components.

    scikit-learn's PCA knows rows of numbers only; this adapter keeps the shape and the units of the samples, and
    encodes and decodes without a float copy of the whole data set.

    Parameters
    ----------
    latent_dim : int, default=2
        How many components to keep; at most the number of samples and of features.
    random_state : int, default=0
        Seeds the randomized solver, which only data of many features needs.

    Attributes
    ----------
    latent_dim_ : int
        How many numbers a code has.
    n_parameters_ : int
        How many numbers the fitted model consists of: the mean and the components.
    explained_variance_ratio_ : float
        The share of the training data's variance that the components hold, 0..1.

    Raises
    ------
    ValueError
        From `fit`, if `latent_dim` is not between 1 and the number of samples and of features.

    References
    ----------
    Pearson, 1901, "On lines and planes of closest fit to systems of points in space".

    Examples
    --------
    >>> import numpy as np
    >>> from latentmap.analysis import PcaBaseline
    >>> X = np.arange(32, dtype=np.uint8).reshape(8, 2, 2, 1)
    >>> model = PcaBaseline(latent_dim=1).fit(X)
    >>> model.transform(X).shape, model.inverse_transform(model.transform(X)).shape
    ((8, 1), (8, 2, 2, 1))
    """

    def __init__(self, latent_dim: int = 2, *, random_state: int = 0) -> None:
        self.latent_dim = latent_dim
        self.random_state = random_state

    def fit(self, X: NDArray[Any], y: object = None) -> PcaBaseline:
        """Find the components of `X`, shape (n, ...), in any units; `y` is ignored.

        Of more samples than 2 GiB of float32 hold, evenly spaced ones are taken.
        """
        X = as_samples(X)
        n_features = int(np.prod(X.shape[1:]))
        some = X[:: _every(X)]
        most = min(len(some), n_features)
        if not 1 <= self.latent_dim <= most:
            raise ValueError(
                f"latent_dim must be between 1 and {most} (the fewer of samples and features), got {self.latent_dim}."
            )
        solver = "covariance_eigh" if n_features <= COVARIANCE_LIMIT else "randomized"
        # The covariance is accumulated in float32: numbers about 0 and near 1 lose the least of it.
        self.scale_ = Scale(some, measuring_unit(X))
        rows = np.empty((len(some), n_features), np.float32)
        for part in chunks(some):
            rows[part] = self.scale_.rows(some[part])
        self.pca_ = PCA(self.latent_dim, svd_solver=solver, random_state=self.random_state, copy=False).fit(rows)
        self.sample_shape_, self._dtype = X.shape[1:], np.result_type(X.dtype, np.float32)
        return self._described()

    def first(self, latent_dim: int) -> PcaBaseline:
        """Return PCA of fewer numbers, the first components of this one; `ValueError` if it has not as many."""
        if not 1 <= latent_dim <= self.latent_dim_:
            raise ValueError(f"latent_dim must be between 1 and {self.latent_dim_}, got {latent_dim}.")
        fewer, fewer.pca_ = copy(self), copy(self.pca_)
        fewer.latent_dim = fewer.pca_.n_components = fewer.pca_.n_components_ = latent_dim
        for name in ("components_", "explained_variance_", "explained_variance_ratio_", "singular_values_"):
            setattr(fewer.pca_, name, getattr(self.pca_, name)[:latent_dim])
        return fewer._described()

    def _described(self) -> PcaBaseline:
        """Itself, with what its components say of themselves."""
        self.latent_dim_ = self.latent_dim
        self.n_parameters_ = int(self.pca_.components_.size + self.pca_.mean_.size)
        self.explained_variance_ratio_ = float(min(1.0, self.pca_.explained_variance_ratio_.sum()))
        return self

    def transform(self, X: NDArray[Any]) -> FloatArray:
        """Return the codes of `X`, shape (n, latent_dim), float32, chunk by chunk."""
        X = as_samples(X, shape=self.sample_shape_)
        parts = [self.pca_.transform(self.scale_.rows(X[part])) for part in chunks(X)]
        return np.concatenate(parts).astype(np.float32, copy=False)

    def inverse_transform(self, Z: NDArray[Any]) -> NDArray[np.floating]:
        """Return the samples that the codes stand for, in the shape and units of the training data.

        They are float32, or float64 where the training data was.
        """
        codes = as_samples(Z, "Z", shape=(self.latent_dim_,)).astype(np.float32, copy=False)
        rows: NDArray[Any] = self.pca_.inverse_transform(codes).astype(self._dtype, copy=False)
        rows *= self.scale_.unit.astype(self._dtype)
        rows += self.scale_.centre.astype(self._dtype)
        return rows.reshape(-1, *self.sample_shape_)

    def describe_layers(self) -> Description:
        """Return what `transform` and `inverse_transform` compute, as data."""
        unit = self.scale_.unit
        mean = self.pca_.mean_.reshape(self.sample_shape_).astype(np.float64) * unit + self.scale_.centre
        components = self.pca_.components_.reshape(-1, *self.sample_shape_)
        return describe_linear(mean, unit, components)


def most_components(X: NDArray[Any]) -> int:
    """How many numbers a baseline beside a model may have: what the data allows, and what takes no minutes to find."""
    n_features = int(X[0].size)
    # Beyond, fitting would take minutes and gigabytes: images of 256x256 are given codes of 4,096 numbers.
    return min(len(X[:: _every(X)]), n_features, n_features if n_features <= COVARIANCE_LIMIT else _MOST_COMPONENTS)


def _every(X: NDArray[Any]) -> int:
    """The step between the samples that are fitted, so that float32 holds them in `_MOST_BYTES`."""
    return -(-4 * X.size // _MOST_BYTES)


def linear_rank(X: NDArray[Any], share: float = 0.999, n_samples: int = 2000) -> int:
    """Count the linear directions that hold `share` of the variance: few where small images were enlarged, say."""
    chosen = np.linspace(0, len(X) - 1, min(len(X), n_samples)).astype(int)
    some = X[chosen]
    rows = Scale(some, measuring_unit(X)).rows(some)
    rows -= rows.mean(axis=0)
    # The smaller of the two Gram matrices has the same non-zero eigenvalues.
    gram = rows @ rows.T if len(rows) <= rows.shape[1] else rows.T @ rows
    variances = np.clip(np.linalg.eigvalsh(gram.astype(np.float64))[::-1], 0, None)
    if variances.sum() == 0:
        return 1
    held = np.cumsum(variances) / variances.sum()
    return int(np.searchsorted(held, share) + 1)
