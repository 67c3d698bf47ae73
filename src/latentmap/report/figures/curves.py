"""Pictures of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

from latentmap.report.figures.canvas import FAINT, INK, SMALL, TEXT, axes_or_new, error_text, palette, title

History = Sequence[Mapping[str, Any]]


def column(history: History, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return one column of a history; NaN where a row lacks it."""
    return np.asarray([np.nan if row.get(name) is None else row[name] for row in history], dtype=np.float64)


def training(histories: Mapping[str, History], *, per: str = "pixel", ax: Axes | None = None) -> Figure:
    """Draw the loss of each model, epoch by epoch, on a log scale.

    Parameters
    ----------
    histories : mapping of str to sequence of dict
        By model title, the rows of its ``history_``: ``epoch``, ``train_loss`` and, where there is one,
        ``valid_loss``.
    per : str, default="pixel"
        What the error is counted by: a pixel, a feature.
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
    figure, ax = axes_or_new(ax, 4.2)
    longest = 1.0
    ends: list[tuple[float, float, str, str]] = []
    for (name, history), colour in zip(histories.items(), palette() * len(histories), strict=False):
        if not history:
            continue
        epochs, train, valid = (column(history, key) for key in ("epoch", "train_loss", "valid_loss"))
        dots = "." if len(epochs) == 1 else None
        ax.plot(epochs, train, color=colour, lw=1.1, ls=(0, (4, 2)), marker=dots)
        shown = train
        if np.isfinite(valid).any():
            ax.plot(epochs, valid, color=colour, lw=1.8, marker=dots)
            best = int(np.nanargmin(valid))
            ax.plot(epochs[best], valid[best], "o", ms=7, mfc="white", mec=colour, mew=1.8, zorder=5)
            shown, note = valid, f"{name}\nbest {error_text(valid[best])}, epoch {epochs[best]:.0f}"
        else:
            note = f"{name}\n{error_text(train[-1])}"
        longest = max(longest, float(epochs[-1]))
        ends.append((float(epochs[-1]), float(shown[np.isfinite(shown)][-1]), note, colour))
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlim(min(1.0, longest - 0.5), longest * 1.01 if longest > 1 else 1.5)
    write_at_ends(ax, ends)
    ax.set_xlabel("epoch", fontsize=TEXT)
    ax.set_ylabel(f"mean squared error per {per}, log scale", fontsize=TEXT)
    ax.tick_params(labelsize=SMALL, colors=INK)
    ax.grid(axis="y", which="major", color="#e3e6ea", lw=0.8)
    ax.spines[["top", "right"]].set_visible(False)
    title(ax, "Loss per epoch", "solid: validation · dashed: training · ring: best epoch")
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
        ax.annotate(
            note,
            (1, height),
            xycoords="axes fraction",
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            fontsize=SMALL,
            color=colour,
            annotation_clip=False,
        )
