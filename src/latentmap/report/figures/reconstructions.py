"""``reconstructions``: samples and what each model makes of them, some of each class and each model's extremes."""

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from latentmap.analysis import Comparison, compare_reconstructions
from latentmap.analysis.reconstruction import Reconstructions
from latentmap.report.figures.base import Caption, Experiment, ReportFigure
from latentmap.report.figures.canvas import (
    COLUMNS,
    Panel,
    Tiles,
    column_names,
    letters_in,
    new_figure,
    rule,
    tile_sheet,
    to_rgb,
    write,
)
from latentmap.report.figures.features import LONGEST_NAME, MOST_IN_LINE, MOST_SHOWN, Features, fewer_features
from latentmap.report.figures.letters import error_text, plain, short_names, two_lines
from latentmap.report.figures.style import (
    FAINT,
    INK,
    MOST_CLASSES,
    PALETTE,
    SMALL,
    TEXT,
    TITLE,
    WARNING,
    WIDTH,
    largest,
)

NAME_INCHES = 1.25
EXTREMES = ("best", "median", "worst")
_ACROSS = 5  # vectors beside each other
MOST_ODD = 100  # samples, where they are the strangest and not some of many like them
_MOST_ROWS = 6  # of vectors, in all bands
_TICKS = 6  # of many features
_MOST_LETTERS = 120  # of the names of features below all bands: more would be most of the picture
_OWN_SCALE = 6  # times as much as the median: beside such a small plot the others would be flat lines
_ROOM = 0.05  # of the height of small plots, above and below their own margins: dots on the frame look cut


def reconstructions(
    comparison: Comparison,
    features: Features | None = None,
    *,
    colours: Mapping[str, str] | None = None,
    heading: str = "",
    kind: str = "",
    extremes: bool = True,
) -> Figure:
    """Draw samples and what each model makes of them, then each model's best, median and worst sample.

    Parameters
    ----------
    comparison : Comparison
        The samples and their reconstructions.
    features : Features, optional
        Of the training samples, where these are vectors.
    colours : mapping of str to str, optional
        The colour of each model's lines, so that it is that of other figures; by default in order.
    heading : str, default=""
        What the samples are; by default originals and reconstructions.
    kind : str, default=""
        How images were chosen; by default some of each class, or evenly spaced.
    extremes : bool, default=True
        Whether the best, the median and the worst are drawn too.

    Returns
    -------
    Figure
        The originals in the top row, a row per model with each reconstruction's error under it (in bands of ten
        samples, of more than 20 samples 20), and below, for each model, three pairs of original and reconstruction.
        Vectors are lines over their features: five samples across and a model a row (of few models more than five, in
        further rows), and below, the three samples of each model.

    Examples
    --------
    >>> from latentmap import load_dataset
    >>> from latentmap.analysis import PcaBaseline, compare_reconstructions
    >>> from latentmap.report import reconstructions
    >>> digits = load_dataset("digits", size=8).limit(100)
    >>> pca = PcaBaseline(2).fit(digits.train.images)
    >>> figure = reconstructions(compare_reconstructions({"PCA": pca}, digits))
    >>> figure.texts[0].get_text()
    'Originals and reconstructions'
    """
    if features is None:
        return _of_images(comparison, heading, kind, extremes=extremes)
    return _of_vectors(comparison, features, colours or {}, heading, extremes=extremes)


def _of_images(comparison: Comparison, heading: str, kind: str, *, extremes: bool) -> Figure:
    """Bands of originals above reconstructions."""
    chosen = largest(np.ones(len(comparison.X)), MOST_CLASSES) if extremes else np.arange(len(comparison.X))[:MOST_ODD]
    rows = [to_rgb(comparison.X[chosen], comparison.unit)]
    rows += [to_rgb(model.X_hat[chosen], comparison.unit) for model in comparison.models]
    samples = np.stack(rows)
    starts = range(0, len(chosen), COLUMNS)
    per_block, pairs = _extreme_panels(comparison) if extremes else (0, [])
    letters = letters_in(max(min(len(chosen), COLUMNS), per_block), NAME_INCHES)
    names, long = column_names([comparison.names[i] for i in chosen], letters)
    head = 0.34 if long else 0.22
    bands = [Panel(samples[:, start : start + COLUMNS], lines=1, head=head) for start in starts]
    detail = f"{kind or _kind(comparison, len(chosen))}; under each its mean squared error"
    heading = heading or "Originals and reconstructions"
    figure, tiles = tile_sheet([*bands, *pairs], left=NAME_INCHES, heading=(heading, detail))
    for start, band in zip(starts, tiles, strict=False):
        _write_band(band, comparison, chosen[start : start + COLUMNS])
        band.name_columns(names[start : start + COLUMNS], small=long)
    for number, panel in enumerate(tiles[len(bands) :]):
        _write_extremes(panel, comparison, number * per_block // 2, letters, heading=number == 0)
    return figure


def _kind(comparison: Comparison, n_shown: int) -> str:
    """How the samples of a comparison were chosen."""
    if n_shown < len(comparison.X):
        return f"one of each of {n_shown} of {len(comparison.X):,} classes"
    if comparison.names[0].startswith(("no. ", "row ")):
        return "evenly spaced"
    return f"{'one' if len(set(comparison.names)) == len(comparison.names) else 'some'} of each class"


def _extreme_panels(comparison: Comparison) -> tuple[int, list[Panel]]:
    """Pairs of originals and reconstructions: how many columns a panel has at most, and the panels."""
    columns = [images for model in comparison.models for images in (model.extremes_X, model.extremes_X_hat)]
    pairs = np.stack([to_rgb(images, comparison.unit) for images in columns], axis=1)
    n_blocks = -(-pairs.shape[1] // COLUMNS)
    per_block = 2 * -(-len(comparison.models) // n_blocks)  # so that no model stands alone
    return per_block, [
        Panel(pairs[:, start : start + per_block], lines=1, head=0.62 if start == 0 else 0.35)
        for start in range(0, pairs.shape[1], per_block)
    ]


def _write_band(band: Tiles, comparison: Comparison, chosen: NDArray[np.int64]) -> None:
    """Name the rows of one band of samples, and write each reconstruction's error under it."""
    band.name_row(0, "original")
    for row, model in enumerate(comparison.models, start=1):
        band.name_row(row, model.title)
        for column, i in enumerate(chosen):
            band.write(row, column, error_text(model.errors[i]))


def _write_extremes(panel: Tiles, comparison: Comparison, first_model: int, letters: int, *, heading: bool) -> None:
    """Name the rows and the pairs of columns, and write the errors."""
    for row, name in enumerate(EXTREMES):
        panel.name_row(row, name)
    shown = comparison.models[first_model : first_model + panel.columns // 2]
    for number, model in enumerate(shown):
        middle = 2 * number + (1 + panel.width) / 2
        write(panel.ax, plain(model.title, 24), (middle, 0), (0, 3), ha="center", va="bottom", fontsize=TEXT)
        names = short_names(model.extremes_names, letters)
        for row, (name, error) in enumerate(zip(names, model.extremes_errors, strict=True)):
            panel.write(row, 2 * number + 1, error_text(error))
            panel.write(row, 2 * number, name, color=FAINT, fontsize=SMALL - 0.5)
    if heading:
        text = f"Best, median and worst of {comparison.n:,} samples, for each model"
        write(panel.ax, text, (0, 0), (0, 22), fontsize=TITLE - 1, fontweight="bold")


def _of_vectors(
    comparison: Comparison, features: Features, colours: Mapping[str, str], heading: str, *, extremes: bool
) -> Figure:
    """Samples as lines over their features."""
    models = comparison.models
    n_bands = min(-(-len(comparison.X) // _ACROSS), max(1, _MOST_ROWS // len(models)), MOST_CLASSES // _ACROSS)
    chosen = np.arange(len(comparison.X))[:MOST_ODD]
    if extremes:
        chosen = largest(np.ones(len(comparison.X)), n_bands * _ACROSS)
    names = tuple(comparison.names[i] for i in chosen)
    if all("\n" in name for name in names):
        names = tuple(name.replace("\n", " ") for name in column_names(names, 10)[0])
    names = short_names(names, 20)

    def small(model: Reconstructions, i: int, name: str) -> _Plot:
        above = f"{name}\n" * (model is models[0]) + error_text(model.errors[i])
        return _Plot(model.title, comparison.X[i], model.X_hat[i], above)

    some = list(zip(chosen, names, strict=True))
    bands = [some[start : start + _ACROSS] for start in range(0, len(some), _ACROSS)]
    # Rows of small plots, each row with its name.
    blocks = [
        [(two_lines(model.title, 14), [small(model, *one) for one in band]) for model in models] for band in bands
    ]
    for start in range(0, len(models) if extremes else 0, _ACROSS):
        shown = models[start : start + _ACROSS]
        blocks.append([(kind, [_extreme(model, row) for model in shown]) for row, kind in enumerate(EXTREMES)])
    named = {**dict(zip([model.title for model in models], PALETTE * 9, strict=False)), **colours}
    below = f"; below, the best, median and worst of {comparison.n:,}" if extremes else ""
    heading = heading or f"Originals (grey), reconstructions, errors{below}"
    return _small_plots(blocks, features, features.most_varied(comparison.X, MOST_IN_LINE), named, heading)


class _Plot(NamedTuple):
    """A sample and its reconstruction, to be drawn as lines."""

    owner: str
    x: NDArray[Any]
    x_hat: NDArray[Any]
    above: str


def _extreme(model: Reconstructions, row: int) -> _Plot:
    """The best, the median or the worst sample of a model, in the first row with its name."""
    above = f"{plain(model.extremes_names[row], 16)}: {error_text(model.extremes_errors[row])}"
    above = above if row else f"{plain(model.title, 20)}\n{above}"
    return _Plot(model.title, model.extremes_X[row], model.extremes_X_hat[row], above)


def _small_plots(
    blocks: list[list[tuple[str, list[_Plot]]]],
    features: Features,
    shown: NDArray[np.int64],
    colours: Mapping[str, str],
    heading: str,
) -> Figure:
    """Draw rows of small plots of the same scale, with the names of features below each block of them."""
    places, names, below = features.below(shown, int(np.clip(_MOST_LETTERS / len(blocks), 16, LONGEST_NAME)), _TICKS)
    below, row_height = below + 0.3, 0.85  # inches
    height = 0.5 + sum(0.2 + row_height * len(block) + below for block in blocks)
    figure = new_figure(height, constrained=False)
    figure.text(0.012, 1 - 0.08 / height, heading, fontsize=TITLE, fontweight="bold", color=INK, va="top")
    along: dict[str, Any] = {"rotation": 90, "fontsize": TEXT, "color": FAINT, "va": "center", "ha": "center"}
    axis = "\n".join(wrap(features.axis, int((height - 0.6) / 0.07)))
    figure.text(0.03, 0.5 - 0.2 / height, axis, **along)
    left, width, top, axes = 1.0, (WIDTH - 1.0) / _ACROSS, height - 0.5, []
    for block in blocks:
        top -= 0.2
        for number, (name, plots) in enumerate(block):
            top -= row_height
            for column, plot in enumerate(plots):
                x, size = left + column * width, (0.9 * width / WIDTH, (row_height - 0.25) / height)
                ax = figure.add_axes((x / WIDTH, top / height, *size))
                values = features.standardize(np.stack([plot.x, plot.x_hat]))[:, shown]
                _small_plot(ax, values, colours[plot.owner], plot.above)
                ax.tick_params(labelleft=column == 0)
                is_last = number == len(block) - 1
                ax.set_xticks(places if is_last else (), names if is_last else (), rotation=90)
                if column == 0:
                    ax.set_ylabel(name, fontsize=TEXT, color=INK)
                axes.append(ax)
        top -= below
    fewer = fewer_features(features, shown)
    notes = [f"features: {fewer}" if fewer else "", "in red: scales of their own" if _scale(axes) else ""]
    if note := " · ".join(filter(None, notes)):
        figure.text(0.5, 0.08 / height, note, fontsize=SMALL, color=FAINT, ha="center")
    return figure


def _scale(axes: Sequence[Axes]) -> bool:
    """Give small plots one scale, but those that go so much further their own; return whether there are such."""
    limits = np.array([ax.get_ylim() for ax in axes])
    spans = np.ptp(limits, axis=1)
    own = spans > _OWN_SCALE * np.sort(spans)[(len(spans) - 1) // 2]
    low, high = limits[~own, 0].min(), limits[~own, 1].max()
    for ax, (lowest, highest), is_own in zip(axes, limits, own, strict=True):
        start, end = (lowest, highest) if is_own else (low, high)
        room = _ROOM * (end - start)
        ax.set_ylim(start - room, end + room)
        if is_own:
            ax.set_yticks([])
            text = " to ".join(
                f"{value:.0f}" if abs(value) < 1e5 else error_text(value) for value in (lowest, highest)
            )
            rim = [withStroke(linewidth=2, foreground="white")]
            write(ax, text, (0, 1), (2, -1), xycoords="axes fraction", color=WARNING, va="top", path_effects=rim)
    return bool(own.any())


def _small_plot(ax: Axes, values: NDArray[Any], colour: str, text: str) -> None:
    """Draw a sample and its reconstruction as lines."""
    ax.axhline(0, color="#d0d7de", lw=0.8, zorder=0)
    rule(ax, grid=False)
    ax.tick_params(labelsize=SMALL - 1, length=2, colors=FAINT)
    few = values.shape[1] <= MOST_SHOWN
    ax.plot(values[0], color=INK, lw=2.2 if few else 1.6, alpha=0.55, marker="o" if few else "", ms=2.5, clip_on=False)
    ax.plot(values[1], color=colour, lw=1.2, clip_on=False)
    ax.set_title(text, fontsize=SMALL, color=INK, pad=3)


def _compute(experiment: Experiment) -> Comparison:
    """The reconstructions of every pictured model."""
    pictured = [model for model in experiment.models if model.spec.pictured]
    errors = {model.title: model.evaluation.errors for model in pictured}
    return compare_reconstructions({model.title: model.model for model in pictured}, experiment.dataset, errors=errors)


def _draw(comparison: Comparison, experiment: Experiment) -> Figure:
    """They, in the colours of other figures."""
    return reconstructions(comparison, experiment.features, colours=experiment.colours)


def _caption(comparison: Comparison, experiment: Experiment) -> Caption:
    """Its words."""
    n, titles = f"{len(experiment.dataset.test):,}", ", ".join(model.title for model in comparison.models)
    if experiment.features is None:
        return Caption(
            "What comes back",
            "Images of the test split and what each model makes of them after squeezing them into a few numbers, with "
            f"the error under each. Below, the best, the median and the worst of all {n} test images for each model: "
            "original on the left, reconstruction on the right.",
            f"Grid of {len(comparison.X)} test images above their reconstructions by {titles}, then each model's "
            "best, median and worst.",
        )
    return Caption(
        "What comes back",
        f"Samples of the test split as grey lines over their features, in {experiment.features.axis}, with what each "
        f"model makes of them after squeezing them into a few numbers, and the mean squared error, "
        f"{experiment.errors_in}. Below, the best, the median and the worst of all {n} test samples for each model.",
        f"Small line plots of {len(comparison.X)} test samples with their reconstructions by {titles}.",
    )


FIGURE = ReportFigure("reconstructions", _compute, _draw, _caption)
