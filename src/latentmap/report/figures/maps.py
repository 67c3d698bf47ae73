"""Pictures of codes as points: a 2-D latent space, two of them side by side, t-SNE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from latentmap.analysis import CodeMedians, TsneResult
from latentmap.report.figures.canvas import (
    INK,
    NEUTRAL,
    SMALL,
    TEXT,
    WIDTH,
    axes_or_new,
    class_style,
    new_figure,
    shorten,
    title,
)
from latentmap.report.figures.medians import mark_medians

MOST_NAMED = 60
"""Classes a legend can name before it is larger than the picture."""


@dataclass(frozen=True, eq=False)
class CodeMap:
    """Codes of 2 numbers, to be drawn as points.

    Parameters
    ----------
    title : str
        Whose codes they are.
    Z : ndarray, shape (n, 2)
        The codes.
    labels : ndarray of int64, shape (n,), optional
        The class of each, for its colour.
    class_names : tuple of str, optional
        The names of the classes; without them they are numbered.
    knn_accuracy, trustworthiness : float, optional
        Scores to write above the points.
    """

    title: str
    Z: NDArray[Any]
    labels: NDArray[np.int64] | None = None
    class_names: tuple[str, ...] | None = None
    knn_accuracy: float | None = None
    trustworthiness: float | None = None

    @property
    def scores(self) -> str:
        """The scores in words, those that there are."""
        parts = []
        if self.knn_accuracy is not None:
            parts.append(f"kNN accuracy {self.knn_accuracy:.1%}")
        if self.trustworthiness is not None:
            parts.append(f"trustworthiness {self.trustworthiness:.3f}")
        return " · ".join(parts)


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
    """
    figure, ax = axes_or_new(ax, panel_height(codes.Z, 6.6))
    scatter(ax, codes)
    if medians is not None:
        mark_medians(ax, medians)
    ax.set_xlabel("z1", fontsize=TEXT)
    ax.set_ylabel("z2", fontsize=TEXT)
    legend(figure, codes, beside=True)
    title(ax, codes.title, " · ".join(filter(None, [f"{len(codes.Z):,} samples", codes.scores])))
    return figure


def side_by_side(codes: Sequence[CodeMap], *, medians: Sequence[CodeMedians] = ()) -> Figure:
    """Draw the same samples under several models, beside each other.

    Parameters
    ----------
    codes : sequence of CodeMap
        Codes of the same samples, 2 numbers each.
    medians : sequence of CodeMedians, optional
        Medians to mark and name in each.

    Returns
    -------
    Figure
        Panels of the same points in the same colours, each with its scores.
    """
    n_rows = 0 if codes[0].labels is None else -(-len(np.unique(codes[0].labels)) // 10)
    figure = new_figure(WIDTH / len(codes) + 0.6 + 0.25 * n_rows)
    axes = figure.subplots(1, len(codes), squeeze=False)[0]
    for ax, one in zip(axes, codes, strict=True):
        scatter(ax, one)
        # Equal aspect with a box of its own: all panels stay the same size whatever their ranges.
        ax.set_adjustable("datalim")
        ax.set_box_aspect(1)
        ax.set_xlabel("z1", fontsize=TEXT)
        ax.set_ylabel("z2", fontsize=TEXT, labelpad=1)
        title(ax, one.title, one.scores if len(codes) < 3 else one.scores.replace(" · ", "\n"))
    legend(figure, codes[0], beside=False)
    for ax, marks in zip(axes, medians, strict=False):
        mark_medians(ax, marks)
    return figure


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
        f"t-SNE of the {result.title} codes ({result.latent_dim} numbers)", result.Z, result.labels, class_names
    )
    if beside is not None and ax is None:
        figure = new_figure(5.2)
        left, ax = figure.subplots(1, 2)
        scatter(left, beside)
        left.set_adjustable("datalim")
        left.set_box_aspect(1)
        ax.set_adjustable("datalim")
        ax.set_box_aspect(1)
        left.set_xlabel("z1", fontsize=TEXT)
        left.set_ylabel("z2", fontsize=TEXT, labelpad=1)
        title(left, beside.title, beside.scores)
    else:
        figure, ax = axes_or_new(ax, 6.8)
    scatter(ax, codes)
    ax.set_xticks([])
    ax.set_yticks([])
    settings = f"n = {len(result.Z):,} · perplexity {result.perplexity:g} · seed {result.seed}"
    if result.knn_accuracy is not None:
        settings += f" · kNN accuracy {result.knn_accuracy:.1%} (cross-validated)"
    legend(figure, codes, beside=beside is None)
    title(ax, codes.title, settings if beside is None else settings.replace(" · kNN", "\nkNN"))
    warning = "Sizes of clusters and distances between them mean little:"
    ax.set_xlabel(f"{warning}{' ' if beside is None else chr(10)}trust who is near whom.", fontsize=TEXT)
    return figure


def scatter(ax: Axes, codes: CodeMap, *, alpha: float | None = None) -> None:
    """Draw points in the order of the data, so that no class hides the others; smaller the more there are."""
    n = max(1, len(codes.Z))
    size = float(np.clip(320 / np.sqrt(n), 2.5, 40))
    alpha = float(np.interp(np.log10(n), [2, 4], [0.9, 0.55])) if alpha is None else alpha
    style: dict[str, Any] = {"s": size, "alpha": alpha, "linewidths": 0, "rasterized": True}
    if codes.labels is None:
        ax.scatter(codes.Z[:, 0], codes.Z[:, 1], color=NEUTRAL, **style)
    else:
        styles = [class_style(index) for index in range(int(codes.labels.max()) + 1)]
        colours = np.asarray([colour for colour, _ in styles])[codes.labels]
        markers = np.asarray([marker for _, marker in styles])[codes.labels]
        for marker in dict.fromkeys(marker for _, marker in styles):
            chosen = markers == marker
            ax.scatter(codes.Z[chosen, 0], codes.Z[chosen, 1], c=colours[chosen], marker=marker, **style)
    ax.set_aspect("equal")
    ax.margins(0.03)
    ax.tick_params(labelsize=SMALL, colors=INK)
    for spine in ax.spines.values():
        spine.set_color("#c5cad0")


def legend(figure: Figure, codes: CodeMap, *, beside: bool) -> None:
    """Name the classes, to the right of the panels or below them."""
    if codes.labels is None:
        return
    present = np.unique(codes.labels)
    handles = []
    for index in present[:MOST_NAMED]:
        colour, marker = class_style(int(index))
        name = codes.class_names[index] if codes.class_names else str(index)
        handles.append(Line2D([], [], ls="", marker=marker, color=colour, ms=6, label=shorten(name, 18)))
    if len(present) > MOST_NAMED:
        handles.append(Line2D([], [], ls="", label=f"and {len(present) - MOST_NAMED} more"))
    longest = max(len(str(handle.get_label())) for handle in handles)
    columns = -(-len(handles) // 30) if beside else min(len(handles), max(2, 100 // (longest + 7)))
    figure.legend(
        handles=handles,
        loc="outside right upper" if beside else "outside lower center",
        ncols=columns,
        fontsize=SMALL if len(handles) > 10 else TEXT,
        frameon=False,
        handletextpad=0.1,
        columnspacing=1.0,
    )


def panel_height(Z: NDArray[Any], width: float) -> float:
    """Return the height of a figure whose points fill a panel of `width` inches at equal aspect, within reason."""
    spans = np.ptp(Z, axis=0)
    ratio = spans[1] / spans[0] if spans[0] > 0 else 1.0
    return float(np.clip(width * ratio, 3.2, 7.4)) + 0.9
