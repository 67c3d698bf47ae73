"""One typical code per class, and how clear the picture is that the decoder draws from it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from latentmap.analysis.neighbours import KNN_NEIGHBOURS, nearest_samples
from latentmap.analysis.transformers import (
    Brief,
    FloatArray,
    IntArray,
    Transformer,
    as_classes,
    as_codes,
    as_samples,
    decode,
)
from latentmap.data.dataset import Dataset
from latentmap.data.preprocessing import Unit

MOST_CLUSTERS = 10


@dataclass(frozen=True, eq=False, repr=False)
class CodeMedians(Brief):
    """The per-dimension median of the codes of each group.

    Parameters
    ----------
    Z : ndarray of float32 (float64 where the codes are), shape (n_groups, latent_dim)
        One median per group.
    names : tuple of str
        The group's name: its class, or "group 1" for the largest cluster and so on.
    classes : ndarray of int64, shape (n_groups,), or None
        The class index of each group; None where k-means made the groups.
    counts : ndarray of int64, shape (n_groups,)
        How many codes each group has.
    groups : ndarray of int64, shape (n,)
        The row of `Z` that each code belongs to; -1 for one without a class.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> labels = np.arange(100) % 2
    >>> Z = rng.normal(size=(100, 2)) + 8 * labels[:, None]
    >>> from latentmap.analysis import class_medians
    >>> class_medians(Z, n_clusters=2).names  # without labels
    ('group 1', 'group 2')
    """

    Z: NDArray[np.floating]
    names: tuple[str, ...]
    classes: IntArray | None
    counts: IntArray
    groups: IntArray

    @property
    def by_class(self) -> bool:
        """Whether the groups are classes rather than k-means clusters."""
        return self.classes is not None


def class_medians(
    Z: NDArray[Any],
    labels: IntArray | None = None,
    *,
    class_names: tuple[str, ...] | None = None,
    n_clusters: int = MOST_CLUSTERS,
    seed: int = 0,
) -> CodeMedians:
    """Take the median code of each class, or of each k-means cluster where there are no labels.

    Parameters
    ----------
    Z : ndarray, shape (n, latent_dim)
        Codes, usually of the training split.
    labels : ndarray of int64 or str, shape (n,), optional
        The class of each code, by its number or its name; below 0 where there is none: these are in no group.
    class_names : tuple of str, optional
        The names of the classes; without them they are numbered.
    n_clusters : int, default=10
        Without labels, how many clusters to look for; fewer where there are fewer different codes.
    seed : int, default=0
        Seeds k-means.

    Returns
    -------
    CodeMedians
        One median per class that occurs, in the order of the classes; clusters from the largest down.

    Examples
    --------
    >>> import numpy as np
    >>> from latentmap.analysis import class_medians
    >>> Z = np.array([[0, 1], [0, 2], [0, 9], [5, 5]])
    >>> medians = class_medians(Z, np.array([0, 0, 0, 1]), class_names=("cat", "dog"))
    >>> medians.names, medians.Z.tolist()
    (('cat', 'dog'), [[0.0, 2.0], [5.0, 5.0]])
    """
    Z = as_codes(as_samples(Z, "Z"))
    if labels is not None:
        labels, names_given = as_classes(labels, len(Z))
        class_names = names_given or class_names
    if labels is None or (labels < 0).all():
        labels = None
        n_clusters = min(n_clusters, len(np.unique(Z, axis=0)))
        clusters = KMeans(n_clusters, n_init=3, random_state=seed).fit_predict(Z)
        present = np.argsort(-np.bincount(clusters, minlength=n_clusters), kind="stable")
        names = tuple(f"group {i + 1}" for i in range(n_clusters))
    else:
        clusters = labels
        present = np.unique(labels[labels >= 0])
        names = tuple(class_names[label] if class_names else str(label) for label in present)
    row_of = np.full(int(present.max()) + 2, -1)
    row_of[present] = np.arange(len(present))
    groups = row_of[np.maximum(clusters, -1)]  # the last is nobody's
    return CodeMedians(
        Z=np.stack([np.median(Z[groups == row], axis=0) for row in range(len(present))]).astype(Z.dtype),
        names=names,
        classes=None if labels is None else present.astype(np.int64),
        counts=np.bincount(groups[groups >= 0], minlength=len(present)).astype(np.int64),
        groups=groups,
    )


@dataclass(frozen=True, eq=False, repr=False)
class Clarity(Brief):
    """What each of m decoded pictures looks like to its 10 nearest neighbours among the training samples."""

    looks_like: IntArray  # (m,), the class that most of the neighbours have, of equals that of the nearest
    share: FloatArray  # (m,), of the neighbours that have it, 0..1
    right: NDArray[np.bool_]  # (m,), whether it is the class that the picture was drawn for


def clarity(pictures: NDArray[Any], classes: IntArray, dataset: Dataset) -> Clarity:
    """Ask a nearest-neighbour classifier fitted on labelled training samples which class each picture looks like."""
    X, labels = dataset.train.X, np.asarray(dataset.known_labels(dataset.train))
    if (labels < 0).any():  # they have no say
        X, labels = X[labels >= 0], labels[labels >= 0]
    votes = labels[nearest_samples(pictures, X, KNN_NEIGHBOURS, dataset.unit)]
    counts = (votes[:, :, None] == votes[:, None, :]).sum(axis=2)  # of each neighbour's class
    rows, most = np.arange(len(votes)), counts.argmax(axis=1)  # of equals that of the nearest
    looks_like = votes[rows, most]
    share = (counts[rows, most] / votes.shape[1]).astype(np.float32)
    return Clarity(looks_like.astype(np.int64), share, looks_like == classes)


@dataclass(frozen=True, eq=False, repr=False)
class Generated(Brief):
    """Pictures one model draws from its median codes.

    Parameters
    ----------
    title : str
        What people call the model.
    pictures : ndarray, shape (n_groups, ...)
        The decoded medians, in the units of the data.
    medians : CodeMedians
        The medians they were decoded from.
    clarity : Clarity or None
        What the pictures look like; None without labels.
    class_names : tuple of str or None
        The names of the classes that `clarity` speaks of.
    unit : float or ndarray, shape (n_features,)
        `measuring_unit` of the samples: what full brightness is in the units of images.
    nearest : tuple of str, length n_groups, or None
        What the training sample nearest to each decoded vector is called; None of images.

    Examples
    --------
    >>> from latentmap import load_dataset
    >>> from latentmap.analysis import PcaBaseline, class_medians, generate
    >>> digits = load_dataset("digits", size=8).limit(100)
    >>> pca = PcaBaseline(2).fit(digits.train.images)
    >>> medians = class_medians(pca.transform(digits.train.images), digits.train.labels)
    >>> drawn = generate("PCA", pca, medians, digits)
    >>> drawn.clarity.looks_like.shape
    (10,)
    """

    title: str
    pictures: FloatArray
    medians: CodeMedians
    clarity: Clarity | None
    class_names: tuple[str, ...] | None
    unit: Unit
    nearest: tuple[str, ...] | None = None


def generate(title: str, transformer: Transformer, medians: CodeMedians, dataset: Dataset) -> Generated:
    """Decode the medians of a model's codes and measure how clear the pictures are.

    Parameters
    ----------
    title : str
        What to call the model.
    transformer : Transformer
        The fitted model.
    medians : CodeMedians
        Medians of its codes.
    dataset : Dataset
        The data, with whose training samples the pictures are compared; without labels there is no measure.

    Returns
    -------
    Generated
        Pictures and measures, ready to draw.

    Examples
    --------
    >>> from latentmap import load_dataset
    >>> from latentmap.analysis import PcaBaseline, class_medians, generate
    >>> digits = load_dataset("digits", size=8).limit(100)
    >>> pca = PcaBaseline(2).fit(digits.train.images)
    >>> medians = class_medians(pca.transform(digits.train.images), digits.train.labels)
    >>> drawn = generate("PCA", pca, medians, digits)
    >>> drawn.pictures.shape
    (10, 8, 8, 1)
    """
    pictures = decode(transformer, medians.Z)
    measure = nearest = None
    if dataset.train.labels is not None and medians.classes is not None:
        measure = clarity(pictures, medians.classes, dataset)
    if not dataset.is_images:
        rows = nearest_samples(pictures, dataset.train.X, 1, dataset.unit)[:, 0]
        nearest = tuple(map(dataset.train.called, rows))
    return Generated(title, pictures, medians, measure, dataset.class_names, dataset.unit, nearest)
