"""What decoders make of codes that no sample has: walks between two samples, and a grid over the latent space."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from latentmap.analysis.neighbours import nearest_samples
from latentmap.analysis.transformers import (
    Brief,
    FloatArray,
    IntArray,
    Transformer,
    as_codes,
    as_samples,
    decode,
    encode,
    named,
)
from latentmap.data.dataset import Dataset
from latentmap.data.preprocessing import Unit

_STRIP = 2  # times as long as it is broad
_FEWEST_STRIPS = 4


@dataclass(frozen=True, eq=False, repr=False)
class Interpolation(Brief):
    """Walks between pairs of samples in equal steps.

    Parameters
    ----------
    pairs : ndarray of int64, shape (n_pairs, 2)
        Indices of the samples at both ends.
    names : tuple of (str, str)
        What stands at both ends: the classes, or the numbers in the split.
    walks : dict of str to ndarray, shape (n_pairs, n_steps, ...)
        By model title: the decoded points of the straight line between the two codes, ends included.
    blend : ndarray, shape (n_pairs, n_steps, ...)
        The plain pixel blend of the two samples themselves.
    unit : float or ndarray, shape (n_features,)
        `measuring_unit` of the samples: what full brightness is in the units of images.
    nearest : dict of str to tuple of tuple of str, or None
        By title, and ``"plain blend"``: the class (or number) of the training sample nearest to each point of a walk.

    Examples
    --------
    >>> import numpy as np
    >>> from latentmap import load_dataset
    >>> from latentmap.analysis import PcaBaseline, interpolate
    >>> digits = load_dataset("digits", size=8).limit(100)
    >>> pca = PcaBaseline(2).fit(digits.train.images)
    >>> interpolate({"PCA": pca}, digits, np.array([[0, 1], [2, 3]])).blend.shape
    (2, 9, 8, 8, 1)
    """

    pairs: IntArray
    names: tuple[tuple[str, str], ...]
    walks: dict[str, FloatArray]
    blend: FloatArray
    unit: Unit
    nearest: dict[str, tuple[tuple[str, ...], ...]] | None = None


def choose_pairs(labels: IntArray | None, n: int, *, n_pairs: int = 4, seed: int = 0) -> IntArray:
    """Choose pairs of samples of different classes, (n_pairs, 2), every class as seldom as can be."""
    rng = np.random.default_rng(seed)
    groups = np.arange(n) if labels is None else labels
    present = np.unique(groups[groups >= 0])
    if len(present) <= 1:  # one class only: any two samples
        groups, present = np.arange(n), np.arange(n)
    # Whole shuffled decks one after another, so that no class comes again before all the others have; a card that
    # equals its partner at the seam of two decks, or makes a pair that was there, is swapped for the next one.
    deck = np.concatenate([rng.permutation(present) for _ in range(2 * n_pairs // len(present) + 2)])
    pairs: list[list[np.int64]] = []
    seen: list[set[np.int64]] = []
    position = 0
    while len(pairs) < n_pairs:
        first, second = deck[position], deck[position + 1]
        others = np.roll(present, -np.searchsorted(present, first))[1:]
        choice = [group for group in (second, *others[:n_pairs]) if group != first] or [first]
        second = next((group for group in choice if {first, group} not in seen), choice[0])
        seen.append({first, second})
        pairs.append([rng.choice(np.flatnonzero(groups == group)) for group in (first, second)])
        position += 2
    return np.asarray(pairs, dtype=np.int64)


def straight_walk(a: NDArray[Any], b: NDArray[Any], n_steps: int) -> NDArray[np.floating]:
    """Return `n_steps` points on the straight line from each row of `a` to that of `b`, shape (n, n_steps, ...)."""
    dtype = np.result_type(a, np.float32)
    share = np.linspace(0, 1, n_steps, dtype=dtype).reshape(1, n_steps, *[1] * (a.ndim - 1))
    start, end = a[:, None].astype(dtype), b[:, None].astype(dtype)
    return np.asarray(start * (1 - share) + end * share)


def interpolate(
    models: Mapping[str, Transformer], dataset: Dataset, pairs: IntArray, *, n_steps: int = 9
) -> Interpolation:
    """Walk straight from the code of one test sample to that of another, and blend their pixels beside it.

    Parameters
    ----------
    models : mapping of str to Transformer
        Fitted models by the title to show.
    dataset : Dataset
        The data; `pairs` points into its test split.
    pairs : ndarray of int64, shape (n_pairs, 2)
        Where to walk from and to.
    n_steps : int, default=9
        How many points a walk has, both ends included; at least 2.

    Returns
    -------
    Interpolation
        The decoded walks and the blends, in the units of the data. A walk's first and last points are the
        reconstructions of the two samples.

    Raises
    ------
    ValueError
        If `n_steps` is less than 2.

    Examples
    --------
    >>> import numpy as np
    >>> from latentmap import load_dataset
    >>> from latentmap.analysis import PcaBaseline, interpolate
    >>> digits = load_dataset("digits", size=8).limit(100)
    >>> pca = PcaBaseline(2).fit(digits.train.images)
    >>> walks = interpolate({"PCA": pca}, digits, np.array([[0, 1]]), n_steps=5)
    >>> walks.walks["PCA"].shape
    (1, 5, 8, 8, 1)
    """
    if n_steps < 2:
        raise ValueError(f"n_steps must be at least 2, got {n_steps}. The two ends count as steps.")
    X, class_names = dataset.test.X, dataset.class_names
    starts, ends = X[pairs[:, 0]], X[pairs[:, 1]]
    walks = {}
    for title, model in models.items():
        path = straight_walk(encode(model, starts), encode(model, ends), n_steps)
        decoded = decode(model, path.reshape(-1, path.shape[-1]))
        walks[title] = decoded.reshape(len(pairs), n_steps, *decoded.shape[1:])
    names = zip(*(named(side, dataset.test, class_names) for side in pairs.T), strict=True)
    blend = straight_walk(starts, ends, n_steps)
    nearest = None
    if not dataset.is_images:
        nearest = {title: _nearest(points, dataset) for title, points in {**walks, "plain blend": blend}.items()}
    return Interpolation(pairs, tuple(names), walks, blend, dataset.unit, nearest)


def _nearest(points: FloatArray, dataset: Dataset) -> tuple[tuple[str, ...], ...]:
    """The class (or the number) of the training sample nearest to each point of walks through vectors."""
    n_pairs, n_steps = points.shape[:2]
    train = dataset.train
    rows = nearest_samples(points.reshape(n_pairs * n_steps, -1), train.X, 1, dataset.unit)[:, 0]
    names = named(rows, train, dataset.class_names)
    return tuple(names[i * n_steps : (i + 1) * n_steps] for i in range(n_pairs))


@dataclass(frozen=True, eq=False, repr=False)
class LatentGrid(Brief):
    """Pictures decoded from a grid of codes.

    Parameters
    ----------
    z1, z2 : ndarray of float32 (float64 where the codes are), shapes (n_across,) and (n_up,)
        The grid's coordinates, ascending: quantiles of the first and the second number of the codes.
    pictures : ndarray, shape (n_up, n_across, ...)
        ``pictures[i, j]`` is decoded from ``(z1[j], z2[i])``, in the units of the data; row 0 is the lowest z2, so a
        figure draws the rows upward.
    distance : ndarray of float32, shape (n_up, n_across)
        How far each cell is from the nearest code, in widths of a typical cell.
    unit : float
        What full brightness, or one unit of reported error, is in the units of the data: 255 for uint8 images.

    Examples
    --------
    >>> from latentmap import load_dataset
    >>> from latentmap.analysis import PcaBaseline, latent_grid
    >>> digits = load_dataset("digits", size=8).limit(100)
    >>> pca = PcaBaseline(2).fit(digits.train.images)
    >>> grid = latent_grid(pca, pca.transform(digits.train.images), n_cells=7)
    >>> grid.z1.shape, grid.nearness.shape
    ((7,), (7, 7))
    """

    z1: NDArray[np.floating]
    z2: NDArray[np.floating]
    pictures: FloatArray
    distance: FloatArray
    unit: Unit

    @property
    def nearness(self) -> FloatArray:
        """How much each cell is backed by data: 1 where a code lies within a cell's width, 0 from three on."""
        return np.clip(1 - (self.distance - 1) / 2, 0, 1)


def latent_grid(
    transformer: Transformer, Z: NDArray[Any], *, n_cells: int = 20, outermost: float = 0.01, unit: Unit = 255.0
) -> LatentGrid:
    """Decode a grid of codes laid over the quantiles of known codes.

    Steps of equal share rather than of equal length: where codes crowd the grid is fine, and a few stray codes do
    not stretch it over empty space.

    Parameters
    ----------
    transformer : Transformer
        A fitted model with codes of 2 numbers.
    Z : ndarray, shape (n, 2)
        Known codes, usually of the training split.
    n_cells : int, default=20
        Cells each way; of strips, images more than twice as long as they are broad, fewer along that way.
    outermost : float, default=0.01
        The quantile of the first row and column; the last ones mirror it.
    unit : float, default=255.0
        What full brightness is in the units of the data: `measuring_unit` of images.

    Returns
    -------
    LatentGrid
        Coordinates, pictures and distances.

    Raises
    ------
    ValueError
        If the codes have more or fewer than 2 numbers.

    Examples
    --------
    >>> from latentmap import load_dataset
    >>> from latentmap.analysis import PcaBaseline, latent_grid
    >>> digits = load_dataset("digits", size=8).limit(100)
    >>> pca = PcaBaseline(2).fit(digits.train.images)
    >>> latent_grid(pca, pca.transform(digits.train.images), n_cells=7).pictures.shape
    (7, 7, 8, 8, 1)
    """
    Z = as_codes(as_samples(Z, "Z"))
    if Z.ndim != 2 or Z.shape[1] != 2:
        raise ValueError(f"Z must be of shape (n, 2), got {Z.shape}. A latent grid needs codes of 2 numbers.")
    shape = decode(transformer, Z[:1]).shape[1:]
    height, width = shape[:2] if len(shape) > 1 else (1, 1)
    z1, z2 = (
        np.quantile(codes, np.linspace(outermost, 1 - outermost, _fewer(n_cells, *sides))).astype(Z.dtype)
        for codes, sides in zip(Z.T, ((width, height), (height, width)), strict=True)
    )
    codes = np.stack(np.meshgrid(z1, z2), axis=-1).reshape(-1, 2)  # z2 by rows, z1 by columns
    pictures = decode(transformer, codes)
    # A dimension in which nothing varies has no width to measure by.
    cell = np.array([(z[-1] - z[0]) / max(1, len(z) - 1) for z in (z1, z2)])
    cell = np.where(cell > 0, cell, 1.0).astype(Z.dtype)
    nearest = NearestNeighbors(n_neighbors=1).fit(Z / cell)
    distance = nearest.kneighbors(codes / cell)[0].astype(np.float32)
    return LatentGrid(
        z1=z1,
        z2=z2,
        pictures=pictures.reshape(len(z2), len(z1), *pictures.shape[1:]),
        distance=distance.reshape(len(z2), len(z1)),
        unit=unit,
    )


def _fewer(n_cells: int, along: int, across: int) -> int:
    """How many images of a length lie along that way, for these to be as legible as square ones."""
    return max(min(n_cells, _FEWEST_STRIPS), min(n_cells, round(_STRIP * n_cells * across / along)))
