"""``pca``: 2-D codes beside the first two principal components."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from latentmap.report.figures.base import Caption, Experiment, ReportFigure
from latentmap.report.figures.points import side_by_side
from latentmap.report.measured import Measured


def _compute(experiment: Experiment) -> list[Measured] | None:
    """The first model of 2 numbers, then PCA."""
    pca = experiment.flat_baseline
    return [experiment.flat[0], pca] if experiment.flat and pca else None


def _draw(models: Sequence[Measured], experiment: Experiment) -> Figure:
    """Their codes, beside each other."""
    return side_by_side([experiment.code_map(model) for model in models])


def _caption(models: Sequence[Measured], experiment: Experiment) -> Caption:
    """Its words."""
    name, thing = models[0].short, experiment.thing
    return Caption(
        "Beside PCA",
        f"The same {len(experiment.dataset.test):,} test {thing}s under {name} and under the first two principal "
        "components. PCA can only turn and flatten the cloud; an autoencoder can bend it.",
        f"Scatter plots of the same test {thing}s: {name}, and PCA on the right.",
    )


FIGURE = ReportFigure("pca", _compute, _draw, _caption, of_points=True)
