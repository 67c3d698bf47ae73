"""How many numbers a code should have: models of several sizes, measured, and a recommendation with its reason.

The choice is made on a part of the training split that no model learns from; the test split is for the table alone.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentmap.analysis.baselines import PcaBaseline, most_components
from latentmap.analysis.neighbours import by_guessing, knn_accuracy
from latentmap.analysis.reconstruction import reconstruction_errors
from latentmap.analysis.transformers import Transformer, chunks, encode
from latentmap.data.cache import cache_dir, file_region
from latentmap.data.dataset import Dataset
from latentmap.data.windows import last_rows, n_overlapping
from latentmap.errors import count

_WORTH = 0.02  # of the variance: what twice as many numbers must gain to be worth it
_SOMETHING = 0.1  # of the variance: with less, a size that gains little is no plateau
_AS_GOOD = 0.005  # of accuracy
_MOST_KEPT, _MOST_KEPT_BYTES = 5000, 2**28
_KEPT = 0.1  # of the training split
_SAME = 1e-6  # of the variance: such a difference is one of rounding


@dataclass(frozen=True)
class SizeScores:
    """What a model does with codes of one size.

    Parameters
    ----------
    latent_dim : int
        How many numbers a code has.
    test_mse : float
        As in `Evaluation`.
    knn_accuracy : float or None
        As in `Evaluation`.
    held : float
        The share of the variance of the kept part that is reconstructed; 1 is everything.
    held_accuracy : float or None
        kNN accuracy on the kept part.

    Examples
    --------
    >>> from latentmap import Autoencoder, load_dataset
    >>> from latentmap.analysis import sweep
    >>> digits = load_dataset("digits", size=8).limit(100)
    >>> found = sweep(digits, [2], lambda k: Autoencoder("linear", k, epochs=1, random_state=0))
    >>> found.model[0].latent_dim, round(found.model[0].test_mse, 2)
    (2, 0.06)
    """

    latent_dim: int
    test_mse: float
    knn_accuracy: float | None
    held: float
    held_accuracy: float | None


@dataclass(frozen=True, eq=False)
class Sweep:
    """Sizes compared.

    Parameters
    ----------
    name : str
        What the model is called.
    model, pca : tuple of SizeScores
        Of the model and of PCA, by size; PCA has no more numbers than the data.
    recommended : int or None
        The size to take; None where PCA is the better choice, or shows that the model is what limits it, or where all
        sizes are more than the numbers of a sample.
    reason : str
        Why, in a few sentences with the figures.

    Examples
    --------
    >>> from latentmap import Autoencoder, load_dataset
    >>> from latentmap.analysis import sweep
    >>> digits = load_dataset("digits", size=8).limit(100)
    >>> found = sweep(digits, [1, 2, 4], lambda k: Autoencoder("linear", k, epochs=1, random_state=0))
    >>> [round(one.held, 1) for one in found.pca]
    [0.2, 0.3, 0.5]
    """

    name: str
    model: tuple[SizeScores, ...]
    pca: tuple[SizeScores, ...]
    recommended: int | None
    reason: str


def sweep(
    dataset: Dataset,
    latent_dims: Sequence[int],
    make_model: Callable[[int], Any],
    *,
    name: str = "autoencoder",
    seed: int = 0,
    on_size: Callable[[int], None] | None = None,
    fit_all: Callable[[Sequence[Any], NDArray[Any]], Iterable[Any]] | None = None,
) -> Sweep:
    """Fit and measure a model with codes of several sizes, and PCA beside it.

    Parameters
    ----------
    dataset : Dataset
        The data; a tenth of its training split (at most 5,000 samples) is kept to choose by.
    latent_dims : sequence of int
        The sizes, in any order.
    make_model : callable
        Makes the unfitted model of a size.
    name : str, default "autoencoder"
        What the model is called.
    seed : int, default 0
        Decides which samples are kept.
    on_size : callable, optional
        Told of each size as its turn comes.
    fit_all : callable, optional
        Fits models, in any number at a time, to samples, and gives them back in their order; by default one by one.

    Returns
    -------
    Sweep

    Raises
    ------
    ValueError
        If there are no sizes, or one is not at least 1.

    Examples
    --------
    >>> from latentmap import Autoencoder, load_dataset
    >>> from latentmap.analysis import sweep
    >>> digits = load_dataset("digits", size=8).limit(100)
    >>> found = sweep(digits, [1, 2, 4], lambda k: Autoencoder("linear", k, epochs=1, random_state=0))
    >>> [one.latent_dim for one in found.model]
    [1, 2, 4]
    """
    sizes = sorted(set(latent_dims))
    if not sizes or sizes[0] < 1:
        raise ValueError(f"latent_dims must be whole numbers of at least 1, got {list(latent_dims)}.")
    train, test, unit = dataset.train, dataset.test, dataset.unit
    known = dataset.known_labels(train)
    learning, kept = _parts(train.X, seed, has_classes=known is not None)
    labels, held_labels = (None, None) if known is None else (known[learning], known[kept])
    held = train.X[kept]

    def measure(model: Transformer, size: int) -> SizeScores:
        Z, Z_held, Z_test = (encode(model, X) for X in (learned, held, test.X))
        return SizeScores(
            size,
            float(reconstruction_errors(model, test.X, Z_test, unit=unit).mean(dtype="float64")),
            knn_accuracy(Z, labels, Z_test, dataset.known_labels(test)),
            1 - float(reconstruction_errors(model, held, Z_held, unit=unit).mean(dtype="float64")) / variance,
            knn_accuracy(Z, labels, Z_held, held_labels),
        )

    ours: list[SizeScores] = []
    theirs: list[SizeScores] = []
    with _taken(train.X, learning) as learned:
        mean = learned.mean(axis=0, dtype=np.float64)
        squares = sum(float(np.square((held[part] - mean) / unit).sum()) for part in chunks(held))
        variance = squares / held.size or 1.0
        fitted: Iterator[Any] = (make_model(size).fit(learned) for size in sizes)  # each in its turn, no two kept
        if fit_all is not None:
            fitted = iter(fit_all([make_model(size) for size in sizes], learned))
        for size in sizes:
            if on_size is not None:
                on_size(size)
            ours.append(measure(next(fitted), size))
        most = most_components(learned)
        if within := [size for size in sizes if size <= most]:
            pca = PcaBaseline(max(within)).fit(learned)
            theirs = [measure(pca.first(size), size) for size in within]
    recommended, reason = _advice(ours, theirs, name, int(train.X[0].size), int(learning.sum()), held_labels)
    return Sweep(name, tuple(ours), tuple(theirs), recommended, reason)


def _parts(X: NDArray[Any], seed: int, *, has_classes: bool) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which samples are learned from, and which are kept to choose by; the last of windows may be of one class."""
    n = max(1, min(_MOST_KEPT, _MOST_KEPT_BYTES // X[0].nbytes, round(_KEPT * len(X))))
    learning, kept = np.zeros((2, len(X)), bool)
    if not has_classes and (overlapping := n_overlapping(X)):
        first, last = last_rows(len(X), n, overlapping)
        learning[first], kept[last] = True, True
        return learning, kept
    kept[np.random.default_rng(seed).permutation(len(X))[:n]] = True
    return ~kept, kept


def _advice(
    ours: Sequence[SizeScores],
    theirs: Sequence[SizeScores],
    name: str,
    n_values: int,
    n_learned: int,
    held_labels: NDArray[Any] | None,
) -> tuple[int | None, str]:
    """The size to take, if any, and why: of sizes that compress, and by classes only where these say something."""
    words, largest = "", ours[-1].latent_dim
    limit = min(n_values, n_learned // 2)
    judged = [[one for one in rows if one.latent_dim <= limit] for rows in (ours, theirs)]
    if largest > n_values:
        words = f" More than the {count(n_values, 'number')} of a sample are no advice: they compress nothing."
    elif 2 * largest > n_learned:
        words = f" More than half as many as the {n_learned:,} samples are no advice: they may be learned by heart."
    accuracies = [one.held_accuracy for one in (*ours, *theirs) if one.held_accuracy is not None]
    if held_labels is not None and accuracies and max(accuracies) <= by_guessing(held_labels):
        judged = [[replace(one, held_accuracy=None) for one in rows] for rows in judged]
        words += (
            f" Classes have no say: by {len(held_labels):,} validation samples no size tells them apart for certain."
        )
    recommended, reason = recommend(*judged, name=name) if judged[0] else (None, "No size is recommended.")
    return recommended, reason + words


@contextmanager
def _taken(X: NDArray[Any], chosen: NDArray[np.bool_]) -> Iterator[NDArray[Any]]:
    """The samples that are chosen: of mapped ones a mapped copy in the cache, for memory may not hold them."""
    if file_region(X) is None:
        yield X[chosen]
        return
    cache_dir().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="sweep-", dir=cache_dir(), ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "learned.bin"
        with path.open("wb") as file:
            for part in chunks(X):
                file.write(X[part][chosen[part]].data)
        yield np.memmap(path, X.dtype, "r", shape=(int(chosen.sum()), *X.shape[1:]))


def recommend(
    scores: Sequence[SizeScores], pca: Sequence[SizeScores] = (), *, name: str = "the model"
) -> tuple[int | None, str]:
    """Choose the size beyond which none gains 2% of the variance a doubling, and say why; None if PCA does better."""
    chosen, gain = _enough(scores)
    ours = scores[chosen]
    here = f"{name} reconstructs {ours.held:z.1%} of the variance with {count(ours.latent_dim, 'number')}"
    beside = ""
    for one in pca:
        if one.latent_dim == ours.latent_dim:
            beside = f" (PCA {one.held:z.1%})"
            if one.held >= ours.held - _SAME and (one.held_accuracy or 0) >= (ours.held_accuracy or 0):
                return None, _take_pca(scores, pca, name)
        doublings = np.log2(one.latent_dim / ours.latent_dim)
        if doublings >= 0 and one.held - ours.held >= _WORTH * max(1.0, doublings):
            return None, (
                f"No size is recommended: on validation {here}, but PCA comes to "
                f"{one.held:z.1%} with {count(one.latent_dim, 'number')}. The model is the limit, not the data: try a "
                "larger one, or take PCA for reconstruction." + _of_accuracy(scores, None)
            )
    reason = f"Take {count(ours.latent_dim, 'number')}: on validation {here}{beside}"
    if len(scores) == 1:
        reason += "; no other size was compared."
    elif chosen == len(scores) - 1 and 1 - ours.held < _WORTH:
        reason += ", so that more could add hardly anything."
    elif chosen == len(scores) - 1:
        reason += (
            f", the most that were tried, and the last doubling still added {gain * 100:.1f} points: larger codes may "
            "be worth trying."
        )
    else:
        reason += f", and twice as many would add {gain * 100:.1f} points" + (
            f"; from every smaller size a larger one adds at least {_WORTH * 100:.0f} a doubling." if chosen else "."
        )
    return ours.latent_dim, reason + _of_accuracy(scores, ours.latent_dim)


def _take_pca(scores: Sequence[SizeScores], pca: Sequence[SizeScores], name: str) -> str:
    """Say with how many numbers to take PCA, and what the model does with as many."""
    chosen, _ = _enough(pca)
    theirs = pca[chosen]
    ours = next(one for one in scores if one.latent_dim == theirs.latent_dim)
    reason = (
        f"Take PCA with {count(theirs.latent_dim, 'number')}: on validation it reconstructs {theirs.held:z.1%} of the "
        f"variance ({name} {ours.held:z.1%})"
    )
    if theirs.held_accuracy is not None and ours.held_accuracy is not None:
        reason += f" and its kNN accuracy is {theirs.held_accuracy:z.1%} ({name} {ours.held_accuracy:z.1%})"
    if chosen == len(pca) - 1 > 0:
        reason += "; more were not tried, and may be worth it"
    return f"{reason}."


def _enough(scores: Sequence[SizeScores]) -> tuple[int, float]:
    """Which size is enough, and what a doubling gains from there on (or gained, of the last one)."""
    # A larger network may by chance be a little worse; it could always ignore what it has too much.
    held = np.maximum.accumulate([one.held for one in scores])
    doublings = np.log2([one.latent_dim for one in scores])
    gains = np.diff(held) / np.diff(doublings)
    for i, gain in enumerate(gains):
        # A doubling may gain little, and those after it much.
        if held[i] >= _SOMETHING and ((held[i + 1 :] - held[i]) / (doublings[i + 1 :] - doublings[i])).max() < _WORTH:
            return i, float(gain)
    return len(gains), float(gains[-1]) if len(gains) else 0.0


def _of_accuracy(scores: Sequence[SizeScores], chosen: int | None) -> str:
    """What labels say to it: nothing where there are none."""
    known = [(one.latent_dim, one.held_accuracy) for one in scores if one.held_accuracy is not None]
    if not known:
        return ""
    best = max(accuracy for _, accuracy in known)
    first, accuracy = next((size, value) for size, value in known if value >= best - _AS_GOOD)
    if first == chosen:
        return f" It is also the smallest within half a point of the best kNN accuracy, {best:.1%}."
    return f" To tell classes apart, {first} would do: kNN accuracy {accuracy:.1%}, the best is {best:.1%}."
