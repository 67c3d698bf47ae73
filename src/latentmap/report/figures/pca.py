"""``pca``: 2-D codes beside the first two principal components."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from latentmap.report.figures.base import Caption, Experiment, Renderer, ReportFigure
from latentmap.report.figures.points import side_by_side
from latentmap.report.models import Measured


def _compute(experiment: Experiment) -> list[Measured] | None:
    """The first model of 2 numbers, then PCA."""
    pca = experiment.flat_baseline
    return [experiment.flat[0], pca] if experiment.flat and pca else None


def _draw(models: Sequence[Measured], experiment: Experiment) -> Figure:
    """Their codes, beside each other."""
    return side_by_side([experiment.code_map(model) for model in models])


def _caption(models: Sequence[Measured], experiment: Experiment) -> Caption:
    """Its words."""
    names, thing = " and ".join(model.short for model in models[:-1]), experiment.thing
    return Caption(
        "Beside PCA",
        f"The same {len(experiment.dataset.test):,} test {thing}s under {names} and under the first two principal "
        "components. PCA can only turn and flatten the cloud; an autoencoder can bend it.",
        f"Scatter plots of the same test {thing}s: {names}, and PCA on the right.",
    )


_BOTH = Renderer(_draw, _caption)
FIGURE = ReportFigure("pca", _compute, images=_BOTH, vectors=_BOTH, of_points=True)
