"""Pictures of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from latentmap.analysis import Sweep
from latentmap.report.figures.canvas import (
    FAINT,
    INK,
    PALETTE,
    SMALL,
    TEXT,
    axes_or_new,
    choose_fonts,
    error_text,
    log_scale,
    new_figure,
    plain,
    rule,
    title,
)

History = Sequence[Mapping[str, Any]]


def column(history: History, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return one column of a history; NaN where a row lacks it."""
    return np.asarray([np.nan if row.get(name) is None else row[name] for row in history], dtype=np.float64)


def training(
    histories: Mapping[str, History],
    *,
    per: str = "pixel",
    others: Mapping[str, History] | None = None,
    colours: Mapping[str, str] | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw the loss of each model, epoch by epoch, on a log scale.

    Parameters
    ----------
    histories : mapping of str to sequence of dict
        By model title, the rows of its ``history_``: ``epoch``, ``train_loss`` and, where there is one,
        ``valid_loss``.
    per : str, default="pixel"
        What the error is counted by: a pixel, a feature.
    others : mapping of str to sequence of dict, optional
        Models whose loss is no such error, each to be drawn below on a scale of its own.
    colours : mapping of str to str, optional
        The colour of each model, so that it is that of other figures; by default in order.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Figure
        Validation loss solid, training loss dashed, the epoch of lowest validation loss marked.

    Examples
    --------
    >>> rows = [{"epoch": 1, "train_loss": 0.2, "valid_loss": 0.21}, {"epoch": 2, "train_loss": 0.1}]
    >>> figure = training({"dense": rows})
    """
    below: list[Axes] = []
    if others and ax is None:
        figure = new_figure(4.2 + 1.9 * len(others))
        ax, *below = figure.subplots(1 + len(others), 1, height_ratios=[3.6, *[1.5] * len(others)])
    else:
        figure, ax = axes_or_new(ax, 4.2)
    named = {**dict(zip([*histories, *(others or {})], PALETTE * 9, strict=False)), **(colours or {})}
    for panel, (name, history) in zip(below, (others or {}).items(), strict=False):
        _draw_other(panel, name, history, named.get(name, INK))
    longest = 1.0
    ends: list[tuple[float, float, str, str]] = []
    for name, history in histories.items():
        if not history:
            continue
        colour = named.get(name, INK)
        epochs, train, valid = (column(history, key) for key in ("epoch", "train_loss", "valid_loss"))
        dots = "." if len(epochs) == 1 else None
        ax.plot(epochs, train, color=colour, lw=1.1, ls=(0, (4, 2)), marker=dots)
        shown = train
        if np.isfinite(valid).any():
            ax.plot(epochs, valid, color=colour, lw=1.8, marker=dots)
            best = int(np.nanargmin(valid))
            ax.plot(epochs[best], valid[best], "o", ms=7, mfc="white", mec=colour, mew=1.8, zorder=5)
            shown, note = valid, f"best {error_text(valid[best])}, epoch {epochs[best]:.0f}"
        else:
            note = error_text(train[-1])
        longest = max(longest, float(epochs[-1]))
        ends.append((float(epochs[-1]), float(shown[np.isfinite(shown)][-1]), f"{plain(name, 26)}\n{note}", colour))
    log_scale(ax)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlim(min(1.0, longest - 0.5), longest * 1.01 if longest > 1 else 1.5)
    write_at_ends(ax, ends)
    ax.set_xlabel("epoch", fontsize=TEXT)
    ax.set_ylabel(f"mean squared error per {per}, log scale", fontsize=TEXT)
    rule(ax)
    title(ax, "Loss per epoch", "solid: validation · dashed: training · ring: best epoch")
    choose_fonts(ax)
    return figure


def _draw_other(ax: Axes, name: str, history: History, colour: str) -> None:
    """One loss of another kind, on a linear scale."""
    epochs, train, valid = (column(history, key) for key in ("epoch", "train_loss", "valid_loss"))
    dots = "." if len(epochs) == 1 else None
    ax.plot(epochs, train, color=colour, lw=1.1, ls=(0, (4, 2)), marker=dots)
    ax.plot(epochs, valid, color=colour, lw=1.8, marker=dots)
    shown = valid if np.isfinite(valid).any() else train
    best = int(np.nanargmin(shown))
    ax.plot(epochs[best], shown[best], "o", ms=7, mfc="white", mec=colour, mew=1.8, zorder=5)
    _write_beside(ax, 0.5, f"{plain(name, 26)}\nbest in epoch {epochs[best]:.0f}", colour)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlim(min(1.0, epochs[-1] - 0.5), epochs[-1] * 1.01 if len(epochs) > 1 else 1.5)
    ax.set_xlabel("epoch", fontsize=TEXT)
    ax.set_ylabel("its own loss", fontsize=TEXT)
    rule(ax)


def sweep(result: Sweep) -> Figure:
    """Draw test error and kNN accuracy against the size of codes, a model beside PCA.

    Parameters
    ----------
    result : Sweep
        From `latentmap.analysis.sweep`.

    Returns
    -------
    Figure
        Two panels (one without labels), the recommended size marked.
    """
    named = {result.name: result.model, "PCA": result.pca}
    scored = result.model[0].knn_accuracy is not None
    figure = new_figure(4.0)
    axes = figure.subplots(1, 2 if scored else 1, squeeze=False)[0]
    panels = [("test error", "mean squared error, log scale", "test_mse")]
    panels += [("kNN accuracy", "10 nearest neighbours, test split", "knn_accuracy")] if scored else []
    for ax, (heading, what, field) in zip(axes, panels, strict=True):
        for scores, colour, style in zip(named.values(), PALETTE, ("-", (0, (4, 2))), strict=False):
            sizes = [one.latent_dim for one in scores]
            ax.plot(sizes, [getattr(one, field) for one in scores], "o", ls=style, ms=4, color=colour)
        if result.recommended is not None:
            ax.axvline(result.recommended, color=FAINT, lw=0.8, ls=":", zorder=0)
            high = field == "test_mse"  # errors fall, so there is room at the top; accuracies rise
            ax.annotate(
                f"recommended: {result.recommended}",
                (result.recommended, 1 if high else 0),
                xycoords=("data", "axes fraction"),
                xytext=(3, -4 if high else 4),
                textcoords="offset points",
                fontsize=SMALL,
                color=FAINT,
                rotation=90,
                va="top" if high else "bottom",
            )
        ax.set_xscale("log", base=2)
        ax.set_xticks([one.latent_dim for one in result.model], [f"{one.latent_dim}" for one in result.model])
        ax.minorticks_off()
        ax.set_xlabel("numbers a code (latent_dim)", fontsize=TEXT)
        rule(ax)
        title(ax, heading, what)
    log_scale(axes[0])
    if scored:
        axes[1].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes[0].legend(axes[0].lines[: len(named)], [plain(name, 24) for name in named], frameon=False, fontsize=TEXT)
    return figure


def write_at_ends(ax: Axes, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Name each curve at its right end, moved up where names would touch."""
    if not ends:
        ax.text(0.5, 0.5, "no training history", transform=ax.transAxes, ha="center", color=FAINT)
        return
    low, high = ax.get_ylim()
    span = np.log(high / low)
    lowest_free = -np.inf
    for _, y, note, colour in sorted(ends, key=lambda end: end[1]):
        height = max(np.log(y / low) / span, lowest_free)
        lowest_free = height + 0.11
        _write_beside(ax, height, note, colour)


def _write_beside(ax: Axes, height: float, note: str, colour: str) -> None:
    """Write in ink to the right of axes, behind a stroke in the colour of the curve."""
    ax.annotate(
        "", (1, height), xycoords="axes fraction", xytext=(17, 0), textcoords="offset points", annotation_clip=False,
        arrowprops={"arrowstyle": "-", "color": colour, "lw": 2.5, "shrinkA": 0, "shrinkB": 6},
    )  # fmt: skip
    ax.annotate(
        note, (1, height), xycoords="axes fraction", xytext=(21, 0), textcoords="offset points", va="center",
        fontsize=SMALL, color=INK, annotation_clip=False,
    )  # fmt: skip
