"""``training``: how the loss of each model fell, epoch by epoch."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from latentmap.report.figures.base import Caption, Experiment, ReportFigure
from latentmap.report.figures.canvas import Picture, axes_or_new, log_scale, new_figure, rule, title, write
from latentmap.report.figures.letters import choose_fonts, error_text, plain
from latentmap.report.figures.style import FAINT, PALETTE, SMALL, TEXT
from latentmap.report.measured import History, Measured
from latentmap.training import OBJECTIVES


def training(
    histories: Mapping[str, History],
    *,
    objectives: Mapping[str, str] | None = None,
    best_epochs: Mapping[str, int] | None = None,
    per: str = "pixel",
    colours: Mapping[str, str] | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw the loss of each model, epoch by epoch, on a log scale.

    Parameters
    ----------
    histories : mapping of str to sequence of dict
        By model title, the rows of its ``history_``: ``epoch``, ``train_loss`` and, where there is one,
        ``valid_loss``.
    objectives : mapping of str to str, optional
        The name in `OBJECTIVES` of what a model made small, where that is no squared error: such losses are drawn
        below, on scales of their own.
    best_epochs : mapping of str to int, optional
        The epoch whose weights each model has, 0 for those it began with; by default that of lowest validation loss.
    per : str, default="pixel"
        What the error is counted by: a pixel, a feature.
    colours : mapping of str to str, optional
        The colour of each model, so that it is that of other figures; by default in order.
    ax : Axes, optional
        Where to draw, all in one; a new figure by default.

    Returns
    -------
    Figure
        Validation loss solid, training loss dashed, the epoch whose weights were kept marked.

    Examples
    --------
    >>> from latentmap.report import training
    >>> rows = [{"epoch": 1, "train_loss": 0.2, "valid_loss": 0.21}, {"epoch": 2, "train_loss": 0.1}]
    >>> training({"dense": rows}).axes[0].get_title(loc="left")
    'Loss per epoch'
    """
    panels: dict[str, dict[str, History]] = {}  # by what each model made small: errors have one scale, and are first
    for name, history in histories.items():
        objective = OBJECTIVES[(objectives or {}).get(name, "reconstruction")]
        panels.setdefault("" if objective.loss_is_error else objective.loss_name, {})[name] = history
    panels = dict(sorted(panels.items())) or {"": {}}
    if ax is not None and len(panels) > 1:
        panels = {"loss: what each model made small": dict(histories)}
    if ax is None:
        heights = [3.6 if i == 0 or len(panel) > 1 else 1.5 for i, panel in enumerate(panels.values())]
        figure = new_figure(0.2 + sum(height + 0.4 for height in heights))
        axes = list(figure.subplots(len(panels), 1, height_ratios=heights, squeeze=False)[:, 0])
    else:
        figure, ax = axes_or_new(ax, 4.2)
        axes = [ax]
    colours = {**dict(zip(histories, PALETTE * 9, strict=False)), **(colours or {})}
    for one, (loss, panel) in zip(axes, panels.items(), strict=True):
        _draw_together(one, panel, colours, best_epochs or {}, is_log=not loss)
        _scale_epochs(one, [history for history in histories.values() if history])
        one.set_ylabel(
            loss or f"mean squared error per {per}, log scale", fontsize=SMALL if one is not axes[0] else TEXT
        )
    title(axes[0], "Loss per epoch", "solid: validation · dashed: training · ring: epoch kept")
    choose_fonts(axes[0])
    return figure


def _draw_together(
    ax: Axes,
    histories: Mapping[str, History],
    colours: Mapping[str, str],
    best_epochs: Mapping[str, int],
    *,
    is_log: bool,
) -> None:
    """Draw the losses of several models on one scale, each named at its end."""
    histories = {name: history for name, history in histories.items() if history}
    ends = []
    for name, history in histories.items():
        last, best, epoch = _curve(ax, history, colours[name], best_epochs.get(name))
        note = error_text(last) if epoch is None else f"best {error_text(best)}, epoch {epoch}"
        note = f"kept as it began: {error_text(best)}" if epoch == 0 else note
        ends.append((last, f"{plain(name, 26)}\n{note}", colours[name]))
    if is_log:
        log_scale(ax)
    if isinstance(ax.get_figure(root=True), Picture):
        _write_at_ends(ax, ends)
    else:  # the rest of the figure is not ours: beside the axes names would lie under others, or be cut
        lines = [Line2D([], [], color=colour, lw=1.8) for _, _, colour in ends]
        ax.legend(lines, [note for _, note, _ in ends], fontsize=SMALL, framealpha=0.7, edgecolor="none")


def _curve(ax: Axes, history: History, colour: str, best_epoch: int | None) -> tuple[float, float, int | None]:
    """Draw the losses of one model; returns the last, the best and its epoch (None without validation)."""
    epochs, train, valid = (_column(history, key) for key in ("epoch", "train_loss", "valid_loss"))
    dots = "." if len(epochs) == 1 else None
    ax.plot(epochs, train, color=colour, lw=1.1, ls=(0, (4, 2)), marker=dots)
    if not np.isfinite(valid).any():
        return float(train[-1]), float(train[-1]), None
    ax.plot(epochs, valid, color=colour, lw=1.8, marker=dots)
    kept = np.flatnonzero((epochs == best_epoch) & np.isfinite(valid))
    best = int(kept[0] if len(kept) else np.nanargmin(valid))
    ax.plot(epochs[best], valid[best], "o", ms=7, mfc="white", mec=colour, mew=1.8, zorder=5, clip_on=False)
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
    objectives = {name: model.objective for name, model in named.items()}
    colours = {name: experiment.colours[model.title] for name, model in named.items()}
    best = {name: model.best_epoch for name, model in named.items()}
    return training(histories, objectives=objectives, best_epochs=best, per=_per(experiment), colours=colours)


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
        f"{what}; a part of them is set aside for validation. The weights of the ringed epoch are "
        "the ones kept; epoch 0 is what a model began as, kept where none was better by more than noise. "
        f"A solid line that turns up while the dashed one falls would mean learning by heart.{below}",
        f"Line chart of training and validation loss per epoch for {', '.join(model.short for model in models)}.",
    )


FIGURE = ReportFigure("training", _compute, _draw, _caption, of_points=True)
