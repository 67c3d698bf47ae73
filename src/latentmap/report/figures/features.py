"""What pictures of vectors share: features in standard deviations, tables of coloured cells.

Values are drawn in standard deviations from the training mean: each feature's own where they are in different units,
one for all of them where they are in one, which the axis says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from latentmap.data.dataset import Dataset
from latentmap.data.preprocessing import Preprocessing, run_together
from latentmap.report.figures.canvas import write
from latentmap.report.figures.letters import short_names
from latentmap.report.figures.style import FAINT, INK, SMALL, TEXT, TITLE, far_out

MOST_NAMED = 16  # features whose names all fit below an axis
_SOME_NAMED = 8  # of more
LONGEST_NAME = 40  # letters of them, where a picture is made as high as they are long
MOST_SHOWN = 48  # columns of a table that can still be told apart
MOST_IN_LINE = 300  # points of a line
_LIMIT = 2.5  # standard deviations: more are drawn in the darkest colour
_CMAP = "RdBu_r"  # colour-blind people tell blue and red apart
COLOURS = ScalarMappable(Normalize(-_LIMIT, _LIMIT), _CMAP)


@dataclass(frozen=True, eq=False)
class Features:
    """What is known of the features of vectors.

    Parameters
    ----------
    names : tuple of str
        Their names.
    mean, deviation : ndarray, shape (n_features,)
        Over the training samples; where all features are in one unit, the deviation is that of all of them.
    without_far : bool, default False
        Whether a few numbers are left out of both, so far from all others that beside them these would be one colour.
    in_order : bool, default False
        Whether they rise and fall with the next ones, as in spectra.

    Examples
    --------
    >>> import numpy as np
    >>> from latentmap.report import Features
    >>> features = Features.of(np.array([[1.0, 0.0], [3.0, 0.0], [5.0, 6.0]]), names=("length", "width"))
    >>> features.names, features.mean.tolist()
    (('length', 'width'), [3.0, 2.0])
    """

    names: tuple[str, ...]
    mean: NDArray[Any]
    deviation: NDArray[Any]
    without_far: bool = False
    in_order: bool = False

    @classmethod
    def of(cls, X: NDArray[Any], names: tuple[str, ...] | None) -> Features:
        """Return those of training samples, shape (n, n_features)."""
        scaling = Preprocessing.fit(X, "auto")  # as the network sees them
        named = names or tuple(f"x{i}" for i in range(X.shape[1]))
        far = far_out(X)
        if far.any():
            clean = np.where(far, np.median(X, axis=0), X)
            scaling = Preprocessing.fit(clean, "standard" if np.ndim(scaling.scale) else "global")
        deviation = np.broadcast_to(scaling.scale, scaling.offset.shape)
        in_order = not np.ndim(scaling.scale) and run_together(X)
        return cls(named, scaling.offset, deviation, bool(far.any()), in_order)

    @classmethod
    def of_dataset(cls, dataset: Dataset) -> Features:
        """Return those of a dataset's training samples, by the names that it was read with."""
        return cls.of(dataset.train.X, dataset.reading.columns if dataset.reading else None)

    def standardize(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return samples in standard deviations from the mean."""
        return np.asarray((X - self.mean) / self.deviation)

    @property
    def axis(self) -> str:
        """What values are drawn in, for an axis."""
        own = len(self.deviation) == 1 or bool((self.deviation != self.deviation[0]).any())
        without = ", both without what is far out" if self.without_far else ""
        return f"standard deviations {'' if own else 'of all features together, '}from the mean{without}"

    def most_varied(self, X: NDArray[Any], most: int) -> NDArray[np.int64]:
        """Return which features differ most among some samples, in their order; of spectra, one of each stretch."""
        spread = self.standardize(X).reshape(-1, len(self.names)).std(axis=0)
        if self.in_order and len(spread) > most:
            return np.array([part[spread[part].argmax()] for part in np.array_split(np.arange(len(spread)), most)])
        return np.sort(np.argsort(-spread, kind="stable")[:most])

    def below(
        self, shown: NDArray[np.int64], most: int = LONGEST_NAME, some: int = _SOME_NAMED
    ) -> tuple[NDArray[np.int64], tuple[str, ...], float]:
        """Return where to write names below an axis, of many features at some, the names, and how many inches high."""
        places = np.arange(len(shown))
        if len(shown) > MOST_NAMED:
            places = np.linspace(0, len(shown) - 1, some).round().astype(np.int64)
        names = self.short(shown[places], most)
        return places, names, 0.05 * max(map(len, names), default=0)

    def short(self, shown: NDArray[np.int64], most: int) -> tuple[str, ...]:
        """Return the names of some features, to be drawn in at most so many characters."""
        return short_names([self.names[j] for j in shown], most)


def heat(ax: Axes, features: Features, X: NDArray[Any], shown: NDArray[np.int64]) -> None:
    """Draw samples as rows of coloured cells."""
    ax.tick_params(length=0, colors=FAINT)
    ax.spines[:].set_visible(False)
    values = features.standardize(X)[:, shown]
    ax.imshow(values, cmap=_CMAP, vmin=-_LIMIT, vmax=_LIMIT, aspect="auto", interpolation="nearest")


def fewer_features(features: Features, shown: NDArray[np.int64]) -> str:
    """Say which features are shown, where these are not all."""
    if len(shown) == len(features.names):
        return ""
    which = f"{len(shown)} of {len(features.names):,}"
    return f"{which}, of each stretch the one that varies most" if features.in_order else f"the {which} that vary most"


def beside_row(ax: Axes, row: int, text: str, **style: Any) -> None:
    """Write to the right of a row of a table."""
    write(ax, text, (1, row), (4, 0), xycoords=("axes fraction", "data"), va="center", **style)


def finish(figure: Figure, axes: NDArray[Any], heading: str, features: Features, detail: str = "") -> Figure:
    """Add the title, with a fainter second line, and the bar of colours."""
    style: dict[str, Any] = {"ha": "left", "fontsize": TITLE, "fontweight": "bold", "color": INK}
    above = figure.suptitle(heading + "\n" * bool(detail), x=0.012, **style)
    if detail:  # in the line left free
        write(axes.flat[0], detail, (0, 0), (0, 2), xycoords=above, fontsize=TEXT, color=FAINT, in_layout=False)
    bar = figure.colorbar(COLOURS, ax=list(axes.flat), location="top", shrink=0.35, aspect=30, pad=0.01)
    bar.ax.tick_params(labelsize=SMALL - 1, length=2)
    bar.set_label(features.axis, fontsize=SMALL, color=FAINT)
    bar.outline.set_visible(False)
    return figure


def finish_tables(
    figure: Figure, axes: NDArray[Any], heading: str, features: Features, shown: NDArray[np.int64], detail: str = ""
) -> Figure:
    """The same of rows of tables, with their columns named below the last row, of many some."""
    (places, names, _), fewer = features.below(shown), fewer_features(features, shown)
    for ax in axes.flat:
        ax.set_xticks([])
    for ax in axes[-1]:
        ax.set_xticks(places, names, rotation=90, fontsize=SMALL)
        if len(names) < len(shown):
            ax.set_xlabel(f"features: {fewer}" if fewer else "features", fontsize=SMALL, color=FAINT)
    return finish(figure, axes, heading, features, detail)
