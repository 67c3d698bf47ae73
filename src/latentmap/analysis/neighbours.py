"""Who is near whom, exactly and in bounded memory: nearest neighbours, classifying by them, and trustworthiness."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom
from sklearn.metrics import euclidean_distances
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor, NearestNeighbors

from latentmap.analysis.transformers import IntArray, Scale, as_labels, as_samples, chunks, drawn_rows
from latentmap.checks import check_number
from latentmap.data.dataset import Dataset
from latentmap.data.preprocessing import Unit, measuring_unit
from latentmap.errors import count

KNN_NEIGHBOURS = 10
TRUST_NEIGHBOURS = 12
TRUST_SAMPLES = 5000
_FOLDS = 5  # of the cross-validation of embeddings that place no new samples


def knn_accuracy(
    Z_train: NDArray[Any],
    labels_train: IntArray | None,
    Z_test: NDArray[Any],
    labels_test: IntArray | None,
    *,
    n_neighbors: int = KNN_NEIGHBOURS,
) -> float | None:
    """Classify test codes by their nearest training codes, and say how often that is right.

    Parameters
    ----------
    Z_train, Z_test : ndarray, shape (n, latent_dim)
        Codes of the two splits.
    labels_train, labels_test : ndarray of int64, shape (n,), or None
        Their classes; below 0 where there is none: these neither vote nor count.
    n_neighbors : int, default=10
        How many neighbours vote; all of them where there are fewer training codes.

    Returns
    -------
    float or None
        Share of test codes classified rightly, 0..1; None without labels.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> labels = np.arange(100) % 2
    >>> Z = rng.normal(size=(100, 2)) + 8 * labels[:, None]
    >>> from latentmap.analysis import knn_accuracy
    >>> knn_accuracy(Z[:80], labels[:80], Z[80:], labels[80:])
    1.0
    """
    hits = knn_hits(Z_train, labels_train, Z_test, labels_test, n_neighbors=n_neighbors)
    return None if hits is None else float(hits.mean())


def knn_hits(
    Z_train: NDArray[Any],
    labels_train: IntArray | None,
    Z_test: NDArray[Any],
    labels_test: IntArray | None,
    *,
    n_neighbors: int = KNN_NEIGHBOURS,
) -> NDArray[np.bool_] | None:
    """Return of each test code with a label whether `knn_accuracy` counts it as right."""
    told = _told(Z_train, labels_train, Z_test, labels_test, n_neighbors, "labels")
    return None if told is None else np.asarray(told[0] == told[1])


def _told(
    Z_train: NDArray[Any],
    known_train: NDArray[Any] | None,
    Z_test: NDArray[Any],
    known_test: NDArray[Any] | None,
    n_neighbors: int,
    name: str,
) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """What neighbours say of the test codes of which something ("labels" or "values") is known, and that."""
    if known_train is None or known_test is None:
        return None
    Z_train = as_samples(Z_train, "Z_train", least=0)
    Z_test = as_samples(Z_test, "Z_test", least=0, shape=Z_train.shape[1:])
    known_train = as_labels(known_train, len(Z_train), f"{name}_train")
    known_test = as_labels(known_test, len(Z_test), f"{name}_test")
    if name == "values":
        known_train, known_test = known_train.astype(np.float64), known_test.astype(np.float64)
    is_known = np.isfinite if name == "values" else _has_class
    voting, counting = is_known(known_train), is_known(known_test)
    if not voting.any() or not counting.any():
        return None
    # scikit-learn takes a k-d tree for short codes and its threaded brute force for long ones; both are exact.
    check_number("n_neighbors", n_neighbors, whole=True)
    estimator = KNeighborsRegressor if name == "values" else KNeighborsClassifier
    model = estimator(min(n_neighbors, int(voting.sum()))).fit(Z_train[voting], known_train[voting])
    return model.predict(Z_test[counting]), known_test[counting]


def _has_class(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Which samples have a class: numbers from 0, or names."""
    return np.asarray(labels >= 0) if labels.dtype.kind in "iuf" else np.ones(len(labels), bool)


def knn_accuracy_within(Z: NDArray[Any], labels: IntArray | None, *, seed: int = 0) -> float | None:
    """Score an embedding that places no new samples (t-SNE's) by cross-validation among its own, if it can be."""
    if labels is None:
        return None
    Z, labels = Z[labels >= 0], labels[labels >= 0]
    enough = np.bincount(labels)[labels] >= _FOLDS  # a class too small to be in every fold cannot be scored
    n = int(enough.sum())
    if len(np.unique(labels[enough])) < 2 or n - -(-n // _FOLDS) < KNN_NEIGHBOURS:
        return None
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    classifier = KNeighborsClassifier(KNN_NEIGHBOURS)
    return float(cross_val_score(classifier, Z[enough], labels[enough], cv=folds).mean())


def knn_r2(
    Z_train: NDArray[Any],
    values_train: NDArray[np.floating] | None,
    Z_test: NDArray[Any],
    values_test: NDArray[np.floating] | None,
    *,
    n_neighbors: int = KNN_NEIGHBOURS,
) -> float | None:
    """Tell measurements of test codes by the mean of their nearest training codes', and say how much that explains.

    Parameters
    ----------
    Z_train, Z_test : ndarray, shape (n, latent_dim)
        Codes of the two splits.
    values_train, values_test : ndarray of float, shape (n,), or None
        What was measured of each; NaN where nothing was: these neither vote nor count.
    n_neighbors : int, default=10
        How many neighbours are averaged; all of them where there are fewer training codes.

    Returns
    -------
    float or None
        R squared: 1 is everything, 0 no more than the mean of all; None without measurements that differ.

    Examples
    --------
    >>> import numpy as np
    >>> Z = np.random.default_rng(0).normal(size=(500, 2))
    >>> from latentmap.analysis import knn_r2
    >>> round(knn_r2(Z[:400], Z[:400, 0], Z[400:], Z[400:, 0]), 1)
    1.0
    """
    explained = knn_explained(Z_train, values_train, Z_test, values_test, n_neighbors=n_neighbors)
    return None if explained is None else float(explained.mean())


def knn_explained(
    Z_train: NDArray[Any],
    values_train: NDArray[np.floating] | None,
    Z_test: NDArray[Any],
    values_test: NDArray[np.floating] | None,
    *,
    n_neighbors: int = KNN_NEIGHBOURS,
) -> NDArray[np.float64] | None:
    """Return what each test code with a measurement adds to `knn_r2`; their mean it is."""
    told = _told(Z_train, values_train, Z_test, values_test, n_neighbors, "values")
    if told is None or np.ptp(told[1]) == 0:
        return None
    return np.asarray(1 - (told[0] - told[1]) ** 2 / told[1].var())


def knn_r2_within(Z: NDArray[Any], values: NDArray[np.floating] | None, *, seed: int = 0) -> float | None:
    """Score codes by cross-validation among themselves, as `knn_accuracy_within` does of classes."""
    if values is None:
        return None
    Z, values = Z[np.isfinite(values)], values[np.isfinite(values)]
    if len(values) - -(-len(values) // _FOLDS) < KNN_NEIGHBOURS or np.ptp(values) == 0:
        return None
    folds = KFold(_FOLDS, shuffle=True, random_state=seed)
    return float(cross_val_score(KNeighborsRegressor(KNN_NEIGHBOURS), Z, values, cv=folds, scoring="r2").mean())


def by_guessing(labels: IntArray) -> float:
    """The accuracy that always naming the largest class may come to by chance, on as many samples; all is none."""
    sizes = np.bincount(labels[labels >= 0], minlength=1)
    n = max(1, int(sizes.sum()))
    share = sizes.max() / n
    return float(max(share, min(binom.ppf(0.975, n, share), n - 1) / n))


def remarks_on_accuracy(accuracy: float | None, dataset: Dataset) -> list[str]:
    """Say where kNN accuracy means little: where guessing is as good, or classes have fewer samples than are asked."""
    labels, thing = dataset.known_labels(dataset.train), "image" if dataset.is_images else "sample"
    tested = dataset.known_labels(dataset.test)
    if accuracy is None or labels is None or tested is None or dataset.known_names is None:
        return []
    found, sizes = [], np.bincount(tested[tested >= 0], minlength=1)
    if accuracy <= by_guessing(tested):
        found.append(
            f"A kNN accuracy of {accuracy:.1%} may be chance: of the {'' if dataset.is_one else 'test '}{thing}s "
            f"{sizes.max() / sizes.sum():.1%} are of one class, {dataset.known_names[int(sizes.argmax())]}."
        )
    if n_unknown := int((~np.isin(tested, labels) & (tested >= 0)).sum()):
        found.append(
            f"{n_unknown:,} of the {int((tested >= 0).sum()):,} test {thing}s {'is' if n_unknown == 1 else 'are'} of "
            f"classes without a training {thing}: none of these can be told right."
        )
    sizes = np.unique(labels[labels >= 0], return_counts=True)[1]
    small = int((sizes < KNN_NEIGHBOURS).sum())
    if small:
        found.append(
            f"{small:,} of {count(len(sizes), 'class')} {'has' if small == 1 else 'have'} fewer than {KNN_NEIGHBOURS} "
            f"training {thing}s, the smallest {sizes.min():,}: most of the {KNN_NEIGHBOURS} nearest neighbours have "
            "to be of other classes there, so that kNN accuracy says little of such classes, and stays low however "
            "good the codes are."
        )
    return found


def nearest_samples(queries: NDArray[Any], X: NDArray[Any], n_neighbors: int, unit: Unit | None = None) -> IntArray:
    """Find the nearest of many samples for each of a few, without a float copy of the many.

    Parameters
    ----------
    queries : ndarray, shape (m, ...)
        The few, in the units of `X`.
    X : ndarray, shape (n, ...)
        The many: uint8 images or float vectors.
    n_neighbors : int
        How many to find for each; all of them where there are fewer.
    unit : float or ndarray, shape (n_features,), optional
        What counts as one in each feature; by default `measuring_unit` of `X`.

    Returns
    -------
    ndarray of int64, shape (m, n_neighbors)
        Indices into `X`, the nearest first.

    Examples
    --------
    >>> import numpy as np
    >>> from latentmap.analysis import nearest_samples
    >>> X = np.array([[0.0], [1.0], [10.0]])
    >>> nearest_samples(np.array([[9.0]]), X, n_neighbors=2).tolist()
    [[2, 1]]
    """
    check_number("n_neighbors", n_neighbors, whole=True)
    X = as_samples(X)
    scale = Scale(X, unit)
    targets = scale.rows(as_samples(queries, "queries", shape=X.shape[1:]))
    distances = np.empty((len(targets), 0), dtype=np.float32)
    indices = np.empty((len(targets), 0), dtype=np.int64)
    for part in chunks(X):
        found = euclidean_distances(targets, scale.rows(X[part]), squared=True)
        distances = np.hstack([distances, found])
        indices = np.hstack([indices, np.tile(np.arange(part.start, part.stop), (len(targets), 1))])
        order = np.argsort(distances, axis=1, kind="stable")[:, :n_neighbors]
        distances = np.take_along_axis(distances, order, axis=1)
        indices = np.take_along_axis(indices, order, axis=1)
    return indices


class OriginalRanks:
    """The order in which samples neighbour each other before encoding: computed once, used for every model.

    Parameters
    ----------
    X : ndarray, shape (n, ...)
        Samples.
    n_samples : int, default=5000
        How many samples to compare at most, drawn once with a fixed seed.
    unit : float or ndarray, shape (n_features,), optional
        What counts as one in each feature; by default `measuring_unit` of `X`.

    Attributes
    ----------
    rows : ndarray of int64, shape (n,)
        Which samples are compared, ascending.
    ranks : ndarray of uint16, shape (n, n)
        ``ranks[i, j]``: sample j is the ranks-th nearest of sample i, counted from 1; 0 is the sample itself.

    Examples
    --------
    >>> from latentmap import load_dataset
    >>> from latentmap.analysis import OriginalRanks, PcaBaseline
    >>> digits = load_dataset("digits", size=8).limit(100)
    >>> X = digits.test.images
    >>> ranks = OriginalRanks(X)
    >>> [round(ranks.trustworthiness(PcaBaseline(k).fit(X).transform(X)), 1) for k in (1, 2, 8)]
    [0.7, 0.8, 1.0]
    """

    def __init__(self, X: NDArray[Any], *, n_samples: int = TRUST_SAMPLES, unit: Unit | None = None) -> None:
        X = as_samples(X, least=0)
        self.rows, self._n_given = drawn_rows(len(X), n_samples), len(X)
        self.n = len(self.rows)
        self.ranks = np.empty((self.n, self.n), dtype=np.uint16 if self.n < 2**16 else np.uint32)
        if not self.n:
            return
        places = np.arange(1, self.n, dtype=self.ranks.dtype)
        some = X[self.rows]
        rows = Scale(some, measuring_unit(X) if unit is None else unit).rows(some)

        def rank(start: int) -> None:
            stop = min(start + 256, self.n)
            distances = euclidean_distances(rows[start:stop], rows)
            block = np.arange(start, stop)
            distances[block - start, block] = np.inf
            order = np.argsort(distances, axis=1)[:, :-1]  # the sample itself is last, at infinity
            self.ranks[block, block] = 0
            np.put_along_axis(self.ranks[start:stop], order, places[None, :], axis=1)

        with ThreadPoolExecutor(2) as pool:  # sorting leaves the interpreter's lock alone
            list(pool.map(rank, range(0, self.n, 256)))

    def trustworthiness(self, Z: NDArray[Any], *, n_neighbors: int = TRUST_NEIGHBOURS) -> float | None:
        """Return the `trustworthiness` of codes of all the samples, shape (len(X), latent_dim), in the same order."""
        trusted = self.trusted(Z, n_neighbors=n_neighbors)
        return None if trusted is None else float(trusted.mean())

    def trusted(self, Z: NDArray[Any], *, n_neighbors: int = TRUST_NEIGHBOURS) -> NDArray[np.float64] | None:
        """Return the samples' own shares in `trustworthiness`, which is their mean."""
        check_number("n_neighbors", n_neighbors, whole=True)
        Z = as_samples(Z, "Z", least=0, n=self._n_given)
        k = min(n_neighbors, (self.n - 1) // 2)  # fewer than half
        if k < 1:
            return None
        some = Z[self.rows].reshape(self.n, -1)
        codes = Scale(some, 1.0).rows(some)
        neighbours = NearestNeighbors(n_neighbors=k).fit(codes).kneighbors(return_distance=False)
        ranks = np.take_along_axis(self.ranks, neighbours, axis=1).astype(np.int64)
        penalty = np.clip(ranks - k, 0, None).sum(axis=1)
        return np.asarray(1 - penalty * 2 / (k * (2 * self.n - 3 * k - 1)))


def trustworthiness(
    X: NDArray[Any], Z: NDArray[Any], *, n_neighbors: int = TRUST_NEIGHBOURS, n_samples: int = TRUST_SAMPLES
) -> float | None:
    """Measure how far neighbours among the codes are neighbours among the samples, for one model.

    The same number as `sklearn.manifold.trustworthiness`, where all features are in one unit; otherwise each counts by
    its standard deviation, see `measuring_unit`. For several models on the same samples make one
    `OriginalRanks` and ask it about each.

    Parameters
    ----------
    X : ndarray, shape (n, ...)
        Samples.
    Z : ndarray, shape (n, latent_dim)
        Their codes.
    n_neighbors : int, default=12
        How many neighbours of each code to look at; must be, and is kept, below half the samples.
    n_samples : int, default=5000
        How many samples to compare at most, drawn once with a fixed seed.

    Returns
    -------
    float or None
        1: every neighbour is true; 0.5: about what chance gives. None for fewer than 3 samples.

    References
    ----------
    Venna and Kaski, 2001, "Neighborhood preservation in nonlinear projection methods", equation 2.

    Examples
    --------
    >>> import numpy as np
    >>> from latentmap.analysis import trustworthiness
    >>> X = np.random.default_rng(0).normal(size=(100, 3))
    >>> trustworthiness(X, 2 * X)  # all neighbours stay
    1.0
    """
    return OriginalRanks(X, n_samples=n_samples).trustworthiness(Z, n_neighbors=n_neighbors)


def continuity(
    X: NDArray[Any], Z: NDArray[Any], *, n_neighbors: int = TRUST_NEIGHBOURS, n_samples: int = TRUST_SAMPLES
) -> float | None:
    """Measure how far neighbours among the samples stay neighbours among the codes: what is torn apart lowers it.

    It is `trustworthiness` with samples and codes exchanged.

    Parameters
    ----------
    X : ndarray, shape (n, ...)
        Samples.
    Z : ndarray, shape (n, latent_dim)
        Their codes.
    n_neighbors : int, default=12
        How many neighbours of each sample to look at; must be, and is kept, below half the samples.
    n_samples : int, default=5000
        How many samples to compare at most, drawn once with a fixed seed.

    Returns
    -------
    float or None
        1: every neighbour stays one; 0.5: about what chance gives. None for fewer than 3 samples.

    References
    ----------
    Venna and Kaski, 2001, "Neighborhood preservation in nonlinear projection methods", equation 3.

    Examples
    --------
    >>> import numpy as np
    >>> from latentmap.analysis import continuity, trustworthiness
    >>> X = np.random.default_rng(0).normal(size=(100, 3))
    >>> torn = X + [100, 0, 0] * (X[:, :1] > 0)  # neighbours across the tear are lost, and hardly any is false
    >>> round(continuity(X, torn), 2), round(trustworthiness(X, torn), 2)
    (0.9, 0.99)
    """
    X = as_samples(X, least=0)
    ranks = OriginalRanks(as_samples(Z, "Z", least=0, n=len(X)), n_samples=n_samples, unit=1.0)
    if not len(X):
        return None
    return ranks.trustworthiness(Scale(X).rows(X), n_neighbors=n_neighbors)


def cluster_accuracy(Z: NDArray[Any], labels: IntArray, *, seed: int = 0) -> float:
    """Find as many clusters by k-means as there are classes, and say how many codes are in the one of their class.

    Parameters
    ----------
    Z : ndarray, shape (n, latent_dim)
        Codes.
    labels : ndarray of int, shape (n,)
        Their classes.
    seed : int, default=0
        Of k-means, which takes the best of ten starts.

    Returns
    -------
    float
        Share of codes, 0..1, with each cluster taken for another class, by the assignment that makes it largest.

    Examples
    --------
    >>> import numpy as np
    >>> from latentmap.analysis import cluster_accuracy
    >>> cluster_accuracy(np.array([[0.0], [0.1], [5.0], [5.1]]), np.array([1, 1, 0, 0]))
    1.0
    """
    from scipy.optimize import linear_sum_assignment
    from sklearn.cluster import KMeans
    from sklearn.metrics.cluster import contingency_matrix

    Z = as_samples(Z, "Z")
    labels = as_labels(labels, len(Z))
    clusters = KMeans(len(np.unique(labels)), n_init=10, random_state=seed).fit_predict(Z)
    shared = contingency_matrix(labels, clusters)
    return float(shared[linear_sum_assignment(shared, maximize=True)].sum() / len(Z))
