"""One line a picture: what fitted models made of samples.

Each function takes a fitted model and what to show, in the conventions of scikit-learn: ``plot.map(model, X, y)``. A
model is anything with `transform` and, where it draws samples, `inverse_transform`: an `Autoencoder`, `PCA`, UMAP, a
pipeline. Several are a list of them, or a mapping of titles to them.

`X` is an array of samples as `fit` saw them or a data frame, with classes `y` of any type, or a `Dataset`: its test
split is shown, the training split gives medians and quantiles, and classes and features have their names. A model
that was fitted on rows of pixels draws images where `X` has their shape, ``X.reshape(-1, 28, 28)``.

What is returned is a matplotlib figure that shows itself in a notebook; its `shown` is what was drawn, as arrays.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from latentmap import analysis
from latentmap.analysis.neighbours import knn_accuracy, knn_accuracy_within, knn_r2, knn_r2_within
from latentmap.analysis.transformers import encode
from latentmap.analysis.walks_and_grids import choose_pairs
from latentmap.checks import check_number
from latentmap.data.dataset import Dataset
from latentmap.data.objects import names_of_fit
from latentmap.errors import count
from latentmap.models.layers import describe
from latentmap.report import figures
from latentmap.report.figures.features import Features
from latentmap.report.figures.points import CodeMap
from latentmap.report.given import Models, Seen, by_title, held_out, last_steps, take, take_one

__all__ = [
    "compare",
    "growth",
    "history",
    "interpolation",
    "latent_grid",
    "map",
    "medians",
    "network",
    "reconstructions",
    "strangest",
    "tsne",
]


def __dir__() -> list[str]:
    return sorted(__all__)


def map(  # noqa: A001  # what it draws
    model: Any, X: Any, y: Any = None, *, thumbnails: bool = True, ax: Axes | None = None
) -> Figure:
    """Draw the codes of samples as points, with thumbnails of images wherever there is room.

    Parameters
    ----------
    model : object with `transform`
        Fitted; its codes have 2 numbers.
    X : array, shape (n, *sample_shape), data frame or Dataset
        Samples.
    y : array-like, shape (n,), optional
        Their classes: they colour the points, and the median of each is named. Floats of more than 20 kinds are no
        classes: they colour the points on a scale.
    thumbnails : bool, default=True
        Whether images stand at their places.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Figure
        Its `shown` is a `CodeMap`: `Z`, `labels`, `class_names`.

    Raises
    ------
    ValueError
        If codes do not have 2 numbers.

    Examples
    --------
    >>> from latentmap import Autoencoder, load_dataset, plot
    >>> digits = load_dataset("digits")
    >>> ae = Autoencoder(latent_dim=2, epochs=1, random_state=0).fit(digits.train.images)
    >>> plot.map(ae, digits).shown.Z.shape
    (360, 2)
    """
    (title, seen), dataset = take_one(model, X, y)
    codes = _code_map(title, seen, dataset)
    of_training = not dataset.is_one
    marks = None
    if (labels := dataset.known_labels(dataset.train)) is not None and (labels >= 0).any():
        Z = encode(seen, dataset.train.X) if of_training else codes.Z
        marks = analysis.class_medians(Z, labels, class_names=dataset.class_names)
    images = dataset.test.X if thumbnails and dataset.is_images else None
    unit = float(dataset.unit) if dataset.is_images else 1.0
    return _shown(
        figures.map.thumbnail_map(codes, images, medians=marks, of_training=of_training, unit=unit, ax=ax), codes
    )


def tsne(model: Any, X: Any, y: Any = None, *, seed: int = 0, ax: Axes | None = None) -> Figure:
    """Draw codes of more than 2 numbers as t-SNE lays them out, at most 5,000 of them.

    Parameters
    ----------
    model : object with `transform`
        Fitted.
    X : array, shape (n, *sample_shape), data frame or Dataset
        At least 8 samples.
    y : array-like, shape (n,), optional
        Their classes, or numbers on a scale (floats of more than 20 kinds): they colour the points.
    seed : int, default=0
        The same seed gives the same picture on one machine.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Figure
        Its `shown` is a `TsneResult`: `Z`, `labels`, `rows`.

    Raises
    ------
    ValueError
        If there are too few samples, or all codes are the same.

    Examples
    --------
    >>> from latentmap import Autoencoder, load_dataset, plot
    >>> digits = load_dataset("digits").limit(100)
    >>> ae = Autoencoder(latent_dim=8, epochs=1, random_state=0).fit(digits.train.images)
    >>> plot.tsne(ae, digits).shown.Z.shape
    (100, 2)
    """
    (title, seen), dataset = take_one(model, X, y)
    labels = dataset.known_labels(dataset.test)
    result = analysis.embed_tsne(encode(seen, dataset.test.X), labels, title=title, seed=seed)
    if result is None:
        raise ValueError(f"X must be at least 8 samples of different codes, got {count(len(dataset.test), 'sample')}.")
    return _shown(figures.tsne.tsne(result, class_names=dataset.class_names, ax=ax, **dataset.measured), result)


def compare(models: Models, X: Any, y: Any = None) -> Figure:
    """Draw the same samples under several models beside each other, with how well each keeps classes and neighbours.

    Parameters
    ----------
    models : sequence of models, or mapping of titles to models
        Fitted; their codes have 2 numbers. In place of a model, its codes of `X`, shape (n, 2): t-SNE's, say.
    X : array, shape (n, *sample_shape), data frame or Dataset
        Samples.
    y : array-like, shape (n,), optional
        Their classes, or numbers on a scale (floats of more than 20 kinds): they colour the points.

    Returns
    -------
    Figure
        Its `shown` is a list of `CodeMap`, each with its `knn_accuracy`, or `knn_r2` of numbers (of a `Dataset`'s
        test split, from the training codes; else by cross-validation among `X`), and its `trustworthiness`.

    Raises
    ------
    ValueError
        If codes do not have 2 numbers.

    Examples
    --------
    >>> from latentmap import Autoencoder, load_dataset, plot
    >>> from sklearn.decomposition import PCA
    >>> digits = load_dataset("digits")
    >>> ae = Autoencoder(latent_dim=2, epochs=1, random_state=0).fit(digits.train.images)
    >>> pca = PCA(2).fit(digits.train.images.reshape(-1, 32 * 32))
    >>> [codes.title for codes in plot.compare([ae, pca], digits).shown]
    ['dense (2)', 'PCA (2)']
    """
    named, dataset = take(models, X, y)
    train, test = dataset.train, dataset.test
    known = dataset.known_labels(test)
    ranks = analysis.OriginalRanks(test.X, unit=dataset.unit)
    found = []
    for title, seen in named.items():
        codes = _code_map(title, seen, dataset)
        if seen.is_ready or dataset.is_one:
            accuracy, r2 = knn_accuracy_within(codes.Z, known), knn_r2_within(codes.Z, codes.values)
        else:
            Z = encode(seen, train.X)
            accuracy = knn_accuracy(Z, dataset.known_labels(train), codes.Z, known)
            r2 = knn_r2(Z, train.values, codes.Z, test.values)
        trust = ranks.trustworthiness(codes.Z)
        found.append(replace(codes, knn_accuracy=accuracy, knn_r2=r2, trustworthiness=trust))
    return _shown(figures.points.side_by_side(found), found)


def reconstructions(models: Models, X: Any, y: Any = None) -> Figure:
    """Draw samples above what models make of them, some of each class; then each model's best, median and worst.

    Parameters
    ----------
    models : model, sequence of models, or mapping of titles to models
        Fitted, with `transform` and `inverse_transform`.
    X : array, shape (n, *sample_shape), data frame or Dataset
        Samples.
    y : array-like, shape (n,), optional
        Their classes.

    Returns
    -------
    Figure
        Its `shown` is a `Comparison`: `X`, and of each of `models` `X_hat` and `errors`.

    Examples
    --------
    >>> from latentmap import Autoencoder, load_dataset, plot
    >>> digits = load_dataset("digits")
    >>> ae = Autoencoder(latent_dim=2, epochs=1, random_state=0).fit(digits.train.images)
    >>> plot.reconstructions(ae, digits).shown.models[0].X_hat.shape
    (10, 32, 32, 1)
    """
    named, dataset = take(models, X, y)
    result = analysis.compare_reconstructions(named, dataset)
    return _shown(figures.reconstructions.reconstructions(result, _features(named, dataset)), result)


def strangest(model: Any, X: Any, y: Any = None, *, n: int = 10) -> Figure:
    """Draw the samples that come back worst, the worst first: what is unlike the rest, or wrong.

    Parameters
    ----------
    model : object with `transform` and `inverse_transform`
        Fitted.
    X : array, shape (n, *sample_shape), data frame or Dataset
        Samples.
    y : array-like, shape (n,), optional
        Their classes.
    n : int, default=10
        How many to show.

    Returns
    -------
    Figure
        Its `shown` is a `Comparison`; its `rows` say which of the samples they are.

    Examples
    --------
    >>> from latentmap import Autoencoder, load_dataset, plot
    >>> digits = load_dataset("digits")
    >>> ae = Autoencoder(latent_dim=2, epochs=1, random_state=0).fit(digits.train.images)
    >>> figure = plot.strangest(ae, digits, n=3)
    >>> figure.shown.rows.shape, bool(figure.shown.models[0].errors.argmax() == 0)
    ((3,), True)
    """
    check_number("n", n, whole=True)
    (title, seen), dataset = take_one(model, X, y)
    errors = analysis.reconstruction_errors(seen, dataset.test.X, unit=dataset.unit)
    result = figures.strangest.find(title, seen, dataset, errors, n)
    return _shown(figures.strangest.strangest(result, _features({title: seen}, dataset)), result)


def latent_grid(model: Any, X: Any, *, n_cells: int = 20, ax: Axes | None = None) -> Figure:
    """Draw what a model decodes from codes all over the plane: images, or how each feature varies.

    Parameters
    ----------
    model : object with `transform` and `inverse_transform`
        Fitted; its codes have 2 numbers.
    X : array, shape (n, *sample_shape), data frame or Dataset
        Samples whose codes say where the plane is finest; of a `Dataset` those of the training split.
    n_cells : int, default=20
        Cells each way; of strips, images more than twice as long as they are broad, fewer along that way.
    ax : Axes, optional
        Where to draw images; a new figure by default.

    Returns
    -------
    Figure
        Its `shown` is a `LatentGrid`: `z1`, `z2`, `pictures`.

    Raises
    ------
    ValueError
        If codes do not have 2 numbers.

    Examples
    --------
    >>> from latentmap import Autoencoder, load_dataset, plot
    >>> digits = load_dataset("digits")
    >>> ae = Autoencoder(latent_dim=2, epochs=1, random_state=0).fit(digits.train.images)
    >>> plot.latent_grid(ae, digits, n_cells=5).shown.pictures.shape
    (5, 5, 32, 32, 1)
    """
    check_number("n_cells", n_cells, whole=True)
    (title, seen), dataset = take_one(model, X, None)
    if ax is not None and not dataset.is_images:
        raise ValueError("ax must be left out for vectors: each of their features is a panel of its own.")
    Z = _flat(title, encode(seen, dataset.train.X))
    outermost = 0.01 if n_cells > 1 else 0.5  # one cell is the middle
    grid = analysis.latent_grid(seen, Z, n_cells=n_cells, outermost=outermost, unit=dataset.unit)
    features = _features({title: seen}, dataset)
    return _shown(figures.latent_grid.latent_grid([grid], features, names=[title], ax=ax), grid)


def interpolation(
    models: Models,
    X: Any,
    y: Any = None,
    *,
    pairs: Sequence[tuple[int, int]] | None = None,
    n_steps: int = 9,
    seed: int = 0,
) -> Figure:
    """Draw the walk from the code of one sample to that of another, beside the plain blend of the two.

    Parameters
    ----------
    models : model, sequence of models, or mapping of titles to models
        Fitted, with `transform` and `inverse_transform`.
    X : array, shape (n, *sample_shape), data frame or Dataset
        Samples.
    y : array-like, shape (n,), optional
        Their classes.
    pairs : sequence of (int, int), optional
        Between which samples to walk, by their rows; by default four pairs of different classes.
    n_steps : int, default=9
        Points of a walk, both ends included.
    seed : int, default=0
        Decides which pairs are taken where none are given.

    Returns
    -------
    Figure
        Its `shown` is an `Interpolation`: `walks` by title, `blend`, `pairs`.

    Raises
    ------
    ValueError
        If a pair is not of two rows of `X`, or `n_steps` is less than 2.

    Examples
    --------
    >>> from latentmap import Autoencoder, load_dataset, plot
    >>> digits = load_dataset("digits")
    >>> ae = Autoencoder(latent_dim=2, epochs=1, random_state=0).fit(digits.train.images)
    >>> plot.interpolation(ae, digits, pairs=[(0, 1)], n_steps=5).shown.walks["dense (2)"].shape
    (1, 5, 32, 32, 1)
    """
    named, dataset = take(models, X, y)
    n = len(dataset.test)
    if n < 2:
        raise ValueError("X must be at least 2 samples, to walk from one to another, got 1.")
    rows = choose_pairs(dataset.known_labels(dataset.test), n, seed=seed) if pairs is None else np.asarray(pairs)
    if rows.ndim != 2 or rows.shape[1] != 2 or rows.dtype.kind not in "iu" or not ((rows >= 0) & (rows < n)).all():
        raise ValueError(f"pairs must be pairs of rows from 0 to {n - 1}, got {pairs}.")
    walks = analysis.interpolate(named, dataset, rows, n_steps=n_steps)
    return _shown(figures.interpolation.interpolation(walks, _features(named, dataset)), walks)


def medians(models: Models, X: Any, y: Any = None, *, seed: int = 0) -> Figure:
    """Draw what models decode from the median code of each class, or of k-means groups where there are none.

    Parameters
    ----------
    models : model, sequence of models, or mapping of titles to models
        Fitted, with `transform` and `inverse_transform`.
    X : array, shape (n, *sample_shape), data frame or Dataset
        Samples; of a `Dataset` those of the training split.
    y : array-like, shape (n,), optional
        Their classes.
    seed : int, default=0
        Seeds k-means.

    Returns
    -------
    Figure
        Its `shown` is a list of `Generated`: `pictures`, `medians`, and what they look like, `clarity`.

    Examples
    --------
    >>> from latentmap import Autoencoder, load_dataset, plot
    >>> digits = load_dataset("digits")
    >>> ae = Autoencoder(latent_dim=2, epochs=1, random_state=0).fit(digits.train.images)
    >>> plot.medians(ae, digits).shown[0].pictures.shape
    (10, 32, 32, 1)
    """
    named, dataset = take(models, X, y)
    results = []
    for title, seen in named.items():
        Z, labels = encode(seen, dataset.train.X), dataset.known_labels(dataset.train)
        groups = analysis.class_medians(Z, labels, class_names=dataset.class_names, seed=seed)
        results.append(analysis.generate(title, seen, groups, dataset))
    return _shown(figures.generated.generated(results, _features(named, dataset)), results)


def history(models: Models, X: Any = None, y: Any = None, *, ax: Axes | None = None) -> Figure:
    """Draw the loss of autoencoders, epoch by epoch.

    Parameters
    ----------
    models : Autoencoder, sequence of these, or mapping of titles to these
        Fitted.
    X, y : ignored
        Here so that all functions can be called alike.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Figure
        Validation loss solid, training loss dashed. Its `shown` is a mapping of titles to histories.

    Raises
    ------
    ValueError
        If a model has no `history_`.

    Examples
    --------
    >>> from latentmap import Autoencoder, load_dataset, plot
    >>> digits = load_dataset("digits")
    >>> ae = Autoencoder(latent_dim=2, epochs=2, random_state=0).fit(digits.train.images)
    >>> [row["epoch"] for row in plot.history(ae).shown["dense (2)"]]
    [0, 1, 2]
    """
    named = last_steps(by_title(models))
    for title, model in named.items():
        if not hasattr(model, "history_"):
            raise ValueError(f"{title} has no history_. Use a fitted Autoencoder.")
    rows = {title: model.history_ for title, model in named.items()}
    objectives = {title: model.objective for title, model in named.items()}
    per = "pixel" if all(model.preprocessing_.is_images for model in named.values()) else "scaled feature"
    best = {title: model.best_epoch_ for title, model in named.items()}
    drawn = figures.training.training(rows, objectives=objectives, best_epochs=best, per=per, ax=ax)
    return _shown(drawn, rows)


def growth(X: Any, y: Any = None, *, sizes: Sequence[int] = (1, 2, 4, 8, 16, 32, 64), seed: int = 0) -> Figure:
    """Draw samples as they come back from codes of more and more numbers, PCA's beneath.

    Small networks are fitted for it, one a size, briefly and to at most 1,500 samples: some seconds in all.
    `latentmap.analysis.sweep` measures sizes in earnest.

    Parameters
    ----------
    X : array, shape (n, *sample_shape), data frame or Dataset
        Samples, of which every fifth is shown and not learned from; of a `Dataset` the test split is.
    y : array-like, shape (n,), optional
        Their classes: one of each of the first four is shown.
    sizes : sequence of int, default=(1, 2, 4, 8, 16, 32, 64)
        Numbers a code; those are left out that are more than samples or features allow.
    seed : int, default=0
        Seeds the fits.

    Returns
    -------
    Figure
        Its `shown` is a `Growth`: `X`, `X_hat` and `errors` of both, by size.

    Examples
    --------
    >>> from latentmap import load_dataset, plot
    >>> plot.growth(load_dataset("digits").limit(200), sizes=[1, 8]).shown.X_hat["PCA"].shape
    (2, 4, 32, 32, 1)
    """
    _, dataset = take({}, X, y)
    dataset = held_out(dataset) if dataset.is_one else dataset
    result = figures.growth.grow(dataset, sizes, seed=seed)
    return _shown(figures.growth.growth(result, _features({}, dataset)), result)


def network(models: Models, X: Any = None, y: Any = None) -> Figure:
    """Draw what networks are: their layers, the shapes that leave them, the bottleneck, and the parameters.

    Parameters
    ----------
    models : Autoencoder, sequence of these, or mapping of titles to these
        Fitted.
    X, y : ignored
        Here so that all functions can be called alike.

    Returns
    -------
    Figure
        Its `shown` is a mapping of titles to `Description`.

    Raises
    ------
    LayerError
        If a network has a layer that only PyTorch knows.

    Examples
    --------
    >>> from latentmap import Autoencoder, load_dataset, plot
    >>> digits = load_dataset("digits")
    >>> ae = Autoencoder(latent_dim=2, epochs=1, random_state=0).fit(digits.train.images)
    >>> list(plot.network(ae).shown)
    ['dense (2)']
    """
    named = last_steps(by_title(models))
    found = {title: describe(model) for title, model in named.items()}
    learned = {title: model.n_parameters_ for title, model in named.items()}
    return _shown(figures.network.network(found, learned), found)


def _flat(title: str, Z: NDArray[Any]) -> NDArray[Any]:
    """Codes of 2 numbers, or an error that says what to do with longer ones."""
    if Z.shape[1] != 2:
        raise ValueError(
            f"codes must have 2 numbers to be a map, got {Z.shape[1]} of {title}. Fit with latent_dim=2"
            f"{', or draw it by tsne' if Z.shape[1] > 2 else ''}."
        )
    return Z


def _code_map(title: str, seen: Seen, dataset: Dataset) -> CodeMap:
    """The codes of the samples to show."""
    Z = _flat(title, encode(seen, dataset.test.X))
    return CodeMap(title, Z, dataset.known_labels(dataset.test), dataset.class_names, **dataset.measured)


def _shown(figure: Figure, result: Any) -> Figure:
    """A figure that carries what it shows."""
    figure.shown = result  # type: ignore[attr-defined]
    return figure


def _features(named: Mapping[str, Any], dataset: Dataset) -> Features | None:
    """What vectors are drawn in: the scale of what a model was fitted on, of others that of the samples given."""
    if dataset.is_images:
        return None
    features = Features.of_dataset(dataset)
    for seen in named.values():
        known = getattr(seen.model, "preprocessing_", None)
        own = names_of_fit(seen.model) in (None, list(features.names))
        if own and known is not None and known.sample_shape == dataset.sample_shape and seen.model.scaling == "auto":
            if features.without_far and (known.scale > 2 * features.deviation).any():
                return features  # fit saw what is far out too: in its scale the others would be one colour
            return replace(
                features,
                mean=known.offset,
                deviation=np.broadcast_to(known.scale, known.offset.shape),
                without_far=False,
            )
    return features
