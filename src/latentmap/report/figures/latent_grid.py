"""``latent_grid``: what decoders make of codes all over the plane."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from latentmap.analysis import LatentGrid
from latentmap.analysis import latent_grid as decode_grid
from latentmap.report.figures.base import Caption, Experiment, ReportFigure
from latentmap.report.figures.canvas import axes_or_new, new_figure, show_tiles, title, to_rgb
from latentmap.report.figures.features import COLOURS, Features, finish
from latentmap.report.figures.letters import plain
from latentmap.report.figures.style import INK, SMALL, TEXT, WIDTH

FAINTEST = 0.15
_FADED = "no training code within a cell's width"
MOST_MAPS = 24
LARGE_IMAGE = 64 * 64  # pixels from which the grid has fewer cells: they could not be told apart, and cost memory


def latent_grid(
    grids: Sequence[LatentGrid],
    features: Features | None = None,
    *,
    names: Sequence[str] = (),
    ax: Axes | None = None,
) -> Figure:
    """Draw what decoders make of codes all over the latent space, z2 upward.

    Parameters
    ----------
    grids : sequence of LatentGrid
        The grids and their pictures, one or more models; of vectors one.
    features : Features, optional
        Of the training samples, where these are vectors.
    names : sequence of str, optional
        The models' names, for the titles.
    ax : Axes, optional
        Where to draw the pictures of the first; a new figure of all by default.

    Returns
    -------
    Figure
        For each grid its pictures, fainter where no code is near, with z1 below and z2 on the left; beside each other,
        those of colour images one below the other, twice as large. Of vectors a map for each of the (at most 24)
        features that vary most.

    Examples
    --------
    >>> from latentmap import load_dataset
    >>> from latentmap import analysis, report
    >>> digits = load_dataset("digits", size=8).limit(100)
    >>> pca = analysis.PcaBaseline(2).fit(digits.train.images)
    >>> grid = analysis.latent_grid(pca, pca.transform(digits.train.images), n_cells=7)
    >>> report.latent_grid([grid]).axes[0].get_title(loc="left")
    'The latent space, decoded'
    """
    if features is not None:
        return _of_vectors(grids[0], features, names[0] if names else "")
    if ax is not None:
        figure, _ = axes_or_new(ax, 0)
        _draw_grid(ax, grids[0], names[0] if names else "", alone=True)
        return figure
    up, across, height, width = grids[0].pictures.shape[:4]
    in_row = 1 if grids[0].pictures.shape[4:] >= (3,) else len(grids)
    share = WIDTH / in_row - 0.6
    rows = len(grids) // in_row
    figure = new_figure(
        rows * (float(np.clip(share * up * height / (across * width), 3.0, 11.0)) + (0.6 if in_row == 1 else 1.0))
    )
    axes = figure.subplots(rows, in_row, squeeze=False).flat
    for place, grid, name in zip(axes, grids, [*names, *[""] * len(grids)], strict=False):
        _draw_grid(place, grid, name, alone=len(grids) == 1)
    return figure


def _draw_grid(ax: Axes, grid: LatentGrid, name: str, *, alone: bool) -> None:
    """One latent space."""
    pictures = to_rgb(grid.pictures[::-1], grid.unit)  # the highest z2 becomes the top row
    opacity = FAINTEST + (1 - FAINTEST) * grid.nearness[::-1, :, None, None, None]
    # A white line between cells: strokes that reach the edge would otherwise run on into the next picture.
    show_tiles(ax, pictures * opacity + (1 - opacity), (1, 1), upward=True)
    _name_cells(ax, grid, 6, digits=3, fontsize=SMALL)
    ax.set_xlabel("z1, at quantiles of the codes", fontsize=TEXT)
    ax.set_ylabel("z2, at quantiles of the codes", fontsize=TEXT)
    ax.spines[:].set_color("#c5cad0")
    heading = "The latent space, decoded" if alone else ""
    title(ax, " · ".join(filter(None, [heading, name and plain(name, 50)])), f"faded: {_FADED}")


def _name_cells(ax: Axes, grid: LatentGrid, most: int, *, digits: int, fontsize: float) -> None:
    """Write the codes of some cells below and to the left."""
    for axis, codes in ((ax.xaxis, grid.z1), (ax.yaxis, grid.z2)):
        ticks = np.unique(np.linspace(0, len(codes) - 1, most).round().astype(int))
        axis.set_ticks(ticks + 0.5, [f"{code:.{digits}g}" for code in codes[ticks]], fontsize=fontsize)


def _of_vectors(grid: LatentGrid, features: Features, name: str) -> Figure:
    """A map for each feature, fainter where no code is near."""
    shown = features.most_varied(grid.pictures, MOST_MAPS)
    columns = min(4, len(shown))
    rows = -(-len(shown) // columns)
    figure = new_figure(1.9 * rows + 1.0)
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    values = features.standardize(grid.pictures)
    opacity = FAINTEST + (1 - FAINTEST) * grid.nearness[..., None]
    for ax in axes.flat[len(shown) :]:
        ax.set_axis_off()
    for ax in axes.flat[max(0, len(shown) - columns) : len(shown)]:
        ax.tick_params(labelbottom=True)  # the last of each column
    for ax, j, feature in zip(axes.flat, shown, features.short(shown, 116 // columns), strict=False):
        colours = COLOURS.to_rgba(values[..., j])[..., :3]
        extent = (0, len(grid.z1), 0, len(grid.z2))
        ax.imshow(colours * opacity + 1 - opacity, origin="lower", aspect="auto", extent=extent)
        ax.set_title(feature, fontsize=SMALL, color=INK, pad=3)
        _name_cells(ax, grid, 4, digits=2, fontsize=SMALL - 1)
    n, of_stretches = len(features.names), features.in_order
    fewer = (
        f"{len(shown)} of {n:,} features, one of each stretch,"
        if of_stretches
        else f"The {len(shown)} of {n:,} features that vary most,"
    )
    what = "Features" if len(shown) == n else fewer
    heading = " · ".join(filter(None, [f"{what} over the latent space", name and plain(name, 40)]))
    finish(figure, axes, heading, features, f"faded towards white, whatever is decoded there: {_FADED}")
    figure.supxlabel("z1, at quantiles of the codes", fontsize=TEXT)
    figure.supylabel("z2, at quantiles of the codes", fontsize=TEXT)
    return figure


def _compute(experiment: Experiment) -> dict[str, LatentGrid] | None:
    """The grid of each model of 2 numbers, by its title; of vectors, that of the best map."""
    dataset, is_images = experiment.dataset, experiment.dataset.is_images
    models = experiment.flat if is_images else experiment.flat[-1:]
    n_cells = 20 if len(models) == 1 else 14  # legible side by side
    if dataset.train.X[0].size > LARGE_IMAGE:
        n_cells = 12
    return {
        model.title: decode_grid(model.model, model.evaluation.Z_train, n_cells=n_cells, unit=dataset.unit)
        for model in models
    } or None


def _draw(grids: dict[str, LatentGrid], experiment: Experiment) -> Figure:
    """Pictures beside each other, or maps of features."""
    return latent_grid(list(grids.values()), experiment.features, names=tuple(grids))


def _caption(grids: dict[str, LatentGrid], experiment: Experiment) -> Caption:
    """Its words."""
    if experiment.dataset.is_images:
        models, cell, drawn, of_each, maps = experiment.flat, "cell", "picture", "", "Grids of images"
    else:
        models, cell, drawn = experiment.flat[-1:], "map", "colour"
        of_each, maps = ", feature by feature", "Maps of features"
    names = " and ".join(model.short for model in models)
    return Caption(
        "All over the latent space",
        f"What {names} {'decode' if len(grids) > 1 else 'decodes'} from a grid of codes, z1 to the right and z2 upward"
        f"{of_each}. The grid is laid over the quantiles of the {len(experiment.dataset.train):,} training codes, "
        f"so that it is finest where they crowd. Where a {cell} is faded no training {experiment.thing} was encoded "
        f"nearby, and the {drawn} is a guess.",
        f"{maps} decoded by {names} from regularly spaced codes.",
    )


FIGURE = ReportFigure("latent_grid", _compute, _draw, _caption)
