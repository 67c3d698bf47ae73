"""``embedding``: the 2-D codes of each model as points."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from latentmap.analysis import CodeMedians
from latentmap.errors import count
from latentmap.report.figures.base import Caption, Experiment, ReportFigure
from latentmap.report.figures.canvas import axes_or_new, title
from latentmap.report.figures.letters import choose_fonts, plain
from latentmap.report.figures.points import CodeMap, legend, mark_medians, panel_height, scatter, side_by_side
from latentmap.report.figures.style import MOST_CLASSES, TEXT
from latentmap.report.measured import Measured


def embedding(codes: CodeMap, *, medians: CodeMedians | None = None, ax: Axes | None = None) -> Figure:
    """Draw codes of 2 numbers as points in the latent space, coloured by class.

    Parameters
    ----------
    codes : CodeMap
        What to draw.
    medians : CodeMedians, optional
        Medians to mark and name: class medians, or k-means medians where there are no labels.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Figure
        Points at equal aspect: a unit is as long across as upward.

    Examples
    --------
    >>> from latentmap import load_dataset
    >>> from latentmap.analysis import PcaBaseline
    >>> from latentmap.report import CodeMap, embedding
    >>> digits = load_dataset("digits", size=8).limit(100)
    >>> pca = PcaBaseline(2).fit(digits.train.images)
    >>> codes = CodeMap("PCA", pca.transform(digits.test.images), digits.test.labels)
    >>> embedding(codes).axes[0].get_xlabel()
    'z1'
    """
    figure, ax = axes_or_new(ax, panel_height(codes.Z[codes.is_seen], 6.6))
    scatter(ax, codes)
    ax.set_xlabel("z1", fontsize=TEXT)
    ax.set_ylabel("z2", fontsize=TEXT)
    legend(ax, codes, beside=True)
    detail = " · ".join(filter(None, [count(len(codes.Z), "sample"), codes.outside, codes.scores]))
    title(ax, plain(codes.title, 60), detail)
    if medians is not None:
        mark_medians(ax, medians, codes.style_of(medians.classes))
    choose_fonts(ax)
    return figure


def _compute(experiment: Experiment) -> list[Measured] | None:
    """The models of 2 numbers."""
    return experiment.flat or None


def _draw(models: Sequence[Measured], experiment: Experiment) -> Figure:
    """Their codes, beside each other."""
    maps = [experiment.code_map(model) for model in models]
    medians = [experiment.medians[model.name] for model in models]
    return embedding(maps[0], medians=medians[0]) if len(maps) == 1 else side_by_side(maps, medians=medians)


def _caption(models: Sequence[Measured], experiment: Experiment) -> Caption:
    """Its words."""
    codes, thing = experiment.code_map(models[-1]), experiment.thing
    marks = f"the median training code of each {experiment.group}"
    if experiment.labelled and len(experiment.medians[models[-1].name].names) > MOST_CLASSES:
        coloured = "classes coloured" in codes.colouring
        which = "the coloured classes" if coloured else "some classes, the largest first"
        marks = f"the median training codes of {which}"
    name, n = " and ".join(model.short for model in models), f"{len(codes.Z):,}"
    return Caption(
        "The map of codes",
        f"Each point is one of the {n} test {thing}s at the two numbers {name} "
        f"{'encode' if models[1:] else 'encodes'} it by, {codes.colouring}. The large marks are "
        f"{marks}. Points that mix are {thing}s the two numbers cannot tell apart.",
        f"Scatter plot of the 2-D codes of {n} test {thing}s under {name}.",
    )


FIGURE = ReportFigure("embedding", _compute, _draw, _caption, of_points=True)
