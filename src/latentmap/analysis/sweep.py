"""How many numbers a code should have: models of several sizes, measured, and a recommendation with its reason.

What belongs here: the measurements and the rule. The choice is made on a part of the training split that no model
learns from; the test split is for the table alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentmap.analysis.baselines import PcaBaseline
from latentmap.analysis.neighbours import knn_accuracy
from latentmap.analysis.reconstruction import reconstruction_errors
from latentmap.analysis.transformers import Transformer, Unit, encode
from latentmap.data.dataset import Dataset

_WORTH = 0.02  # of the variance: what twice as many numbers must gain to be worth it
_AS_GOOD = 0.005  # of accuracy
_MOST_KEPT = 5000
_KEPT = 0.1  # of the training split


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
    recommended : int
        The size to take.
    reason : str
        Why, in a sentence or two.
    """

    name: str
    model: tuple[SizeScores, ...]
    pca: tuple[SizeScores, ...]
    recommended: int
    reason: str


def sweep(
    dataset: Dataset,
    latent_dims: Sequence[int],
    make_model: Callable[[int], Any],
    *,
    name: str = "autoencoder",
    unit: Unit | None = None,
    seed: int = 0,
    on_size: Callable[[int], None] | None = None,
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
    unit : float or ndarray, shape (n_features,), optional
        What errors count as one, see `measuring_unit`.
    seed : int, default 0
        Decides which samples are kept.
    on_size : callable, optional
        Told of each size as its turn comes.

    Returns
    -------
    Sweep

    Raises
    ------
    ValueError
        If there are no sizes, or one is not at least 1.
    """
    sizes = sorted(set(latent_dims))
    if not sizes or sizes[0] < 1:
        raise ValueError(f"latent_dims must be whole numbers of at least 1, got {list(latent_dims)}.")
    train = dataset.train
    n = len(train)
    kept = np.zeros(n, bool)
    kept[np.random.default_rng(seed).permutation(n)[: max(1, min(_MOST_KEPT, round(_KEPT * n)))]] = True
    labels = None if train.labels is None else (train.labels[~kept], train.labels[kept])
    learned, held = train.X[~kept], train.X[kept]
    variance = _variance(learned, held, unit)

    def measure(model: Transformer, size: int) -> SizeScores:
        Z, Z_held, Z_test = (encode(model, X) for X in (learned, held, dataset.test.X))
        test_labels = dataset.test.labels
        return SizeScores(
            size,
            float(reconstruction_errors(model, dataset.test.X, Z_test, unit=unit).mean(dtype="float64")),
            None if labels is None else knn_accuracy(Z, labels[0], Z_test, test_labels),
            1 - float(reconstruction_errors(model, held, Z_held, unit=unit).mean(dtype="float64")) / variance,
            None if labels is None else knn_accuracy(Z, labels[0], Z_held, labels[1]),
        )

    ours, theirs = [], []
    most = min(len(learned), train.X[0].size)
    for size in sizes:
        if on_size is not None:
            on_size(size)
        ours.append(measure(make_model(size).fit(learned), size))
        if size <= most:
            theirs.append(measure(PcaBaseline(size, unit=unit).fit(learned), size))
    return Sweep(name, tuple(ours), tuple(theirs), *recommend(ours))


def recommend(scores: Sequence[SizeScores]) -> tuple[int, str]:
    """Choose a size by what more numbers would gain, and say why.

    The smallest size from which twice as many numbers reconstruct less than another 2% of the variance.

    Parameters
    ----------
    scores : sequence of SizeScores
        By size, ascending; at least one.

    Returns
    -------
    int
        The size.
    str
        The reason.
    """
    # A larger network may by chance be a little worse; it could always ignore what it has too much.
    held = np.maximum.accumulate([one.held for one in scores])
    sizes = [one.latent_dim for one in scores]
    gains = np.diff(held) / np.diff(np.log2(sizes)) if len(sizes) > 1 else np.zeros(0)
    enough = np.flatnonzero(gains < _WORTH)
    chosen = int(enough[0]) if len(enough) else len(sizes) - 1
    size = sizes[chosen]
    says = f"{size} numbers" if size > 1 else "1 number"
    if len(sizes) == 1:
        reason = f"{says}: no other size was tried. It reconstructs {held[0]:.1%} of the variance."
    elif len(enough):
        reason = (
            f"{says} reconstruct {held[chosen]:.1%} of the variance, and twice as many would add "
            f"{gains[chosen] * 100:.1f} points; every doubling before added at least {_WORTH * 100:.0f}."
            if chosen
            else f"{says} reconstruct {held[0]:.1%} of the variance already, and twice as many would add "
            f"{gains[0] * 100:.1f} points."
        )
    else:
        reason = (
            f"{says}, the most that were tried, reconstruct {held[-1]:.1%} of the variance, and the last doubling "
            f"still added {gains[-1] * 100:.1f} points: larger codes may be worth trying."
        )
    return size, reason + _of_accuracy(scores, size)


def _of_accuracy(scores: Sequence[SizeScores], chosen: int) -> str:
    """What labels say to it: nothing where there are none."""
    known = [(one.latent_dim, one.held_accuracy) for one in scores if one.held_accuracy is not None]
    if not known:
        return ""
    best = max(accuracy for _, accuracy in known)
    first, accuracy = next((size, value) for size, value in known if value >= best - _AS_GOOD)
    if first == chosen:
        return f" It is also the smallest within half a point of the best kNN accuracy, {best:.1%}."
    return f" To tell classes apart, {first} would do: kNN accuracy {accuracy:.1%}, the best is {best:.1%}."


def _variance(learned: NDArray[Any], held: NDArray[Any], unit: Unit | None) -> float:
    """The mean squared error of drawing the mean of what was learned from, over what was kept."""

    class _Mean:
        def transform(self, X: NDArray[Any]) -> NDArray[np.float32]:
            return np.zeros((len(X), 1), np.float32)

        def inverse_transform(self, Z: NDArray[Any]) -> NDArray[Any]:
            return np.repeat(mean[None], len(Z), axis=0)

    mean = learned.mean(axis=0, dtype=np.float64).astype(np.float32)
    model: Any = _Mean()
    errors = reconstruction_errors(model, held, np.zeros((len(held), 1), np.float32), unit=unit)
    return max(float(errors.mean(dtype="float64")), 1e-12)
