"""``training``: how the loss of each model fell, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from latentmap.report.figures.base import Caption, Experiment, ReportFigure
from latentmap.report.figures.canvas import axes_or_new, log_scale, new_figure, rule, title, write
from latentmap.report.figures.letters import choose_fonts, error_text, plain
from latentmap.report.figures.style import FAINT, PALETTE, SMALL, TEXT
from latentmap.report.measured import History, Measured
from latentmap.training import OBJECTIVES


def training(
    histories: Mapping[str, History],
    *,
    per: str = "pixel",
    loss: str = "",
    others: Mapping[str, History] | None = None,
    other_losses: Sequence[str] = (),
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
    loss : str, default=""
        What the loss is; by default that error.
    others : mapping of str to sequence of dict, optional
        Models whose loss is no such error, each to be drawn below on a scale of its own.
    other_losses : sequence of str, default=()
        What theirs are.
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
    >>> from latentmap.report import training
    >>> rows = [{"epoch": 1, "train_loss": 0.2, "valid_loss": 0.21}, {"epoch": 2, "train_loss": 0.1}]
    >>> training({"dense": rows}).axes[0].get_title(loc="left")
    'Loss per epoch'
    """
    others = {name: history for name, history in (others or {}).items() if history}
    named = {**dict(zip([*histories, *others], PALETTE * 9, strict=False)), **(colours or {})}
    below: list[Axes] = []
    if others and ax is None:
        above = [3.6] if histories else []
        figure = new_figure((4.2 if above else 0.6) + 1.9 * len(others))
        ratios = [*above, *[1.5] * len(others)]
        panels = figure.subplots(len(ratios), 1, height_ratios=ratios, squeeze=False)[:, 0]
        ax, below = panels[0], list(panels[len(above) :])
    else:
        figure, ax = axes_or_new(ax, 4.2)
    if histories or not below:
        _draw_together(ax, histories, named, is_log=not loss)
        ax.set_ylabel(loss or f"mean squared error per {per}, log scale", fontsize=TEXT)
    title(ax, "Loss per epoch", "solid: validation · dashed: training · ring: best epoch")
    losses = [*other_losses, *["its own loss"] * len(below)]
    for panel, (name, history), what in zip(below, others.items(), losses, strict=False):
        *_, epoch = _curve(panel, history, named[name])
        best_epoch = "" if epoch is None else f"\nbest in epoch {epoch}"
        _write_beside(panel, 0.5, plain(name, 26) + best_epoch, named[name])
        _scale_epochs(panel, [history])
        panel.set_ylabel(what, fontsize=SMALL)
    choose_fonts(ax)
    return figure


def by_scale(
    histories: Mapping[str, History], objectives: Mapping[str, str]
) -> tuple[dict[str, History], dict[str, History], list[str]]:
    """Histories of losses that are errors, by model; those of others; and what these losses are."""
    errors = {name: rows for name, rows in histories.items() if OBJECTIVES[objectives[name]].loss_is_error}
    others = {name: rows for name, rows in histories.items() if name not in errors}
    return errors, others, [OBJECTIVES[objectives[name]].loss_name for name in others]


def _draw_together(ax: Axes, histories: Mapping[str, History], colours: Mapping[str, str], *, is_log: bool) -> None:
    """Draw the losses of several models on one scale, each named at its end."""
    histories = {name: history for name, history in histories.items() if history}
    ends = []
    for name, history in histories.items():
        last, best, epoch = _curve(ax, history, colours[name])
        note = error_text(last) if epoch is None else f"best {error_text(best)}, epoch {epoch}"
        ends.append((last, f"{plain(name, 26)}\n{note}", colours[name]))
    if is_log:
        log_scale(ax)
    _scale_epochs(ax, list(histories.values()))
    _write_at_ends(ax, ends)


def _curve(ax: Axes, history: History, colour: str) -> tuple[float, float, int | None]:
    """Draw the losses of one model; returns the last, the best and its epoch (None without validation)."""
    epochs, train, valid = (_column(history, key) for key in ("epoch", "train_loss", "valid_loss"))
    dots = "." if len(epochs) == 1 else None
    ax.plot(epochs, train, color=colour, lw=1.1, ls=(0, (4, 2)), marker=dots)
    if not np.isfinite(valid).any():
        return float(train[-1]), float(train[-1]), None
    ax.plot(epochs, valid, color=colour, lw=1.8, marker=dots)
    best = int(np.nanargmin(valid))
    ax.plot(epochs[best], valid[best], "o", ms=7, mfc="white", mec=colour, mew=1.8, zorder=5)
    return float(valid[np.isfinite(valid)][-1]), float(valid[best]), int(epochs[best])


def _column(history: History, name: str) -> NDArray[np.float64]:
    """One column of a history; NaN where a row lacks it."""
    return np.asarray([np.nan if row.get(name) is None else row[name] for row in history], dtype=np.float64)


def _scale_epochs(ax: Axes, histories: Sequence[History]) -> None:
    """Give axes whole epochs, from the first to the last."""
    first = min([1, *(int(history[0]["epoch"]) for history in histories)])
    longest = max([1, *(int(history[-1]["epoch"]) for history in histories)])
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlim(min(first, longest - 0.5), longest * 1.01 if longest > 1 else 1.5)
    ax.set_xlabel("epoch", fontsize=TEXT)
    rule(ax)


def _write_at_ends(ax: Axes, ends: Sequence[tuple[float, str, str]]) -> None:
    """Name each curve at its right end, moved up where names would touch."""
    if not ends:
        ax.text(0.5, 0.5, "no training history", transform=ax.transAxes, ha="center", color=FAINT)
    low, high = ax.get_ylim()
    lowest_free = -np.inf
    for y, note, colour in sorted(ends):
        place = (
            np.log(max(y, low) / low) / np.log(high / low) if ax.get_yscale() == "log" else (y - low) / (high - low)
        )
        height = max(place, lowest_free)
        lowest_free = height + 0.11
        _write_beside(ax, height, note, colour)


def _write_beside(ax: Axes, height: float, note: str, colour: str) -> None:
    """Write in ink to the right of axes, behind a stroke in the colour of the curve."""
    stroke = {"arrowstyle": "-", "color": colour, "lw": 2.5, "shrinkA": 0, "shrinkB": 6}
    write(ax, "", (1, height), (17, 0), xycoords="axes fraction", arrowprops=stroke)
    write(ax, note, (1, height), (21, 0), xycoords="axes fraction", va="center")


def _compute(experiment: Experiment) -> list[Measured]:
    """The models that learned."""
    return [model for model in experiment.models if model.history]


def _draw(models: Sequence[Measured], experiment: Experiment) -> Figure:
    """Their losses: those that are errors on one scale."""
    named = {model.title + f", {model.objective}" * (not model.loss_is_error): model for model in models}
    histories = {name: model.history for name, model in named.items()}
    errors, others, losses = by_scale(histories, {name: model.objective for name, model in named.items()})
    colours = {name: experiment.colours[model.title] for name, model in named.items()}
    return training(errors, per=_per(experiment), others=others, other_losses=losses, colours=colours)


def _per(experiment: Experiment) -> str:
    """What an error is counted by."""
    return "pixel" if experiment.dataset.is_images else "scaled feature"


def _caption(models: Sequence[Measured], experiment: Experiment) -> Caption:
    """Its words."""
    others = [
        f"{model.short} made small {OBJECTIVES[model.objective].loss_meaning}"
        for model in models
        if not model.loss_is_error
    ]
    n = "" if experiment.is_given else f"{len(experiment.dataset.train):,} "  # they may have learned from other data
    passes = f"after each pass over the {n}training {experiment.thing}s"
    what, below = f"Mean squared error per {_per(experiment)} {passes}, on a log scale", ""
    if len(others) == len(models):
        what = f"Losses {passes}, on scales of their own: {'; '.join(others)}"
    elif others:
        below = f" Below, on scales of their own, losses that are not such an error alone: {'; '.join(others)}."
    return Caption(
        "How they learned",
        f"{what}; a part of them is set aside for validation. The weights of the best epoch (ring) are the ones kept. "
        f"A solid line that turns up while the dashed one falls would mean learning by heart.{below}",
        f"Line chart of training and validation loss per epoch for {', '.join(model.short for model in models)}.",
    )


FIGURE = ReportFigure("training", _compute, _draw, _caption, of_points=True)
