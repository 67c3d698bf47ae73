"""What pictures of codes as points share: maps, their legends, and medians named where there is room."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation, Text
from matplotlib.ticker import ScalarFormatter
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from latentmap.analysis import CodeMedians
from latentmap.data.dataset import NO_LABEL
from latentmap.data.dates import are_dates
from latentmap.errors import count
from latentmap.report.figures.canvas import Picture, lay_out, new_figure, title
from latentmap.report.figures.letters import choose_fonts, plain, short_names
from latentmap.report.figures.style import (
    FAINT,
    INK,
    MARKERS,
    MOST_CLASSES,
    NEUTRAL,
    REST,
    SCALE,
    SMALL,
    TEXT,
    WIDTH,
    class_style,
    date_ticks,
    far_out,
    largest,
    usual_range,
)

# Points from a mark to its name; of many names only those that fit in the first ring are written.
RINGS = (6, 14, 24, 36, 50, 66)
DIRECTIONS = ((1, 0), (-1, 0), (0.7, 0.7), (-0.7, 0.7), (0.7, -0.7), (-0.7, -0.7), (0, 1), (0, -1))
_THIN = 20  # times as wide as high, or as high as wide
ONE_LETTER = 13.0  # points: names of one or two characters can be larger than words
FAR = 12  # points: a name farther than this from its mark needs a line to it
FEW = 5  # names on a map, which need not be short
MOST_BESIDE = 3  # panels in a row
MOST_COLOURS = 10  # where there are more classes than can be named: of groups, or of some classes


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
        The class of each, for its colour; below 0 where there is none.
    class_names : tuple of str, optional
        The names of the classes; without them they are numbered.
    knn_accuracy, trustworthiness, knn_r2 : float, optional
        Scores to write above the points.
    values : ndarray of float, shape (n,), optional
        In place of classes a number of each, for its colour on a scale; NaN where there is none.
    values_name : str, default "y"
        What the numbers are.

    Examples
    --------
    >>> from latentmap import load_dataset
    >>> from latentmap.analysis import PcaBaseline
    >>> from latentmap.report import CodeMap
    >>> digits = load_dataset("digits", size=8).limit(100)
    >>> pca = PcaBaseline(2).fit(digits.train.images)
    >>> codes = CodeMap("PCA", pca.transform(digits.test.images), digits.test.labels, knn_accuracy=0.5)
    >>> codes.scores
    'kNN accuracy 50.0%'
    """

    title: str
    Z: NDArray[Any]
    labels: NDArray[np.int64] | None = None
    class_names: tuple[str, ...] | None = None
    knn_accuracy: float | None = None
    trustworthiness: float | None = None
    values: NDArray[np.floating] | None = None
    values_name: str = "y"
    knn_r2: float | None = None

    @cached_property
    def is_seen(self) -> NDArray[np.bool_]:
        """Which codes are drawn: all but at most a hundredth, or one, beside which all others would be one dot."""
        near = np.asarray(~far_out(self.Z).any(axis=1))
        return near if 100 * np.sum(~near) <= len(near) + 99 else np.ones(len(near), np.bool_)

    @property
    def outside(self) -> str:
        """How many codes are not drawn, in words; nothing of none."""
        n = int((~self.is_seen).sum())
        return f"{count(n, 'sample')} outside" if n else ""

    @cached_property
    def scale(self) -> ScalarMappable:
        """From dark to bright, what `values` come to; the outermost hundredths are as those within."""
        values = np.zeros(0) if self.values is None else self.values
        return ScalarMappable(Normalize(*usual_range(values), clip=True), colormaps[SCALE].with_extremes(bad=REST))

    def colours_of(self, rows: NDArray[np.int64] | slice) -> NDArray[np.float64]:
        """Return the colours of some codes, (n, 3)."""
        if self.values is not None:
            return np.asarray(self.scale.to_rgba(np.ma.masked_invalid(self.values[rows]))[:, :3])
        styles = self.style_of(None if self.labels is None else self.labels[rows])
        if styles is None:
            return np.tile(to_rgb(NEUTRAL), (len(self.Z[rows]), 1))
        kinds, which = np.unique(styles, return_inverse=True)
        return np.asarray([to_rgb(class_style(int(kind))[0]) for kind in kinds]).reshape(-1, 3)[which]

    @property
    def scores(self) -> str:
        """The scores in words, those that there are."""
        told = (
            ("kNN accuracy", self.knn_accuracy, ".1%"),
            ("kNN R²", self.knn_r2, ".2f"),
            ("trustworthiness", self.trustworthiness, ".3f"),
        )
        return " · ".join(f"{name} {score:{form}}" for name, score, form in told if score is not None)

    def style_of(self, classes: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
        """Return the `class_style` of some classes; None without labels."""
        if classes is None or self.labels is None:
            return None
        styles = self._styles[0]
        own = np.maximum(classes, -1) if styles is None else [styles.get(int(c), -1) for c in classes]
        return np.asarray(own, dtype=np.int64)

    @property
    def colouring(self) -> str:
        """What the colours mean, in words."""
        if self.values is not None:
            return f"coloured by {self.values_name}, which the model never saw"
        if self.labels is None:
            return "without colours, for there are no labels"
        styles, n_classes = self._styles[0], len(self._present[0])
        n_named = sum(i >= 0 for i in self.style_names)
        if styles is not None and len(styles) < n_classes:
            return f"{n_named} of {n_classes:,} classes coloured, which the model never saw"
        if n_named < n_classes:
            return "coloured by how the name of the class begins, which the model never saw"
        return "coloured by class, which the model never saw"

    @property
    def style_names(self) -> dict[int, str]:
        """What each style stands for, for the legend."""
        return self._styles[1]

    @cached_property
    def _present(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The classes that samples have, and how many have each."""
        labels = np.zeros(0, np.int64) if self.labels is None else self.labels
        classes, counts = np.unique(labels[labels >= 0], return_counts=True)
        return classes, counts

    @cached_property
    def _styles(self) -> tuple[dict[int, int] | None, dict[int, str]]:
        """The style of each class, None where that is its number; and what the legend says of each style.

        Where there are too many classes to be told apart, a style a first word of their names, or of some classes.
        """
        present, counts = self._present
        unknown = {-1: NO_LABEL} if self.labels is not None and (self.labels < 0).any() else {}
        named = {int(c): self.class_names[c] if self.class_names else str(c) for c in present}
        if len(present) <= MOST_CLASSES:
            return None, named | unknown
        words = {c: re.split(r"[\W\d_]", name, maxsplit=1)[0] for c, name in named.items()}
        groups = sorted(set(words.values()))
        if 1 < len(groups) <= MOST_COLOURS and "" not in groups:
            styles = {c: groups.index(word) for c, word in words.items()}
            return styles, dict(enumerate(groups)) | unknown
        chosen = [int(c) for c in present[largest(counts, MOST_COLOURS)]]
        legend = {i: named[c] for i, c in enumerate(chosen)}
        rest = {-1: f"{len(present) - len(chosen)} other classes"}
        return {c: i for i, c in enumerate(chosen)}, legend | rest


def side_by_side(codes: Sequence[CodeMap], *, medians: Sequence[CodeMedians] = ()) -> Figure:
    """Draw the same samples under several models, beside each other, three in a row at most.

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

    Examples
    --------
    >>> from latentmap import load_dataset
    >>> from latentmap.analysis import PcaBaseline
    >>> from latentmap.report import CodeMap, side_by_side
    >>> digits = load_dataset("digits", size=8).limit(100)
    >>> pca = PcaBaseline(2).fit(digits.train.images)
    >>> Z = pca.transform(digits.test.images)
    >>> figure = side_by_side([CodeMap(name, Z, digits.test.labels) for name in ("PCA", "again")])
    >>> [ax.get_title(loc="left") for ax in figure.axes]
    ['PCA', 'again']
    """
    names = legend_names(codes[0], beside=False)
    n_rows = 2 if codes[0].values is not None else -(-len(names) // legend_columns(names))
    n_down = -(-len(codes) // MOST_BESIDE)
    n_across = -(-len(codes) // n_down)
    figure = new_figure(n_down * (WIDTH / n_across + 0.4) + 0.2 + 0.25 * n_rows)
    grid = figure.add_gridspec(n_down, n_across)
    axes = [figure.add_subplot(grid[i // n_across, i % n_across]) for i in range(len(codes))]
    for ax, one in zip(axes, codes, strict=True):
        scatter_beside(ax, one, n_across)
    legend(axes[0], codes[0], beside=False)
    for ax, one, marks in zip(axes, codes, medians, strict=False):
        mark_medians(ax, marks, one.style_of(marks.classes))
    return figure


def scatter(ax: Axes, codes: CodeMap, *, alpha: float | None = None) -> None:
    """Draw points in the order of the data, so that no class hides the others; smaller the more there are."""
    n = max(1, len(codes.Z))
    size = float(np.clip(320 / np.sqrt(n), 2.5, 40))
    alpha = float(np.interp(np.log10(n), [2, 4], [0.9, 0.55])) if alpha is None else alpha
    style: dict[str, Any] = {"s": size, "alpha": alpha, "linewidths": 0, "rasterized": True}
    index, colours = codes.style_of(codes.labels), codes.colours_of(slice(None))
    index = np.zeros(len(codes.Z), np.int64) if index is None else index
    markers = np.asarray([class_style(int(one))[1] for one in index], str)
    for named, marker in product((False, True), MARKERS):  # the grey ones below
        chosen = (markers == marker) & ((index >= 0) == named) & codes.is_seen
        if chosen.any():
            ax.scatter(codes.Z[chosen, 0], codes.Z[chosen, 1], c=colours[chosen], marker=marker, **style)
    seen = codes.Z[codes.is_seen]
    thin = _is_thin(seen)
    ax.set_aspect("auto" if thin else "equal")
    if len(seen) and not thin:  # as much room beside a flat map as above it: shares of its height would cut points
        low, high = seen.min(axis=0), seen.max(axis=0)
        room = 0.03 * float((high - low).max())
        ax.update_datalim(np.stack([low - room, high + room]))
        ax.margins(0)
        ax.autoscale_view()
    ax.tick_params(labelsize=SMALL, colors=INK)
    ax.spines[:].set_color("#c5cad0")


def _is_thin(Z: NDArray[Any]) -> bool:
    """Whether one number of codes goes so much further than the other that nothing could be seen at one scale."""
    spans = np.ptp(Z, axis=0) if len(Z) else np.ones(2)
    return bool(spans.max() > _THIN * spans.min() > 0)


def scatter_beside(ax: Axes, codes: CodeMap, n_panels: int) -> None:
    """Draw points, named, in one of some panels that stay of the same size whatever their ranges."""
    scatter(ax, codes)
    ax.set_adjustable("datalim")  # equal aspect with a box of its own
    ax.set_box_aspect(1)
    ax.set_xlabel("z1", fontsize=TEXT)
    ax.set_ylabel("z2", fontsize=TEXT, labelpad=1)
    scores = codes.scores if n_panels < 3 else codes.scores.replace(" · ", "\n")
    title(ax, plain(codes.title, 80 // n_panels), "\n".join(filter(None, [scores, codes.outside])))


def legend_names(codes: CodeMap, *, beside: bool) -> tuple[str, ...]:
    """What the legend says of each style: of few all that there is room for, to the right of panels on two lines."""
    named = {style: name for style, name in codes.style_names.items() if style >= 0}
    few = len(named) <= MOST_COLOURS
    short = short_names(list(named.values()), 20 if few and beside else 40 if few else 18, lines=1 + (few and beside))
    return *short, *(name for style, name in codes.style_names.items() if style < 0)


def legend_columns(names: Sequence[str]) -> int:
    """How many names fit beside each other below the panels."""
    return max(1, min(len(names), max(2, 100 // (max(map(len, names), default=0) + 7))))


def legend(ax: Axes, codes: CodeMap, *, beside: bool) -> None:
    """Name the colours, to the right of the panels or below them."""
    figure = ax.get_figure(root=True)
    if codes.values is not None:
        _colour_bar(ax, codes, beside=beside)
    if not codes.style_names:
        return
    styles = map(class_style, codes.style_names)
    handles = [Line2D([], [], ls="", marker=marker, color=colour, ms=6) for colour, marker in styles]
    labels = legend_names(codes, beside=beside or not isinstance(figure, Picture))  # narrow ones within the axes
    columns = 1 if beside else legend_columns(labels)
    style: dict[str, Any] = {"ncols": columns, "frameon": False, "handletextpad": 0.1, "columnspacing": 1.0}
    style["fontsize"] = SMALL if len(handles) > 10 else TEXT
    if isinstance(figure, Picture):
        figure.legend(handles, labels, loc="outside right upper" if beside else "outside lower center", **style)
    else:  # the rest of the figure is not ours: beside the axes it would lie under others, or be cut
        within = {"ncols": 1, "fontsize": SMALL, "frameon": True, "framealpha": 0.7, "edgecolor": "none"}
        ax.legend(handles, labels, loc="best", labelspacing=0.2, borderpad=0.2, **{**style, **within})


def _colour_bar(ax: Axes, codes: CodeMap, *, beside: bool) -> None:
    """Show the scale of numbers in place of a legend."""
    figure = ax.figure.get_figure(root=True)
    panels = [one for one in figure.axes if one.get_subplotspec() is not None]
    axes = panels if isinstance(figure, Picture) and len(panels) > 1 else ax  # the rest of another's is not ours
    style: dict[str, Any] = {"shrink": 0.6, "pad": 0.02, "aspect": 30, "extend": "both", "extendfrac": 0.03}
    bar = figure.colorbar(codes.scale, ax=axes, location="right" if beside else "bottom", panchor=False, **style)
    bar.outline.set_visible(False)
    if codes.values is not None and are_dates(codes.values, codes.values_name):
        ticks, texts = date_ticks(*usual_range(codes.values))
        bar.set_ticks(ticks, labels=texts)
    elif isinstance(bar.formatter, ScalarFormatter):
        bar.formatter.set_useOffset(False)  # no number is to be added in the head
    bar.ax.tick_params(labelsize=SMALL, colors=INK)
    bar.set_label(plain(codes.values_name, 40), fontsize=TEXT, color=INK)


def panel_height(Z: NDArray[Any], width: float) -> float:
    """Return the height of a figure whose points fill a panel of `width` inches at equal aspect, within reason."""
    spans = np.ptp(Z, axis=0)
    ratio = spans[1] / spans[0] if spans[0] > 0 and not _is_thin(Z) else 1.0
    return float(np.clip(width * ratio, 3.2, 7.4)) + 0.9


def mark_medians(ax: Axes, medians: CodeMedians, styles: NDArray[np.int64] | None) -> list[Bbox]:
    """Mark medians and write their names near them, in ink with a white rim: legible over any colour.

    The largest groups come first. No name covers another or a mark, or leaves the axes; one without room is left out,
    and where there are many, so is its mark. Returns what names and marks cover, in points.
    """
    figure = ax.get_figure(root=True)
    if figure is None:
        return []
    # Where some have no colour of their own, only the others are named.
    shown = np.arange(len(medians.names)) if styles is None else np.flatnonzero((styles >= 0) | (styles.min() >= 0))
    # One that is far from all points would draw the axes out to it; of many no one does.
    low, high = np.sort(np.stack([ax.get_xlim(), ax.get_ylim()], axis=1), axis=0)
    many = len(shown) > MOST_CLASSES
    shown = shown[(np.abs(medians.Z[shown, :2] - (low + high) / 2) <= (high - low) / (1 + many)).all(axis=1)]

    def mark(row: int) -> None:
        colour, marker = (FAINT, "o") if styles is None else class_style(int(styles[row]))
        style: dict[str, Any] = {"ms": 6 if many else 8, "mfc": colour, "mec": "white", "mew": 1.4, "zorder": 5}
        ax.plot(*medians.Z[row, :2], marker, scalex=not many, scaley=not many, **style)

    if not many:
        for row in shown:
            mark(int(row))
        room = 0.03 * (high - low)  # for the whole of a mark at the edge
        ax.update_datalim(np.concatenate([medians.Z[shown, :2] - room, medians.Z[shown, :2] + room]))
        ax.autoscale_view()
    lay_out(ax)
    point = figure.dpi / 72
    places = ax.transData.transform(medians.Z[:, :2]) / point
    around = [Bbox.from_bounds(x - 4, y - 4, 8, 8) for x, y in places]
    frame = Bbox(ax.get_window_extent().get_points() / point)
    taken = [] if many else [around[row] for row in shown]
    lengths = (12,) if many else (40, 16) if len(shown) <= FEW else (16,)  # the first for which there is room
    forms = list(zip(*(short_names(medians.names, most) for most in lengths), strict=True))
    longest = max((len(form) for names in forms for form in names), default=0)
    size = SMALL if many else ONE_LETTER if longest <= 2 else TEXT  # one for all
    n_named = 0
    chance = np.random.default_rng(0).random(len(shown))  # among equals: the first ones are often of one kind
    for row in shown[np.lexsort((chance, -medians.counts[shown]))]:
        if n_named == MOST_CLASSES or (many and any(around[row].overlaps(other) for other in taken)):
            continue
        texts = (_name(ax, form, medians.Z[row], size) for form in forms[row])
        rings = RINGS[:1] if many else RINGS
        covered = next(filter(None, (_put(text, places[row], taken, frame, rings) for text in texts)), None)
        if covered is None:
            continue
        taken.append(covered)
        n_named += 1
        if many:
            taken.append(around[row])
            mark(int(row))
    return taken


def _name(ax: Axes, name: str, z: NDArray[Any], size: float) -> Annotation:
    """Write a name at its mark, to be moved, with a line to it."""
    text = ax.annotate(
        name,
        (float(z[0]), float(z[1])),
        xytext=(0, 0),
        textcoords="offset points",
        fontsize=size,
        fontweight="bold",
        color=INK,
        va="bottom",
        path_effects=[withStroke(linewidth=2.5, foreground="white")],
        zorder=6,
        arrowprops={"arrowstyle": "-", "color": FAINT, "lw": 0.8, "shrinkB": 4},
    )
    text.set_in_layout(False)  # it lies within the axes
    choose_fonts(text)
    return text


def _put(
    text: Annotation, point: NDArray[np.float64], taken: Sequence[Bbox], frame: Bbox, rings: Sequence[int]
) -> Bbox | None:
    """Move a name to where there is room for it, and return what it covers, in points; without room it goes."""
    extent, dpi = Text.get_window_extent(text), text.get_figure(root=True).dpi  # type: ignore[union-attr]
    room = (extent.width * 72 / dpi, extent.height * 72 / dpi)
    offset = free_place(point, room, taken, frame, rings)
    if offset is None:
        text.remove()
        return None
    text.xyann = offset
    if Bbox.from_bounds(-FAR, -FAR, 2 * FAR, 2 * FAR).overlaps(Bbox.from_bounds(*offset, *room)):
        text.arrowprops = text.arrow_patch = None
    return Bbox.from_bounds(point[0] + offset[0], point[1] + offset[1], *room)


def free_place(
    point: NDArray[np.float64], size: tuple[float, float], taken: Sequence[Bbox], frame: Bbox, rings: Sequence[int]
) -> tuple[float, float] | None:
    """Find the nearest offset, in points, at which a name of this size covers nothing and stays within the frame."""
    width, height = size
    for distance, (right, up) in product(rings, DIRECTIONS):
        x = distance * right - (0 if right > 0 else width if right < 0 else width / 2)
        y = distance * up - (0 if up > 0 else height if up < 0 else height / 2)
        box = Bbox.from_bounds(point[0] + x, point[1] + y, width, height)
        inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
        if inside and not any(box.overlaps(other) for other in taken):
            return x, y
    return None
