"""``tsne``: t-SNE of the longest codes."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from latentmap.analysis import TsneResult, embed_tsne
from latentmap.errors import count
from latentmap.report.figures.base import Caption, Experiment, ReportFigure
from latentmap.report.figures.canvas import axes_or_new, title
from latentmap.report.figures.letters import choose_fonts, plain
from latentmap.report.figures.points import CodeMap, legend, panel_height, scatter
from latentmap.report.figures.style import TEXT


def tsne(
    result: TsneResult,
    *,
    class_names: tuple[str, ...] | None = None,
    values: NDArray[np.floating] | None = None,
    values_name: str = "y",
    ax: Axes | None = None,
) -> Figure:
    """Draw a t-SNE embedding, with what is needed to read it honestly.

    Parameters
    ----------
    result : TsneResult
        The embedding and its settings.
    class_names : tuple of str, optional
        The names of the classes; without them they are numbered.
    values, values_name : optional
        In place of classes a number of each sample, for its colour, and what they are; see `CodeMap`.
    ax : Axes, optional
        Where to draw the embedding; a new figure by default.

    Returns
    -------
    Figure
        Points without axes, for the axes of t-SNE have no meaning.

    Examples
    --------
    >>> import numpy as np
    >>> from latentmap.analysis import embed_tsne
    >>> from latentmap.report import tsne
    >>> result = embed_tsne(np.random.default_rng(0).normal(size=(50, 8)), title="PCA")
    >>> tsne(result).axes[0].get_title(loc="left")
    't-SNE of the PCA codes (8 numbers)'
    """
    codes = CodeMap(
        f"t-SNE of the {result.title} codes ({count(result.latent_dim, 'number')})",
        result.Z,
        result.labels,
        class_names,
        values=None if values is None else values[result.rows],
        values_name=values_name,
    )
    figure, ax = axes_or_new(ax, min(6.8, panel_height(result.Z, 6)))
    scatter(ax, codes)
    ax.set_xticks([])
    ax.set_yticks([])
    outside = f" ({codes.outside})" if codes.outside else ""
    settings = f"n = {len(result.Z):,}{outside} · perplexity {result.perplexity:g} · seed {result.seed}"
    if result.knn_accuracy is not None:
        settings += f" · kNN accuracy {result.knn_accuracy:.1%} (cross-validated)"
    legend(ax, codes, beside=True)
    title(ax, plain(codes.title, 60), settings)
    warning = "Sizes of clusters and distances between them mean little: trust who is near whom."
    ax.set_xlabel(warning, fontsize=TEXT)
    choose_fonts(ax)
    return figure


def _compute(experiment: Experiment) -> TsneResult | None:
    """The embedding of the longest codes; None of too few samples."""
    longest = max((model for model in experiment.models if not model.is_baseline), key=lambda model: model.latent_dim)
    dataset, seed = experiment.dataset, experiment.seed
    labels = dataset.known_labels(dataset.test)
    return embed_tsne(longest.evaluation.Z_test, labels, title=longest.short, seed=seed)


def _draw(result: TsneResult, experiment: Experiment) -> Figure:
    """It, with the names of the classes."""
    return tsne(result, class_names=experiment.dataset.class_names, **experiment.dataset.measured)


def _caption(result: TsneResult, experiment: Experiment) -> Caption:
    """Its words."""
    thing, n = experiment.thing, f"{len(result.Z):,}"
    scored = ""
    if result.knn_accuracy is not None:
        scored = (
            f" Its kNN accuracy is scored by 5-fold cross-validation among these {n} {thing}s, and so is no fair "
            "match for the figures in the table."
        )
    return Caption(
        "t-SNE of the longer codes",
        f"t-SNE lays out the {count(result.latent_dim, 'number')} of {result.title} for {n} of the test {thing}s "
        f"(perplexity {result.perplexity:g}, seed {result.seed}) so that neighbours stay together. The sizes of "
        f"clusters and the distances between them mean little.{scored}",
        f"Scatter plot of a t-SNE embedding of {n} test {thing}s.",
    )


FIGURE = ReportFigure("tsne", _compute, _draw, _caption, of_points=True, is_slow=True)
