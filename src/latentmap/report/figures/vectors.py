"""Pictures of vectors: what images show at a glance, as lines and tables of features with the nearest examples.

Values are drawn in standard deviations from the training mean: each feature's own where they are in different units,
one for all of them where they are in one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from latentmap.analysis import Comparison, Generated, Interpolation, LatentGrid, Reconstructions
from latentmap.data.preprocessing import Preprocessing
from latentmap.report.figures.canvas import (
    FAINT,
    INK,
    MOST_CLASSES,
    PALETTE,
    SMALL,
    TEXT,
    TITLE,
    WARNING,
    error_text,
    largest,
    new_figure,
    plain,
    rule,
    short_names,
    two_lines,
)

_MOST_NAMED = 16  # features whose names fit below an axis
_MOST_SHOWN = 48  # columns of a table that can still be told apart
_MOST_MAPS = 24
_COLUMNS = 5
_MOST_ROWS = 6  # of models in all bands of samples
_DIVERGING = "RdBu_r"  # blue and red: colour-blind people tell them apart
_LIMIT = 2.5  # standard deviations: more are drawn in the darkest colour
_EXTREMES = ("best", "median", "worst")


@dataclass(frozen=True, eq=False)
class Features:
    """What is known of the features of vectors.

    Parameters
    ----------
    names : tuple of str
        Their names.
    mean, deviation : ndarray, shape (n_features,)
        Over the training samples; where all features are in one unit, the deviation is that of all of them.
    """

    names: tuple[str, ...]
    mean: NDArray[Any]
    deviation: NDArray[Any]

    @classmethod
    def of(cls, X: NDArray[Any], names: tuple[str, ...] | None) -> Features:
        """Return those of training samples, shape (n, n_features)."""
        scaling = Preprocessing.fit(X, "auto")  # as the network sees them
        named = names or tuple(f"x{i}" for i in range(X.shape[1]))
        return cls(named, scaling.offset, np.broadcast_to(scaling.scale, scaling.offset.shape))

    def standardize(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return samples in standard deviations from the mean."""
        return np.asarray((X - self.mean) / self.deviation)

    def most_varied(self, X: NDArray[Any], most: int) -> NDArray[np.int64]:
        """Return which features differ most among some samples, in their own order."""
        spread = self.standardize(X).reshape(-1, len(self.names)).std(axis=0)
        return np.sort(np.argsort(-spread, kind="stable")[:most])

    def short(self, shown: NDArray[np.int64], most: int) -> tuple[str, ...]:
        """Return the names of some features, to be drawn in at most so many characters."""
        return short_names([self.names[j] for j in shown], most)


def vector_reconstructions(
    comparison: Comparison, features: Features, *, colours: Mapping[str, str] | None = None
) -> Figure:
    """Draw samples as lines over their features, each with what a model makes of it.

    Parameters
    ----------
    comparison : Comparison
        The samples and their reconstructions.
    features : Features
        Of the training samples.
    colours : mapping of str to str, optional
        The colour of each model, so that it is that of other figures; by default in order.

    Returns
    -------
    Figure
        Five samples across and a model a row (of few models more than five, in further rows); below, the best, the
        median and the worst sample of each model.
    """
    models = comparison.models
    n_bands = min(-(-len(comparison.X) // _COLUMNS), max(1, _MOST_ROWS // len(models)), MOST_CLASSES // _COLUMNS)
    chosen = largest(np.ones(len(comparison.X)), n_bands * _COLUMNS)
    shown = features.most_varied(comparison.X, _MOST_SHOWN)
    labels = features.short(shown, 16) if len(shown) <= _MOST_NAMED else ()
    n_rows, blocks = n_bands * len(models), [models[i : i + _COLUMNS] for i in range(0, len(models), _COLUMNS)]
    heights = (n_rows + 3 * len(blocks)) * 0.85 + (n_bands + len(blocks)) * (0.9 if labels else 0.4)
    figure = new_figure(heights + 1.0)
    axes = figure.subplots(n_rows + 3 * len(blocks), _COLUMNS, sharey=True, squeeze=False)
    named = {**dict(zip([model.title for model in models], PALETTE * 9, strict=False)), **(colours or {})}
    for ax in axes.flat:
        ax.set_axis_off()

    def draw(ax: Axes, x: NDArray[Any], x_hat: NDArray[Any], model: Reconstructions, *, last: bool, name: str) -> None:
        _frame(ax, labels if last else ())
        ax.plot(features.standardize(x)[shown], color=INK, lw=2.2, alpha=0.55, marker="o", ms=2.5)
        ax.plot(features.standardize(x_hat)[shown], color=named.get(model.title, INK), lw=1.2)
        ax.set_title(name, fontsize=SMALL, color=INK, pad=3)

    names = short_names([comparison.names[i] for i in chosen], 20)
    for place, (i, name) in enumerate(zip(chosen, names, strict=True)):
        band, column = divmod(place, _COLUMNS)
        for row, model in enumerate(models):
            ax = axes[band * len(models) + row, column]
            error = error_text(model.errors[i])
            draw(ax, comparison.X[i], model.X_hat[i], model, last=model is models[-1],
                 name=f"{name}\n{error}" if row == 0 else error)  # fmt: skip
            if column == 0:
                ax.set_ylabel(two_lines(model.title, 14), fontsize=TEXT, color=INK)
    for block, some in enumerate(blocks):
        for row, kind in enumerate(_EXTREMES):
            for column, model in enumerate(some):
                ax = axes[n_rows + 3 * block + row, column]
                error = f"no. {model.extremes[row]:,}: {error_text(model.extremes_errors[row])}"
                draw(ax, model.extremes_X[row], model.extremes_X_hat[row], model, last=row == len(_EXTREMES) - 1,
                     name=f"{plain(model.title, 20)}\n{error}" if row == 0 else error)  # fmt: skip
                if column == 0:
                    ax.set_ylabel(kind, fontsize=TEXT, color=INK)
    figure.suptitle(
        "Originals (grey), reconstructions and their errors;\n"
        f"below, each model's best, median and worst of {comparison.n:,}",
        x=0.012, ha="left", fontsize=TITLE, fontweight="bold", color=INK,
    )  # fmt: skip
    figure.supylabel("standard deviations from the mean", fontsize=TEXT, color=FAINT)
    return figure


def _frame(ax: Axes, names: Sequence[str]) -> None:
    """Give a small plot its axes."""
    ax.set_axis_on()
    ax.axhline(0, color="#d0d7de", lw=0.8, zorder=0)
    rule(ax, grid=False)
    ax.tick_params(labelsize=SMALL - 1, length=2, colors=FAINT)
    ax.set_xticks(range(len(names)), names, rotation=90)


def vector_table(results: Sequence[Generated], features: Features) -> Figure:
    """Draw the decoded median of each class as a row of a table, with the training sample nearest to it.

    Parameters
    ----------
    results : sequence of Generated
        One per model; all labelled or none.
    features : Features
        Of the training samples.

    Returns
    -------
    Figure
        A table per model, of more than 20 classes 20: blue is below the mean, red above.
    """
    groups = [largest(result.medians.counts, MOST_CLASSES) for result in results]
    heights = [len(rows) for rows in groups]
    shown = features.most_varied(np.concatenate([result.pictures for result in results]), _MOST_SHOWN)
    named = len(shown) <= _MOST_NAMED
    figure = new_figure(0.24 * sum(heights) + 0.6 * len(results) + (1.9 if named else 1.2))
    axes = figure.subplots(len(results), 1, height_ratios=heights, squeeze=False)[:, 0]
    for ax, result, rows in zip(axes, results, groups, strict=True):
        image = _heat(ax, features, result.pictures[rows], shown)
        ax.set_title(plain(result.title, 60), loc="left", fontsize=TEXT, color=INK)
        ax.set_yticks(
            range(len(rows)), short_names([result.medians.names[group] for group in rows], 18), fontsize=SMALL
        )
        for row, group in enumerate(rows):
            text, colour = _verdict(result, int(group))
            ax.annotate(
                text, (1, row), xytext=(5, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
                va="center", fontsize=SMALL, color=colour, annotation_clip=False,
            )  # fmt: skip
        _name_features(ax, features, shown, last=ax is axes[-1])
    what = "class" if results[0].medians.by_class else "k-means group"
    n_groups = len(results[0].medians.names)
    some = f"{heights[0]} of {n_groups:,} classes" if heights[0] < n_groups else f"each {what}"
    _finish(figure, axes, image, f"The median code of {some}, decoded")
    return figure


def _verdict(result: Generated, row: int) -> tuple[str, str]:
    """What a decoded median looks like, and the sample nearest to it."""
    near = "" if result.nearest is None else f"nearest no. {result.nearest[row]:,}"
    if result.clarity is None or result.medians.classes is None:
        return f"{near} (n = {result.medians.counts[row]:,})", FAINT
    looks_like = int(result.clarity.looks_like[row])
    votes = f"{10 * result.clarity.share[row]:.0f}/10"
    if looks_like == result.medians.classes[row]:
        return f"✓ {votes}, {near}", INK
    name = result.class_names[looks_like] if result.class_names else str(looks_like)
    return f"✗ {plain(name, 12)} {votes}, {near}", WARNING


def vector_walks(walks: Interpolation, features: Features) -> Figure:
    """Draw walks from one sample to another as tables: a row a step, with the class of the nearest example.

    Parameters
    ----------
    walks : Interpolation
        The pairs and what lies between them, with the nearest training samples.
    features : Features
        Of the training samples.

    Returns
    -------
    Figure
        For each pair a table per model and one of the plain blend.
    """
    steps = [*walks.walks.items(), ("plain blend", walks.blend)]
    n_steps = walks.blend.shape[1]
    shown = features.most_varied(walks.blend, _MOST_SHOWN)
    named = len(shown) <= _MOST_NAMED
    figure = new_figure(len(walks.pairs) * (0.17 * n_steps + 0.45) + (1.7 if named else 0.9))
    axes = figure.subplots(len(walks.pairs), len(steps), squeeze=False)
    for pair, row in enumerate(axes):
        for column, (ax, (name, values)) in enumerate(zip(row, steps, strict=True)):
            image = _heat(ax, features, values[pair], shown)
            start, end = (plain(end, 14) for end in walks.names[pair])
            heading = f"{plain(name, 24)}: {start} to {end}" if column == 0 else plain(name, 24)
            ax.set_title(heading, loc="left", fontsize=SMALL, color=INK)
            nearest = walks.nearest[name][pair] if walks.nearest else ()
            ax.set_yticks([])
            for step, text in enumerate(nearest):
                ax.annotate(
                    plain(text, 12), (1, step), xytext=(3, 0), xycoords=("axes fraction", "data"),
                    textcoords="offset points", va="center", fontsize=SMALL - 1, color=FAINT, annotation_clip=False,
                )  # fmt: skip
            _name_features(ax, features, shown, last=pair == len(axes) - 1)
    _finish(figure, axes, image, "From one test sample to another")
    return figure


def feature_maps(grid: LatentGrid, features: Features, *, name: str = "") -> Figure:
    """Draw how each feature varies over a 2-D latent space, by what the decoder makes of it.

    Parameters
    ----------
    grid : LatentGrid
        The grid and the samples decoded from it.
    features : Features
        Of the training samples.
    name : str, default=""
        The model's name, for the title.

    Returns
    -------
    Figure
        A map for each of the (at most 24) features that vary most, fainter where no code is near.
    """
    shown = features.most_varied(grid.pictures, _MOST_MAPS)
    columns = min(4, len(shown))
    rows = -(-len(shown) // columns)
    figure = new_figure(1.9 * rows + 1.0)
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    values = features.standardize(grid.pictures)
    image = ScalarMappable(Normalize(-_LIMIT, _LIMIT), _DIVERGING)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, j, feature in zip(axes.flat, shown, features.short(shown, 26), strict=False):
        ax.set_axis_on()
        colours = image.to_rgba(values[..., j])[..., :3]
        opacity = 0.15 + 0.85 * grid.nearness[..., None]
        ax.imshow(
            colours * opacity + 1 - opacity, origin="lower", aspect="auto", extent=(0, len(grid.z1), 0, len(grid.z2))
        )
        ax.set_title(feature, fontsize=SMALL, color=INK, pad=3)
        ticks = np.unique(np.linspace(0, len(grid.z1) - 1, 4).round().astype(int))
        ax.set_xticks(ticks + 0.5, [f"{grid.z1[tick]:.2g}" for tick in ticks], fontsize=SMALL - 1)
        ax.set_yticks(ticks + 0.5, [f"{grid.z2[tick]:.2g}" for tick in ticks], fontsize=SMALL - 1)
    all_shown = len(shown) == len(features.names)
    what = "Features" if all_shown else f"The {len(shown)} of {len(features.names):,} features that vary most,"
    _finish(figure, axes, image, " · ".join(filter(None, [f"{what} over the latent space", name and plain(name, 40)])))
    figure.supxlabel("z1, at quantiles of the codes", fontsize=TEXT)
    figure.supylabel("z2, at quantiles of the codes", fontsize=TEXT)
    return figure


def _heat(ax: Axes, features: Features, X: NDArray[Any], shown: NDArray[np.int64]) -> Any:
    """Draw samples as rows of coloured cells."""
    values = features.standardize(X)[:, shown]
    ax.tick_params(length=0, colors=FAINT)
    ax.spines[:].set_visible(False)
    return ax.imshow(values, cmap=_DIVERGING, vmin=-_LIMIT, vmax=_LIMIT, aspect="auto", interpolation="nearest")


def _name_features(ax: Axes, features: Features, shown: NDArray[np.int64], *, last: bool) -> None:
    """Name the columns of a table below the last of them, where there are not too many."""
    if last and len(shown) <= _MOST_NAMED:
        ax.set_xticks(range(len(shown)), features.short(shown, 18), rotation=90, fontsize=SMALL)
        return
    ax.set_xticks([])
    if last:
        fewer = (
            f"the {len(shown)} of {len(features.names):,} that vary most" if len(shown) < len(features.names) else ""
        )
        ax.set_xlabel(f"features {fewer}".strip(), fontsize=SMALL, color=FAINT)


def _finish(figure: Figure, axes: Any, image: Any, heading: str) -> None:
    """Add the title and the bar of colours."""
    figure.suptitle(heading, x=0.012, ha="left", fontsize=TITLE, fontweight="bold", color=INK)
    bar = figure.colorbar(image, ax=list(np.ravel(axes)), location="top", shrink=0.35, aspect=30, pad=0.01)
    bar.ax.tick_params(labelsize=SMALL - 1, length=2)
    bar.set_label("standard deviations from the mean", fontsize=SMALL, color=FAINT)
    bar.outline.set_visible(False)
