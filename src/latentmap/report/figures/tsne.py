"""``tsne``: t-SNE of the longest codes, beside the map."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from latentmap.analysis import TsneResult, embed_tsne
from latentmap.errors import count
from latentmap.report.figures.base import Caption, Experiment, Renderer, ReportFigure
from latentmap.report.figures.canvas import axes_or_new, new_figure, title
from latentmap.report.figures.letters import choose_fonts, plain
from latentmap.report.figures.points import CodeMap, legend, scatter, scatter_beside
from latentmap.report.figures.style import TEXT


def tsne(
    result: TsneResult,
    *,
    class_names: tuple[str, ...] | None = None,
    beside: CodeMap | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw a t-SNE embedding, with what is needed to read it honestly.

    Parameters
    ----------
    result : TsneResult
        The embedding and its settings.
    class_names : tuple of str, optional
        The names of the classes; without them they are numbered.
    beside : CodeMap, optional
        Learned codes of the same samples, to be drawn to the left.
    ax : Axes, optional
        Where to draw the embedding; a new figure by default.

    Returns
    -------
    Figure
        Points without axes, for the axes of t-SNE have no meaning.
    """
    codes = CodeMap(
        f"t-SNE of the {result.title} codes ({count(result.latent_dim, 'number')})",
        result.Z,
        result.labels,
        class_names,
    )
    if beside is not None and ax is None:
        figure = new_figure(5.2)
        left, ax = figure.subplots(1, 2)
        scatter_beside(left, beside, 2)
        ax.set_adjustable("datalim")
        ax.set_box_aspect(1)
    else:
        figure, ax = axes_or_new(ax, 6.8)
    scatter(ax, codes)
    ax.set_xticks([])
    ax.set_yticks([])
    settings = f"n = {len(result.Z):,} · perplexity {result.perplexity:g} · seed {result.seed}"
    if result.knn_accuracy is not None:
        settings += f" · kNN accuracy {result.knn_accuracy:.1%} (cross-validated)"
    legend(ax, codes, beside=beside is None)
    title(ax, plain(codes.title, 60), settings if beside is None else settings.replace(" · kNN", "\nkNN"))
    warning = "Sizes of clusters and distances between them mean little:"
    ax.set_xlabel(f"{warning}{' ' if beside is None else chr(10)}trust who is near whom.", fontsize=TEXT)
    choose_fonts(ax)
    return figure


def _compute(experiment: Experiment) -> TsneResult | None:
    """The embedding of the longest codes; None of too few samples."""
    longest = max((model for model in experiment.models if not model.is_baseline), key=lambda model: model.latent_dim)
    labels, seed = experiment.dataset.test.labels, experiment.seed
    return embed_tsne(longest.evaluation.Z_test, labels, title=longest.short, seed=seed)


def _draw(result: TsneResult, experiment: Experiment) -> Figure:
    """It, beside the map of the same samples."""
    beside = _some(experiment.code_map(experiment.flat[-1]), result.rows) if experiment.flat else None
    return tsne(result, class_names=experiment.dataset.class_names, beside=beside)


def _some(codes: CodeMap, rows: NDArray[np.int64]) -> CodeMap:
    """The map of some of the samples; scores of all of them would not be those of the picture."""
    if len(rows) == len(codes.Z):
        return codes
    return replace(
        codes,
        title=f"{codes.title}, the same {len(rows):,} samples",
        Z=codes.Z[rows],
        labels=None if codes.labels is None else codes.labels[rows],
        knn_accuracy=None,
        trustworthiness=None,
    )


def _caption(result: TsneResult, experiment: Experiment) -> Caption:
    """Its words."""
    thing, n = experiment.thing, f"{len(result.Z):,}"
    scored = beside = ""
    if result.knn_accuracy is not None:
        scored = (
            f" Its kNN accuracy is scored by 5-fold cross-validation among these {n} {thing}s, and so is no fair "
            "match for the figures in the table."
        )
    if experiment.flat:
        beside = f" On the left, the same {thing}s under {experiment.flat[-1].short}, which can decode."
    return Caption(
        "t-SNE of the longer codes",
        f"t-SNE lays out the {count(result.latent_dim, 'number')} of {result.title} for {n} of the test {thing}s "
        f"(perplexity {result.perplexity:g}, seed {result.seed}) so that neighbours stay together. The sizes of "
        f"clusters and the distances between them mean little.{scored}{beside}",
        f"Scatter plot of a t-SNE embedding of {n} test {thing}s.",
    )


_BOTH = Renderer(_draw, _caption)
FIGURE = ReportFigure("tsne", _compute, images=_BOTH, vectors=_BOTH, of_points=True, is_slow=True)
