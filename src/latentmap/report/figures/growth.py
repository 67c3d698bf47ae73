"""``growth``: what comes back as the code grows, beside PCA of as many numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from latentmap.analysis import PcaBaseline, reconstruction_errors
from latentmap.analysis.baselines import most_components
from latentmap.analysis.reconstruction import some_of_each_class
from latentmap.analysis.transformers import decode, drawn_rows, encode, named
from latentmap.data.dataset import Dataset
from latentmap.data.preprocessing import Unit
from latentmap.estimator import Autoencoder
from latentmap.report.figures.base import Caption, Experiment, ReportFigure
from latentmap.report.figures.canvas import Panel, new_figure, tile_sheet, to_rgb
from latentmap.report.figures.features import MOST_SHOWN, Features, beside_row, finish_tables, heat
from latentmap.report.figures.letters import error_text, short_names
from latentmap.report.figures.style import INK, SMALL

SIZES = (1, 2, 4, 8, 16, 32, 64)
# Of so few samples the default is always dense layers with a start at PCA: quick, and never worse but for noise.
_MOST_SAMPLES, _MOST_MEASURED = 1500, 1000
_EPOCHS = 5  # a picture of what size does, in seconds: no figures to quote


@dataclass(frozen=True, eq=False)
class Growth:
    """The same samples from codes of several sizes."""

    sizes: tuple[int, ...]  # numbers a code
    X: NDArray[Any]  # (m, ...), the samples
    names: tuple[str, ...]  # their classes, or numbers
    X_hat: dict[str, NDArray[np.float32]]  # (n_sizes, m, ...): what comes back, of the network and of PCA
    errors: dict[str, tuple[float, ...]]  # mean squared error over at most 1,000 test samples, by size
    unit: Unit  # of the errors; full brightness of images
    n_train: int  # samples that were learned from
    epochs: int


def grow(dataset: Dataset, sizes: Sequence[int], *, n: int = 4, seed: int = 0) -> Growth:
    """Fit a network with codes of each size to at most 1,500 samples, and PCA; reconstruct `n` test samples."""
    train = dataset.train.few(_MOST_SAMPLES).X
    test = dataset.test.X[drawn_rows(len(dataset.test), _MOST_MEASURED)]
    most = most_components(train)
    asked, sizes = sizes, tuple(size for size in sizes if size <= most)
    if not sizes:
        raise ValueError(
            f"sizes must hold one of at most {most} (what samples and features allow), got {list(asked)}."
        )
    rows = some_of_each_class(dataset.known_labels(dataset.test), len(dataset.test), n)[:n]
    X = dataset.test.X[rows]
    networks = [Autoencoder(latent_dim=size, epochs=_EPOCHS, random_state=seed).fit(train) for size in sizes]
    largest = PcaBaseline(max(sizes)).fit(train)
    baselines = [largest.first(size) for size in sizes]

    def error(model: Any) -> float:
        return float(reconstruction_errors(model, test, encode(model, test), unit=dataset.unit).mean(dtype="float64"))

    models: dict[str, Sequence[Any]] = {"dense": networks, "PCA": baselines}
    return Growth(
        sizes,
        X,
        named(rows, dataset.test, dataset.class_names),
        {name: np.stack([decode(model, encode(model, X)) for model in some]) for name, some in models.items()},
        {name: tuple(map(error, some)) for name, some in models.items()},
        dataset.unit,
        len(train),
        _EPOCHS,
    )


def growth(result: Growth, features: Features | None = None) -> Figure:
    """Draw samples as they come back from codes of more and more numbers; vectors with their features."""
    return _of_images(result) if features is None else _of_vectors(result, features)


def _of_images(result: Growth) -> Figure:
    """A column a size and the original last; two rows a sample, PCA's beneath the network's."""
    panels = []
    for i in range(len(result.X)):
        original = to_rgb(result.X[i : i + 1], result.unit)
        rows = [np.concatenate([to_rgb(X_hat[:, i], result.unit), original]) for X_hat in result.X_hat.values()]
        panels.append(Panel(np.stack(rows), lines=int(i == len(result.X) - 1), head=0.24 if i == 0 else 0.08))
    detail = f"numbers a code; below, mean squared error over test samples · {result.n_train:,} samples, briefly"
    figure, tiles = tile_sheet(panels, left=1.0, fewest_columns=6, heading=("As the code grows", detail))
    for panel in tiles:
        for row, name in enumerate(result.X_hat):
            panel.name_row(row, name)
    for column, size in enumerate(result.sizes):
        tiles[0].write(0, column, f"{size}", above=True)
        for row, errors in enumerate(result.errors.values()):
            tiles[-1].write(row, column, error_text(errors[column]))
    tiles[0].write(0, len(result.sizes), "original", above=True)
    return figure


def _of_vectors(result: Growth, features: Features) -> Figure:
    """Two tables a sample, the network's and PCA's: a row a size and the original last."""
    n = min(3, len(result.X))
    shown = features.most_varied(result.X, MOST_SHOWN)
    figure = new_figure(n * (0.19 * (len(result.sizes) + 1) + 0.45) + 0.9 + features.below(shown)[-1])
    axes = figure.subplots(n, len(result.X_hat), squeeze=False)
    names = short_names(result.names, 40)
    for i, row in enumerate(axes):
        for ax, (name, X_hat) in zip(row, result.X_hat.items(), strict=True):
            heat(ax, features, np.concatenate([X_hat[:, i], result.X[i : i + 1]]), shown)
            ax.set_title(f"{name}: {names[i]}", loc="left", fontsize=SMALL, color=INK)
            ax.set_yticks(range(len(result.sizes) + 1), [*map(str, result.sizes), "original"], fontsize=SMALL - 1)
            if i == 0:
                for place, error in enumerate(result.errors[name]):
                    beside_row(ax, place, error_text(error), fontsize=SMALL - 1)
    heading = "As the code grows: a row a size, with the mean squared error over test samples"
    return finish_tables(figure, axes, heading, features, shown)


def _caption(result: Growth, experiment: Experiment) -> Caption:
    """Its words."""
    thing = experiment.thing
    return Caption(
        "As the code grows",
        f"Test {thing}s as they come back from codes of {result.sizes[0]} to {result.sizes[-1]} numbers: of a small "
        f"network (dense), and of PCA with as many components. These networks were fitted to {result.n_train:,} "
        f"{thing}s in {result.epochs} passes each, only to show what more numbers are good for; the models of the "
        "table above are others. The figures are mean squared errors over test samples, "
        f"{experiment.errors_in}.",
        f"Test {thing}s reconstructed from {', '.join(map(str, result.sizes))} numbers by a dense network and by PCA.",
    )


FIGURE = ReportFigure(
    "growth",
    lambda experiment: None if experiment.is_given else grow(experiment.dataset, SIZES, seed=experiment.seed),
    lambda result, experiment: growth(result, experiment.features),
    _caption,
    is_of_data=True,
)
