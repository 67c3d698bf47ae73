"""``strangest``: the test samples that come back worst."""

from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from latentmap.analysis import Comparison, compare_reconstructions
from latentmap.analysis.transformers import Transformer
from latentmap.data.dataset import Dataset
from latentmap.errors import count
from latentmap.report.figures.base import Caption, Experiment, ReportFigure
from latentmap.report.figures.features import Features
from latentmap.report.figures.reconstructions import MOST_ODD, reconstructions

_N = 10


def find(title: str, model: Transformer, dataset: Dataset, errors: NDArray[np.floating], n: int = _N) -> Comparison:
    """The test samples of largest error, the largest first, each named by its class and row."""
    rows = np.argsort(-errors, kind="stable")[:n].astype(np.int64)
    found = compare_reconstructions({title: model}, dataset, errors={title: errors}, rows=rows)
    names = [dataset.test.source(row) for row in rows]
    if dataset.test.labels is not None:
        names = [f"{own}\n{name.removeprefix(f'{own}/')}" for own, name in zip(found.names, names, strict=True)]
    return replace(found, names=tuple(names))


def strangest(found: Comparison, features: Features | None = None) -> Figure:
    """Draw the samples of largest error and what a model makes of them; vectors with their features."""
    cut = f"{MOST_ODD} " if len(found.X) > MOST_ODD else ""
    heading = f"The {cut}strangest of {count(found.n, 'sample')} to {found.models[0].title}"
    kind = f"the {cut}largest errors, the largest first"
    return reconstructions(found, features, heading=heading, kind=kind, extremes=False)


def _compute(experiment: Experiment) -> Comparison:
    """Those of the model that comes nearest to the samples on the whole."""
    best = min(experiment.drawn, key=lambda model: model.evaluation.test_mse)
    return find(best.title, best.model, experiment.dataset, best.evaluation.errors)


def _caption(found: Comparison, experiment: Experiment) -> Caption:
    """Its words."""
    thing, title = experiment.thing, found.models[0].title
    where = "above the image, below what comes back"
    if not experiment.dataset.is_images:
        where = "grey the sample, in colour what comes back"
    return Caption(
        f"The strangest {thing}s",
        f"The {len(found.X)} test {thing}s that {title} draws worst, the worst first: {where}, with its mean squared "
        f"error, {experiment.errors_in}. What is unlike all that was learned from "
        "comes back badly, so an error that stands out may be a fault in the data, a rare kind, or a wrong label. "
        "From Python it is anomaly_score.",
        f"The {len(found.X)} test {thing}s with the largest errors under {title}, and their reconstructions.",
    )


FIGURE = ReportFigure("strangest", _compute, lambda found, experiment: strangest(found, experiment.features), _caption)
