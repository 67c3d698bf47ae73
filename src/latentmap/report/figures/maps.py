"""Pictures of codes as points: a 2-D latent space, two of them side by side, t-SNE."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from latentmap.analysis import CodeMedians, TsneResult
from latentmap.report.figures.canvas import (
    INK,
    MOST_CLASSES,
    NEUTRAL,
    SMALL,
    TEXT,
    WIDTH,
    Picture,
    axes_or_new,
    choose_fonts,
    class_style,
    count,
    largest,
    new_figure,
    plain,
    short_names,
    title,
)
from latentmap.report.figures.medians import mark_medians

MOST_COLOURS = 10
"""Colours where there are more classes than can be named: of groups, or of some classes."""


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

    def style_of(self, classes: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
        """Return the `class_style` of some classes; None without labels."""
        if classes is None or self.labels is None:
            return None
        styles, _, others = self._styles
        return np.asarray([styles.get(int(c), int(c) if others else -1) for c in classes], dtype=np.int64)

    @property
    def colouring(self) -> str:
        """What the colours mean, in words."""
        if self.labels is None:
            return "without colours, for there are no labels"
        n_classes = len(self._styles[0]) if -1 not in self.style_names else len(np.unique(self.labels))
        if -1 in self.style_names:
            return f"{len(self.style_names) - 1} of {n_classes:,} classes coloured, which the model never saw"
        if len(self.style_names) < n_classes:
            return "coloured by how the name of the class begins, which the model never saw"
        return "coloured by class, which the model never saw"

    @property
    def style_names(self) -> dict[int, str]:
        """What the legend says of each style."""
        return self._styles[1]

    @cached_property
    def _styles(self) -> tuple[dict[int, int], dict[int, str], bool]:
        """A style a class, their names, and whether classes without samples have one too.

        Where there are too many classes to be told apart, a style a first word of their names, or of some classes.
        """
        if self.labels is None:
            return {}, {}, False
        present, counts = np.unique(self.labels, return_counts=True)
        named = {int(c): self.class_names[c] if self.class_names else str(c) for c in present}
        if len(present) <= MOST_CLASSES:
            return {c: c for c in named}, dict(zip(named, short_names(list(named.values()), 18), strict=True)), True
        words = {c: re.split(r"[\W\d_]", name, maxsplit=1)[0] for c, name in named.items()}
        groups = sorted(set(words.values()))
        if 1 < len(groups) <= MOST_COLOURS and "" not in groups:
            return {c: groups.index(w) for c, w in words.items()}, dict(enumerate(short_names(groups, 18))), False
        chosen = [int(c) for c in present[largest(counts, MOST_COLOURS)]]
        legend = dict(enumerate(short_names([named[c] for c in chosen], 18)))
        styles = {c: i for i, c in enumerate(chosen)}
        return styles, {**legend, -1: f"{len(present) - len(chosen)} other classes"}, False


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
    ax.set_xlabel("z1", fontsize=TEXT)
    ax.set_ylabel("z2", fontsize=TEXT)
    legend(ax, codes, beside=True)
    title(ax, plain(codes.title, 60), " · ".join(filter(None, [count(len(codes.Z), "sample"), codes.scores])))
    if medians is not None:
        mark_medians(ax, medians, codes.style_of(medians.classes))
    choose_fonts(ax)
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
    n_rows = -(-len(codes[0].style_names) // legend_columns(codes[0]))
    figure = new_figure(WIDTH / len(codes) + 0.6 + 0.25 * n_rows)
    axes = figure.subplots(1, len(codes), squeeze=False)[0]
    for ax, one in zip(axes, codes, strict=True):
        scatter(ax, one)
        # Equal aspect with a box of its own: all panels stay the same size whatever their ranges.
        ax.set_adjustable("datalim")
        ax.set_box_aspect(1)
        ax.set_xlabel("z1", fontsize=TEXT)
        ax.set_ylabel("z2", fontsize=TEXT, labelpad=1)
        name = plain(one.title, 80 // len(codes))
        title(ax, name, one.scores if len(codes) < 3 else one.scores.replace(" · ", "\n"))
    legend(axes[0], codes[0], beside=False)
    for ax, one, marks in zip(axes, codes, medians, strict=False):
        mark_medians(ax, marks, one.style_of(marks.classes))
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
        f"t-SNE of the {result.title} codes ({count(result.latent_dim, 'number')})",
        result.Z,
        result.labels,
        class_names,
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
        title(left, plain(beside.title, 40), beside.scores)
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


def scatter(ax: Axes, codes: CodeMap, *, alpha: float | None = None) -> None:
    """Draw points in the order of the data, so that no class hides the others; smaller the more there are."""
    n = max(1, len(codes.Z))
    size = float(np.clip(320 / np.sqrt(n), 2.5, 40))
    alpha = float(np.interp(np.log10(n), [2, 4], [0.9, 0.55])) if alpha is None else alpha
    style: dict[str, Any] = {"s": size, "alpha": alpha, "linewidths": 0, "rasterized": True}
    index = codes.style_of(codes.labels)
    if index is None:
        ax.scatter(codes.Z[:, 0], codes.Z[:, 1], color=NEUTRAL, **style)
    else:
        styles = [class_style(i) for i in range(-1, int(index.max(initial=-1)) + 1)]
        colours = np.asarray([colour for colour, _ in styles])[index + 1]
        markers = np.asarray([marker for _, marker in styles])[index + 1]
        for named in (False, True):  # the grey ones below
            for marker in dict.fromkeys(marker for _, marker in styles):
                chosen = (markers == marker) & ((index >= 0) == named)
                if chosen.any():
                    ax.scatter(codes.Z[chosen, 0], codes.Z[chosen, 1], c=colours[chosen], marker=marker, **style)
    ax.set_aspect("equal")
    ax.margins(0.03)
    ax.tick_params(labelsize=SMALL, colors=INK)
    for spine in ax.spines.values():
        spine.set_color("#c5cad0")


def legend_columns(codes: CodeMap) -> int:
    """How many names fit beside each other below the panels."""
    longest = max(map(len, codes.style_names.values()), default=0)
    return max(1, min(len(codes.style_names), max(2, 100 // (longest + 7))))


def legend(ax: Axes, codes: CodeMap, *, beside: bool) -> None:
    """Name the colours, to the right of the panels or below them."""
    if not codes.style_names:
        return
    handles = []
    for index in codes.style_names:
        colour, marker = class_style(index)
        handles.append(Line2D([], [], ls="", marker=marker, color=colour, ms=6))
    labels = list(codes.style_names.values())
    columns = 1 if beside else legend_columns(codes)
    style: dict[str, Any] = {
        "ncols": columns,
        "fontsize": SMALL if len(handles) > 10 else TEXT,
        "frameon": False,
        "handletextpad": 0.1,
        "columnspacing": 1.0,
    }
    figure = ax.get_figure(root=True)
    if isinstance(figure, Picture):
        figure.legend(handles, labels, loc="outside right upper" if beside else "outside lower center", **style)
    else:  # the rest of the figure is not ours
        ax.legend(handles, labels, loc="upper left", bbox_to_anchor=(1, 1), **{**style, "ncols": 1})


def panel_height(Z: NDArray[Any], width: float) -> float:
    """Return the height of a figure whose points fill a panel of `width` inches at equal aspect, within reason."""
    spans = np.ptp(Z, axis=0)
    ratio = spans[1] / spans[0] if spans[0] > 0 else 1.0
    return float(np.clip(width * ratio, 3.2, 7.4)) + 0.9
